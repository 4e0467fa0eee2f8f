import Communication
import Tensors

/// The blocks of all ranks along an axis, this rank's own first, then its successors': each is received while the one
/// before is in use, so at most two foreign blocks are at hand.
final class BlockRing {
  private let own: Matrix
  private let shape: (Int) -> (rows: Int, columns: Int)
  private let communicator: any Communicator
  private let compute: Compute
  private let tag: Int
  private var step = 0
  private var arriving: (block: Matrix, transfer: any Transfer)?
  private var sends: [any Transfer] = []

  /// - Parameter shape: of each rank's block.
  init(
    _ own: Matrix, shape: @escaping (Int) -> (rows: Int, columns: Int), _ communicator: any Communicator,
    _ compute: Compute, tag: Int
  ) {
    self.own = own
    self.shape = shape
    self.communicator = communicator
    self.compute = compute
    self.tag = tag
  }

  var count: Int { communicator.size }

  /// To be called `count` times.
  func next() throws -> (index: Int, block: Matrix) {
    let (rank, size) = (communicator.rank, communicator.size)
    let index = (rank + step) % size
    let current = arriving
    arriving = nil
    step += 1
    if step < size {
      let (source, destination) = ((rank + step) % size, (rank + size - step) % size)
      let (rows, columns) = shape(source)
      let block = compute.tensor([rows, columns])
      arriving = (
        block.matrix, try communicator.receive(Region(block), from: source, tag: tag)
      )
      sends.append(try communicator.send(own.region, to: destination, tag: tag))
      if !communicator.manner.overlaps {
        try arriving?.transfer.wait()
        try finish()
      }
    }
    guard let current else { return (index, own) }
    try current.transfer.wait()
    return (index, current.block)
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
