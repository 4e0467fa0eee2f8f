import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// Memory that is handed out again instead of going back to the system: a training step asks for the same sizes in the
/// same order each time, so that from the second step on nothing is allocated.
public final class BufferPool: Sendable {
  public struct Counters: Sendable, Equatable {
    /// Pieces that had to come from the system.
    public var allocations = 0
    /// Bytes handed out now, and the most there ever were since the last `resetPeak`.
    public var bytesInUse = 0
    public var peakBytesInUse = 0
    /// Bytes held for later use.
    public var bytesIdle = 0
    fileprivate var bytesByUse = [Int](repeating: 0, count: MemoryUse.allCases.count)

    /// Bytes in use or idle, by what they are or were last used for.
    public subscript(use: MemoryUse) -> Int { bytesByUse[use.rawValue] }
  }

  private struct Piece {
    let pointer: UnsafeMutableRawPointer
    let use: MemoryUse
  }

  private struct State {
    var idle: [Int: [Piece]] = [:]
    var counters = Counters()
  }
  private let state = Mutex(UncheckedBox(State()))

  // Raw pointers are not Sendable; the mutex around them is what makes this sound.
  private struct UncheckedBox: @unchecked Sendable {
    var value: State
    init(_ value: State) { self.value = value }
  }

  /// In a dry run, who takes note of what is done to the memory: its pieces are addresses that must not be touched.
  public let meter: (any WorkMeter)?

  public init(meter: (any WorkMeter)? = nil) { self.meter = meter }

  deinit { trim() }

  public var counters: Counters { state.withLock { $0.value.counters } }

  public func resetPeak() {
    state.withLock { $0.value.counters.peakBytesInUse = $0.value.counters.bytesInUse }
  }

  /// A piece of at least `byteCount` bytes, content undefined.
  public func buffer(byteCount: Int, for use: MemoryUse = .activations) -> Buffer {
    let size = (max(byteCount, 1) + Buffer.alignment - 1) / Buffer.alignment * Buffer.alignment
    let pointer = state.withLock { box -> UncheckedPointer? in
      box.value.counters.bytesInUse += size
      box.value.counters.peakBytesInUse = max(box.value.counters.peakBytesInUse, box.value.counters.bytesInUse)
      box.value.counters.bytesByUse[use.rawValue] += size
      if let piece = box.value.idle[size]?.popLast() {
        box.value.counters.bytesIdle -= size
        box.value.counters.bytesByUse[piece.use.rawValue] -= size
        return UncheckedPointer(piece.pointer)
      }
      box.value.counters.allocations += 1
      return nil
    }
    return Buffer(pointer: pointer?.value ?? allocate(size), byteCount: size, pool: self, use: use)
  }

  private struct UncheckedPointer: @unchecked Sendable {
    let value: UnsafeMutableRawPointer
    init(_ value: UnsafeMutableRawPointer) { self.value = value }
  }

  private func allocate(_ size: Int) -> UnsafeMutableRawPointer {
    meter == nil ? Buffer.allocate(size) : DryMemory.reserve(size)
  }

  func take(back pointer: UnsafeMutableRawPointer, byteCount: Int, _ use: MemoryUse) {
    let pointer = UncheckedPointer(pointer)
    state.withLock {
      $0.value.idle[byteCount, default: []].append(Piece(pointer: pointer.value, use: use))
      $0.value.counters.bytesInUse -= byteCount
      $0.value.counters.bytesIdle += byteCount
    }
  }

  /// Gives idle memory back to the system.
  public func trim() {
    state.withLock {
      for (size, pieces) in $0.value.idle {
        for piece in pieces {
          $0.value.counters.bytesByUse[piece.use.rawValue] -= size
          if meter == nil { free(piece.pointer) } else { DryMemory.release(piece.pointer, size) }
        }
      }
      $0.value.idle = [:]
      $0.value.counters.bytesIdle = 0
    }
  }
}

/// Addresses without memory behind them: whoever touches them by mistake is stopped at once.
private enum DryMemory {
  static func reserve(_ size: Int) -> UnsafeMutableRawPointer {
    let address = mmap(nil, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let address, address != MAP_FAILED else { Buffer.exitOutOfMemory(size) }
    return address
  }

  static func release(_ pointer: UnsafeMutableRawPointer, _ size: Int) { munmap(pointer, size) }
}
