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
  private var mesh: Mesh { plan.mesh }
  private var table: ParameterTable { plan.table }

  public init(_ plan: ParallelPlan, _ place: Mesh.Position, checkpointsActivations: Bool = false) {
    self.checkpointsActivations = checkpointsActivations
    self.plan = plan
    self.place = place
    elements = sharedGradients
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

  public func apply(_ operation: some Operation) -> Value {
    if let distributed = operation as? any DistributedOperation {
      let sent = distributed.traffic(plan, place)
      elements += sent.forward + (isWithoutBackward ? 0 : sent.backward)
    }
    return operation.dryResult(table)
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
}
