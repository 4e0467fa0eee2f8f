import Synchronization

/// How much of a store was read, for tests and for people.
public final class ReadCounter: Sendable {
  private let chunkCount = Atomic<Int>(0)
  private let byteCount = Atomic<Int>(0)

  public init() {}

  /// Stored chunks that were read and decoded (of a NetCDF file: boxes that were asked for).
  public var chunks: Int { chunkCount.load(ordering: .relaxed) }
  /// As stored.
  public var bytes: Int { byteCount.load(ordering: .relaxed) }

  func count(bytes: Int) { byteCount.add(bytes, ordering: .relaxed) }
  func countChunk() { chunkCount.add(1, ordering: .relaxed) }
}
