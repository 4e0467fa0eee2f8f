import Basics
import Synchronization
import TestSupport
import Testing

@testable import Stores

/// Chunks come in pieces of decoded numbers: only what is needed, each number once.
@Suite struct PieceTests {
  static let shape = [2, 9, 140, 210]
  static let codecs = ["blosc", "zstd", "zstd with a checksum", "zlib", "none"]

  /// One time in a chunk of a megabyte, several blocks of blosc's.
  static func values(_ codec: String) throws -> [String: [UInt8]] {
    let (compressor, bytes): (String, BytesCodec?) =
      switch codec {
      case "blosc": (#"{"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1}"#, .standard)
      case "zstd": (#"{"id": "zstd", "level": 1}"#, .zstd(level: 1, hasChecksum: false))
      case "zstd with a checksum": (#"{"id": "zstd", "level": 1}"#, .zstd(level: 1, hasChecksum: true))
      case "zlib": (#"{"id": "zlib", "level": 1}"#, .zlib(level: 1))
      default: ("null", nil)
      }
    let metadata = """
      {"zarr_format": 2, "shape": \(shape), "chunks": \([1] + shape.dropFirst()), "dtype": "<f4", "order": "C",
       "compressor": \(compressor), "filters": null, "fill_value": "NaN"}
      """
    var values = [".zgroup": Array(#"{"zarr_format": 2}"#.utf8), "a/.zarray": Array(metadata.utf8)]
    let count = shape.dropFirst().reduce(1, *)
    for time in 0..<2 {
      let numbers = (0..<count).map { value(time * count + $0) }
      values["a/\(time).0.0.0"] = try #require(
        numbers.withUnsafeBytes { bytes?.encode($0, elementSize: 4) ?? Array($0) })
    }
    return values
  }

  /// The same as files of a folder.
  private static func store(_ values: [String: [UInt8]], in folder: TemporaryFolder) throws -> ZarrStore {
    try Files.createDirectory("\(folder.path)/a")
    for (key, value) in values { try Files.writeAtomically(value, to: "\(folder.path)/\(key)") }
    return try ZarrStore(folder.path)
  }

  /// Smooth, but for its last digits.
  private static func value(_ index: Int) -> Float { Float(index % 10_007) * 1.37 }

  /// Marks the numbers of a piece as seen: its first that is wrong or has been seen before.
  private func fault(_ piece: StoredPiece, _ seen: inout [Bool]) -> [Int]? {
    let (box, strides) = (piece.box, piece.strides)
    for (time, level) in box[0].flatMap({ time in box[1].map { (time, $0) } }) {
      for row in box[2] {
        let indices = [time, level, row]
        let line = indices.indices.reduce(0) { $0 + (indices[$1] - box[$1].lowerBound) * strides[$1] }
        let first = ((time * Self.shape[1] + level) * Self.shape[2] + row) * Self.shape[3]
        for column in box[3] {
          let offset = line + (column - box[3].lowerBound) * strides[3]
          let number = piece.start.loadUnaligned(fromByteOffset: offset * 4, as: Float.self)
          if seen[first + column] || number != Self.value(first + column) { return indices + [column] }
          seen[first + column] = true
        }
      }
    }
    return nil
  }

  @Test(arguments: codecs, [true, false]) func onlyWhatIsWantedComesAndEachNumberOnce(
    codec: String, isInFiles: Bool
  ) throws {
    let (values, folder) = (try Self.values(codec), try TemporaryFolder())
    let store = try isInFiles ? Self.store(values, in: folder) : ZarrStore(MemoryStorage(values))
    let isPiecewise = codec != "zlib" && codec != "none"
    let scratch = ReadingScratch()
    var generator = SystemRandomNumberGenerator()
    for turn in 0..<12 {
      let box = Self.shape.enumerated().map { dimension, extent -> Range<Int> in
        if turn == 0 { return 0..<extent }
        let lower = Int.random(in: 0..<extent, using: &generator)
        return lower..<Int.random(in: lower + 1...extent, using: &generator)
      }
      let levels = Set(box[1].filter { _ in turn % 3 == 0 || Bool.random(using: &generator) })
      let only = ArrayPart.Only(dimension: 1, indices: levels)
      var seen = [Bool](repeating: false, count: Self.shape.reduce(1, *))
      var (pieces, count) = (0, 0)
      try store.read("a", ArrayPart(box, only: only), scratch) { piece in
        pieces += 1
        count += piece.box.reduce(1) { $0 * $1.count }
        let fault = fault(piece, &seen)
        #expect(fault == nil, "\(box)")
        #expect(!isPiecewise || levels.isSuperset(of: piece.box[1]), "\(piece.box[1]) was not requested")
      }
      let columns = (isPiecewise ? levels.count : levels.isEmpty ? 0 : box[1].count) * box[2].count * box[3].count
      #expect(count == box[0].count * columns, "\(box)")
      if turn == 0 && isPiecewise { #expect(pieces > 4, "a chunk comes in several pieces") }
    }
  }

  /// Blocks without wanted numbers are not even read.
  @Test func ofFilesOnlyWhatIsWantedIsRead() throws {
    let (values, folder) = (try Self.values("blosc"), try TemporaryFolder())
    let store = try Self.store(values, in: folder)
    let whole = try #require(values["a/0.0.0.0"]).count
    _ = try store.read("a", [0..<1, 8..<9, 0..<140, 0..<210])
    #expect(store.reads.bytes < whole * 7 / 10 && store.reads.chunks == 1, "\(store.reads.bytes) of \(whole)")
  }

  @Test(arguments: ["blosc", "zstd", "zstd with a checksum"], [true, false]) func damageIsFound(
    codec: String, isInFiles: Bool
  ) throws {
    let values = try Self.values(codec)
    let key = "a/1.0.0.0"
    let whole = try #require(values[key])
    func fails(_ bytes: [UInt8], _ box: [Range<Int>]) throws -> Bool {
      var changed = values
      changed[key] = bytes
      let folder = try TemporaryFolder()
      let store = try isInFiles ? Self.store(changed, in: folder) : ZarrStore(MemoryStorage(changed))
      do {
        _ = try store.read("a", box)
        return false
      } catch let error as JigsawError {
        #expect(error.place.hasSuffix(key))
        return true
      }
    }
    let all = Self.shape.map { 0..<$0 }
    let first = [1..<2, 0..<1, 0..<140, 0..<210]
    #expect(try !fails(whole, all) && !fails(whole, first))
    for cut in [1, 4, 5, 300, whole.count / 2, whole.count - 10] {
      #expect(try fails(Array(whole.dropLast(cut)), all), "without \(cut)")
    }
    #expect(try fails(whole + [0], all) && fails(whole + whole, all))
    if codec == "zstd with a checksum" {
      var changed = whole
      changed[whole.count - 2] ^= 1
      #expect(try fails(changed, all) && fails(changed, first), "also where the beginning is enough")
    }
  }

  @Test(arguments: ["blosc", "zstd"]) func scratchMemoryIsUsedAgain(codec: String) throws {
    let store = try ZarrStore(MemoryStorage(Self.values(codec)))
    let scratch = ReadingScratch()
    var sizes: [Int] = []
    for turn in 0..<6 {
      try store.read("a", ArrayPart([turn % 2..<turn % 2 + 1] + Self.shape.dropFirst().map { 0..<$0 }), scratch) { _ in
      }
      sizes.append(scratch.byteCount)
    }
    #expect(Set(sizes.dropFirst(2)).count == 1)
    // The file, and the window of decoded blocks.
    #expect(sizes[5] < 3 << 20, "\(sizes)")
  }

  @Test func boxesAreCopiedWhateverTheStrides() {
    let extent = [3, 20, 17]
    let count = extent.reduce(1, *)
    let source = (0..<count).map { UInt32($0) }
    for from in [[340, 17, 1], [1, 3, 60], [17, 51, 1]] {
      for to in [[340, 17, 1], [1, 3, 60], [20, 1, 60]] {
        var target = [UInt32](repeating: .max, count: count)
        source.withUnsafeBytes { source in
          target.withUnsafeMutableBytes {
            copyBox(from: source.baseAddress!, from, to: $0.baseAddress!, to, extent: extent, width: 4)
          }
        }
        let isRight = BoxIterator([0, 0, 0], extent.map { $0 - 1 }).allSatisfy { index in
          func place(_ strides: [Int]) -> Int { zip(index, strides).reduce(0) { $0 + $1.0 * $1.1 } }
          return target[place(to)] == source[place(from)]
        }
        #expect(isRight, "\(from) to \(to)")
      }
    }
  }
}

@Suite struct WorkerPoolTests {
  struct Failure: Error, Equatable { let index: Int }

  @Test(arguments: [0, 1, 3]) func theFirstFailureIsThrown(threads: Int) throws {
    let pool = WorkerPool(threads: threads, isBackground: true)
    for turn in 0..<50 {
      let done = Mutex(Set<Int>())
      let error = #expect(throws: Failure.self) {
        try pool.tryRun(40) { index in
          _ = done.withLock { $0.insert(index) }
          if index % 7 == 5 + turn % 2 { throw Failure(index: index) }
        }
      }
      #expect(error == Failure(index: 5 + turn % 2))
      #expect(done.withLock { done in (0...5).allSatisfy(done.contains) })
    }
    let count = Atomic<Int>(0)
    try pool.tryRun(40, atOnce: 8) { _ in count.add(1, ordering: .relaxed) }
    #expect(count.load(ordering: .relaxed) == 40)
  }
}
