import Tensors

// x + second(gelu(first(norm(x)))), fused: bias, GELU, its derivative and the residual are applied to products while these are
// in the cache (Finish). Of the intermediate results only the input of gelu is kept; the normalised input and gelu's output
// are computed again in backward. What only products and gelu read is stored as these want it (Compute.activationType).

extension LocalOperations {
  public func residualMLP(
    _ x: Value, along dimension: MixingDimension, _ p: MLPParameters, dropout: Dropout?
  ) -> Value {
    let layer = MixingLayer(x.shape, dimension, hidden: value(p.first.weight).shape[0])
    let n = x.shape.rows * x.shape.batch
    // Masks are applied to FP32.
    let type = dropout == nil ? compute.activationType : .float32
    func newHidden() -> Tensor { compute.tensor([layer.hiddenCount], type: type) }

    let normalized = newTensor(x.shape, type)
    let statistics = normalize(x.tensor, p.norm, rows: n, into: normalized)
    let hidden = newHidden()
    // Without backward nobody needs gelu's input.
    let activated = tape == nil ? hidden : newHidden()
    apply(
      p.first, layer, normalized, into: hidden, rows: layer.hiddenRows,
      Finish(
        bias: value(p.first.bias), layer.bias, activation: .gelu(into: activated.matrix(rows: layer.hiddenRows))))
    maskHidden(activated, layer, p, dropout)

    let y = newTensor(x.shape)
    // A mask comes before the residual.
    let residual = dropout == nil ? x.tensor.matrix(rows: layer.rows) : nil
    apply(
      p.second, layer, activated, into: y, rows: layer.rows,
      Finish(bias: value(p.second.bias), layer.bias, addend: residual))
    if dropout != nil {
      maskOutput(y, layer, p, dropout)
      compute.add(x.tensor, to: y)
    }
    let output = result(y, x.shape)
    guard let tape else { return output }

    tape.record(p.all) { [self] in
      let dy = output.takeGradient()
      var dbranch = dy
      if dropout != nil {
        dbranch = newTensor(x.shape)
        dbranch.copy(from: dy)
        maskOutput(dbranch, layer, p, dropout)
      }
      compute.addBiasGradient(of: dbranch, rows: layer.rows, layer.bias, to: gradient(p.second.bias))
      // The gradient with respect to gelu's input, and gelu's output once more. A mask comes before gelu's derivative.
      let dhidden = newHidden()
      let activated = newHidden()
      let derivative = Finish(
        activation: .geluGradient(
          of: hidden.matrix(rows: layer.hiddenRows), output: activated.matrix(rows: layer.hiddenRows)))
      applyTransposed(
        p.second, layer, dbranch, rows: layer.rows, into: dhidden, dropout == nil ? derivative : nil)
      if dropout != nil {
        maskHidden(dhidden, layer, p, dropout)
        compute.geluBackward(hidden, dhidden, into: dhidden, output: activated)
        maskHidden(activated, layer, p, dropout)
      }
      addWeightGradient(p.second, layer, dbranch, rows: layer.rows, activated, inputRows: layer.hiddenRows)

      compute.addBiasGradient(of: dhidden, rows: layer.hiddenRows, layer.bias, to: gradient(p.first.bias))
      /// - Returns: memory of the normalised input, where it can be used again.
      func addFirstWeightGradient() -> Tensor? {
        let normalized = newTensor(x.shape, type)
        _ = normalize(x.tensor, p.norm, rows: n, into: normalized)
        addWeightGradient(p.first, layer, dhidden, rows: layer.hiddenRows, normalized, inputRows: layer.rows)
        return type == .float32 ? normalized : nil
      }
      let dnormalized = addFirstWeightGradient() ?? newTensor(x.shape)
      applyTransposed(p.first, layer, dhidden, rows: layer.hiddenRows, into: dnormalized, nil)
      // The residual path: the gradient of the output is also the first part of that of the input.
      compute.layerNormBackward(
        x.tensor, scale: value(p.norm.scale), mean: statistics.mean, rstd: statistics.rstd, dnormalized, into: dy,
        accumulate: true, dscale: gradient(p.norm.scale), dshift: gradient(p.norm.shift))
      contribute(dy, to: x)
    }
    return output
  }

  /// Sizes of a mixing layer. As matrices, values are rows x (batch·columns) along tokens and (rows·batch) x columns along
  /// channels.
  private struct MixingLayer {
    let dimension: MixingDimension
    let shape: ValueShape
    let hidden: Int

    init(_ shape: ValueShape, _ dimension: MixingDimension, hidden: Int) {
      self.shape = shape
      self.dimension = dimension
      self.hidden = hidden
    }

    var bias: BiasDirection { dimension == .tokens ? .perRow : .perColumn }
    var rows: Int { dimension == .tokens ? shape.rows : shape.rows * shape.batch }
    var hiddenRows: Int { dimension == .tokens ? hidden : shape.rows * shape.batch }
    var hiddenCount: Int { dimension == .tokens ? hidden * shape.batch * shape.columns : hiddenRows * hidden }
  }

  /// Y = W·X along tokens, X·Wᵀ along channels.
  private func apply(
    _ p: LinearParameters, _ layer: MixingLayer, _ x: Tensor, into y: Tensor, rows: Int, _ finish: Finish
  ) {
    let weight = value(p.weight)
    let w = weight.matrix(rows: weight.shape[0])
    switch layer.dimension {
    case .tokens:
      compute.multiply(
        operand(w, isLeft: true), x.matrix(rows: w.columns).plain, into: y.matrix(rows: rows), finish: finish)
    case .channels:
      compute.multiply(
        x.matrix(rows: rows).plain, operand(w, transposed: true, isLeft: false), into: y.matrix(rows: rows),
        finish: finish)
    }
  }

  /// dX = Wᵀ·dY along tokens, dY·W along channels.
  private func applyTransposed(
    _ p: LinearParameters, _ layer: MixingLayer, _ dy: Tensor, rows: Int, into dx: Tensor, _ finish: Finish?
  ) {
    let weight = value(p.weight)
    let w = weight.matrix(rows: weight.shape[0])
    switch layer.dimension {
    case .tokens:
      compute.multiply(
        operand(w, transposed: true, isLeft: true), dy.matrix(rows: rows).plain, into: dx.matrix(rows: w.columns),
        finish: finish)
    case .channels:
      compute.multiply(
        dy.matrix(rows: rows).plain, operand(w, isLeft: false), into: dx.matrix(rows: rows), finish: finish)
    }
  }

  /// dW += dY·Xᵀ along tokens, dYᵀ·X along channels.
  private func addWeightGradient(
    _ p: LinearParameters, _ layer: MixingLayer, _ dy: Tensor, rows: Int, _ x: Tensor, inputRows: Int
  ) {
    let dw = gradient(p.weight).matrix(rows: value(p.weight).shape[0])
    switch layer.dimension {
    case .tokens:
      compute.multiply(
        dy.matrix(rows: rows).plain, x.matrix(rows: inputRows).transposed, into: dw, accumulate: true)
    case .channels:
      compute.multiply(
        dy.matrix(rows: rows).transposed, x.matrix(rows: inputRows).plain, into: dw, accumulate: true)
    }
  }

  // MARK: Dropout

  private func maskHidden(_ h: Tensor, _ layer: MixingLayer, _ p: MLPParameters, _ dropout: Dropout?) {
    let rows = layer.dimension == .tokens ? layer.hidden : layer.shape.rows
    mask(h, "\(p.name).first", rows: rows, batch: layer.shape.batch, dropout)
  }

  private func maskOutput(_ y: Tensor, _ layer: MixingLayer, _ p: MLPParameters, _ dropout: Dropout?) {
    mask(y, "\(p.name).second", rows: layer.shape.rows, batch: layer.shape.batch, dropout)
  }

  /// Masks a tensor [rows, batch, columns] in place, keyed by row, sample and column.
  private func mask(_ x: Tensor, _ name: String, rows: Int, batch: Int, _ dropout: Dropout?) {
    guard let dropout else { return }
    let first = randomKey.firstSample
    compute.dropout(
      x, rows: rows * batch, probability: dropout.probability, stream: randomKey.stream(name, dropout),
      rowIndex: { UInt64($0 / batch) << 24 | UInt64(first + $0 % batch) }, into: x)
  }
}
