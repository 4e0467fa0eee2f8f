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
    /// The most bytes that were held, in use or idle, since the last `trim`.
    public fileprivate(set) var peakBytesHeld = 0
    /// The most bytes that were ever in use.
    fileprivate var highWaterInUse = 0
    /// Bytes in use or idle, by what they are or were last used for: now, and when most were held.
    fileprivate var bytesByUse = [Int](repeating: 0, count: MemoryUse.allCases.count)
    fileprivate var bytesByUseAtPeak = [Int](repeating: 0, count: MemoryUse.allCases.count)

    /// Bytes in use or idle when the pool held the most since the last `trim`, by what they were or had last been used for.
    public subscript(use: MemoryUse) -> Int { bytesByUseAtPeak[use.rawValue] }

    /// Bytes in use and idle.
    fileprivate var bytesHeld: Int { bytesInUse + bytesIdle }

    fileprivate mutating func take(_ bytes: Int, for use: MemoryUse) {
      bytesInUse += bytes
      peakBytesInUse = max(peakBytesInUse, bytesInUse)
      highWaterInUse = max(highWaterInUse, bytesInUse)
      bytesByUse[use.rawValue] += bytes
    }

    fileprivate mutating func resetPeakHeld() { (peakBytesHeld, bytesByUseAtPeak) = (bytesHeld, bytesByUse) }

    fileprivate mutating func notePeak() {
      guard bytesHeld > peakBytesHeld else { return }
      peakBytesHeld = bytesHeld
      bytesByUseAtPeak = bytesByUse
    }
  }

  private struct Piece {
    let pointer: UnsafeMutableRawPointer
    let use: MemoryUse
    /// When the piece came back: the count of pieces that had come back before.
    let returned: Int
  }

  private struct State {
    /// Idle pieces by size, each list in the order of their return.
    var idle: [Int: [Piece]] = [:]
    var counters = Counters()
    var returns = 0

    mutating func takeIdle(_ size: Int) -> Piece? {
      guard let piece = idle[size]?.popLast() else { return nil }
      forget(piece, size)
      return piece
    }

    /// Takes the piece out that has been idle longest.
    mutating func takeOldest() -> (piece: Piece, size: Int)? {
      let oldest = idle.lazy.compactMap { size, pieces in pieces.first.map { (returned: $0.returned, size: size) } }
        .min { $0.returned < $1.returned }
      guard let size = oldest?.size, let piece = idle[size]?.removeFirst() else { return nil }
      forget(piece, size)
      return (piece, size)
    }

    private mutating func forget(_ piece: Piece, _ size: Int) {
      counters.bytesIdle -= size
      counters.bytesByUse[piece.use.rawValue] -= size
    }
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
      let idle = box.value.takeIdle(size)
      box.value.counters.take(size, for: use)
      if let idle { return (size, UncheckedPointer(idle.pointer)) }
      releaseSurplus(&box.value)
      box.value.counters.allocations += 1
      box.value.counters.notePeak()
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

  /// Idle memory that a pool may hold beyond the most that was in use, bytes: so much, or an eighth of the most where that is more.
  private static let surplus = 256 << 20

  /// Gives the pieces back to the device that have been idle longest, until no more is held than allowed. A new piece is
  /// needed only where no idle one fits, so that pools whose pieces repeat from step to step keep theirs.
  private func releaseSurplus(_ state: inout State) {
    let most = state.counters.highWaterInUse
    let allowed = most + max(BufferPool.surplus, most / 8)
    while state.counters.bytesHeld > allowed, let (piece, size) = state.takeOldest() {
      device.release(piece.pointer, size)
    }
  }

  private struct UncheckedPointer: @unchecked Sendable {
    let value: UnsafeMutableRawPointer
    init(_ value: UnsafeMutableRawPointer) { self.value = value }
  }

  func take(back pointer: UnsafeMutableRawPointer, byteCount: Int, _ use: MemoryUse) {
    let pointer = UncheckedPointer(pointer)
    state.withLock {
      let piece = Piece(pointer: pointer.value, use: use, returned: $0.value.returns)
      $0.value.returns += 1
      $0.value.idle[byteCount, default: []].append(piece)
      $0.value.counters.bytesInUse -= byteCount
      $0.value.counters.bytesIdle += byteCount
    }
  }

  /// Gives idle memory back to the device.
  public func trim() {
    state.withLock {
      while let (piece, size) = $0.value.takeOldest() { device.release(piece.pointer, size) }
      $0.value.counters.resetPeakHeld()
    }
  }
}
