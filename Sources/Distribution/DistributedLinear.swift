import Communication
import Tensors

/// A linear layer's GEMMs, along channels (Y = X·Wᵀ) or along tokens (Y = W·X).
extension DistributedProducts {
  public func linear(
    _ x: DistributedMatrix, _ w: DistributedMatrix, alongTokens: Bool, into y: DistributedMatrix, accumulate: Bool
  ) throws {
    if alongTokens {
      try multiply(w.plain, x.plain, into: y, accumulate: accumulate)
    } else {
      try multiply(x.plain, w.transposed, into: y, accumulate: accumulate)
    }
  }

  /// dW += and, if wanted, dX = (or +=) the gradients. Where both need the blocks of dY from other ranks, these travel
  /// once; else dX's sums travel while dW is computed. dW is complete after `finishGradients`.
  public func linearBackward(
    _ dy: DistributedMatrix, _ x: DistributedMatrix, _ w: DistributedMatrix, alongTokens: Bool,
    dx: DistributedMatrix?, accumulate: Bool, dw: DistributedMatrix
  ) throws {
    if let dx, LinearLayout(alongTokens: alongTokens, x: x.layout, w: w.layout, y: dy.layout).sharesOutputGradient {
      return try linearBackwardTogether(
        LinearGradients(dy: dy, x: x, w: w, dx: dx, dw: dw, alongTokens: alongTokens, accumulate: accumulate))
    }
    let input = try dx.map {
      try alongTokens
        ? start(w.transposed, dy.plain, into: $0, accumulate: accumulate)
        : start(dy.plain, w.plain, into: $0, accumulate: accumulate)
    }
    let weight =
      try alongTokens
      ? start(dy.plain, x.transposed, into: dw, accumulate: true)
      : start(dy.transposed, x.plain, into: dw, accumulate: true)
    try input?.finish()
    try weight.releaseOperands()
    try finishLater(weight.sums)
  }

  /// Operands and results of a linear layer's backward step, with the input's gradient.
  private struct LinearGradients {
    let dy, x, w, dx, dw: DistributedMatrix
    let alongTokens: Bool
    /// Whether dX is added to.
    let accumulate: Bool

    /// The axis that the weight's rows, the layer's outputs, lie on.
    var weightAxis: SplitAxis { w.rowAxis }
    /// The axis that blocks of dY come along.
    var axis: SplitAxis { w.rowAxis.other }

    /// The rows or columns of a block of dY that stand for outputs, counted from the block's first.
    func part(_ block: Matrix, _ outputs: Range<Int>) -> Matrix {
      alongTokens ? block.rows(outputs) : block.columns(outputs)
    }
  }

  /// Blocks of dY come by along one axis. With each, W's rows for its outputs come along the other and give a part of dX;
  /// the parts of dW leave along the other to the ranks that hold these rows.
  private func linearBackwardTogether(_ g: LinearGradients) throws {
    let (dy, outputs, axis) = (g.dy, g.w.rows, g.axis)
    let ring = BlockRing(
      dy.block,
      shape: { index in
        let part = outputs.range(axis, index).count
        return g.alongTokens ? (part, dy.block.columns) : (dy.block.rows, part)
      }, context.communicator(axis), compute, tag: 5, slices: slices(dy.plain, g.w.plain, dy.extents))
    if context.size(g.weightAxis) == 1 {
      for index in 0..<ring.count { try addPieces(g, try ring.next(), isFirst: index == 0) }
      return try ring.finish()
    }
    let pieces = InnerPieces(outputs, g.weightAxis, axis, context, slices: 1)
    let order = pieces.order(context.index(g.weightAxis), context.index(axis))
    let weights = try weightStream(g, pieces)
    let sums = ReduceScatterStream(
      context.communicator(g.weightAxis), compute, lines: g.dw.block.columns, areRows: true,
      slices: slices(dy.plain, g.w.plain, g.dw.extents))
    var step = 0
    for _ in 0..<ring.count {
      let arrival = try ring.next()
      let (index, block) = (arrival.index, try arrival.whole())
      let first = outputs.range(axis, index).lowerBound
      try addWeightGradient(g, block, index, sums)
      while step < order.count, order[step].columnIndex == index {
        let weight = try weights.take(step)
        let range = order[step].range
        let gradient = g.part(block, range.lowerBound - first..<range.upperBound - first).plain
        let accumulate = g.accumulate || step > 0
        if g.alongTokens {
          try multiplyLocally(
            Operand(weight.matrix, transposed: true), gradient, into: g.dx.block, accumulate: accumulate)
        } else {
          try multiplyLocally(gradient, weight, into: g.dx.block, accumulate: accumulate)
        }
        step += 1
      }
    }
    try finishLater(sums)
    try weights.finish()
    try ring.finish()
  }

  /// Both gradients' parts of a block of dY, each piece of which is used as it arrives. Every rank has whole rows of W.
  private func addPieces(_ g: LinearGradients, _ arrival: BlockRing.Arrival, isFirst: Bool) throws {
    let range = g.w.rows.range(g.axis, arrival.index)
    try arrival.forEachPiece { rows, piece in
      if g.alongTokens {
        let part = range.lowerBound + rows.lowerBound..<range.lowerBound + rows.upperBound
        try multiplyLocally(piece.plain, g.x.block.transposed, into: g.dw.block.rows(part), accumulate: true)
        try multiplyLocally(
          g.w.block.rows(part).transposed, piece.plain, into: g.dx.block,
          accumulate: g.accumulate || !isFirst || rows.lowerBound > 0)
      } else {
        try multiplyLocally(
          piece.transposed, g.x.block.rows(rows).plain, into: g.dw.block.rows(range), accumulate: true)
        try multiplyLocally(
          piece.plain, g.w.block.rows(range).plain, into: g.dx.block.rows(rows),
          accumulate: g.accumulate || !isFirst)
      }
    }
  }

  /// The stream of W's rows, in the order in which blocks of dY need them.
  private func weightStream(_ g: LinearGradients, _ pieces: InnerPieces) throws -> PieceStream {
    let column = context.index(g.axis)
    return try blockStream(g.w, along: g.weightAxis, tag: 6, slices: slices(g.dy.plain, g.w.plain, g.w.extents)) {
      [compute, context] _ in
      PieceStream(
        g.w.plain, context.communicator(g.weightAxis), compute, isRows: true, tag: 6, slices: 1
      ) { pieces.order($0, column) }
    }
  }

  /// dW's parts of the block of dY from a rank of the axis, to the ranks that hold its rows.
  private func addWeightGradient(
    _ g: LinearGradients, _ block: Matrix, _ index: Int, _ sums: ReduceScatterStream
  ) throws {
    let (outputs, weightAxis) = (g.w.rows, g.weightAxis)
    let range = outputs.range(g.axis, index)
    let own = outputs.range(weightAxis, context.index(weightAxis))
    let ownPart = range.clamped(to: own)
    let inW = ownPart.lowerBound - own.lowerBound..<ownPart.upperBound - own.lowerBound
    try sums.exchange(
      into: ownPart.isEmpty ? nil : g.dw.block.rows(inW), accumulate: true,
      part: { range.clamped(to: outputs.range(weightAxis, $0)) }
    ) { outputs, lines, target, accumulate in
      let gradient = g.part(block, outputs.lowerBound - range.lowerBound..<outputs.upperBound - range.lowerBound)
      if g.alongTokens {
        try multiplyLocally(
          gradient.plain, g.x.block.transposed.columns(lines), into: target, accumulate: accumulate)
      } else {
        try multiplyLocally(
          gradient.transposed, g.x.block.columns(lines).plain, into: target, accumulate: accumulate)
      }
    }
  }
}

extension DistributedMatrix {
  public var layout: MatrixLayout { MatrixLayout(rows: rows, columns: columns, rowAxis: rowAxis) }
}
