import Basics

/// Operations that note in a trace when each of them ran, forward and backward, and leave the work to others.
public final class TracedOperations: Operations {
  private let base: any Operations
  private let table: ParameterTable
  private let trace: Trace
  /// Of the backward step that runs now.
  private var backwardStart = 0.0

  public init(_ base: any Operations, _ table: ParameterTable, _ trace: Trace) {
    self.base = base
    self.table = table
    self.trace = trace
  }

  public var tape: Tape? {
    get { base.tape }
    set { base.tape = newValue }
  }

  public var checkpointsActivations: Bool { base.checkpointsActivations }

  /// The tape runs backwards: what is recorded before the operation ends its backward step, what is recorded behind it
  /// begins it.
  private func traced(_ phase: StepPhase, _ operation: () throws -> Value) rethrows -> Value {
    tape?.record { [self] in trace.add(.phases, phase.backward, since: backwardStart) }
    let start = trace.now()
    let result = try operation()
    trace.add(.phases, phase.forward, since: start)
    tape?.record { [self] in backwardStart = trace.now() }
    return result
  }

  public func apply(_ operation: some Operation) throws -> Value {
    guard let phase = operation.phase(table) else { return try base.apply(operation) }
    return try traced(phase) { try base.apply(operation) }
  }
}
