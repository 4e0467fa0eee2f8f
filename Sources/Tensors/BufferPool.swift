import Synchronization

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

  /// Where the memory is.
  public let device: any Device

  public init(on device: any Device = HostDevice()) { self.device = device }

  deinit { trim() }

  public var counters: Counters { state.withLock { $0.value.counters } }

  public func resetPeak() {
    state.withLock { $0.value.counters.peakBytesInUse = $0.value.counters.bytesInUse }
  }

  /// A piece of at least `byteCount` bytes, content undefined.
  public func buffer(byteCount: Int, for use: MemoryUse = .activations) -> Buffer {
    let wanted = (max(byteCount, 1) + Buffer.alignment - 1) / Buffer.alignment * Buffer.alignment
    let piece = state.withLock { box -> (size: Int, pointer: UncheckedPointer?) in
      let size = BufferPool.idleSize(for: wanted, box.value.idle) ?? wanted
      box.value.counters.bytesInUse += size
      box.value.counters.peakBytesInUse = max(box.value.counters.peakBytesInUse, box.value.counters.bytesInUse)
      box.value.counters.bytesByUse[use.rawValue] += size
      if let piece = box.value.idle[size]?.popLast() {
        box.value.counters.bytesIdle -= size
        box.value.counters.bytesByUse[piece.use.rawValue] -= size
        return (size, UncheckedPointer(piece.pointer))
      }
      box.value.counters.allocations += 1
      return (size, nil)
    }
    let address = piece.pointer?.value ?? device.allocate(piece.size, zeroed: false)
    return Buffer(address, piece.size, on: device, pool: self, use: use)
  }

  /// From this size on, bytes, a piece that is a little larger is taken before a new one: parts of a model take pieces of about
  /// the same size.
  private static let largePiece = 4 << 20

  /// The size of the idle piece that fits best: of just this size, or where pieces are large of at most an eighth more.
  private static func idleSize(for wanted: Int, _ idle: [Int: [Piece]]) -> Int? {
    if idle[wanted]?.isEmpty == false { return wanted }
    guard wanted >= largePiece else { return nil }
    return idle.lazy.filter { !$1.isEmpty && $0 > wanted && $0 <= wanted + wanted / 8 }.map(\.key).min()
  }

  private struct UncheckedPointer: @unchecked Sendable {
    let value: UnsafeMutableRawPointer
    init(_ value: UnsafeMutableRawPointer) { self.value = value }
  }

  func take(back pointer: UnsafeMutableRawPointer, byteCount: Int, _ use: MemoryUse) {
    let pointer = UncheckedPointer(pointer)
    state.withLock {
      $0.value.idle[byteCount, default: []].append(Piece(pointer: pointer.value, use: use))
      $0.value.counters.bytesInUse -= byteCount
      $0.value.counters.bytesIdle += byteCount
    }
  }

  /// Gives idle memory back to the device.
  public func trim() {
    state.withLock {
      for (size, pieces) in $0.value.idle {
        for piece in pieces {
          $0.value.counters.bytesByUse[piece.use.rawValue] -= size
          device.release(piece.pointer, size)
        }
      }
      $0.value.idle = [:]
      $0.value.counters.bytesIdle = 0
    }
  }
}
