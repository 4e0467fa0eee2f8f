/// The backward steps of a recorded forward computation, run in reverse order once.
///
/// Each operation records one step, whose closure holds exactly the tensors that its backward needs; they go back to
/// the pool as soon as the step has run.
public final class Tape {
  private var steps: [(parameters: [ParameterID], run: () throws -> Void)] = []
  /// Recorded steps that add to a parameter's gradient.
  private var uses: [ParameterID: Int] = [:]

  public init() {}

  /// - Parameter parameters: whose gradients the step adds to.
  public func record(_ parameters: [ParameterID] = [], _ step: @escaping () throws -> Void) {
    steps.append((parameters, step))
    for id in parameters { uses[id, default: 0] += 1 }
  }

  /// Runs all steps, last first. Before it, the gradient of the final value must be set.
  ///
  /// - Parameter completed: called for each parameter whose gradient no step of this tape will add to any more.
  public func backward(completed: ((ParameterID) throws -> Void)? = nil) throws {
    while let step = steps.popLast() {
      try step.run()
      for id in step.parameters {
        uses[id]! -= 1
        if uses[id] == 0 { try completed?(id) }
      }
    }
  }
}
