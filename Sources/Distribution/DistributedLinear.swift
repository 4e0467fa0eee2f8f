import Communication
import Tensors

/// A linear layer's products, along channels (Y = X·Wᵀ) or along tokens (Y = W·X).
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
        dy, x, w, alongTokens: alongTokens, dx: dx, accumulate: accumulate, dw: dw)
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

  /// Blocks of dY come by along one axis. With each, W's rows for its outputs come along the other and give a part of dX;
  /// the parts of dW leave along the other to the ranks that hold these rows.
  private func linearBackwardTogether(
    _ dy: DistributedMatrix, _ x: DistributedMatrix, _ w: DistributedMatrix, alongTokens: Bool,
    dx: DistributedMatrix, accumulate: Bool, dw: DistributedMatrix
  ) throws {
    let outputs = w.rows
    let weightAxis = w.rowAxis
    let axis = weightAxis.other
    let ring = BlockRing(
      dy.block,
      shape: { index in
        let part = outputs.range(axis, index).count
        return alongTokens ? (part, dy.block.columns) : (dy.block.rows, part)
      }, context.communicator(axis), compute, tag: 5, slices: slices(dy.plain, w.plain, dy.extents))
    if context.size(weightAxis) == 1 {
      // Each piece of dY can be used as it arrives.
      for index in 0..<ring.count {
        let arrival = try ring.next()
        let range = outputs.range(axis, arrival.index)
        try arrival.forEachPiece { rows, piece in
          if alongTokens {
            let part = range.lowerBound + rows.lowerBound..<range.lowerBound + rows.upperBound
            try multiplyHere(piece.plain, x.block.transposed, into: dw.block.rows(part), accumulate: true)
            try multiplyHere(
              w.block.rows(part).transposed, piece.plain, into: dx.block,
              accumulate: accumulate || index > 0 || rows.lowerBound > 0)
          } else {
            try multiplyHere(piece.transposed, x.block.rows(rows).plain, into: dw.block.rows(range), accumulate: true)
            try multiplyHere(
              piece.plain, w.block.rows(range).plain, into: dx.block.rows(rows), accumulate: accumulate || index > 0)
          }
        }
      }
      return try ring.finish()
    }
    let pieces = InnerPieces(outputs, weightAxis, axis, context, slices: 1)
    let order = pieces.order(context.index(weightAxis), context.index(axis))
    let column = context.index(axis)
    let weights = try traveller(w, along: weightAxis, tag: 6, slices: slices(dy.plain, w.plain, w.extents)) {
      [compute, context] _ in
      PieceStream(
        w.plain, pieces, context.communicator(weightAxis), compute, isRows: true, tag: 6, slices: 1,
        owner: { $0.rowIndex }, order: { pieces.order($0, column) })
    }
    let sums = TravellingSums(
      context.communicator(weightAxis), compute, lines: dw.block.columns, areRows: true,
      slices: slices(dy.plain, w.plain, dw.extents))
    let own = outputs.range(weightAxis, context.index(weightAxis))
    var step = 0
    for _ in 0..<ring.count {
      let arrival = try ring.next()
      let (index, block) = (arrival.index, try arrival.whole())
      let range = outputs.range(axis, index)
      func part(_ outputs: Range<Int>) -> Matrix {
        let local = outputs.lowerBound - range.lowerBound..<outputs.upperBound - range.lowerBound
        return alongTokens ? block.rows(local) : block.columns(local)
      }
      let ownPart = range.clamped(to: own)
      let inW = ownPart.lowerBound - own.lowerBound..<ownPart.upperBound - own.lowerBound
      try sums.exchange(
        into: ownPart.isEmpty ? nil : dw.block.rows(inW), accumulate: true,
        part: { range.clamped(to: outputs.range(weightAxis, $0)) }
      ) { outputs, lines, target, accumulate in
        let gradient = part(outputs)
        if alongTokens {
          try multiplyHere(gradient.plain, x.block.transposed.columns(lines), into: target, accumulate: accumulate)
        } else {
          try multiplyHere(gradient.transposed, x.block.columns(lines).plain, into: target, accumulate: accumulate)
        }
      }
      while step < order.count, order[step].columnIndex == index {
        let weight = try weights.take(step)
        let gradient = part(order[step].range).plain
        if alongTokens {
          try multiplyHere(
            Operand(weight.matrix, transposed: true), gradient, into: dx.block, accumulate: accumulate || step > 0)
        } else {
          try multiplyHere(gradient, weight, into: dx.block, accumulate: accumulate || step > 0)
        }
        step += 1
      }
    }
    try finishLater(sums)
    try weights.finish()
    try ring.finish()
  }
}

extension DistributedMatrix {
  public var layout: MatrixLayout { MatrixLayout(rows: rows, columns: columns, rowAxis: rowAxis) }
}
