import Tensors

/// A dry run: shapes without data. Counts what a pass of the model costs, by walking the same model code that trains.
/// A mixing layer also writes the input of gelu, which its backward reads; whatever else an implementation keeps, computes
/// again or packs is not counted.
public final class CountingOperations: Operations {
  public var tape: Tape?
  private let table: ParameterTable
  public private(set) var forward: [StepPhase: Work] = [:]
  public private(set) var backward: [StepPhase: Work] = [:]

  public init(_ table: ParameterTable) { self.table = table }

  /// Floating-point operations of all matrix products of the forward pass.
  public var productFLOPs: Int { forward.values.reduce(0) { $0 + $1.flops } }

  public func apply(_ operation: some Operation) -> Value {
    if let phase = operation.phase(table) {
      let cost = operation.cost(table)
      count(phase, forward: cost.forward, backward: cost.backward)
    }
    return operation.dryResult(table)
  }

  private func count(_ phase: StepPhase, forward f: Work, backward b: Work) {
    forward[phase, default: Work()] += f
    backward[phase, default: Work()] += b
  }

  private func size(_ ids: [ParameterID]) -> Int { ids.reduce(0) { $0 + table[$1].count } }

  public func residualMLP(
    _ x: Value, along dimension: MixingDimension, _ parameters: MLPParameters, dropout: Dropout?
  ) -> Value {
    let first = table[parameters.first.weight]
    let weights = first.count + table[parameters.second.weight].count
    let (mixed, others) =
      dimension == .tokens
      ? (x.shape.rows, x.shape.batch * x.shape.columns) : (x.shape.columns, x.shape.rows * x.shape.batch)
    precondition(first.columns == mixed)
    let (flops, hidden, all) = (2 * weights * others, first.rows * others, size(parameters.all))
    count(
      StepPhase(dimension), forward: Work(flops: flops, elements: 2 * x.shape.count + hidden + all),
      backward: Work(flops: 2 * flops, elements: 3 * x.shape.count + hidden + 3 * all))
    return dry(x.shape)
  }

  public func blend(
    _ y: Value, with x: Value, inner: NormParameters, outer: NormParameters, _ parameters: LinearParameters
  ) -> Value {
    let flops = 2 * y.shape.rows * y.shape.batch * table[parameters.weight].count
    let all = size([inner.scale, inner.shift, outer.scale, outer.shift, parameters.weight, parameters.bias])
    let gradients = x.requiresGradient ? 2 : 1
    count(
      .output, forward: Work(flops: flops, elements: 3 * y.shape.count + all),
      backward: Work(flops: 2 * flops, elements: (3 + gradients) * y.shape.count + 3 * all))
    return dry(y.shape)
  }

  /// What operations make needs gradients, inputs of the model do not.
  private func dry(_ shape: ValueShape) -> Value { Value(shape: shape, data: nil, requiresGradient: true) }
}
