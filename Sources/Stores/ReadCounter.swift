import Synchronization

/// How much of a store was read, for tests and for people.
public final class ReadCounter: Sendable {
  private let chunkCount = Atomic<Int>(0)
  private let byteCount = Atomic<Int>(0)
  /// The first numbers of chunks that are not there, by array.
  private let absent = Mutex<[String: Set<[Int]>]>([:])

  /// At most so many absent chunks are distinguished.
  private static let absentLimit = 1 << 16

  public init() {}

  /// Stored chunks that were read and decoded (of a NetCDF file: boxes that were asked for).
  public var chunks: Int { chunkCount.load(ordering: .relaxed) }
  /// Bytes read, as stored.
  public var bytes: Int { byteCount.load(ordering: .relaxed) }

  /// - Parameter location: of the store.
  public func counts(location: String) -> ReadCounts {
    let absent = absent.withLock { $0.map { ("\(location): \($0.key)", $0.value.count) } }
    return ReadCounts(
      chunks: chunks, bytes: bytes, absent: Dictionary(absent, uniquingKeysWith: { first, _ in first }))
  }

  func count(bytes: Int) { byteCount.add(bytes, ordering: .relaxed) }
  func countChunk() { chunkCount.add(1, ordering: .relaxed) }

  /// Counts a chunk that is not there, each once.
  /// - Parameter origin: the array's indices of its first number.
  func countAbsent(_ array: String, origin: [Int]) {
    absent.withLock { absent in
      if absent[array]?.count ?? 0 < ReadCounter.absentLimit { absent[array, default: []].insert(origin) }
    }
  }
}

/// Counts of the reads from one store or several.
public struct ReadCounts: Sendable, Equatable {
  public var chunks = 0
  public var bytes = 0
  /// Chunks that were asked for and are not there, so that the array's fill value was read in their place, by store and array
  /// ("path: name").
  public var absent: [String: Int] = [:]

  public init(chunks: Int = 0, bytes: Int = 0, absent: [String: Int] = [:]) {
    (self.chunks, self.bytes, self.absent) = (chunks, bytes, absent)
  }

  public init(sum counts: [ReadCounts]) {
    for count in counts {
      chunks += count.chunks
      bytes += count.bytes
      absent.merge(count.absent, uniquingKeysWith: +)
    }
  }
}
