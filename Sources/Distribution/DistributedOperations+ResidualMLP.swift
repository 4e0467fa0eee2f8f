import Execution
import Tensors

// As on one process, with distributed products and statistics: of the intermediate results only the input of gelu is kept. What
// travels is in FP32; where one process stores the input of gelu and its gradient in bf16, they are rounded here as well, so that
// the model is the same.

extension DistributedOperations {
  public func residualMLP(
    _ x: Value, along dimension: MixingDimension, _ p: MLPParameters, dropout: Dropout?
  ) throws -> Value {
    let tokens = dimension == .tokens
    let isTurned = plan.turned.contains(p.first.weight)
    precondition(!isTurned || dropout == nil, "a plan for inference can't train with dropout")
    let outer = tokens ? x.tokenLayout(mesh) : x.channelLayout(mesh)
    let inner = MLPLayout.hidden(
      outer, Dimension(plan.table[p.first.weight].rows), alongTokens: tokens, isTurned: isTurned, mesh)
    let (innerRows, outerRows) = (inner.rowCount(context.position), outer.rowCount(context.position))
    let bias: BiasDirection = tokens ? .perRow : .perColumn
    func newHidden() -> Tensor { compute.tensor([innerRows, inner.columnCount(context.position)]) }

    let normalized = newTensor(x.shape, groups: 1)
    let statistics = try normalize(x, p.norm, into: normalized)
    let type = dropout == nil ? compute.activationType : .float32
    var hidden = newHidden()
    try products.linear(
      matrix(normalized, outer), weight(p.first.weight, in: parameters.values), alongTokens: tokens,
      into: matrix(hidden, inner), accumulate: false)
    let activated: Tensor
    switch type {
    case .float32:
      activated = newHidden()
      compute.addBiasThenGELU(value(p.first.bias), to: hidden, into: activated, rows: innerRows, bias)
    case .bfloat16:
      activated = hidden
      hidden = compute.tensor(activated.shape, type: type)
      compute.addBias(value(p.first.bias), to: activated, roundedInto: hidden, rows: innerRows, bias)
      compute.gelu(ofRounded: hidden, into: activated)
    }
    maskHidden(activated, x, tokens, inner, p, dropout)

    let y = newTensor(x.shape, groups: 1)
    if dropout == nil {
      y.copy(from: x.tensor)
      compute.addBias(value(p.second.bias), to: y, rows: outerRows, bias)
    }
    try products.linear(
      matrix(activated, inner), weight(p.second.weight, in: parameters.values), alongTokens: tokens,
      into: matrix(y, outer), accumulate: dropout == nil)
    if dropout != nil {
      compute.addBias(value(p.second.bias), to: y, rows: outerRows, bias)
      maskOutput(y, x, p, dropout)
      compute.add(x.tensor, to: y)
    }
    let output = result(y, x.shape, groups: 1)
    guard let tape else { return output }

    tape.record(p.all) { [self, hidden] in
      let dy = output.takeGradient()
      var dbranch = dy
      if dropout != nil {
        dbranch = newTensor(x.shape, groups: 1)
        dbranch.copy(from: dy)
        maskOutput(dbranch, x, p, dropout)
      }
      compute.addBiasGradient(of: dbranch, rows: outerRows, bias, to: gradient(p.second.bias))
      // gelu's output once more, since the gradient of the second weight needs it.
      let activated = newHidden()
      switch type {
      case .float32: compute.gelu(hidden, into: activated)
      case .bfloat16: compute.gelu(ofRounded: hidden, into: activated)
      }
      maskHidden(activated, x, tokens, inner, p, dropout)
      let dhidden = newHidden()
      try products.linearBackward(
        matrix(dbranch, outer), matrix(activated, inner), weight(p.second.weight, in: parameters.values),
        alongTokens: tokens, dx: matrix(dhidden, inner), accumulate: false,
        dw: weight(p.second.weight, in: parameters.gradients))
      maskHidden(dhidden, x, tokens, inner, p, dropout)
      switch type {
      case .float32: compute.geluBackward(hidden, dhidden, into: dhidden)
      case .bfloat16: compute.geluBackward(ofRounded: hidden, dhidden)
      }
      compute.addBiasGradient(of: dhidden, rows: innerRows, bias, to: gradient(p.first.bias))

      let normalized = newTensor(x.shape, groups: 1)
      compute.normalize(
        x.tensor, scale: value(p.norm.scale), shift: value(p.norm.shift), mean: statistics.mean,
        rstd: statistics.rstd, into: normalized)
      let dnormalized = newTensor(x.shape, groups: 1)
      try products.linearBackward(
        matrix(dhidden, inner), matrix(normalized, outer), weight(p.first.weight, in: parameters.values),
        alongTokens: tokens, dx: matrix(dnormalized, outer), accumulate: false,
        dw: weight(p.first.weight, in: parameters.gradients))
      // The residual path: the gradient of the output is also the first part of that of the input.
      try normalizeBackward(x, p.norm, statistics, dnormalized, into: dy, accumulate: true)
      contribute(dy, to: x)
    }
    return output
  }

  // MARK: Dropout, with the masks of one process

  /// Hidden values along tokens are split like the first weight's outputs and x's columns, along channels the other way
  /// round.
  private func maskHidden(
    _ h: Tensor, _ x: Value, _ tokens: Bool, _ inner: MatrixLayout, _ p: MLPParameters, _ dropout: Dropout?
  ) {
    let place = context.position
    let (batch, name) = (x.shape.batch, "\(p.name).first")
    if tokens {
      let rows = inner.rows.range(.domain, place.domain)
      mask(h, name, rows: rows, batch: batch, columns: unitRange(x.shape.columns, groups: 1), dropout)
    } else {
      let columns = inner.columns.range(.tensor, place.tensor)
      mask(h, name, rows: rowRange(x.shape.rows), batch: batch, columns: columns, dropout)
    }
  }

  private func maskOutput(_ y: Tensor, _ x: Value, _ p: MLPParameters, _ dropout: Dropout?) {
    mask(
      y, "\(p.name).second", rows: rowRange(x.shape.rows), batch: x.shape.batch,
      columns: unitRange(x.shape.columns, groups: 1), dropout)
  }

  /// Masks a block [rows, batch, columns] in place, keyed by global row, sample and column.
  private func mask(
    _ x: Tensor, _ name: String, rows: Range<Int>, batch: Int, columns: Range<Int>, _ dropout: Dropout?
  ) {
    guard let dropout, x.count > 0 else { return }
    let first = randomKey.firstSample
    compute.dropout(
      x, rows: rows.count * batch, probability: dropout.probability, stream: randomKey.stream(name, dropout),
      rowIndex: { UInt64(rows.lowerBound + $0 / batch) << 24 | UInt64(first + $0 % batch) },
      firstColumn: columns.lowerBound, into: x)
  }
}
