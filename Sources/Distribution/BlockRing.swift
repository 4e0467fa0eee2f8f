import Basics
import Communication
import Tensors

/// The blocks of all ranks along an axis, this rank's own first, then its successors': each is received while the one
/// before is in use, so at most two remote blocks are in memory.
final class BlockRing: BlockStream {
  /// A rank's block, which may still be arriving.
  struct Arrival {
    let index: Int
    private let block: Matrix
    private let messages: [(rows: Range<Int>, transfer: any Transfer)]

    fileprivate init(_ index: Int, _ block: Matrix, _ messages: [(rows: Range<Int>, transfer: any Transfer)]) {
      self.index = index
      self.block = block
      self.messages = messages
    }

    /// The whole block.
    func whole() throws -> Matrix {
      for message in messages { try message.transfer.wait() }
      return block
    }

    /// Calls `body` for each piece of its rows when that has arrived; for the own block once.
    func forEachPiece(_ body: (Range<Int>, Matrix) throws -> Void) throws {
      if messages.isEmpty { return try body(0..<block.rows, block) }
      for (rows, transfer) in messages {
        try transfer.wait()
        try body(rows, block.rows(rows))
      }
    }
  }

  private let own: Matrix
  private let shape: (Int) -> (rows: Int, columns: Int)
  private let communicator: any Communicator
  private let compute: Compute
  private let tag: Int
  private let slices: Int
  private var step = 0
  private var arriving: Arrival?
  private var sends: [any Transfer] = []
  private var isBegun = false
  private var arrivals = 0

  /// - Parameters:
  ///   - shape: of each rank's block.
  ///   - slices: messages that a block goes in.
  init(
    _ own: Matrix, shape: @escaping (Int) -> (rows: Int, columns: Int), _ communicator: any Communicator,
    _ compute: Compute, tag: Int, slices: Int
  ) {
    self.own = own
    self.shape = shape
    self.communicator = communicator
    self.compute = compute
    self.tag = tag
    self.slices = slices
  }

  var count: Int { communicator.size }

  private func messages(_ rows: Int) -> [Range<Int>] {
    let ranges = (0..<slices).map { chunk(rows, into: slices, $0) }.filter { !$0.isEmpty }
    return ranges.isEmpty ? [0..<0] : ranges
  }

  /// Starts the exchange for the next step.
  private func startStep() throws {
    let (rank, size) = (communicator.rank, communicator.size)
    step += 1
    guard step < size else { return }
    let (source, destination) = ((rank + step) % size, (rank + size - step) % size)
    let (rows, columns) = shape(source)
    let block = compute.tensor([rows, columns], for: .exchange).matrix
    let transfers = try messages(rows).map {
      (rows: $0, transfer: try communicator.receive(block.rows($0).region, from: source, tag: tag))
    }
    arriving = Arrival(source, block, transfers)
    for rows in messages(own.rows) {
      sends.append(try communicator.send(own.rows(rows).region, to: destination, tag: tag))
    }
    if !communicator.policy.overlaps {
      _ = try arriving?.whole()
      try finish()
    }
  }

  func begin() throws {
    isBegun = true
    try startStep()
  }

  /// The next block, the own one first; to be called `count` times.
  func next() throws -> Arrival {
    if arrivals == 0 {
      if !isBegun { try begin() }
      arrivals = 1
      return Arrival(communicator.rank, own, [])
    }
    guard let current = arriving else { preconditionFailure("a ring was asked for more blocks than there are") }
    arriving = nil
    arrivals += 1
    try startStep()
    return current
  }

  func abandon() throws {
    _ = try arriving?.whole()
    try finish()
  }

  /// Returns when the own block may change again.
  func finish() throws {
    for send in sends { try send.wait() }
    sends = []
  }
}

extension Matrix {
  /// The bytes of a contiguous matrix.
  var region: Region {
    precondition(stride == columns || rows <= 1)
    let byteCount = rows * columns * ElementType.float32.byteCount
    return Region(buffer, offset: byteCount == 0 ? 0 : offset * ElementType.float32.byteCount, byteCount: byteCount)
  }
}
