import Basics
import Communication
import Tensors

/// Where the parts of a GEMM C[m, n] (+)= A[m, k]·B[k, n] go. Which one applies follows from how the operands lie on
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
/// Blocks travel while the GEMM with the block before is computed: own parts come first where operands travel, and
/// last where sums travel (Wang et al., ASPLOS 2023).
public final class DistributedProducts {
  let context: RankContext
  public let compute: Compute
  let schedule = WeightSchedule()
  /// Gradients of weights whose last sums are still on their way, oldest first.
  private var unfinished: [ReduceScatterStream] = []
  /// Floating-point operations of this rank's GEMMs.
  public private(set) var flops = 0

  public init(_ context: RankContext, _ compute: Compute) {
    self.context = context
    self.compute = compute
  }

  /// C = A·B, or C += A·B when `accumulate`.
  public func multiply(
    _ a: DistributedOperand, _ b: DistributedOperand, into c: DistributedMatrix, accumulate: Bool = false
  ) throws { try start(a, b, into: c, accumulate: accumulate).finish() }

  /// A matrix product of which this rank's part is computed, while sums from other ranks may still arrive.
  struct PendingProduct {
    fileprivate var ring: BlockRing?
    fileprivate(set) var sums: ReduceScatterStream?

    /// Returns when A and B may change.
    func releaseOperands() throws { try ring?.finish() }

    /// Waits for the last sums from other ranks and adds them: C is complete.
    func completeSums() throws { try sums?.finish() }

    func finish() throws {
      try completeSums()
      try releaseOperands()
    }
  }

  /// Computes all that this rank has to compute for C (+)= A·B.
  func start(
    _ a: DistributedOperand, _ b: DistributedOperand, into c: DistributedMatrix, accumulate: Bool
  ) throws -> PendingProduct {
    precondition(a.rows == c.rows && a.columns == b.rows && b.columns == c.columns, "product of unlike dimensions")
    switch ProductSchedule.of(a.rowAxis, b.rowAxis, c.rowAxis) {
    case .stationaryC:
      try multiplyWithStationaryC(a, b, into: c, accumulate: accumulate)
      return PendingProduct()
    case .stationaryA:
      return try multiplyWithReduceScatter(ReducedProduct(a: a, b: b, c: c, accumulate: accumulate, bMoves: true))
    case .stationaryB:
      return try multiplyWithReduceScatter(ReducedProduct(a: a, b: b, c: c, accumulate: accumulate, bMoves: false))
    case nil: preconditionFailure("neither operand lies as the product does")
    }
  }

  // MARK: Partial sums move (reduce-scatter)

  /// A product C (+)= A·B of which one operand moves, and whose sums are reduced over the other axis.
  private struct ReducedProduct {
    let a, b: DistributedOperand
    let c: DistributedMatrix
    let accumulate: Bool
    /// Whether B moves; else A does.
    let bMoves: Bool

    var moving: DistributedOperand { bMoves ? b : a }
    /// The dimension that both the moving operand and the sums are cut along: C's columns when B moves, its rows when A does.
    var dimension: Cuts { bMoves ? c.columns : c.rows }
    /// The axis that blocks come by along, and the one over which sums are reduced.
    var axis: SplitAxis { bMoves ? c.rowAxis : c.columnAxis }
    var sumAxis: SplitAxis { axis.other }
    /// Whether the rows of the moving operand's stored block are the inner dimension.
    var rowsAreInner: Bool { bMoves ? !moving.isTransposed : moving.isTransposed }
    /// Local extent of the inner dimension.
    var inner: Int { bMoves ? a.block.columns : b.block.rows }

    /// C's local positions `range` of the dimension.
    func target(_ range: Range<Int>) -> Matrix { bMoves ? c.block.columns(range) : c.block.rows(range) }
  }

  /// One operand's blocks come by along one axis; for each, this rank computes its part of the sum for every rank of the
  /// other axis, its own last, and sends it on at once.
  private func multiplyWithReduceScatter(_ p: ReducedProduct) throws -> PendingProduct {
    let stored = p.moving.matrix
    let ring = try blockStream(stored, along: p.axis, tag: 1, slices: slices(p.a, p.b, stored.extents)) {
      [compute, context] slices in
      BlockRing(
        stored.block,
        shape: { index in
          let part = p.dimension.range(p.axis, index).count
          return p.rowsAreInner ? (p.inner, part) : (part, p.inner)
        }, context.communicator(p.axis), compute, tag: 1, slices: slices)
    }
    let sums = ReduceScatterStream(
      context.communicator(p.sumAxis), compute, lines: p.bMoves ? p.c.block.rows : p.c.block.columns,
      areRows: !p.bMoves, slices: slices(p.a, p.b, p.c.extents))
    let everything = 0..<p.inner
    for _ in 0..<ring.count {
      let arrival = try ring.next()
      let range = p.dimension.range(p.axis, arrival.index)
      if !p.rowsAreInner {
        try arrival.forEachPiece { rows, block in
          let part = range.lowerBound + rows.lowerBound..<range.lowerBound + rows.upperBound
          try add(part, block, inner: everything, accumulate: p.accumulate, p, sums)
        }
      } else if context.size(p.sumAxis) == 1 {
        try arrival.forEachPiece { rows, block in
          try add(range, block, inner: rows, accumulate: p.accumulate || rows.lowerBound > 0, p, sums)
        }
      } else {
        // A sum is to leave once, when it is complete.
        try add(range, try arrival.whole(), inner: everything, accumulate: p.accumulate, p, sums)
      }
    }
    return PendingProduct(ring: ring, sums: sums)
  }

  /// Adds the sums for positions `range` of the dimension, of which `block` has what it has of `inner`.
  private func add(
    _ range: Range<Int>, _ block: Matrix, inner: Range<Int>, accumulate: Bool, _ p: ReducedProduct,
    _ sums: ReduceScatterStream
  ) throws {
    let operand = Operand(block, transposed: p.moving.isTransposed)
    let own = p.dimension.range(p.sumAxis, context.index(p.sumAxis))
    let ownPart = range.clamped(to: own)
    let inC = ownPart.lowerBound - own.lowerBound..<ownPart.upperBound - own.lowerBound
    try sums.exchange(
      into: ownPart.isEmpty ? nil : p.target(inC), accumulate: accumulate,
      part: { range.clamped(to: p.dimension.range(p.sumAxis, $0)) }
    ) { part, lines, target, accumulate in
      let local = part.lowerBound - range.lowerBound..<part.upperBound - range.lowerBound
      if p.bMoves {
        try multiplyLocally(
          p.a.block.columns(inner).rows(lines), operand.columns(local), into: target, accumulate: accumulate)
      } else {
        try multiplyLocally(
          operand.rows(local), p.b.block.rows(inner).columns(lines), into: target, accumulate: accumulate)
      }
    }
  }

  /// A stream of a matrix's blocks, begun. A weight that travels in several messages is prefetched.
  func blockStream<T: BlockStream>(
    _ matrix: DistributedMatrix, along axis: SplitAxis, tag: Int, slices: Int, _ make: @escaping (Int) throws -> T
  ) throws -> T {
    guard matrix.isWeight, slices > 1, context.world.policy.overlaps else {
      let blockStream = try make(slices)
      try blockStream.begin()
      return blockStream
    }
    let key = WeightSchedule.Key(
      memory: ObjectIdentifier(matrix.block.buffer), axis: axis, offset: matrix.block.offset, tag: tag, slices: slices)
    return try schedule.next(key) { try make(slices) }
  }

  /// Lets sums of a weight's gradient travel while the next GEMMs are computed.
  func finishLater(_ sums: ReduceScatterStream?) throws {
    guard let sums else { return }
    unfinished.append(sums)
    if unfinished.count > 1 { try unfinished.removeFirst().finish() }
  }

  /// Returns when the gradients of all weights are complete.
  func finishGradients() throws {
    for sums in unfinished { try sums.finish() }
    unfinished = []
  }

  /// Messages for each block of a matrix that travels for the GEMM of A and B.
  func slices(_ a: DistributedOperand, _ b: DistributedOperand, _ extents: (rows: Int, columns: Int)) -> Int {
    let ranks = context.mesh.instance
    return context.slices(
      bytes: extents.rows * extents.columns / ranks * ElementType.float32.byteCount,
      flops: 2 * a.rows.extent * a.columns.extent / ranks * b.columns.extent)
  }

  // MARK: Operands move, sums stay

  /// Pieces of the inner dimension, cut wherever either operand is: A's come along the columns' axis, B's along the rows'.
  private func multiplyWithStationaryC(
    _ a: DistributedOperand, _ b: DistributedOperand, into c: DistributedMatrix, accumulate: Bool
  ) throws {
    let inner = a.columns
    let (alpha, beta) = (c.rowAxis, c.columnAxis)
    let slices = max(
      context.size(beta) > 1 ? slices(a, b, a.matrix.extents) : 1,
      context.size(alpha) > 1 ? slices(a, b, b.matrix.extents) : 1)
    let pieces = InnerPieces(inner, alpha, beta, context, slices: slices)
    let position = (row: context.index(alpha), column: context.index(beta))
    let aStream = try blockStream(a.matrix, along: beta, tag: 2, slices: slices) { [compute, context] slices in
      PieceStream(
        a, context.communicator(beta), compute, isRows: false, tag: 2, slices: slices
      ) { pieces.order(position.row, $0) }
    }
    let bStream = try blockStream(b.matrix, along: alpha, tag: 3, slices: slices) { [compute, context] slices in
      PieceStream(
        b, context.communicator(alpha), compute, isRows: true, tag: 3, slices: slices
      ) { pieces.order($0, position.column) }
    }
    let order = pieces.order(position.row, position.column)
    if order.isEmpty && !accumulate { compute.clear(c.block) }
    for step in order.indices {
      let (x, y) = (try aStream.take(step), try bStream.take(step))
      try multiplyLocally(x, y, into: c.block, accumulate: accumulate || step > 0)
    }
    try aStream.finish()
    try bStream.finish()
  }

  // MARK: Local GEMMs

  /// A local GEMM, during which transfers are progressed.
  func multiplyLocally(_ a: Operand, _ b: Operand, into c: Matrix, accumulate: Bool) throws {
    flops += 2 * c.rows * c.columns * a.columns
    let isAlone = context.mesh.count == 1
    var failure: (any Error)?
    func progressTransfers() {
      guard failure == nil else { return }
      // Work in the background adds with the team, which is busy with this GEMM if it has several members.
      do { try compute.team.count == 1 ? context.progress() : context.instance.progress() } catch { failure = error }
    }
    compute.multiply(a, b, into: c, accumulate: accumulate, pause: isAlone ? nil : progressTransfers)
    if let failure { throw failure }
    if !isAlone { try context.progress() }
  }
}
