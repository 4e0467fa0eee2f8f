import Basics

/// Memory that reading takes beside that for the numbers read, bytes.
public struct ReadingMemory: Sendable, Equatable {
  /// Decoded chunks that the library of a file format keeps, once for all threads and ranks of a process.
  public var keptByLibraries = 0
  /// Memory that libraries take for themselves, once in a process (`ArrayStore.libraryBytes`).
  public var ofLibraries = 0
  /// Memory of one thread while it reads a piece.
  public var perThread = 0

  public init() {}

  /// Adds that of another store, which is read at another time.
  public mutating func merge(_ other: ReadingMemory) {
    keptByLibraries += other.keptByLibraries
    ofLibraries = max(ofLibraries, other.ofLibraries)
    perThread = max(perThread, other.perThread)
  }
}

/// Chunks of one array that a library keeps in memory.
struct ChunkCache: Equatable {
  /// The size of the cache.
  var byteLimit: Int
  /// The size of one decoded chunk.
  var chunkBytes: Int

  /// The bytes that are held once so many chunks were read or written: a chunk that is larger than the cache is not kept.
  func bytes(chunks: Int) -> Int {
    guard chunkBytes > 0 else { return 0 }
    return min(chunks, byteLimit / chunkBytes) * chunkBytes
  }
}

extension ArrayInfo {
  /// The number of chunks that a box touches; 0 where the array is stored as a whole.
  func chunkCount(in box: [Range<Int>]) -> Int {
    guard let chunks else { return 0 }
    return zip(box, chunks).reduce(1) { count, pair in
      let (range, size) = (pair.0, max(1, pair.1))
      return range.isEmpty
        ? 0 : count.multipliedSaturating(by: (range.upperBound - 1) / size - range.lowerBound / size + 1)
    }
  }
}
