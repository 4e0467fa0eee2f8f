@testable import Basics
import TestSupport
import Testing

@testable import Stores

#if canImport(Glibc)
  import Glibc
#endif

/// What strangers may send: names, sizes, pipes, links. Each ends in a sentence.
@Suite struct UntrustedInputTests {
  private static let badNames = [
    "", "..", ".", "../t", "a/../b", "/a", "a/", "a//b", "a\0b", "a\u{1B}[31m", "a\nb", "NUL", "con.txt", "a/LPT1",
    "CON ", "NUL .x", "com¹",
    String(repeating: "x", count: 300), Array(repeating: "abc", count: 400).joined(separator: "/"),
  ]

  @Test(arguments: badNames) func namesThatLeadElsewhereAreRefused(name: String) {
    #expect(SafeName.problem(name) != nil)
    #expect(throws: JigsawError.self) { try SafeName.require(name, "variable", place: "here") }
  }

  @Test(arguments: ["t2m", "t_500", "group/t2m", "Zürich", "a..b", ".zattrs", "<b>", "a,b", "=1", "console"])
  func otherNamesAreTaken(name: String) { #expect(SafeName.problem(name) == nil) }

  @Test func writersRefuseNamesThatLeadElsewhere() throws {
    let folder = try TemporaryFolder()
    try Files.createDirectory("\(folder.path)/other.zarr/t")
    try Files.writeAtomically("mine", to: "\(folder.path)/other.zarr/t/.zarray")
    for format in [2, 3] {
      let definition = StoreDefinition(
        dimensions: [.init(name: "x", size: 2)],
        arrays: [ArrayDefinition(name: "../other.zarr/t", type: .float32, dimensions: ["x"])])
      let error = #expect(throws: JigsawError.self) {
        try createStore("\(folder.path)/out.zarr", definition, zarrFormat: format)
      }
      #expect(error?.description.contains("leads out of its folder") == true)
    }
    #expect(try Files.readText("\(folder.path)/other.zarr/t/.zarray") == "mine")
  }

  @Test(arguments: [".zgroup", "t/.zarray", "zarr.json", "time"], ["zarr", "nc"])
  func namesThatAreTakenAreRefused(name: String, suffix: String) throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/out.\(suffix)"
    let definition = StoreDefinition(
      dimensions: [.init(name: "time", size: 2)],
      arrays: ["time", name].map { ArrayDefinition(name: $0, type: .float32, dimensions: ["time"]) })
    let error = #expect(throws: JigsawError.self) { try createStore(path, definition) }
    #expect(error?.place == "\(path): \(name)")
    #expect(try Files.list(folder.path).isEmpty)
  }

  /// A test that hangs fails by its time limit.
  @Test(.timeLimit(.minutes(1))) func pipesAreNotWaitedFor() throws {
    let folder = try TemporaryFolder()
    let pipe = "\(folder.path)/pipe.nc"
    try #require(mkfifo(pipe, 0o600) == 0)
    #expect(throws: JigsawError(pipe, "is not a regular file")) { try Files.read(pipe) }
    #expect(throws: JigsawError(pipe, "is not a regular file")) { try Safetensors.File(pipe) }
    #expect(throws: JigsawError(pipe, "is not a regular file")) { try GRIBFile(pipe) }
    #expect(throws: JigsawError(pipe, "is not a regular file")) { try NetCDFStore(pipe) }
    #expect(throws: JigsawError("/dev/zero", "is not a regular file")) { try Files.read("/dev/zero") }
  }

  private static let array =
    "{\"zarr_format\": 2, \"shape\": [1], \"chunks\": [1], \"dtype\": \"<f4\", \"compressor\": null, "
    + "\"fill_value\": 0, \"order\": \"C\", \"filters\": null}"

  /// Links from a group to one above it would be followed through all depths: 2⁸ groups of two links.
  @Test func linksToGroupsAboveAreNotFollowed() throws {
    let folder = try TemporaryFolder()
    let top = "\(folder.path)/a.zarr"
    try Files.createDirectory("\(top)/g/t")
    for group in [top, "\(top)/g"] { try Files.writeAtomically("{\"zarr_format\": 2}", to: "\(group)/.zgroup") }
    try Files.writeAtomically(Self.array, to: "\(top)/g/t/.zarray")
    try #require(symlink("..", "\(top)/g/up") == 0 && symlink(".", "\(top)/g/same") == 0)
    #expect(try ZarrStore(top).arrays.keys.sorted() == ["g/t"])
  }

  /// A listing of thousands of groups is no work of millions of names.
  @Test(.timeLimit(.minutes(1))) func manyGroupsAreListedOnce() throws {
    var values: [String: [UInt8]] = [".zgroup": Array("{\"zarr_format\": 2}".utf8)]
    for i in 0..<20_000 { values["g\(i)/.zgroup"] = values[".zgroup"] }
    values["g7/t/.zarray"] = Array(Self.array.utf8)
    #expect(try ZarrStore(MemoryStorage(values)).arrays.keys.sorted() == ["g7/t"])
  }

  @Test func keysAreListedByFolders() {
    let keys = SortedKeys(["a/b", "a/b/c", "a/b!", "a!/x", "a", "b", "ä/1", "a//d", "a/b/d/e"])
    #expect(keys.below("") == ["a", "a!", "b", "ä"])
    #expect(keys.below("a") == ["b", "b!"] && keys.below("a/b") == ["c", "d"] && keys.below("x").isEmpty)
  }

  /// A server names what it likes, a folder of this machine what lies in it.
  @Test func namesOfListingsStayInTheStore() throws {
    let group = Array("{\"zarr_format\": 2}".utf8)
    let store = MemoryStorage([".zgroup": group, "../.zgroup": group, "t/.zarray": Array(Self.array.utf8)])
    let error = #expect(throws: JigsawError.self) { try ZarrStore(store) }
    #expect(error?.description.contains("leads out of its folder") == true)
  }

  @Test func documentsTogetherAreBounded() throws {
    let group = Array("{\"zarr_format\": 2}".utf8)
    var values: [String: [UInt8]] = [".zgroup": group]
    let blanks = group + [UInt8](repeating: 0x20, count: 60 << 20)
    for i in 0..<5 { values["g\(i)/.zarray"] = blanks }
    let error = #expect(throws: JigsawError.self) { try ZarrStore(MemoryStorage(values)) }
    #expect(error?.problem == "has too long metadata documents")
  }

  @Test func zeroBytesInPathsAreRefused() throws {
    let folder = try TemporaryFolder()
    let victim = "\(folder.path)/victim"
    try Files.writeAtomically("mine", to: victim)
    let path = "\(victim)\0x"
    for write in [
      { _ = try OutputLock(folder: path) }, { _ = try OutputLock(path) }, { try Files.createDirectory(path) },
      { try Files.writeAtomically("other", to: path) }, { try Files.remove(path) }, { _ = try Files.read(path) },
      { _ = try OutputFile(replacing: path) }, { _ = try OutputFile(appendingTo: path) },
    ] as [() throws -> Void] {
      let error = #expect(throws: JigsawError.self) { try write() }
      #expect(error?.problem == "is no path, since it has a zero byte")
    }
    #expect(try Files.readText(victim) == "mine")
  }

  @Test func groupsWithTooManyNamesAreRefused() throws {
    var values: [String: [UInt8]] = [".zgroup": Array("{\"zarr_format\": 2}".utf8)]
    for i in 0...100_000 { values["n\(i)"] = [] }
    let error = #expect(throws: JigsawError.self) { try ZarrStore(MemoryStorage(values)) }
    #expect(error?.problem == "has too many names in its groups")
  }

  /// Each codec may lengthen a chunk by an eighth; of hundreds the length was beyond all numbers.
  @Test(arguments: [2, 3]) func moreThanSixteenCodecsAreRefused(version: Int) throws {
    func store(_ count: Int) -> MemoryStorage {
      if version == 2 {
        let filters = Array(repeating: "{\"id\": \"zlib\", \"level\": 1}", count: count).joined(separator: ",")
        let document = Self.array.replacing("\"filters\": null", with: "\"filters\": [\(filters)]")
        return MemoryStorage([".zgroup": Array("{\"zarr_format\": 2}".utf8), "a/.zarray": Array(document.utf8)])
      }
      let codecs = Array(repeating: "{\"name\": \"gzip\", \"configuration\": {\"level\": 1}}", count: count - 1)
      let bytes = "{\"name\": \"bytes\", \"configuration\": {\"endian\": \"little\"}}"
      let document =
        "{\"zarr_format\": 3, \"node_type\": \"array\", \"shape\": [1], \"data_type\": \"float32\", \"fill_value\": 0, "
        + "\"chunk_grid\": {\"name\": \"regular\", \"configuration\": {\"chunk_shape\": [1]}}, "
        + "\"chunk_key_encoding\": {\"name\": \"default\"}, "
        + "\"codecs\": [\(([bytes] + codecs).joined(separator: ","))]}"
      return MemoryStorage([
        "zarr.json": Array("{\"zarr_format\": 3, \"node_type\": \"group\"}".utf8), "a/zarr.json": Array(document.utf8),
      ])
    }
    #expect(try ZarrStore(store(16)).arrays.count == 1)
    for count in [17, 1_000] { #expect(throws: JigsawError.self) { try ZarrStore(store(count)) } }
  }

  /// A chunk is as large as its metadata say before any of it has been read.
  @Test func chunksBeyondFreeMemoryAreRefused() throws {
    func info(_ chunks: [Int], shape: [Int] = [8_192, 131_072]) -> ArrayInfo {
      ArrayInfo(
        name: "t", type: .float32, dimensions: zip(["y", "x"], shape).map { .init(name: $0, size: $1) }, chunks: chunks,
        codec: "none", attributes: [:])
    }
    let (large, point) = (info([8_192, 131_072]), [0..<1, 0..<1])  // 4 GiB
    let error = #expect(throws: JigsawError.self) {
      try large.requireMemory(for: point, availableByteCount: 1 << 30, "a.zarr")
    }
    #expect(error?.found == "4.0 GiB at once" && error?.place == "a.zarr: t")
    try large.requireMemory(for: point, availableByteCount: 5 << 30, "a.zarr")
    try large.requireMemory(for: [0..<0, 0..<1], availableByteCount: 1 << 30, "a.zarr")
    // Small chunks, but all of them at once.
    let small = info([1, 1_024])
    try small.requireMemory(for: point, availableByteCount: 1, "a.zarr")
    #expect(throws: JigsawError.self) {
      try small.requireMemory(for: [0..<8_192, 0..<131_072], availableByteCount: 1 << 30, "a.zarr")
    }
  }

  /// Each look at a character takes as long as it is.
  @Test func charactersWithoutEndAreCut() {
    func kept(_ text: String) -> String? {
      ArrayInfo(
        name: "t2m", type: .float32, dimensions: [], chunks: nil, codec: "none", attributes: ["units": .text(text)]
      ).units
    }
    let marks = String(String.UnicodeScalarView(repeatElement("\u{301}", count: 500_000)))
    #expect(kept("K\(marks)m")?.unicodeScalars.count == 65)
    let history = String(repeating: "Zürich 👨‍👩‍👧 नमस्ते ", count: 500)
    #expect(kept(history) == history)
  }

  @Test func numbersBeyondIntegersSaturate() {
    #expect(Int(saturating: 1e300) == .max && Int(saturating: -1e19) == .min && Int(saturating: .nan) == 0)
    #expect(Int(saturating: 0x1p63) == .max && Int(saturating: -2.9) == -2 && Int64(saturating: .infinity) == .max)
    #expect(Int.max.multipliedSaturating(by: -2) == .min && Int.min.addingSaturating(-1) == .min)
    #expect(Timestamp(seconds: .max).adding(hours: .max).seconds == .max)
    #expect(duration(1e300).isEmpty == false)
  }

  @Test func documentsWithTooManyValuesAreRefused() throws {
    let text = "[" + Array(repeating: "0", count: 100).joined(separator: ",") + "]"
    #expect(throws: JSONParser.Failure.self) { try JSONParser.parse(Array(text.utf8), valueLimit: 100) }
    #expect(try JSONParser.parse(Array(text.utf8), valueLimit: 101).array?.count == 100)
    #expect(JSONParser.valueLimit <= 2_000_000)
  }
}
