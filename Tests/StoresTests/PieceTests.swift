import Basics
import Synchronization
import TestSupport
import Testing

@testable import Stores

/// Chunks come in pieces of decoded numbers: only what is needed, each number once.
@Suite struct PieceTests {
  static let shape = [2, 9, 70, 210]

  /// One time in a chunk of half a megabyte, several blocks of blosc's.
  private func store(_ folder: TemporaryFolder) throws -> any ArrayStore {
    let path = "\(folder.path)/data.zarr"
    let names = ["time", "level", "longitude", "latitude"]
    let writer = try createStore(
      path,
      StoreDefinition(
        dimensions: zip(names, Self.shape).map { ArrayInfo.Dimension(name: $0, size: $1) },
        arrays: [
          ArrayDefinition(
            name: "a", type: .float32, dimensions: names, chunks: [1] + Self.shape.dropFirst(), attributes: [:])
        ], attributes: [:]))
    let values = (0..<Self.shape.reduce(1, *)).map { Self.value($0) }
    try values.withUnsafeBufferPointer { try writer.write("a", Self.shape.map { 0..<$0 }, $0) }
    try writer.finish()
    return try openStore(path)
  }

  /// Smooth, but for its last digits.
  private static func value(_ index: Int) -> Float { Float(index % 10_007) * 1.37 }

  private func number(_ piece: StoredPiece, _ index: [Int]) -> Float {
    let offset = index.indices.reduce(0) { $0 + (index[$1] - piece.box[$1].lowerBound) * piece.strides[$1] }
    return piece.start.loadUnaligned(fromByteOffset: offset * 4, as: Float.self)
  }

  @Test func onlyWhatIsWantedIsDecodedAndEachNumberComesOnce() throws {
    let folder = try TemporaryFolder()
    let store = try store(folder)
    let scratch = ReadingScratch()
    var generator = SystemRandomNumberGenerator()
    for turn in 0..<40 {
      let box = Self.shape.enumerated().map { dimension, extent -> Range<Int> in
        if turn == 0 { return 0..<extent }
        let lower = Int.random(in: 0..<extent, using: &generator)
        return lower..<Int.random(in: lower + 1...extent, using: &generator)
      }
      let levels = Set(box[1].filter { _ in turn % 3 == 0 || Bool.random(using: &generator) })
      let only = ArrayPart.Only(dimension: 1, indices: levels)
      var seen = Set<Int>()
      var pieces = 0
      try store.read("a", ArrayPart(box, only: only), scratch) { piece in
        pieces += 1
        for index in BoxIterator(piece.box.map(\.lowerBound), piece.box.map { $0.upperBound - 1 }) {
          let position = zip(index, strides(Self.shape, isFortranOrder: false)).reduce(0) { $0 + $1.0 * $1.1 }
          if !seen.insert(position).inserted || number(piece, index) != Self.value(position) {
            Issue.record("\(box): \(index)")
            return
          }
          #expect(levels.contains(index[1]) && zip(box, index).allSatisfy { $0.contains($1) })
        }
      }
      #expect(seen.count == box[0].count * levels.count * box[2].count * box[3].count, "\(box)")
      if turn == 0 { #expect(pieces > 2, "a chunk comes in several pieces") }
    }
  }

  @Test func scratchMemoryIsUsedAgain() throws {
    let folder = try TemporaryFolder()
    let store = try store(folder)
    let scratch = ReadingScratch()
    var sizes: [Int] = []
    for turn in 0..<6 {
      try store.read("a", ArrayPart([turn % 2..<turn % 2 + 1] + Self.shape.dropFirst().map { 0..<$0 }), scratch) { _ in
      }
      sizes.append(scratch.byteCount)
    }
    #expect(Set(sizes.dropFirst(2)).count == 1)
    // The file, and the window of decoded blocks.
    #expect(sizes[5] < 2 << 20, "\(sizes)")
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
