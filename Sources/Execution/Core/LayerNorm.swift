import Tensors

/// Normalises every row over all its columns, then scales and shifts these: [R, B, C] → [R, B, C].
public struct LayerNorm: Operation {
  public let x: Value
  public let p: NormParameters

  public init(_ x: Value, _ parameters: NormParameters) {
    self.x = x
    p = parameters
  }

  public var inputs: [Value] { [x] }
  public var parameters: [ParameterID] { [p.scale, p.shift] }
  public func output(_ table: ParameterTable) -> OutputForm { OutputForm(x.shape, groups: x.groups) }
  public func phase(_ table: ParameterTable) -> StepPhase? { StepPhase(table[p.scale].group) }

  public func cost(_ table: ParameterTable) -> OperationCost {
    let weights = table[p.scale].count + table[p.shift].count
    return OperationCost(
      forward: Work(elements: 2 * x.shape.count + weights), backward: Work(elements: 3 * x.shape.count + 3 * weights))
  }

  public func run(on operations: LocalOperations) -> Value {
    let y = operations.newTensor(x.shape, groups: x.groups)
    let statistics = operations.normalize(x.tensor, p, rows: x.shape.rows * x.shape.batch, into: y)
    let output = operations.result(y, x.shape, groups: x.groups)
    guard let tape = operations.tape else { return output }
    let slot = output.slot
    tape.record(parameters) { [x, p] in
      let dy = slot.take()
      let target = operations.gradientTarget(x)
      operations.compute.layerNormBackward(
        x.tensor, scale: operations.value(p.scale), statistics, dy, into: target,
        dscale: operations.gradient(p.scale), dshift: operations.gradient(p.shift))
    }
    return output
  }
}

extension Operations {
  /// Normalises every row over all its columns: [R, B, C] → [R, B, C].
  public func layerNorm(_ x: Value, _ parameters: NormParameters) throws -> Value {
    try apply(LayerNorm(x, parameters))
  }
}

extension LocalOperations {
  /// Normalises `rows` rows of x into y.
  /// - Returns: the rows' statistics.
  public func normalize(_ x: Tensor, _ p: NormParameters, rows: Int, into y: Tensor) -> RowStatistics {
    let statistics = compute.rowStatistics(rows)
    compute.layerNorm(
      x, scale: value(p.scale), shift: value(p.shift), epsilon: layerNormEpsilon, into: y, statistics)
    return statistics
  }
}
