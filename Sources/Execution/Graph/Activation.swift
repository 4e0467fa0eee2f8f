import Tensors

/// y = f(x), element by element.
public struct Activation: Operation {
  public let x: Value
  public let kind: ActivationKind
  private let group: ParameterGroup

  public init(_ x: Value, _ kind: ActivationKind, group: ParameterGroup) {
    self.x = x
    self.kind = kind
    self.group = group
  }

  public var inputs: [Value] { [x] }
  public func output(_ table: ParameterTable) -> OutputForm { OutputForm(x.shape, groups: x.groups) }
  public func phase(_ table: ParameterTable) -> StepPhase? { StepPhase(group) }
  public func cost(_ table: ParameterTable) -> OperationCost {
    OperationCost(forward: Work(elements: 2 * x.shape.count), backward: Work(elements: 3 * x.shape.count))
  }

  public func run(on operations: some ExecutingOperations) -> Value {
    let y = operations.newTensor(x.shape, groups: x.groups)
    operations.compute.activation(kind, x.tensor, into: y)
    let output = operations.result(y, x.shape, groups: x.groups)
    guard let tape = operations.tape else { return output }
    let slot = output.slot
    tape.record { [x, kind] in
      let d = slot.take()
      operations.compute.activationBackward(kind, x.tensor, d, into: d)
      operations.contribute(d, to: x)
    }
    return output
  }
}

/// y = f(gate)·value, element by element: the gated linear units of Shazeer (arXiv 2002.05202).
public struct Gate: Operation {
  public let gate, value: Value
  public let kind: ActivationKind
  private let group: ParameterGroup

  public init(_ gate: Value, _ value: Value, _ kind: ActivationKind, group: ParameterGroup) {
    precondition(gate.shape == value.shape)
    self.gate = gate
    self.value = value
    self.kind = kind
    self.group = group
  }

  public var inputs: [Value] { [gate, value] }
  public func output(_ table: ParameterTable) -> OutputForm { OutputForm(value.shape, groups: value.groups) }
  public func phase(_ table: ParameterTable) -> StepPhase? { StepPhase(group) }
  public func cost(_ table: ParameterTable) -> OperationCost {
    OperationCost(forward: Work(elements: 3 * value.shape.count), backward: Work(elements: 5 * value.shape.count))
  }

  public func run(on operations: some ExecutingOperations) -> Value {
    let y = operations.newTensor(value.shape, groups: value.groups)
    operations.compute.gate(kind, gate.tensor, value.tensor, into: y)
    let output = operations.result(y, value.shape, groups: value.groups)
    guard let tape = operations.tape else { return output }
    let slot = output.slot
    tape.record { [gate, value, kind] in
      let d = slot.take()
      let dgate = operations.newTensor(gate.shape, groups: gate.groups)
      operations.compute.gateBackward(kind, gate.tensor, value.tensor, d, dgate: dgate, dvalue: d)
      operations.contribute(dgate, to: gate)
      operations.contribute(d, to: value)
    }
    return output
  }
}
