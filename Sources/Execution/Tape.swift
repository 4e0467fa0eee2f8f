/// The backward steps of a recorded forward computation, run in reverse order once.
///
/// Each operation records one step, whose closure holds exactly the tensors that its backward needs; they go back to
/// the pool as soon as the step has run.
public final class Tape {
  private var steps: [() throws -> Void] = []

  public init() {}

  public func record(_ step: @escaping () throws -> Void) { steps.append(step) }

  /// Runs all steps, last first. Before it, the gradient of the final value must be set.
  public func backward() throws {
    while let step = steps.popLast() { try step() }
  }
}
