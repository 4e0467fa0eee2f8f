import Tensors

/// The parameters of a linear layer whose bias may be left out: weight [outputs, inputs], bias [outputs].
public struct AffineParameters: Sendable, Hashable {
  public let weight: ParameterID
  public let bias: ParameterID?
  /// The columns of the weight that are used, one of its segments; nil: all of them.
  public let columns: Range<Int>?
  /// Groups of the outputs, see `Value.groups`, and neighbouring outputs that stay together, see `ValueShape.cell`.
  public let outputGroups, cell: Int

  public init(
    weight: ParameterID, bias: ParameterID?, columns: Range<Int>? = nil, outputGroups: Int = 1, cell: Int = 1
  ) {
    self.weight = weight
    self.bias = bias
    self.columns = columns
    self.outputGroups = outputGroups
    self.cell = cell
  }

  fileprivate func part(_ weight: Tensor) -> Matrix {
    let matrix = weight.matrix(rows: weight.shape[0])
    return columns.map { matrix.columns($0) } ?? matrix
  }

  fileprivate func inputs(_ table: ParameterTable) -> Int { columns?.count ?? table[weight].columns }

  public var all: [ParameterID] { [weight] + (bias.map { [$0] } ?? []) }
}

/// Y [R, B, out] = X·Wᵀ, plus b [out] and Z [R, B, out] if given.
///
/// The sum with Z is formed by the GEMM, without a pass of its own. With `overwriting`, it is formed in Z's memory:
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
    self.overwriting = overwriting && addend != nil
  }

  public var inputs: [Value] { [x] + (addend.map { [$0] } ?? []) }
  public var parameters: [ParameterID] { p.all }
  public func phase(_ table: ParameterTable) -> StepPhase? { StepPhase(table[p.weight].group) }

  /// R·B, the rows of the GEMM.
  public var points: Int { x.shape.rows * x.shape.batch }

  public func output(_ table: ParameterTable) -> OutputForm {
    OutputForm(x.shape.with(columns: table[p.weight].rows, cell: p.cell), groups: p.outputGroups)
  }

  public func cost(_ table: ParameterTable) -> OperationCost {
    let outputs = table[p.weight].rows
    let count = outputs * p.inputs(table)
    let weights = count + (p.bias.map { table[$0].count } ?? 0)
    let (flops, y, dx) = (2 * points * count, points * outputs, x.requiresGradient ? 1 : 0)
    return OperationCost(
      forward: Work(flops: flops, elements: x.shape.count + weights + y + (addend == nil ? 0 : y)),
      backward: Work(
        flops: (1 + dx) * flops, elements: y + (1 + dx) * x.shape.count + dx * count + 2 * weights))
  }

  public func layers(_ table: ParameterTable) -> [LayerSizes] {
    [
      LayerSizes(
        rows: points, inputs: p.inputs(table), outputs: table[p.weight].rows, needsInputGradient: x.requiresGradient)
    ]
  }

  public func run(on operations: LocalOperations) -> Value {
    let (compute, n, w) = (operations.compute, points, p.part(operations.value(p.weight)))
    let form = output(operations.parameters.table)
    let shape = form.shape
    precondition(x.shape.columns == w.columns, "\(w.columns) inputs expected, \(x.shape.columns) given")
    precondition(addend.map { $0.shape == shape } ?? true)
    let y = overwriting ? addend?.tensor ?? operations.newTensor(shape) : operations.newTensor(shape)
    let epilogue = Epilogue(
      bias: p.bias.map { operations.value($0) }, addend: overwriting ? nil : addend?.tensor.matrix(rows: n))
    compute.multiply(
      x.tensor.matrix(rows: n).plain, operations.operand(w, transposed: true, isLeft: false), into: y.matrix(rows: n),
      accumulate: overwriting, epilogue: epilogue)
    let output = operations.result(y, shape, groups: form.groups)
    guard let tape = operations.tape else { return output }
    let slot = output.slot
    tape.record(parameters) { [x, p, addend] in
      let dy = slot.take()
      if let bias = p.bias {
        compute.addBiasGradient(of: dy, rows: n, .perColumn, to: operations.gradient(bias))
      }
      compute.multiply(
        dy.matrix(rows: n).transposed, x.tensor.matrix(rows: n).plain,
        into: p.part(operations.gradient(p.weight)), accumulate: true)
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
  ///
  /// - Parameters:
  ///   - outputGroups: see `Value.groups`.
  ///   - cell: see `ValueShape.cell`, of the outputs.
  public mutating func affine(
    _ name: String, inputs: Int, outputs: Int, bias: Bool = true, outputGroups: Int = 1, cell: Int = 1,
    group: ParameterGroup, zero: Bool = false
  ) -> AffineParameters {
    let start: Initialization = zero ? .constant(0) : .uniform(bound: 1 / Float(inputs).squareRoot())
    let weight = add(
      ParameterSpec(name: "\(name).weight", shape: [outputs, inputs], initialization: start, group: group))
    let biasID =
      bias ? add(ParameterSpec(name: "\(name).bias", shape: [outputs], initialization: start, group: group)) : nil
    return AffineParameters(weight: weight, bias: biasID, outputGroups: outputGroups, cell: cell)
  }
}
