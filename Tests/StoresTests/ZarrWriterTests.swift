import Basics
import TestSupport
import Testing

@testable import Stores

/// Zarr stores as asked for: encodings, several writers, goes. What other tools read of them is in Tests/Interop.
@Suite struct ZarrWriterTests {
  private func definition(_ arrays: [ArrayDefinition], consolidated: Bool = true) -> StoreDefinition {
    StoreDefinition(
      dimensions: [.init(name: "time", size: 5), .init(name: "x", size: 10)], arrays: arrays,
      isConsolidated: consolidated)
  }

  private func array(_ encoding: ChunkEncoding, type: ScalarType = .float32, fill: Double? = nil) -> ArrayDefinition {
    ArrayDefinition(name: "a", type: type, dimensions: ["time", "x"], chunks: [1, 4], fill: fill, encoding: encoding)
  }

  private func rows(_ rows: Range<Int>) -> RawArray {
    let values = rows.flatMap { row in (0..<10).map { Float(100 * row + $0) } }
    return RawArray(type: .float32, bytes: values.withUnsafeBytes { Array($0) })
  }

  /// As Anemoi's: not consolidated, dates, nested attributes, a date that is missing.
  @Test(arguments: [2, 3]) func groupsLikeAnemoisAreWritten(format: Int) throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.zarr"
    let metadata = JSONValue.object([
      "t_500": .object(["mars": .object(["level": .integer(500)]), "constant": .bool(false)])
    ])
    let writer = try createStore(
      path,
      StoreDefinition(
        dimensions: [
          .init(name: "time", size: 3), .init(name: "variable", size: 2), .init(name: "ensemble", size: 1),
          .init(name: "cell", size: 8),
        ],
        arrays: [
          ArrayDefinition(
            name: "data", type: .float32, dimensions: ["time", "variable", "ensemble", "cell"], chunks: [1, 2, 1, 4],
            fill: .nan, encoding: ChunkEncoding(format == 2 ? .standard : .zstd(level: 0))),
          ArrayDefinition(name: "dates", type: .int64, meaning: .date(unit: "s"), dimensions: ["time"], fill: -0x1p63),
        ],
        attributes: [
          "variables_metadata": .json(metadata), "field_shape": .json(.null), "allow_nans": .json(.bool(true)),
          "variables": .texts(["t_500", "z_500"]),
        ], isConsolidated: false), zarrFormat: format)
    let dates: [Int64] = [0, 21_600, 43_200]
    try writer.write("dates", [0..<3], RawArray(type: .int64, bytes: dates.withUnsafeBytes { Array($0) }))
    let values = (0..<16).map(Float.init)
    for time in [0, 2] {
      try values.withUnsafeBufferPointer { try writer.write("data", [time..<time + 1, 0..<2, 0..<1, 0..<8], $0) }
    }
    try writer.finish()
    let store = try openStore(path)
    #expect(store.format == "Zarr \(format)")
    #expect(store.attributes["variables_metadata"]?.json == metadata)
    #expect(store.attributes["field_shape"] == nil && store.attributes["allow_nans"] == .numbers([1]))
    #expect(try store.read("dates").integers == dates)
    #expect(try store.info("dates").attributes["units"] == .text("seconds since 1970-01-01"))
    let data = try store.read("data").doubles
    #expect(data[16..<32].allSatisfy(\.isNaN) && Array(data[32...]) == values.map(Double.init))
    let document = try Files.readText("\(path)/dates/\(format == 2 ? ".zarray" : "zarr.json")")
    #expect(document.contains(format == 2 ? "\"<M8[s]\"" : "numpy.datetime64"))
  }

  @Test(arguments: [2, 3]) func numbersAreWrittenMostSignificantByteFirst(format: Int) throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.zarr"
    let encoding = ChunkEncoding(.none, isBigEndian: true)
    let flags = ArrayDefinition(
      name: "flags", type: .uint8, meaning: .truth, dimensions: ["time"], encoding: encoding)
    let writer = try createStore(path, definition([array(encoding, fill: -1), flags]), zarrFormat: format)
    try writer.write("a", [1..<3, 0..<10], rows(1..<3))
    try writer.write("flags", [1, 0, 1, 1, 0])
    try writer.finish()
    // 100, 101, 102, 103 in FP32.
    let stored: [UInt8] = [0x42, 0xC8, 0, 0, 0x42, 0xCA, 0, 0, 0x42, 0xCC, 0, 0, 0x42, 0xCE, 0, 0]
    #expect(try Files.read("\(path)/a/\(format == 2 ? "1.0" : "c/1/0")") == stored)
    let store = try openStore(path)
    #expect(try store.read("a", [1..<3, 0..<10]).bytes == rows(1..<3).bytes)
    #expect(try store.read("a", [0..<1, 0..<2]).doubles == [-1, -1])
    #expect(try store.read("flags").doubles == [1, 0, 1, 1, 0])
  }

  @Test func shardsAreWrittenWholeByOneWriterEach() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.zarr"
    let definition = definition([array(ChunkEncoding(.zstd(), hasChecksum: true, shards: [2, 8]), fill: -1)])
    let first = try createStore(path, definition, zarrFormat: 3)
    let second = try createStore(path, definition, joins: true, temporary: first.temporary, zarrFormat: 3)
    for box in [[0..<1, 0..<10], [0..<2, 0..<4], [1..<3, 0..<10]] {
      let count = box[0].count * box[1].count
      let error = #expect(throws: JigsawError.self) {
        try first.write("a", box, RawArray(type: .float32, bytes: [UInt8](repeating: 0, count: 4 * count)))
      }
      #expect(error?.expected == "whole chunks or shards of [2, 8]")
    }
    try first.write("a", [0..<2, 0..<10], rows(0..<2))
    try second.write("a", [4..<5, 0..<10], rows(4..<5))
    try second.finish()
    try first.finish()
    let store = try openStore(path)
    #expect(try store.info("a").chunks == [1, 4] && store.info("a").codec == "shards of zstd(3), crc32c")
    #expect(try store.read("a", [0..<2, 0..<10]).bytes == rows(0..<2).bytes)
    #expect(try store.read("a", [2..<4, 0..<10]).doubles == [Double](repeating: -1, count: 20))
    #expect(try store.read("a", [4..<5, 0..<10]).bytes == rows(4..<5).bytes)
    #expect(try Files.list("\(path)/a/c") == ["0", "2"])
  }

  @Test(arguments: [2, 3]) func writingGoesOnAfterACrash(format: Int) throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.zarr"
    let definition = definition([array(ChunkEncoding())])
    let temporary = Temporary.name(for: path)
    do {
      let writer = try createStore(path, definition, resuming: true, temporary: temporary, zarrFormat: format)
      #expect(!writer.isWritten("a", [0, 0]))
      try writer.write("a", [0..<2, 0..<10], rows(0..<2))
      // Dropped, as if the process had ended.
    }
    // Another ended in the middle of a chunk.
    let key = format == 2 ? "3.0" : "c/3/0"
    try Files.createDirectory(Files.parent(of: "\(temporary)/a/\(key)"))
    try Files.writeAtomically([1, 2, 3], to: "\(temporary)/a/\(key).1-0123456789abcdef.tmp")
    let renamed = ArrayDefinition(name: "b", type: .float32, dimensions: ["time", "x"], chunks: [1, 4])
    for (other, otherFormat) in [
      (self.definition([array(ChunkEncoding(.none))]), format), (self.definition([renamed]), format),
      (definition, 5 - format),
    ] {
      let error = #expect(throws: JigsawError.self) {
        try createStore(path, other, resuming: true, temporary: temporary, zarrFormat: otherFormat)
      }
      #expect(error?.problem == "is of a store that was to be written otherwise")
    }
    let writer = try createStore(path, definition, resuming: true, temporary: temporary, zarrFormat: format)
    for row in 0..<5 {
      #expect(writer.isWritten("a", [row, 0]) == (row < 2) && writer.isWritten("a", [row, 2]) == (row < 2))
      if row >= 2 { try writer.write("a", [row..<row + 1, 0..<10], rows(row..<row + 1)) }
    }
    #expect(!Files.exists(path))
    try writer.finish()
    #expect(try openStore(path).read("a").bytes == rows(0..<5).bytes)
    #expect(try !Files.list("\(path)/a").contains { $0.hasSuffix(".tmp") } && !Files.exists(temporary))
    let abandoned = try createStore(path, definition, resuming: true, zarrFormat: format)
    abandoned.abandon()
    #expect(!Files.exists(abandoned.temporary) && Files.exists(path))
    #expect(throws: JigsawError.self) { try createStore("\(folder.path)/a.nc", definition, resuming: true) }
  }

  @Test func whatAFormatHasNotIsRefused() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.zarr"
    var odd = ChunkEncoding()
    odd.shards = [2, 6]
    let cases: [(Int, ArrayDefinition)] = [
      (2, array(ChunkEncoding(hasChecksum: true))), (2, array(ChunkEncoding(shards: [2, 8]))), (3, array(odd)),
      (3, array(ChunkEncoding(.lz4))), (3, array(ChunkEncoding(.zlib()))),
      (3, array(ChunkEncoding(), type: .uint8, fill: -1)), (2, array(ChunkEncoding(), type: .int32, fill: 0.5)),
      (2, array(ChunkEncoding(), type: .int64, fill: .nan)),
      (2, ArrayDefinition(name: "a", type: .int32, meaning: .date(unit: "s"), dimensions: ["time"])),
      (2, ArrayDefinition(name: "a", type: .int64, meaning: .date(unit: "weeks"), dimensions: ["time"])),
      (2, ArrayDefinition(name: "a", type: .int64, dimensions: ["time"], chunks: [0])),
      (3, ArrayDefinition(name: "a", type: .int64, dimensions: ["time"], chunks: [1 << 40])),
      (2, ArrayDefinition(name: "a", type: .int64, dimensions: ["time"], chunks: [1 << 28])),
    ]
    for (format, array) in cases {
      let error = #expect(throws: JigsawError.self) { try createStore(path, definition([array]), zarrFormat: format) }
      #expect(error?.place == "\(path)/a")
    }
    #expect(try Files.list(folder.path) == [])
  }
}
