import Execution
import Tensors

// The normalised input and gelu's output are computed again in backward. What only GEMMs and gelu read is stored as these
// want it (Compute.activationType).

extension ResidualMLP {
  public func run(on operations: LocalOperations) -> Value { LocalResidualMLP(self, operations).run() }
}

/// The layer on one process. As matrices, values are rows x (batch·columns) along tokens and (rows·batch) x columns along
/// channels.
private struct LocalResidualMLP {
  private let operations: LocalOperations
  private let x: Value
  private let dimension: MixingDimension
  private let p: MLPParameters
  private let dropout: Dropout?
  private let hiddenWidth: Int

  init(_ layer: ResidualMLP, _ operations: LocalOperations) {
    self.operations = operations
    x = layer.x
    dimension = layer.dimension
    p = layer.p
    dropout = layer.dropout
    hiddenWidth = operations.value(layer.p.first.weight).shape[0]
  }

  private var compute: Compute { operations.compute }
  /// R·B
  private var points: Int { x.shape.rows * x.shape.batch }
  private var bias: BiasDirection { dimension == .tokens ? .perRow : .perColumn }
  private var rows: Int { dimension == .tokens ? x.shape.rows : points }
  private var hiddenRows: Int { dimension == .tokens ? hiddenWidth : points }
  private var hiddenCount: Int { hiddenWidth * (dimension == .tokens ? x.shape.batch * x.shape.columns : points) }
  /// Element type of hidden values. Dropout masks are applied to FP32.
  private var type: ElementType { dropout == nil ? compute.activationType : .float32 }

  private func newHidden() -> Tensor { compute.tensor([hiddenCount], type: type) }

  func run() -> Value {
    let normalized = operations.newTensor(x.shape, type)
    let statistics = operations.normalize(x.tensor, p.norm, rows: points, into: normalized)
    let hidden = newHidden()
    // Without backward nobody needs gelu's input.
    let activated = operations.tape == nil ? hidden : newHidden()
    apply(
      p.first, normalized, into: hidden, rows: hiddenRows,
      Epilogue(
        bias: operations.value(p.first.bias), bias, activation: .gelu(into: activated.matrix(rows: hiddenRows))))
    maskHidden(activated)

    let y = operations.newTensor(x.shape)
    // A mask comes before the residual.
    let residual = dropout == nil ? x.tensor.matrix(rows: rows) : nil
    apply(
      p.second, activated, into: y, rows: rows,
      Epilogue(bias: operations.value(p.second.bias), bias, addend: residual))
    if dropout != nil {
      maskOutput(y)
      compute.add(x.tensor, to: y)
    }
    let output = operations.result(y, x.shape)
    let slot = output.slot
    operations.tape?.record(p.all) {
      backward(slot.take(), hidden: hidden, statistics)
    }
    return output
  }

  /// - Parameters:
  ///   - dy: becomes the gradient of x.
  ///   - hidden: gelu's input.
  private func backward(_ dy: Tensor, hidden: Tensor, _ statistics: RowStatistics) {
    var dbranch = dy
    if dropout != nil {
      dbranch = operations.newTensor(x.shape)
      dbranch.copy(from: dy)
      maskOutput(dbranch)
    }
    compute.addBiasGradient(of: dbranch, rows: rows, bias, to: operations.gradient(p.second.bias))
    // The gradient with respect to gelu's input, and gelu's output once more. A mask comes before gelu's derivative.
    let dhidden = newHidden()
    let activated = newHidden()
    let derivative = Epilogue(
      activation: .geluGradient(of: hidden.matrix(rows: hiddenRows), output: activated.matrix(rows: hiddenRows)))
    applyTransposed(p.second, dbranch, rows: rows, into: dhidden, dropout == nil ? derivative : nil)
    if dropout != nil {
      maskHidden(dhidden)
      compute.geluBackward(hidden, dhidden, into: dhidden, output: activated)
      maskHidden(activated)
    }
    addWeightGradient(p.second, dbranch, rows: rows, activated, inputRows: hiddenRows)

    compute.addBiasGradient(of: dhidden, rows: hiddenRows, bias, to: operations.gradient(p.first.bias))
    let dnormalized = addFirstWeightGradient(dhidden) ?? operations.newTensor(x.shape)
    applyTransposed(p.first, dhidden, rows: hiddenRows, into: dnormalized, nil)
    // The residual path: the gradient of the output is also the first part of that of the input.
    compute.layerNormBackward(
      x.tensor, scale: operations.value(p.norm.scale), statistics, dnormalized, into: (dy, true),
      dscale: operations.gradient(p.norm.scale), dshift: operations.gradient(p.norm.shift))
    operations.contribute(dy, to: x)
  }

  /// - Returns: memory of the normalised input, where it can be used again.
  private func addFirstWeightGradient(_ dhidden: Tensor) -> Tensor? {
    let normalized = operations.newTensor(x.shape, type)
    _ = operations.normalize(x.tensor, p.norm, rows: points, into: normalized)
    addWeightGradient(p.first, dhidden, rows: hiddenRows, normalized, inputRows: rows)
    return type == .float32 ? normalized : nil
  }

  // MARK: GEMMs

  private func matrix(_ weight: ParameterID) -> Matrix {
    let weight = operations.value(weight)
    return weight.matrix(rows: weight.shape[0])
  }

  /// Y = W·X along tokens, X·Wᵀ along channels.
  private func apply(_ p: LinearParameters, _ x: Tensor, into y: Tensor, rows: Int, _ epilogue: Epilogue) {
    let w = matrix(p.weight)
    switch dimension {
    case .tokens:
      compute.multiply(
        operations.operand(w, isLeft: true), x.matrix(rows: w.columns).plain, into: y.matrix(rows: rows),
        epilogue: epilogue)
    case .channels:
      compute.multiply(
        x.matrix(rows: rows).plain, operations.operand(w, transposed: true, isLeft: false),
        into: y.matrix(rows: rows), epilogue: epilogue)
    }
  }

  /// dX = Wᵀ·dY along tokens, dY·W along channels.
  private func applyTransposed(
    _ p: LinearParameters, _ dy: Tensor, rows: Int, into dx: Tensor, _ epilogue: Epilogue?
  ) {
    let w = matrix(p.weight)
    switch dimension {
    case .tokens:
      compute.multiply(
        operations.operand(w, transposed: true, isLeft: true), dy.matrix(rows: rows).plain,
        into: dx.matrix(rows: w.columns), epilogue: epilogue)
    case .channels:
      compute.multiply(
        dy.matrix(rows: rows).plain, operations.operand(w, isLeft: false), into: dx.matrix(rows: rows),
        epilogue: epilogue)
    }
  }

  /// dW += dY·Xᵀ along tokens, dYᵀ·X along channels.
  private func addWeightGradient(_ p: LinearParameters, _ dy: Tensor, rows: Int, _ x: Tensor, inputRows: Int) {
    let dw = operations.gradient(p.weight).matrix(rows: operations.value(p.weight).shape[0])
    switch dimension {
    case .tokens:
      compute.multiply(
        dy.matrix(rows: rows).plain, x.matrix(rows: inputRows).transposed, into: dw, accumulate: true)
    case .channels:
      compute.multiply(
        dy.matrix(rows: rows).transposed, x.matrix(rows: inputRows).plain, into: dw, accumulate: true)
    }
  }

  // MARK: Dropout

  private func maskHidden(_ h: Tensor) {
    mask(h, "\(p.name).first", rows: dimension == .tokens ? hiddenWidth : x.shape.rows)
  }

  private func maskOutput(_ y: Tensor) { mask(y, "\(p.name).second", rows: x.shape.rows) }

  /// Masks a tensor [rows, batch, columns] in place, keyed by row, sample and column.
  private func mask(_ tensor: Tensor, _ name: String, rows: Int) {
    guard let dropout else { return }
    let (batch, key) = (x.shape.batch, operations.randomKey)
    compute.dropout(
      tensor, rows: rows * batch, probability: dropout.probability, stream: key.stream(name, dropout),
      rowIndex: { UInt64($0 / batch) << 24 | UInt64(key.firstSample + $0 % batch) }, into: tensor)
  }
}
