#if canImport(Glibc)
  import Glibc
#endif

/// A piece of memory, aligned for vectors. It returns to its pool when the last reference goes.
public final class Buffer: @unchecked Sendable {
  public let pointer: UnsafeMutableRawPointer
  public let byteCount: Int
  private let pool: BufferPool?
  let use: MemoryUse

  /// Memory of its own, zeroed, not pooled.
  public convenience init(zeroed byteCount: Int) {
    self.init(pointer: Buffer.allocate(byteCount), byteCount: byteCount, pool: nil)
    memset(pointer, 0, byteCount)
  }

  init(pointer: UnsafeMutableRawPointer, byteCount: Int, pool: BufferPool?, use: MemoryUse = .activations) {
    self.pointer = pointer
    self.byteCount = byteCount
    self.pool = pool
    self.use = use
  }

  /// In a dry run, who takes note of what would be done to this memory, which must not be touched.
  public var meter: (any WorkMeter)? { pool?.meter }

  deinit {
    if let pool { pool.take(back: pointer, byteCount: byteCount, use) } else { free(pointer) }
  }

  static let alignment = 64
  private static let hugePage = 2 << 20

  /// Large pieces start at huge-page boundaries, which spares most page faults and TLB misses.
  static func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer {
    var result: UnsafeMutableRawPointer?
    let isLarge = byteCount >= 2 * hugePage
    let status = posix_memalign(&result, isLarge ? hugePage : alignment, max(byteCount, alignment))
    guard status == 0, let result else { exitOutOfMemory(byteCount) }
    if isLarge { madvise(result, byteCount, MADV_HUGEPAGE) }
    return result
  }

  /// Overcommitting systems kill rather than refuse, so there is nothing to recover here.
  static func exitOutOfMemory(_ byteCount: Int) -> Never {
    let message = "jigsaw: out of memory: \(byteCount) bytes could not be allocated\n"
    _ = message.withCString { write(STDERR_FILENO, $0, strlen($0)) }
    exit(1)
  }
}
