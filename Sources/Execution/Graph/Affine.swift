import Tensors

/// The parameters of a linear layer whose bias may be left out: weight [outputs, inputs], bias [outputs].
public struct AffineParameters: Sendable, Hashable {
  public let weight: ParameterID
  public let bias: ParameterID?

  public init(weight: ParameterID, bias: ParameterID?) {
    self.weight = weight
    self.bias = bias
  }

  public var all: [ParameterID] { [weight] + (bias.map { [$0] } ?? []) }
}

/// Y [R, B, out] = X·Wᵀ, plus b [out] and Z [R, B, out] if given.
///
/// The sum with Z is formed where the product is, without a pass of its own. With `overwriting`, it is formed in Z's memory:
/// for a Z whose own backward does not need its data.
public struct Affine: Operation {
  public let x: Value
  public let p: AffineParameters
  public let addend: Value?
  public let overwriting: Bool

  public init(_ x: Value, _ parameters: AffineParameters, addTo addend: Value? = nil, overwriting: Bool = false) {
    self.x = x
    p = parameters
    self.addend = addend
    self.overwriting = overwriting
  }

  public var inputs: [Value] { [x] + (addend.map { [$0] } ?? []) }
  public var parameters: [ParameterID] { p.all }
  public func phase(_ table: ParameterTable) -> StepPhase? { StepPhase(table[p.weight].group) }

  private var points: Int { x.shape.rows * x.shape.batch }

  public func output(_ table: ParameterTable) -> OutputForm {
    OutputForm(ValueShape(rows: x.shape.rows, batch: x.shape.batch, columns: table[p.weight].rows))
  }

  public func cost(_ table: ParameterTable) -> OperationCost {
    let (spec, flops) = (table[p.weight], 2 * points * table[p.weight].count)
    let weights = p.all.reduce(0) { $0 + table[$1].count }
    let (y, dx) = (points * spec.rows, x.requiresGradient ? 1 : 0)
    return OperationCost(
      forward: Work(flops: flops, elements: x.shape.count + weights + y + (addend == nil ? 0 : y)),
      backward: Work(
        flops: (1 + dx) * flops, elements: y + (1 + dx) * x.shape.count + dx * spec.count + 2 * weights))
  }

  public func layers(_ table: ParameterTable) -> [LayerSizes] {
    let spec = table[p.weight]
    return [
      LayerSizes(rows: points, inputs: spec.columns, outputs: spec.rows, needsInputGradient: x.requiresGradient)
    ]
  }

  public func run(on operations: LocalOperations) -> Value {
    let (compute, n, weight) = (operations.compute, points, operations.value(p.weight))
    let shape = output(operations.parameters.table).shape
    precondition(x.shape.columns == weight.shape[1], "\(weight.shape[1]) inputs expected, \(x.shape.columns) given")
    precondition(addend.map { $0.shape == shape } ?? true)
    let w = weight.matrix(rows: shape.columns)
    let y = overwriting ? addend!.tensor : operations.newTensor(shape)
    let finish = Finish(
      bias: p.bias.map { operations.value($0) }, addend: overwriting ? nil : addend?.tensor.matrix(rows: n))
    compute.multiply(
      x.tensor.matrix(rows: n).plain, operations.operand(w, transposed: true, isLeft: false), into: y.matrix(rows: n),
      accumulate: overwriting, finish: finish)
    let output = operations.result(y, shape)
    guard let tape = operations.tape else { return output }
    tape.record(parameters) { [x, p, addend] in
      let dy = output.takeGradient()
      if let bias = p.bias {
        compute.addBiasGradient(of: dy, rows: n, .perColumn, to: operations.gradient(bias))
      }
      compute.multiply(
        dy.matrix(rows: n).transposed, x.tensor.matrix(rows: n).plain,
        into: operations.gradient(p.weight).matrix(rows: shape.columns), accumulate: true)
      if x.requiresGradient {
        let target = operations.gradientTarget(x)
        compute.multiply(
          dy.matrix(rows: n).plain, operations.operand(w, isLeft: false), into: target.tensor.matrix(rows: n),
          accumulate: target.accumulate)
      }
      if let addend, addend.requiresGradient { operations.contribute(dy, to: addend) }
    }
    return output
  }
}

extension ParameterTable {
  /// Weight [outputs, inputs] and, unless left out, bias [outputs], uniform in ± 1/sqrt(inputs), or zero.
  public mutating func affine(
    _ name: String, inputs: Int, outputs: Int, bias: Bool = true, group: ParameterGroup, zero: Bool = false
  ) -> AffineParameters {
    let start: Initialization = zero ? .constant(0) : .uniform(bound: 1 / Float(inputs).squareRoot())
    let weight = add(
      ParameterSpec(name: "\(name).weight", shape: [outputs, inputs], initialization: start, group: group))
    guard bias else { return AffineParameters(weight: weight, bias: nil) }
    return AffineParameters(
      weight: weight,
      bias: add(ParameterSpec(name: "\(name).bias", shape: [outputs], initialization: start, group: group)))
  }
}
