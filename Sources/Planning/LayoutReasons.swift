import Basics
import Distribution

/// Where the time of a predicted update goes, as shares of it.
public struct TimeShares: Sendable, Equatable {
  /// At the rates of the machine for this layout's shapes.
  public var products: Double
  /// Waiting for other ranks, and for samples.
  public var waiting, readingWait: Double
  /// Everything else: passes over memory, calls.
  public var passes: Double

  public init(_ candidate: LayoutSearch.Candidate, _ search: LayoutSearch) throws {
    let prediction = candidate.prediction
    let estimate = try StepEstimate(candidate.layout, search.job.model, search.machine.model)
    waiting = min(1, prediction.waitSeconds / prediction.seconds)
    readingWait = min(1 - waiting, prediction.readingWaitSeconds / prediction.seconds)
    products = min(1 - waiting - readingWait, estimate.productSeconds / prediction.seconds)
    passes = max(0, 1 - waiting - readingWait - products)
  }

  /// The largest, in words.
  public var bound: String {
    let all = [
      ("matrix products", products), ("passes over memory", passes), ("the links between ranks", waiting),
      ("reading", readingWait),
    ]
    let largest = all.max { $0.1 < $1.1 } ?? all[0]
    return "\(largest.0) (\(fixed(100 * largest.1, 0)) % of the step)"
  }
}

extension LayoutSearch.Candidate {
  /// "2 × 4 × 1, optimiser split".
  public var name: String {
    layout.mesh.description + (layout.splitsOptimizer ? ", split optimiser" : "")
      + (layout.checkpointsActivations ? ", checkpointing" : "")
  }
}

extension LayoutSearch {
  /// Why the first of an outcome is first, in one or two sentences.
  public func reason(_ outcome: Outcome) throws -> String {
    guard let best = outcome.fitting.first else { return "Nothing fits." }
    let shares = try TimeShares(best, self)
    var text = "\(best.name) is bound by \(shares.bound)."
    if best.layout.checkpointsActivations { text += " Without checkpointing it would not fit." }
    guard outcome.fitting.count > 1 else { return text }
    let next = outcome.fitting[1]
    let faster = 100 * (best.samplesPerSecond / next.samplesPerSecond - 1)
    let others = try TimeShares(next, self)
    func percent(_ share: Double) -> String { fixed(100 * share, 0) }
    let differences = [
      (others.waiting - shares.waiting, "waits \(percent(others.waiting)) % of its step for other ranks"),
      (others.readingWait - shares.readingWait, "waits \(percent(others.readingWait)) % of its step for samples"),
      (others.passes - shares.passes, "spends \(percent(others.passes)) % of its step on passes over memory"),
      (others.products - shares.products, "has GEMMs of less favourable shapes"),
    ]
    let because = differences.max { $0.0 < $1.0 }
    text += " It is \(fixed(faster, 1)) % faster than the next, \(next.name)"
    if faster >= 1, let because, because.0 > 0.005 { text += ", which \(because.1)" }
    return text + "."
  }
}
