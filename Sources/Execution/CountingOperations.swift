import Tensors

/// A dry run: shapes without data. Counts what a pass of the model costs, by walking the same model code that trains.
public final class CountingOperations: Operations {
  /// Work of one phase: operations of matrix products, 2·m·n·k each, and numbers that are read or written if every operation
  /// touches each of its operands once; what is added to is read and written. A mixing layer also writes the input of
  /// gelu, which its backward reads; whatever else an implementation keeps, computes again or packs is not in it.
  public struct Cost: Sendable, Equatable {
    public var flops = 0
    public var numbers = 0

    public init(flops: Int = 0, numbers: Int = 0) {
      self.flops = flops
      self.numbers = numbers
    }
  }

  public var tape: Tape?
  private let table: ParameterTable
  public private(set) var forward: [StepPhase: Cost] = [:]
  public private(set) var backward: [StepPhase: Cost] = [:]

  public init(_ table: ParameterTable) { self.table = table }

  /// Floating-point operations of all matrix products of the forward pass.
  public var productFLOPs: Int { forward.values.reduce(0) { $0 + $1.flops } }

  private func count(_ phase: StepPhase, forward f: Cost, backward b: Cost) {
    forward[phase, default: Cost()].flops += f.flops
    forward[phase, default: Cost()].numbers += f.numbers
    backward[phase, default: Cost()].flops += b.flops
    backward[phase, default: Cost()].numbers += b.numbers
  }

  private func size(_ ids: [ParameterID]) -> Int { ids.reduce(0) { $0 + table[$1].count } }

  public func linear(_ inputs: [Value], _ parameters: LinearParameters) -> Value {
    let spec = table[parameters.weight]
    let shape = inputs[0].shape
    precondition(inputs.map(\.shape.columns) == spec.columnSegments)
    let y = ValueShape(rows: shape.rows, batch: shape.batch, columns: spec.rows)
    let x = inputs.reduce(0) { $0 + $1.shape.count }
    let differentiated = inputs.filter(\.requiresGradient)
    let dx = differentiated.reduce(0) { $0 + $1.shape.count }
    let columns = differentiated.reduce(0) { $0 + $1.shape.columns }
    let weights = size([parameters.weight, parameters.bias])
    let (points, flops) = (2 * shape.rows * shape.batch, 2 * shape.rows * shape.batch * spec.count)
    count(
      StepPhase(spec.group), forward: Cost(flops: flops, numbers: x + weights + y.count),
      // The weights are read only where the inputs need gradients; their own are added to.
      backward: Cost(
        flops: flops + points * columns * spec.rows,
        numbers: y.count + x + dx + columns * spec.rows + 2 * weights))
    return dry(y)
  }

  public func layerNorm(_ x: Value, _ parameters: NormParameters) -> Value {
    let weights = size([parameters.scale, parameters.shift])
    count(
      StepPhase(table[parameters.scale].group), forward: Cost(numbers: 2 * x.shape.count + weights),
      backward: Cost(numbers: 3 * x.shape.count + 3 * weights))
    return dry(x.shape)
  }

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
      StepPhase(dimension), forward: Cost(flops: flops, numbers: 2 * x.shape.count + hidden + all),
      backward: Cost(flops: 2 * flops, numbers: 3 * x.shape.count + hidden + 3 * all))
    return dry(x.shape)
  }

  public func blend(
    _ y: Value, with x: Value, inner: NormParameters, outer: NormParameters, _ parameters: LinearParameters
  ) -> Value {
    let flops = 2 * y.shape.rows * y.shape.batch * table[parameters.weight].count
    let all = size([inner.scale, inner.shift, outer.scale, outer.shift, parameters.weight, parameters.bias])
    let gradients = x.requiresGradient ? 2 : 1
    count(
      .output, forward: Cost(flops: flops, numbers: 3 * y.shape.count + all),
      backward: Cost(flops: 2 * flops, numbers: (3 + gradients) * y.shape.count + 3 * all))
    return dry(y.shape)
  }

  public func addScaled(_ y: Value, factor: [Float], to x: Value) -> Value {
    count(.output, forward: Cost(numbers: 3 * x.shape.count), backward: Cost(numbers: 2 * x.shape.count))
    return dry(x.shape)
  }

  public func reshape(_ x: Value, batch: Int, columns: Int) -> Value {
    let shape = ValueShape(rows: x.shape.rows, batch: batch, columns: columns)
    return Value(shape: shape, data: nil, requiresGradient: x.requiresGradient)
  }

  /// What operations make needs gradients, inputs of the model do not.
  private func dry(_ shape: ValueShape) -> Value { Value(shape: shape, data: nil, requiresGradient: true) }
}
