import Tensors

/// A dry run: shapes without data. Counts what a forward pass costs, by walking the same model code that trains.
public final class CountingOperations: Operations {
  public var tape: Tape?
  private let table: ParameterTable

  /// Floating-point operations of all matrix products: 2·m·n·k each.
  public private(set) var productFLOPs = 0

  public init(_ table: ParameterTable) { self.table = table }

  public func linear(_ inputs: [Value], _ parameters: LinearParameters) -> Value {
    let spec = table[parameters.weight]
    let shape = inputs[0].shape
    precondition(inputs.map(\.shape.columns) == spec.columnSegments)
    productFLOPs += 2 * shape.rows * shape.batch * spec.count
    return dry(ValueShape(rows: shape.rows, batch: shape.batch, columns: spec.rows))
  }

  public func layerNorm(_ x: Value, _ parameters: NormParameters) -> Value { dry(x.shape) }

  public func residualMLP(
    _ x: Value, along dimension: MixingDimension, _ parameters: MLPParameters, dropout: Dropout?
  ) -> Value {
    let weights = table[parameters.first.weight].count + table[parameters.second.weight].count
    let (mixed, others) =
      dimension == .tokens
      ? (x.shape.rows, x.shape.batch * x.shape.columns) : (x.shape.columns, x.shape.rows * x.shape.batch)
    precondition(table[parameters.first.weight].columns == mixed)
    productFLOPs += 2 * weights * others
    return dry(x.shape)
  }

  public func blend(
    _ y: Value, with x: Value, inner: NormParameters, outer: NormParameters, _ parameters: LinearParameters
  ) -> Value {
    productFLOPs += 2 * y.shape.rows * y.shape.batch * table[parameters.weight].count
    return dry(y.shape)
  }

  public func addScaled(_ y: Value, factor: [Float], to x: Value) -> Value { dry(x.shape) }

  public func reshape(_ x: Value, batch: Int, columns: Int) -> Value {
    dry(ValueShape(rows: x.shape.rows, batch: batch, columns: columns))
  }

  private func dry(_ shape: ValueShape) -> Value { Value(shape: shape, data: nil, requiresGradient: false) }
}
