import Basics
import Communication
import Datasets

/// The extent of an evaluation: leads, initial times, regions, and the groups in which its climatology fits into memory.
struct EvaluationPlan: Sendable {
  /// Places of the leads in the forecasts, and their hours.
  let leads: [Int]
  let leadHours: [Int]
  let regions: [Region]
  let systems: [System]
  /// Forecasts with truth at all leads, so that every score is over the same dates.
  let usable: [Int]
  /// This rank's, as places in `usable`, in blocks that follow each other; neighbours in time share days of the climatology.
  let blocks: [Range<Int>]
  /// Channels that are done together.
  let groups: [Range<Int>]

  /// - Throws: when the forecasts don't fit the truth or the options.
  init(
    _ forecasts: ForecastReader, truth: FieldDataset, options: Evaluation.Options, on world: any Communicator
  ) throws {
    guard forecasts.grid.matches(truth.grid) else {
      let (expected, found) = truth.grid.summaries(against: forecasts.grid)
      throw JigsawError(
        forecasts.path, "has another grid than the truth", expected: expected, found: found,
        remedy: "verify against data on the grid of the forecast")
    }
    for channel in truth.channels { try forecasts.require(channel) }
    leads = try EvaluationPlan.leads(forecasts, options)
    let hours = leads.map { forecasts.leadHours[$0] }
    leadHours = hours
    regions = Region.standard(for: truth.grid, isPartial: truth.boundary != nil)
    systems = System.allCases.filter { $0 != .dampedPersistence || options.usesDampedPersistence }
    let usable = forecasts.initialTimes.indices.filter { initial in
      ([0] + hours).allSatisfy { truth.index(of: forecasts.initialTimes[initial].adding(hours: $0)) != nil }
    }
    guard !usable.isEmpty else {
      throw JigsawError(
        forecasts.path, "has no forecast whose valid times are all in the truth",
        found: "truth to \(truth.times.last?.display ?? "none")",
        remedy: "shorten evaluation.leadHours or add data for the valid times")
    }
    self.usable = usable
    let groups = EvaluationGroups(
      usable.map { forecasts.initialTimes[$0] }, leadHours: hours, truth: truth, options: options,
      own: chunk(usable.count, into: world.size, world.rank))
    blocks = groups.blocks
    self.groups = groups.channels
  }

  private static func leads(_ forecasts: ForecastReader, _ options: Evaluation.Options) throws -> [Int] {
    let leads = forecasts.leadHours.indices.filter {
      options.leadHours.isEmpty || options.leadHours.contains(forecasts.leadHours[$0])
    }
    guard Set(options.leadHours).isSubset(of: forecasts.leadHours), !leads.isEmpty else {
      let missing = options.leadHours.filter { !forecasts.leadHours.contains($0) }
      throw JigsawError(
        "evaluation.leadHours",
        leads.isEmpty ? "names no lead of the forecast" : "names leads that the forecast doesn't have",
        expected: forecasts.leadHours.map(String.init).joined(separator: ", "),
        found: missing.map(String.init).joined(separator: ", "),
        remedy: "leave them out, or forecast further with 'jigsaw forecast --lead'")
    }
    return leads
  }
}
