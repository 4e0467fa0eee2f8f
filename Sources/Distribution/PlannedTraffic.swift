import Execution
import Tensors

/// A dry run that adds up what one rank sends within its model instance, forward and backward: the formulas of
/// docs/parallel.md for every layer of a model. A test holds it against what the communicators count.
public final class PlannedTraffic: Operations {
  public var tape: Tape?
  public let checkpointsActivations: Bool
  /// In a segment's first run.
  private var isWithoutBackward = false
  /// FP32 numbers sent by the rank.
  public private(set) var elements = 0
  public var bytes: Int { elements * ElementType.float32.byteCount }

  private let plan: ParallelPlan
  private let place: Mesh.Position
  private let traffic: ProductTraffic
  private var mesh: Mesh { plan.mesh }
  private var table: ParameterTable { plan.table }

  public init(_ plan: ParallelPlan, _ place: Mesh.Position, checkpointsActivations: Bool = false) {
    self.checkpointsActivations = checkpointsActivations
    self.plan = plan
    self.place = place
    traffic = ProductTraffic(plan.mesh, place)
    elements = sharedGradients
  }

  private func dry(_ shape: ValueShape, groups: Int, requiresGradient: Bool = true) -> Value {
    Value(shape: shape, groups: groups, data: nil, requiresGradient: requiresGradient)
  }

  /// Numbers of an all-reduce over an axis: 2·n·(S − 1)/S.
  private var sharedGradients: Int {
    [SplitAxis.domain, .tensor].reduce(0) { sum, axis in
      let size = axis == .domain ? mesh.domain : mesh.tensor
      let count = table.specs.indices.map(ParameterID.init).filter { plan.placement($0).sharedAxes.contains(axis) }
        .reduce(0) { $0 + plan.placement($1).shape(table[$1], mesh, place).reduce(1, *) }
      return sum + 2 * count * (size - 1) / size
    }
  }

  private func rows(_ x: Value) -> Int { chunk(x.shape.rows, into: mesh.domain, place.domain).count * x.shape.batch }

  public func apply(_ operation: some Operation) -> Value {
    if let distributed = operation as? any DistributedOperation {
      let sent = distributed.traffic(plan, place)
      elements += sent.forward + (isWithoutBackward ? 0 : sent.backward)
    }
    return operation.dryResult(table)
  }

  /// Two numbers for each row to every other rank of the tensor axis, forward and backward.
  private func countNorm(_ x: Value) { elements += (isWithoutBackward ? 1 : 2) * 2 * rows(x) * (mesh.tensor - 1) }

  private func count(_ layer: LinearLayout, needsInputGradient: Bool) {
    elements +=
      isWithoutBackward ? traffic.forward(layer) : traffic.linear(layer, needsInputGradient: needsInputGradient)
  }

  public func segment(_ x: Value, _ parameters: [ParameterID], _ body: @escaping (Value) throws -> Value) throws
    -> Value
  {
    if checkpointsActivations {
      isWithoutBackward = true
      defer { isWithoutBackward = false }
      _ = try body(x)
    }
    return try body(x)
  }

  public func residualMLP(_ x: Value, along dimension: MixingDimension, _ p: MLPParameters, dropout: Dropout?) -> Value
  {
    countNorm(x)
    let tokens = dimension == .tokens
    let outer = tokens ? x.tokenLayout(mesh) : x.channelLayout(mesh)
    let inner = MLPLayout.hidden(
      outer, Dimension(table[p.first.weight].rows), alongTokens: tokens,
      isTurned: plan.turned.contains(p.first.weight), mesh)
    for (x, id, y) in [(outer, p.first.weight, inner), (inner, p.second.weight, outer)] {
      count(LinearLayout(alongTokens: tokens, x: x, w: weight(id)[0], y: y), needsInputGradient: true)
    }
    return dry(x.shape, groups: 1)
  }

  /// Points travel to the rank that blends them and back: y, x and the result forward; the result's gradient, y's and, if
  /// needed, x's backward.
  public func blend(
    _ y: Value, with x: Value, inner: NormParameters, outer: NormParameters, _ p: LinearParameters
  ) -> Value {
    let points = rows(y)
    let ownPoints = chunk(points, into: mesh.tensor, place.tensor).count
    let ownVariables = chunk(y.shape.columns, into: mesh.tensor, place.tensor).count
    let toPoints = (points - ownPoints) * ownVariables
    let toColumns = ownPoints * (y.shape.columns - ownVariables)
    elements += 3 * toPoints + 2 * toColumns + (x.requiresGradient ? toColumns : 0)
    return dry(y.shape, groups: 1)
  }
}
