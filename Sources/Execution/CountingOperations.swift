import Tensors

/// A dry run: shapes without data. Counts what a pass of the model costs, by walking the same model code that trains.
/// What the forward of an operation writes for its backward counts where its `cost` says so; whatever else an implementation keeps,
/// computes again or packs is not counted.
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
}
