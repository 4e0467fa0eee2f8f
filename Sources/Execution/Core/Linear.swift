import Tensors

/// Y [R, B, out] = X·Wᵀ + b, with X the inputs [R, B, inᵢ] side by side, W [out, Σ inᵢ] and b [out].
public struct Linear: Operation {
  public let inputs: [Value]
  public let p: LinearParameters

  public init(_ inputs: [Value], _ parameters: LinearParameters) {
    precondition(!inputs.isEmpty)
    let first = inputs[0].shape
    precondition(inputs.allSatisfy { $0.shape.rows == first.rows && $0.shape.batch == first.batch })
    self.inputs = inputs
    p = parameters
  }

  public var parameters: [ParameterID] { [p.weight, p.bias] }

  /// R·B, the rows of the GEMM.
  public var points: Int { inputs[0].shape.rows * inputs[0].shape.batch }

  public func output(_ table: ParameterTable) -> OutputForm {
    OutputForm(inputs[0].shape.with(columns: table[p.weight].rows), groups: p.outputGroups)
  }

  public func phase(_ table: ParameterTable) -> StepPhase? { StepPhase(table[p.weight].group) }

  public func cost(_ table: ParameterTable) -> OperationCost {
    let spec = table[p.weight]
    precondition(inputs.map(\.shape.columns) == spec.columnSegments)
    let y = points * spec.rows
    let x = inputs.reduce(0) { $0 + $1.shape.count }
    let differentiated = inputs.filter(\.requiresGradient)
    let dx = differentiated.reduce(0) { $0 + $1.shape.count }
    let columns = differentiated.reduce(0) { $0 + $1.shape.columns }
    let weights = spec.count + table[p.bias].count
    let flops = 2 * points * spec.count
    return OperationCost(
      forward: Work(flops: flops, elements: x + weights + y),
      // The weights are read only where the inputs need gradients; their own are added to.
      backward: Work(
        flops: flops + 2 * points * columns * spec.rows, elements: y + x + dx + columns * spec.rows + 2 * weights))
  }

  public func layers(_ table: ParameterTable) -> [LayerSizes] {
    inputs.map {
      LayerSizes(
        rows: points, inputs: $0.shape.columns, outputs: table[p.weight].rows, needsInputGradient: $0.requiresGradient)
    }
  }

  public func run(on operations: LocalOperations) -> Value {
    let compute = operations.compute
    let (weight, n) = (operations.value(p.weight), points)
    let form = output(operations.parameters.table)
    let outputs = form.shape.columns
    let y = operations.newTensor(form.shape, groups: form.groups)
    let w = weight.matrix(rows: outputs)
    var start = 0
    for (i, x) in inputs.enumerated() {
      let part = w.columns(start..<start + x.shape.columns)
      let isLast = i == inputs.count - 1
      compute.multiply(
        x.tensor.matrix(rows: n).plain, operations.operand(part, transposed: true, isLeft: false),
        into: y.matrix(rows: n), accumulate: i > 0, epilogue: isLast ? Epilogue(bias: operations.value(p.bias)) : nil)
      start += x.shape.columns
    }
    precondition(start == weight.shape[1], "linear layer with \(weight.shape[1]) inputs was given \(start)")
    let output = operations.result(y, form.shape, groups: form.groups)
    guard let tape = operations.tape else { return output }
    let slot = output.slot
    tape.record(parameters) { [inputs, p] in
      let dy = slot.take()
      compute.addBiasGradient(of: dy, rows: n, .perColumn, to: operations.gradient(p.bias))
      let dw = operations.gradient(p.weight).matrix(rows: outputs)
      var start = 0
      for x in inputs {
        let columns = start..<start + x.shape.columns
        compute.multiply(
          dy.matrix(rows: n).transposed, x.tensor.matrix(rows: n).plain, into: dw.columns(columns), accumulate: true)
        if x.requiresGradient {
          let target = operations.gradientTarget(x)
          compute.multiply(
            dy.matrix(rows: n).plain, operations.operand(w.columns(columns), isLeft: false),
            into: target.tensor.matrix(rows: n), accumulate: target.accumulate)
        }
        start = columns.upperBound
      }
    }
    return output
  }
}

extension Operations {
  /// Y [R, B, out] = X·Wᵀ + b, with X the inputs [R, B, inᵢ] side by side and W [out, Σ inᵢ].
  public func linear(_ inputs: [Value], _ parameters: LinearParameters) throws -> Value {
    try apply(Linear(inputs, parameters))
  }
}
