import Tensors

/// The operations on one process, all of every value at hand.
public final class LocalOperations: Operations {
  public let compute: Compute
  public let parameters: ParameterStore
  public var tape: Tape?
  public var checkpointsActivations = false

  public var randomKey = RandomKey()

  /// While weights stay as they are.
  private var packedWeights: PackedWeights?

  public init(compute: Compute, parameters: ParameterStore) {
    self.compute = compute
    self.parameters = parameters
  }

  /// Weights stay as they are while `body` runs, which applies the model `uses` times, so that they need be packed only once.
  public func whileWeightsStay<T>(uses: Int, _ body: () throws -> T) rethrows -> T {
    // One thread that uses each once packs block by block within the product.
    guard PackedWeights.areOfUse(compute), compute.team.count > 1 || uses > 1 else { return try body() }
    packedWeights = PackedWeights(compute, keeps: uses > 1)
    defer { packedWeights = nil }
    return try body()
  }

  // MARK: Helpers

  /// A weight as an operand, A or B of A·B.
  func operand(_ weight: Matrix, transposed: Bool = false, isLeft: Bool) -> Operand {
    let operand = Operand(weight, transposed: transposed)
    return packedWeights?(operand, isLeft: isLeft) ?? operand
  }

  func value(_ id: ParameterID) -> Tensor { parameters.value(id) }
  func gradient(_ id: ParameterID) -> Tensor { parameters.gradient(id) }

  func newTensor(_ shape: ValueShape, _ type: ElementType = .float32) -> Tensor {
    compute.tensor(shape.dimensions, type: type)
  }

  /// The value of an operation with parameters, whose backward always has something to do.
  func result(_ data: Tensor, _ shape: ValueShape) -> Value {
    Value(shape: shape, data: data, requiresGradient: tape != nil)
  }

  /// Memory for a contribution to x's gradient, and whether to add to it: the first contribution stores.
  func gradientTarget(_ x: Value) -> (tensor: Tensor, accumulate: Bool) {
    if let gradient = x.gradient { return (gradient, true) }
    let gradient = newTensor(x.shape)
    x.gradient = gradient
    return (gradient, false)
  }

  /// Adds a tensor nobody else uses to x's gradient.
  func contribute(_ gradient: Tensor, to x: Value) {
    if let sum = x.gradient { compute.add(gradient, to: sum) } else { x.gradient = gradient }
  }

  // MARK: Operations

  public func linear(_ inputs: [Value], _ p: LinearParameters) -> Value {
    let weight = value(p.weight)
    let outputs = weight.shape[0]
    let (rows, batch) = (inputs[0].shape.rows, inputs[0].shape.batch)
    let n = rows * batch
    let shape = ValueShape(rows: rows, batch: batch, columns: outputs)
    let y = newTensor(shape)
    let w = weight.matrix(rows: outputs)
    var start = 0
    for (i, x) in inputs.enumerated() {
      precondition(x.shape.rows == rows && x.shape.batch == batch)
      let part = w.columns(start..<start + x.shape.columns)
      let isLast = i == inputs.count - 1
      compute.multiply(
        x.tensor.matrix(rows: n).plain, operand(part, transposed: true, isLeft: false), into: y.matrix(rows: n),
        accumulate: i > 0, finish: isLast ? Finish(bias: value(p.bias)) : nil)
      start += x.shape.columns
    }
    precondition(start == weight.shape[1], "linear layer with \(weight.shape[1]) inputs was given \(start)")
    let output = result(y, shape)
    guard let tape else { return output }
    tape.record([p.weight, p.bias]) { [self] in
      let dy = output.takeGradient()
      compute.addBiasGradient(of: dy, rows: n, .perColumn, to: gradient(p.bias))
      let dw = gradient(p.weight).matrix(rows: outputs)
      var start = 0
      for x in inputs {
        let columns = start..<start + x.shape.columns
        compute.multiply(
          dy.matrix(rows: n).transposed, x.tensor.matrix(rows: n).plain, into: dw.columns(columns), accumulate: true)
        if x.requiresGradient {
          let target = gradientTarget(x)
          compute.multiply(
            dy.matrix(rows: n).plain, operand(w.columns(columns), isLeft: false), into: target.tensor.matrix(rows: n),
            accumulate: target.accumulate)
        }
        start = columns.upperBound
      }
    }
    return output
  }

  public func layerNorm(_ x: Value, _ p: NormParameters) -> Value {
    let n = x.shape.rows * x.shape.batch
    let y = newTensor(x.shape)
    let statistics = normalize(x.tensor, p, rows: n, into: y)
    let output = result(y, x.shape)
    guard let tape else { return output }
    tape.record([p.scale, p.shift]) { [self] in
      let dy = output.takeGradient()
      let target = gradientTarget(x)
      compute.layerNormBackward(
        x.tensor, scale: value(p.scale), mean: statistics.mean, rstd: statistics.rstd, dy, into: target.tensor,
        accumulate: target.accumulate, dscale: gradient(p.scale), dshift: gradient(p.shift))
    }
    return output
  }

  func normalize(_ x: Tensor, _ p: NormParameters, rows: Int, into y: Tensor) -> (mean: Tensor, rstd: Tensor) {
    let mean = compute.tensor([rows])
    let rstd = compute.tensor([rows])
    compute.layerNorm(
      x, scale: value(p.scale), shift: value(p.shift), epsilon: layerNormEpsilon, into: y, mean: mean, rstd: rstd)
    return (mean, rstd)
  }

  public func addScaled(_ y: Value, factor: [Float], to x: Value) -> Value {
    precondition(y.shape == x.shape && factor.count == x.shape.columns)
    let factor = Tensor(factor, shape: [factor.count])
    let sum = newTensor(x.shape)
    compute.addScaledColumns(x.tensor, factor: factor, y.tensor, into: sum)
    let output = result(sum, x.shape)
    guard let tape else { return output }
    tape.record { [self] in
      let dsum = output.takeGradient()
      let dy = newTensor(y.shape)
      compute.addScaledColumnsBackward(dsum, factor: factor, into: dy)
      contribute(dy, to: y)
      if x.requiresGradient { contribute(dsum, to: x) }
    }
    return output
  }

  public func reshape(_ x: Value, batch: Int, columns: Int) -> Value {
    let shape = ValueShape(rows: x.shape.rows, batch: batch, columns: columns)
    precondition(shape.count == x.shape.count)
    let output = Value(
      shape: shape, data: x.tensor.reshaped(shape.dimensions), requiresGradient: x.requiresGradient)
    guard let tape, x.requiresGradient else { return output }
    tape.record { [self] in
      contribute(output.takeGradient().reshaped(x.shape.dimensions), to: x)
    }
    return output
  }
}
