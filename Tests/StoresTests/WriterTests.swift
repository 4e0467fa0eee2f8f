import Basics
import Stores
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// What our writers write, our readers read; what fails leaves nothing behind.
@Suite struct WriterTests {
  static let definition = StoreDefinition(
    dimensions: [
      .init(name: "time", size: 5), .init(name: "y", size: 4), .init(name: "x", size: 6), .init(name: "none", size: 0),
    ],
    arrays: ScalarType.allCases.map {
      ArrayDefinition(name: $0.rawValue, type: $0, dimensions: ["time"], attributes: ["units": .text("K")])
    } + [
      ArrayDefinition(
        name: "chunked", type: .float32, dimensions: ["time", "y", "x"], chunks: [2, 4, 6],
        attributes: ["note": .text("Grüße"), "range": .numbers([-1.5, 2]), "one": .numbers([7])], fill: .nan),
      ArrayDefinition(name: "whole", type: .float32, dimensions: ["y", "x"], fill: -999),
      ArrayDefinition(name: "scalar", type: .float64, dimensions: []),
      ArrayDefinition(name: "nothing", type: .float32, dimensions: ["none", "x"]),
    ], attributes: ["Conventions": .text("CF-1.8"), "title": .text("")])

  @Test(arguments: ["a.nc", "a.zarr", "below/that/a.nc", "below/that/a.zarr", "3/a.zarr"]) func whatIsWrittenIsRead(
    name: String
  ) throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/\(name)"
    let writer = try createStore(path, Self.definition, zarrFormat: name.hasPrefix("3") ? 3 : 2)
    let small: [Double] = [0, 1, 2, 100, 127]
    for type in ScalarType.allCases { try writer.write(type.rawValue, small) }
    let values = (0..<120).map { Float($0) * 0.37 - 7 }
    // Chunk by chunk, the last one shorter, one left out.
    try values[48...].withUnsafeBufferPointer { part in
      try writer.write("chunked", [2..<4, 0..<4, 0..<6], UnsafeBufferPointer(rebasing: part[..<48]))
      try writer.write("chunked", [4..<5, 0..<4, 0..<6], UnsafeBufferPointer(rebasing: part[48...]))
    }
    try values.withUnsafeBufferPointer {
      try writer.write("whole", [0..<4, 0..<6], UnsafeBufferPointer(rebasing: $0[..<24]))
    }
    try writer.write("scalar", [2.5])
    try writer.write("nothing", [])
    #expect(!Files.exists(path), "nothing has the final name before the end")
    try writer.finish()

    let store = try openStore(path)
    #expect(try Files.list(Files.parent(of: path)) == [String(path.split(separator: "/").last ?? "")])
    for type in ScalarType.allCases {
      // NetCDF has no half precision.
      let stored = type == .float16 && name.hasSuffix(".nc") ? .float32 : type
      #expect(try store.info(type.rawValue).type == stored)
      #expect(try store.read(type.rawValue).doubles == small, "\(type)")
      #expect(try store.info(type.rawValue).attributes["units"] == .text("K"))
    }
    let chunked = try store.read("chunked").doubles
    #expect(chunked[..<48].allSatisfy { $0.isNaN })
    #expect(chunked[48...].map(Float.init) == Array(values[48...]))
    #expect(try store.info("chunked").attributes["note"] == .text("Grüße"))
    #expect(try store.info("chunked").attributes["range"] == .numbers([-1.5, 2]))
    #expect(try store.info("chunked").attributes["one"] == .numbers([7]))
    #expect(try store.info("chunked").dimensionNames == ["time", "y", "x"])
    #expect(try store.info("whole").attributes["_FillValue"] == .numbers([-999]))
    #expect(try store.read("whole").doubles.map(Float.init) == Array(values[..<24]))
    #expect(try store.read("scalar").doubles == [2.5])
    #expect(try store.read("nothing").count == 0)
    #expect(store.attributes["Conventions"] == .text("CF-1.8"))
  }

  @Test(arguments: ["a.nc", "a.zarr"]) func abandoningLeavesWhatWasThere(name: String) throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/\(name)"
    let first = try createStore(path, Self.definition)
    try first.write("scalar", [1])
    try first.finish()
    let second = try createStore(path, Self.definition)
    try second.write("scalar", [2])
    second.abandon()
    #expect(try openStore(path).read("scalar").doubles == [1])
    #expect(try Files.list(folder.path) == [name])
    // A writer that is dropped cleans up, too.
    do {
      let third = try createStore(path, Self.definition)
      try third.write("scalar", [3])
    }
    #expect(try openStore(path).read("scalar").doubles == [1])
    #expect(try Files.list(folder.path) == [name])
    let fourth = try createStore(path, Self.definition)
    try fourth.write("scalar", [4])
    try fourth.finish()
    #expect(try openStore(path).read("scalar").doubles == [4])
  }

  @Test(arguments: ["a.nc", "a.zarr"]) func placesThatCannotBeWrittenAreNamed(name: String) throws {
    let folder = try TemporaryFolder()
    try Files.writeAtomically("a file", to: "\(folder.path)/file")
    let path = "\(folder.path)/file/\(name)"
    let error = #expect(throws: JigsawError.self) { try createStore(path, Self.definition) }
    #expect(error?.place.hasPrefix("\(folder.path)/file") == true)
    #expect(try Files.readText("\(folder.path)/file") == "a file")
  }

  /// Needs the right to mount; elsewhere Tests/CLITests covers full disks by a limit on file sizes.
  @Test(arguments: ["a.nc", "a.zarr"]) func aFullDiskLeavesNothing(name: String) throws {
    let folder = try TemporaryFolder()
    let disk = "\(folder.path)/disk"
    try Files.createDirectory(disk)
    guard mount("none", disk, "tmpfs", 0, "size=262144") == 0 else { return }
    defer { umount2(disk, Int32(MNT_DETACH)) }
    let definition = StoreDefinition(
      dimensions: [.init(name: "time", size: 64), .init(name: "x", size: 4_096)],
      arrays: [ArrayDefinition(name: "noise", type: .float32, dimensions: ["time", "x"], chunks: [1, 4_096])])
    let path = "\(disk)/\(name)"
    var numbers = TestNumbers(1)
    let noise = (0..<4_096).map { _ in Float(bitPattern: UInt32(truncatingIfNeeded: numbers.next() >> 3)) }
    func write() throws {
      let writer = try createStore(path, definition)
      do {
        for time in 0..<64 {
          try noise.withUnsafeBufferPointer { try writer.write("noise", [time..<time + 1, 0..<4_096], $0) }
        }
        try writer.finish()
      } catch {
        writer.abandon()
        throw error
      }
    }
    let error = #expect(throws: JigsawError.self) { try write() }
    #expect(error?.place.hasPrefix(path) == true)
    #expect(try Files.list(disk) == [])
    let text = #expect(throws: JigsawError.self) {
      try Files.writeAtomically([UInt8](repeating: 65, count: 1 << 20), to: "\(disk)/text")
    }
    #expect(text?.description.contains("No space left") == true)
    #expect(try Files.list(disk) == [])
  }
}
