import Basics

/// Operations that note in a trace when each of them ran, forward and backward, and leave the work to others.
public final class TracedOperations: Operations {
  private let base: any Operations
  private let table: ParameterTable
  private let trace: Trace
  /// The number of the backward step that runs now.
  private var backward = 0

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
  public var rowShare: (index: Int, count: Int) { base.rowShare }

  public func newValue(_ form: OutputForm, requiresGradient: Bool) -> Value {
    base.newValue(form, requiresGradient: requiresGradient)
  }

  public func releaseIdleMemory() { base.releaseIdleMemory() }

  /// The tape runs backwards: what is recorded before the operation ends its backward step, what is recorded behind it
  /// begins it.
  private func traced(_ phase: StepPhase, _ operation: () throws -> Value) rethrows -> Value {
    tape?.record { [self] in trace.end(backward) }
    let forward = trace.begin(.phases, phase.forward)
    defer { trace.end(forward) }
    let result = try operation()
    tape?.record { [self] in backward = trace.begin(.phases, phase.backward) }
    return result
  }

  public func apply(_ operation: some Operation) throws -> Value {
    guard let phase = operation.phase(table) else { return try base.apply(operation) }
    return try traced(phase) { try base.apply(operation) }
  }
}
