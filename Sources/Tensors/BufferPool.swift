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
  }

  private struct State {
    var idle: [Int: [UnsafeMutableRawPointer]] = [:]
    var counters = Counters()
  }
  private let state = Mutex(UncheckedBox(State()))

  // Raw pointers are not Sendable; the mutex around them is what makes this sound.
  private struct UncheckedBox: @unchecked Sendable {
    var value: State
    init(_ value: State) { self.value = value }
  }

  public init() {}

  deinit { trim() }

  public var counters: Counters { state.withLock { $0.value.counters } }

  public func resetPeak() {
    state.withLock { $0.value.counters.peakBytesInUse = $0.value.counters.bytesInUse }
  }

  /// A piece of at least `byteCount` bytes, content undefined.
  public func buffer(byteCount: Int) -> Buffer {
    let size = (max(byteCount, 1) + Buffer.alignment - 1) / Buffer.alignment * Buffer.alignment
    let pointer = state.withLock { box -> UncheckedPointer? in
      box.value.counters.bytesInUse += size
      box.value.counters.peakBytesInUse = max(box.value.counters.peakBytesInUse, box.value.counters.bytesInUse)
      if let pointer = box.value.idle[size]?.popLast() {
        box.value.counters.bytesIdle -= size
        return UncheckedPointer(pointer)
      }
      box.value.counters.allocations += 1
      return nil
    }
    return Buffer(pointer: pointer?.value ?? Buffer.allocate(size), byteCount: size, pool: self)
  }

  private struct UncheckedPointer: @unchecked Sendable {
    let value: UnsafeMutableRawPointer
    init(_ value: UnsafeMutableRawPointer) { self.value = value }
  }

  func take(back pointer: UnsafeMutableRawPointer, byteCount: Int) {
    let pointer = UncheckedPointer(pointer)
    state.withLock {
      $0.value.idle[byteCount, default: []].append(pointer.value)
      $0.value.counters.bytesInUse -= byteCount
      $0.value.counters.bytesIdle += byteCount
    }
  }

  /// Gives idle memory back to the system.
  public func trim() {
    state.withLock {
      for pointers in $0.value.idle.values { for pointer in pointers { free(pointer) } }
      $0.value.idle = [:]
      $0.value.counters.bytesIdle = 0
    }
  }
}
