import Execution
import Tensors

/// A dry run that adds up what one rank sends within its model instance, forward and backward: the formulas of
/// docs/parallel.md for every layer of a model. A test holds it against what the communicators count.
public final class PlannedTraffic: Operations {
  public var tape: Tape?
  public let checkpointsActivations: Bool
  /// In a segment's first run.
  private var isWithoutBackward = false
  /// FP32 elements sent by the rank.
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

  public var rowShare: (index: Int, count: Int) { (place.domain, mesh.domain) }

  public func apply(_ operation: some Operation) -> Value {
    if let distributed = operation as? any DistributedOperation {
      let sent = distributed.traffic(plan, place)
      elements += sent.forward + (isWithoutBackward ? 0 : sent.backward)
    }
    return operation.dryResult(table)
  }

  public func segment(
    _ inputs: [Value], _ parameters: [ParameterID], _ body: @escaping ([Value]) throws -> [Value]
  ) throws -> [Value] {
    guard checkpointsActivations else { return try body(inputs) }
    try withoutBackward { _ = try body(inputs) }
    return try body(inputs)
  }

  /// Parts are computed again in backward.
  public func inParts(
    _ parts: RowParts, of form: OutputForm, _ parameters: [ParameterID], _ body: @escaping (Int) throws -> Value
  ) throws -> Value {
    if parts.count == 1 { return try body(0) }
    try withoutBackward { for index in 0..<parts.count { _ = try body(index) } }
    for index in 0..<parts.count { _ = try body(index) }
    return newValue(form, requiresGradient: !parameters.isEmpty)
  }

  /// The forward traffic of operations that run once more later, unless they are part of others that do.
  private func withoutBackward(_ body: () throws -> Void) rethrows {
    if isWithoutBackward { return }
    isWithoutBackward = true
    defer { isWithoutBackward = false }
    try body()
  }
}
