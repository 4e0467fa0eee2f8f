import Basics
import Communication
import Tensors

/// Where the parts of a product C[m, n] (+)= A[m, k]·B[k, n] go. Which one applies follows from how the operands lie on
/// the mesh; docs/parallel.md draws them.
///
/// With C's rows on axis α and its columns on β:
public enum ProductSchedule: Sendable, Hashable {
  /// A (α, β), B (α, β): both operands travel, A along β and B along α; sums stay.
  case stationaryC
  /// A (α, β), B (β, α): B travels along α, partial sums along β.
  case stationaryA
  /// A (β, α), B (α, β): A travels along β, partial sums along α.
  case stationaryB

  /// Nil when A and B have nothing in place.
  static func of(
    _ a: SplitAxis, _ b: SplitAxis, _ c: SplitAxis
  ) -> ProductSchedule? {
    switch (a == c, b == c) {
    case (true, true): .stationaryC
    case (true, false): .stationaryA
    case (false, true): .stationaryB
    case (false, false): nil
    }
  }
}

/// Products of matrices that are distributed over the domain and tensor axes: one algorithm for every mesh, any sizes,
/// forward and backward.
///
/// All ranks of a model instance call it together. Every rank computes m·n·k / (P·Q) multiply-adds when sizes divide.
/// Blocks travel while the product with the block before is computed: own parts come first where operands travel, and
/// last where sums travel (Wang et al., ASPLOS 2023).
public final class DistributedProducts {
  let context: RankContext
  public let compute: Compute
  /// Floating-point operations of this rank's products.
  public private(set) var flops = 0

  public init(_ context: RankContext, _ compute: Compute) {
    self.context = context
    self.compute = compute
  }

  /// C = A·B, or C += A·B when `accumulate`.
  public func multiply(
    _ a: DistributedOperand, _ b: DistributedOperand, into c: DistributedMatrix, accumulate: Bool = false
  ) throws {
    precondition(a.rows == c.rows && a.columns == b.rows && b.columns == c.columns, "product of unlike dimensions")
    switch ProductSchedule.of(a.rowAxis, b.rowAxis, c.rowAxis) {
    case .stationaryC: try multiplyWithSumsInPlace(a, b, into: c, accumulate: accumulate)
    case .stationaryA:
      try multiplyWithTravellingSums(
        a, b, into: c, along: c.columns, travelling: b, on: c.rowAxis, summing: c.columnAxis, accumulate: accumulate)
    case .stationaryB:
      try multiplyWithTravellingSums(
        a, b, into: c, along: c.rows, travelling: a, on: c.columnAxis, summing: c.rowAxis, accumulate: accumulate)
    case nil: preconditionFailure("neither operand lies as the product does")
    }
  }

  // MARK: Sums travel

  /// One operand's blocks come by along one axis; for each, this rank computes its part of the sum for every rank of the
  /// other axis, its own last, and sends it on at once. `dimension` is the one that both the travelling operand and the
  /// sums are cut along: C's columns when B travels, its rows when A does.
  private func multiplyWithTravellingSums(
    _ a: DistributedOperand, _ b: DistributedOperand, into c: DistributedMatrix, along dimension: Cuts,
    travelling: DistributedOperand, on axis: SplitAxis, summing sumAxis: SplitAxis, accumulate: Bool
  ) throws {
    let bTravels = axis == c.rowAxis
    let stored = travelling.matrix
    let ring = BlockRing(
      stored.block,
      shape: { index in
        let part = dimension.range(axis, index).count
        let (across, isDimensionRows) =
          bTravels
          ? (a.block.columns, travelling.isTransposed) : (b.block.rows, !travelling.isTransposed)
        return isDimensionRows ? (part, across) : (across, part)
      }, context.communicator(axis), compute, tag: 1)
    let sums = TravellingSums(
      context.communicator(sumAxis), compute, lines: bTravels ? c.block.rows : c.block.columns, areRows: !bTravels)
    let own = dimension.range(sumAxis, context.index(sumAxis))
    for _ in 0..<ring.count {
      let (index, block) = try ring.next()
      let range = dimension.range(axis, index)
      let operand = Operand(block, transposed: travelling.isTransposed)
      /// The sum's part for positions `part` of the dimension.
      func product(_ part: Range<Int>, into target: Matrix, accumulate: Bool) throws {
        let local = part.lowerBound - range.lowerBound..<part.upperBound - range.lowerBound
        if bTravels {
          try multiplyHere(a.block, operand.columns(local), into: target, accumulate: accumulate)
        } else {
          try multiplyHere(operand.rows(local), b.block, into: target, accumulate: accumulate)
        }
      }
      let ownPart = range.clamped(to: own)
      let inC = ownPart.lowerBound - own.lowerBound..<ownPart.upperBound - own.lowerBound
      let target = ownPart.isEmpty ? nil : bTravels ? c.block.columns(inC) : c.block.rows(inC)
      try sums.exchange(
        into: target, accumulate: accumulate, part: { range.clamped(to: dimension.range(sumAxis, $0)) },
        compute: product)
    }
    try sums.finish()
    try ring.finish()
  }

  // MARK: Sums stay

  /// Pieces of the inner dimension, cut wherever either operand is: A's come along the columns' axis, B's along the rows'.
  private func multiplyWithSumsInPlace(
    _ a: DistributedOperand, _ b: DistributedOperand, into c: DistributedMatrix, accumulate: Bool
  ) throws {
    let inner = a.columns
    let (alpha, beta) = (c.rowAxis, c.columnAxis)
    let pieces = InnerPieces(inner, alpha, beta, context)
    let aStream = PieceStream(
      a, pieces, context.communicator(beta), compute, isRows: false, tag: 2,
      owner: { $0.columnIndex }, order: { pieces.order(context.index(alpha), $0) })
    let bStream = PieceStream(
      b, pieces, context.communicator(alpha), compute, isRows: true, tag: 3,
      owner: { $0.rowIndex }, order: { pieces.order($0, context.index(beta)) })
    let order = pieces.order(context.index(alpha), context.index(beta))
    if order.isEmpty && !accumulate { c.block.clear(compute) }
    for step in order.indices {
      if step == 0 {
        try aStream.start(0)
        try bStream.start(0)
      }
      try aStream.start(step + 1)
      try bStream.start(step + 1)
      let (x, y) = (try aStream.take(step), try bStream.take(step))
      try multiplyHere(x, y, into: c.block, accumulate: accumulate || step > 0)
    }
    try aStream.finish()
    try bStream.finish()
  }

  // MARK: Here

  /// About the work after which transfers are looked after, so that large messages keep moving: some milliseconds. Shorter
  /// slices cost more than they gain, since each brings its operands into order anew.
  private static let flopsBetweenProgress = 400_000_000

  /// A local product in slices, moving transfers on in between.
  func multiplyHere(_ a: Operand, _ b: Operand, into c: Matrix, accumulate: Bool) throws {
    let work = 2 * c.rows * c.columns * a.columns
    flops += work
    let isAlone = context.mesh.count == 1
    let slices = isAlone ? 1 : max(1, min(c.rows / 64, work / DistributedProducts.flopsBetweenProgress))
    for slice in 0..<slices {
      let rows = chunk(c.rows, into: slices, slice)
      context.world.manner.trace.measure(.compute, "product") {
        compute.multiply(a.rows(rows), b, into: c.rows(rows), accumulate: accumulate)
      }
      if !isAlone { try context.progress() }
    }
  }
}
