import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// Memory that one thread reads with, used again for each chunk.
public final class ReadingScratch {
  /// Bytes of a file, and what codecs make of them.
  let stored = RawBytes()
  let decoded = RawBytes()
  /// For whoever unpacks pieces.
  public let numbers = RawBytes()

  public init() {}

  /// Held now.
  public var byteCount: Int { stored.capacity + decoded.capacity + numbers.capacity }
}

/// Memory that grows, content undefined after each growth.
public final class RawBytes {
  public private(set) var capacity = 0
  public private(set) var pointer: UnsafeMutableRawPointer

  private static let hugePage = 2 << 20

  init() { pointer = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 64) }

  deinit { pointer.deallocate() }

  /// Room for at least so many bytes.
  @discardableResult
  public func reserve(_ byteCount: Int) -> UnsafeMutableRawPointer {
    if byteCount <= capacity { return pointer }
    pointer.deallocate()
    // Huge pages spare most page faults.
    let isLarge = byteCount >= RawBytes.hugePage
    capacity = isLarge ? (byteCount + RawBytes.hugePage - 1) / RawBytes.hugePage * RawBytes.hugePage : byteCount
    pointer = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: isLarge ? RawBytes.hugePage : 64)
    if isLarge { madvise(pointer, capacity, MADV_HUGEPAGE) }
    return pointer
  }
}

/// Scratch memory of the threads that read side by side.
public final class ScratchStack: Sendable {
  private let idle = Mutex(UncheckedBox())
  private let limit: Int

  // Each is used by one thread at a time, the one that has taken it.
  private struct UncheckedBox: @unchecked Sendable {
    var scratches: [ReadingScratch] = []
  }

  private struct UncheckedScratch: @unchecked Sendable {
    let scratch: ReadingScratch
  }

  /// - Parameter limit: how many are kept.
  public init(limit: Int) { self.limit = limit }

  public func with<R>(_ body: (ReadingScratch) throws -> R) rethrows -> R {
    let found = idle.withLock { box in box.scratches.popLast().map { UncheckedScratch(scratch: $0) } }
    let scratch = found ?? UncheckedScratch(scratch: ReadingScratch())
    defer {
      idle.withLock { box in
        if box.scratches.count < limit { box.scratches.append(scratch.scratch) }
      }
    }
    return try body(scratch.scratch)
  }

  /// Held by those that are idle.
  public var byteCount: Int { idle.withLock { $0.scratches.reduce(0) { $0 + $1.byteCount } } }
}
