import Basics
import Communication

/// The ranks, trace, resources and console that a verb runs with. Made once by the verb, and passed on as an argument.
struct RunContext {
  /// All ranks, which communicate by the run's policy.
  let world: any Communicator
  /// Where this rank's phases, transfers, waiting and reading are noted; nil: nowhere.
  let trace: Trace?
  /// This rank's share of its machine.
  let resources: RankResources
  /// Silent on all ranks but the first.
  let console: Console

  /// All ranks call it together.
  ///
  /// - Parameters:
  ///   - world: all ranks; from here on the verb communicates through the context's.
  ///   - threads: of each rank; 0: as many as there are processors for it.
  ///   - overlaps: whether transfers may overlap with computation.
  init(
    _ world: any Communicator, threads: Int, overlaps: Bool = true, trace: Trace? = nil, console: Console
  ) throws {
    let policy = CommunicationPolicy(overlaps: overlaps)
    resources = try RankResources(world.with(policy, trace: trace), threads: threads)
    self.world = world.with(
      CommunicationPolicy(overlaps: overlaps, sharesProcessors: resources.sharesProcessors), trace: trace)
    self.trace = trace
    self.console = world.rank == 0 ? console : .silent
  }
}
