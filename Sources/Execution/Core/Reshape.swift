import Tensors

/// The same memory seen with rows of `columns` elements: [R, B, s·V] → [R, B·s, V] and back.
public struct Reshape: Operation {
  public let x: Value
  public let batch, columns: Int

  public init(_ x: Value, batch: Int, columns: Int) {
    precondition(batch * columns == x.shape.batch * x.shape.columns)
    self.x = x
    self.batch = batch
    self.columns = columns
  }

  public var inputs: [Value] { [x] }
  public func output(_ table: ParameterTable) -> OutputForm {
    // One group less for each sample more; a value without given groups consists of one.
    OutputForm(
      ValueShape(rows: x.shape.rows, batch: batch, columns: columns, rowStarts: x.shape.rowStarts),
      groups: max(1, x.groups * x.shape.batch / batch))
  }

  public func phase(_ table: ParameterTable) -> StepPhase? { nil }
  public func cost(_ table: ParameterTable) -> OperationCost { OperationCost() }
  public func storedElements(_ table: ParameterTable) -> Int { 0 }

  public func run(on operations: some ExecutingOperations) -> Value {
    let form = output(operations.parameters.table)
    let output = Value(
      shape: form.shape, groups: form.groups,
      data: x.tensor.reshaped(operations.block(form.shape, groups: form.groups)), requiresGradient: x.requiresGradient)
    guard let tape = operations.tape, x.requiresGradient else { return output }
    let slot = output.slot
    tape.record { [x] in
      operations.contribute(slot.take().reshaped(x.tensor.shape), to: x)
    }
    return output
  }
}

extension Operations {
  /// The same memory seen with rows of `columns` elements: [R, B, s·V] → [R, B·s, V] and back.
  public func reshape(_ x: Value, batch: Int, columns: Int) throws -> Value {
    try apply(Reshape(x, batch: batch, columns: columns))
  }
}
