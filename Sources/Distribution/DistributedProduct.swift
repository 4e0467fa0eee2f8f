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
  let schedule = WeightSchedule()
  /// Gradients of weights whose last sums are still on their way, oldest first.
  private var unfinished: [TravellingSums] = []
  /// Floating-point operations of this rank's products.
  public private(set) var flops = 0

  public init(_ context: RankContext, _ compute: Compute) {
    self.context = context
    self.compute = compute
  }

  /// C = A·B, or C += A·B when `accumulate`.
  public func multiply(
    _ a: DistributedOperand, _ b: DistributedOperand, into c: DistributedMatrix, accumulate: Bool = false
  ) throws { try start(a, b, into: c, accumulate: accumulate).finish() }

  /// What is left to do for a product.
  struct Rest {
    fileprivate var ring: BlockRing?
    fileprivate(set) var sums: TravellingSums?

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
  ) throws -> Rest {
    precondition(a.rows == c.rows && a.columns == b.rows && b.columns == c.columns, "product of unlike dimensions")
    switch ProductSchedule.of(a.rowAxis, b.rowAxis, c.rowAxis) {
    case .stationaryC:
      try multiplyWithSumsInPlace(a, b, into: c, accumulate: accumulate)
      return Rest()
    case .stationaryA:
      return try multiplyWithTravellingSums(
        a, b, into: c, along: c.columns, travelling: b, on: c.rowAxis, summing: c.columnAxis, accumulate: accumulate)
    case .stationaryB:
      return try multiplyWithTravellingSums(
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
  ) throws -> Rest {
    let bTravels = axis == c.rowAxis
    let stored = travelling.matrix
    // The block's rows are those of the dimension, or of the inner one.
    let rowsAreInner = bTravels ? !travelling.isTransposed : travelling.isTransposed
    let across = bTravels ? a.block.columns : b.block.rows
    let ring = try traveller(stored, along: axis, tag: 1, slices: slices(a, b, stored.extents)) {
      [compute, context] slices in
      BlockRing(
        stored.block,
        shape: { index in
          let part = dimension.range(axis, index).count
          return rowsAreInner ? (across, part) : (part, across)
        }, context.communicator(axis), compute, tag: 1, slices: slices)
    }
    let sums = TravellingSums(
      context.communicator(sumAxis), compute, lines: bTravels ? c.block.rows : c.block.columns, areRows: !bTravels,
      slices: slices(a, b, c.extents))
    let own = dimension.range(sumAxis, context.index(sumAxis))
    /// The sums for positions `range` of the dimension, of which `block` has what it has of `inner`.
    func add(_ range: Range<Int>, _ block: Matrix, inner: Range<Int>, accumulate: Bool) throws {
      let operand = Operand(block, transposed: travelling.isTransposed)
      let ownPart = range.clamped(to: own)
      let inC = ownPart.lowerBound - own.lowerBound..<ownPart.upperBound - own.lowerBound
      let target = ownPart.isEmpty ? nil : bTravels ? c.block.columns(inC) : c.block.rows(inC)
      try sums.exchange(
        into: target, accumulate: accumulate, part: { range.clamped(to: dimension.range(sumAxis, $0)) }
      ) { part, lines, target, accumulate in
        let local = part.lowerBound - range.lowerBound..<part.upperBound - range.lowerBound
        if bTravels {
          try multiplyHere(
            a.block.columns(inner).rows(lines), operand.columns(local), into: target, accumulate: accumulate)
        } else {
          try multiplyHere(
            operand.rows(local), b.block.rows(inner).columns(lines), into: target, accumulate: accumulate)
        }
      }
    }
    let everything = 0..<across
    for _ in 0..<ring.count {
      let arrival = try ring.next()
      let range = dimension.range(axis, arrival.index)
      if !rowsAreInner {
        try arrival.forEachPiece { rows, block in
          let part = range.lowerBound + rows.lowerBound..<range.lowerBound + rows.upperBound
          try add(part, block, inner: everything, accumulate: accumulate)
        }
      } else if context.size(sumAxis) == 1 {
        try arrival.forEachPiece { rows, block in
          try add(range, block, inner: rows, accumulate: accumulate || rows.lowerBound > 0)
        }
      } else {
        // A sum is to leave once, when it is complete.
        try add(range, try arrival.whole(), inner: everything, accumulate: accumulate)
      }
    }
    return Rest(ring: ring, sums: sums)
  }

  /// Blocks of a matrix that come by, begun. A weight that travels in several messages is sent ahead.
  func traveller<T: Traveller>(
    _ matrix: DistributedMatrix, along axis: SplitAxis, tag: Int, slices: Int, _ make: @escaping (Int) throws -> T
  ) throws -> T {
    guard matrix.isWeight, slices > 1, context.world.manner.overlaps else {
      let traveller = try make(slices)
      try traveller.begin()
      return traveller
    }
    let key = WeightSchedule.Key(
      memory: ObjectIdentifier(matrix.block.buffer), axis: axis, offset: matrix.block.offset, tag: tag, slices: slices)
    return try schedule.next(key) { try make(slices) }
  }

  /// Lets sums of a weight's gradient travel while the next products are computed.
  func finishLater(_ sums: TravellingSums?) throws {
    guard let sums else { return }
    unfinished.append(sums)
    if unfinished.count > 1 { try unfinished.removeFirst().finish() }
  }

  /// Returns when the gradients of all weights are complete.
  func finishGradients() throws {
    for sums in unfinished { try sums.finish() }
    unfinished = []
  }

  /// Messages for each block of a matrix that travels for the product of A and B.
  func slices(_ a: DistributedOperand, _ b: DistributedOperand, _ extents: (rows: Int, columns: Int)) -> Int {
    let ranks = context.mesh.instance
    return context.slices(
      bytes: extents.rows * extents.columns / ranks * ElementType.float32.byteCount,
      flops: 2 * a.rows.extent * a.columns.extent / ranks * b.columns.extent)
  }

  // MARK: Sums stay

  /// Pieces of the inner dimension, cut wherever either operand is: A's come along the columns' axis, B's along the rows'.
  private func multiplyWithSumsInPlace(
    _ a: DistributedOperand, _ b: DistributedOperand, into c: DistributedMatrix, accumulate: Bool
  ) throws {
    let inner = a.columns
    let (alpha, beta) = (c.rowAxis, c.columnAxis)
    let slices = max(
      context.size(beta) > 1 ? slices(a, b, a.matrix.extents) : 1,
      context.size(alpha) > 1 ? slices(a, b, b.matrix.extents) : 1)
    let pieces = InnerPieces(inner, alpha, beta, context, slices: slices)
    let position = (row: context.index(alpha), column: context.index(beta))
    let aStream = try traveller(a.matrix, along: beta, tag: 2, slices: slices) { [compute, context] slices in
      PieceStream(
        a, pieces, context.communicator(beta), compute, isRows: false, tag: 2, slices: slices,
        owner: { $0.columnIndex }, order: { pieces.order(position.row, $0) })
    }
    let bStream = try traveller(b.matrix, along: alpha, tag: 3, slices: slices) { [compute, context] slices in
      PieceStream(
        b, pieces, context.communicator(alpha), compute, isRows: true, tag: 3, slices: slices,
        owner: { $0.rowIndex }, order: { pieces.order($0, position.column) })
    }
    let order = pieces.order(position.row, position.column)
    if order.isEmpty && !accumulate { compute.clear(c.block) }
    for step in order.indices {
      let (x, y) = (try aStream.take(step), try bStream.take(step))
      try multiplyHere(x, y, into: c.block, accumulate: accumulate || step > 0)
    }
    try aStream.finish()
    try bStream.finish()
  }

  // MARK: Here

  /// A local product; transfers move on in between.
  func multiplyHere(_ a: Operand, _ b: Operand, into c: Matrix, accumulate: Bool) throws {
    flops += 2 * c.rows * c.columns * a.columns
    let isAlone = context.mesh.count == 1
    var failure: (any Error)?
    func lookAfterTransfers() {
      guard failure == nil else { return }
      // Work in the background adds with the team, which is busy with this product if it has several members.
      do { try compute.team.count == 1 ? context.progress() : context.instance.progress() } catch { failure = error }
    }
    compute.multiply(a, b, into: c, accumulate: accumulate, pause: isAlone ? nil : lookAfterTransfers)
    if let failure { throw failure }
    if !isAlone { try context.progress() }
  }
}
