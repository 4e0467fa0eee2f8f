import Basics
import Communication
import Distribution
import Execution
import Models
import Tensors

/// A golden case on a mesh of ranks, in parts if asked for, against the original and against one rank that computes it whole. All ranks call it together.
public struct MeshCheck {
  private let whole, part: GraphCheck

  public init(
    _ folder: String, threads: Int = 1, checkpointsActivations: Bool = false,
    parts: ComputationParts = ComputationParts(), _ context: RankContext
  ) throws {
    whole = try GraphCheck(folder, threads: threads, checkpointsActivations: checkpointsActivations)
    part = try GraphCheck(
      folder, threads: threads, checkpointsActivations: checkpointsActivations, parts: parts, context)
  }

  /// The report against the original; its member `one_rank` is against one rank.
  public func run() throws -> JSONValue {
    var report = CheckReport()
    whole.store.clearGradients()
    part.store.clearGradients()
    let (one, many) = (try whole.rollout(1, gradients: true), try part.rollout(1, gradients: true))
    report.compare("y_pred", many.predictions[0].values, one.predictions[0].values)
    report.compareLoss("loss", many.loss, one.loss)
    report.compare("grad_x", many.gradient?.values ?? [], one.gradient?.values ?? [])
    let pairs = zip(try part.wholeGradients(), try whole.wholeGradients()).map { mine, theirs in
      (name: mine.spec.name, mine: mine.gradient.values, theirs: theirs.gradient.values)
    }
    report.compareGradients("grad", pairs, zero: try part.zeroGradients())
    if Files.exists("\(part.files.folder)/losses.json") {
      let golden = try part.files.losses()
      report.compareLosses("losses", try part.train(golden), try whole.train(golden))
      try part.loadWeights()
    }
    guard case .object(var members) = try part.run() else { preconditionFailure("a report is an object") }
    members["mesh"] = .string(part.rank.context.mesh.description)
    members["one_rank"] = report.json
    return .object(members)
  }

  /// Changes the model of the mesh, to see that checks notice.
  public func scaleParameter(_ name: String, by factor: Float) { part.scaleParameter(name, by: factor) }
}
