import Basics
import Communication
import Tensors

/// The inner dimension of a GEMM whose operands both travel, cut wherever either of them is.
struct InnerPieces {
  struct Piece: Hashable {
    /// The rank on the axis of C's rows that holds it of B, and the one on the axis of C's columns that holds it of A.
    let rowIndex, columnIndex: Int
    let range: Range<Int>
  }

  private let pieces: [Piece]
  private let rowCount, columnCount: Int

  /// - Parameter slices: that pieces which travel are cut into.
  init(_ inner: Cuts, _ rowAxis: SplitAxis, _ columnAxis: SplitAxis, _ context: RankContext, slices: Int) {
    rowCount = context.size(rowAxis)
    columnCount = context.size(columnAxis)
    var pieces: [Piece] = []
    for column in 0..<columnCount {
      for row in 0..<rowCount {
        let range = inner.range(rowAxis, row).clamped(to: inner.range(columnAxis, column))
        for slice in 0..<slices {
          let part = chunk(range.count, into: slices, slice)
          if part.isEmpty { continue }
          let (lower, upper) = (range.lowerBound + part.lowerBound, range.lowerBound + part.upperBound)
          pieces.append(Piece(rowIndex: row, columnIndex: column, range: lower..<upper))
        }
      }
    }
    self.pieces = pieces
  }

  /// The order in which the rank at (row, column) uses them: those of its own block of A first, among them those of its
  /// own block of B; every rank starts elsewhere, so that no block is in demand by all at once.
  func order(_ row: Int, _ column: Int) -> [Piece] {
    func distance(_ piece: Piece) -> (Int, Int, Int) {
      (
        (piece.columnIndex - column + columnCount) % columnCount, (piece.rowIndex - row + rowCount) % rowCount,
        piece.range.lowerBound
      )
    }
    return pieces.sorted { distance($0) < distance($1) }
  }
}

/// One operand of such a GEMM: gives this rank the pieces it needs, step by step, and the others theirs.
final class PieceStream: BlockStream {
  private let operand: DistributedOperand
  private let communicator: any Communicator
  private let compute: Compute
  /// Whether the inner dimension is the operand's rows.
  private let isRows: Bool
  private let tag: Int
  /// Pieces that are on their way at a time.
  private let slices: Int
  private let orders: [[InnerPieces.Piece]]
  private var arriving: [Int: (part: Tensor, transfer: any Transfer)] = [:]
  private var sends: [any Transfer] = []

  /// - Parameters:
  ///   - slices: that the pieces were cut into: as many are on their way at a time.
  ///   - order: in which the rank at an index of the axis needs them.
  init(
    _ operand: DistributedOperand, _ communicator: any Communicator, _ compute: Compute, isRows: Bool, tag: Int,
    slices: Int, order: (Int) -> [InnerPieces.Piece]
  ) {
    self.operand = operand
    self.communicator = communicator
    self.compute = compute
    self.isRows = isRows
    self.tag = tag
    self.slices = slices
    orders = (0..<communicator.size).map(order)
  }

  /// Index on the axis of the rank that holds a piece.
  private func owner(_ piece: InnerPieces.Piece) -> Int { isRows ? piece.rowIndex : piece.columnIndex }

  private var own: [InnerPieces.Piece] { orders[communicator.rank] }

  /// The stored block holds the inner dimension in its rows.
  private var isStoredInRows: Bool { isRows != operand.isTransposed }

  private func firstPosition(_ piece: InnerPieces.Piece) -> Int {
    let cuts = isRows ? operand.rows : operand.columns
    return cuts.range(isRows ? operand.rowAxis : operand.columnAxis, owner(piece)).lowerBound
  }

  /// The piece within this rank's stored block.
  private func stored(_ piece: InnerPieces.Piece) -> Matrix {
    let first = firstPosition(piece)
    let range = piece.range.lowerBound - first..<piece.range.upperBound - first
    return isStoredInRows ? operand.matrix.block.rows(range) : operand.matrix.block.columns(range)
  }

  func begin() throws { for step in 0..<slices { try start(step) } }

  func abandon() throws {
    for (_, transfer) in arriving.values { try transfer.wait() }
    try finish()
  }

  /// Starts the transfers of a step: what this rank needs, and what the others need of it.
  private func start(_ step: Int) throws {
    let rank = communicator.rank
    if step < own.count, owner(own[step]) != rank {
      let length = own[step].range.count
      let across = isStoredInRows ? operand.matrix.block.columns : operand.matrix.block.rows
      let part = compute.tensor(isStoredInRows ? [length, across] : [across, length], for: .exchange)
      arriving[step] = (part, try communicator.receive(Region(part), from: owner(own[step]), tag: tag))
    }
    for distance in 1..<max(1, communicator.size) {
      let peer = (rank + communicator.size - distance) % communicator.size
      guard step < orders[peer].count, owner(orders[peer][step]) == rank else { continue }
      var part = stored(orders[peer][step])
      if part.stride != part.columns && part.rows > 1 {
        let packed = compute.tensor([part.rows, part.columns], for: .exchange).matrix
        packed.take(part, accumulate: false, compute)
        part = packed
      }
      sends.append(try communicator.send(part.region, to: peer, tag: tag))
    }
    if !communicator.policy.overlaps {
      try arriving[step]?.transfer.wait()
      try finish()
    }
    // Pieces that have arrived at their receivers need no memory any more.
    try sends.removeAll { try $0.isDone() }
  }

  /// This rank's operand for a step; steps come in order.
  func take(_ step: Int) throws -> Operand {
    try start(step + slices)
    if let (part, transfer) = arriving.removeValue(forKey: step) {
      try transfer.wait()
      return Operand(part.matrix, transposed: operand.isTransposed)
    }
    return Operand(stored(own[step]), transposed: operand.isTransposed)
  }

  func finish() throws {
    for send in sends { try send.wait() }
    sends = []
  }
}
