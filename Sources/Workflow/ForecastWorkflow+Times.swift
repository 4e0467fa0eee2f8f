import Basics
import Configuration
import Datasets

/// The initial times of forecasts.
extension ForecastWorkflow {
  /// - Throws: where the data lack what a forecast from one of the times named reads, or all of those by default.
  /// - Returns: initial times, and those that are left out.
  func initialTimes(_ request: Request, _ needs: ForecastNeeds) throws -> (used: [Timestamp], leftOut: [Timestamp]) {
    let (dataset, leadHours) = (needs.dataset, needs.leadHours)
    let everyHours = request.everyHours ?? configuration.forecast.everyHours
    if let from = request.from {
      let through = request.through ?? from
      guard from <= through else {
        throw JigsawError("--from", "is later than --to", found: "\(from.display) … \(through.display)")
      }
      let times = stride(from: from.seconds, through: through.seconds, by: everyHours * 3_600).map(
        Timestamp.init(seconds:))
      if let last = times.last, last < through {
        console.say(
          "note: the last forecast starts at \(last.display): --to \(through.display) is not reached from "
            + "--from \(from.display) in steps of \(everyHours) h")
      }
      if let missing = times.first(where: { dataset.index(of: $0) == nil }) {
        throw JigsawError(
          "--from", "no data at the initial time \(missing.display)",
          found: "times from \(dataset.times[0].display) to \(dataset.times[dataset.times.count - 1].display)",
          remedy: "choose initial times within the data")
      }
      for time in times {
        if let lack = needs.lack(at: time) { throw lack }
      }
      return (times, [])
    }
    let (start, end) = try configuration.data.test.range("data.test")
    try checkInterval(everyHours, dataset, from: start, through: end)
    let times = ForecastWorkflow.times(dataset, from: start, through: end, every: everyHours, leadHours: leadHours)
    guard !times.isEmpty else {
      throw JigsawError(
        "data.test", "leaves no room for a forecast of \(leadHours) h", found: "\(start.display) … \(end.display)",
        remedy: "shorten --lead, or name initial times with --from and --to")
    }
    let lacks = times.map(needs.lack)
    let usable = zip(times, lacks).filter { $0.1 == nil }.map(\.0)
    func say(_ left: [Timestamp], _ reason: String) {
      console.say(
        "warning: \(left.count) of \(left.count + usable.count) initial times \(left.count == 1 ? "is" : "are") left out "
          + "(\(Timestamp.text(left, limit: 10))): \(reason)")
    }
    let lacking = zip(times, lacks).filter { $0.1 != nil }.map(\.0)
    if let lack = lacks.compactMap({ $0 }).first {
      if usable.isEmpty { throw lack }
      say(lacking, "\(lack)")
    }
    let absent = ForecastWorkflow.absent(
      dataset, from: start, through: end, every: everyHours, leadHours: leadHours, times: times)
    if !absent.isEmpty { say(absent, "\(dataset.origin) lacks them") }
    return (usable, (absent + lacking).sorted())
  }

  /// The initial times of a period: as many as leave room for the whole forecast to be verified.
  static func times(
    _ dataset: FieldDataset, from start: Timestamp, through end: Timestamp, every everyHours: Int, leadHours: Int
  ) -> [Timestamp] {
    let last = end.adding(hours: -leadHours)
    let there = dataset.indices(from: start, through: last).map { dataset.times[$0] }
    func every(from anchor: Timestamp) -> [Timestamp] { there.filter { $0.hours(since: anchor) % everyHours == 0 } }
    // Data at 12 UTC alone, or from 03 UTC, have no time at the period's first hour: their own first one counts.
    let fromStart = every(from: start)
    return fromStart.isEmpty ? there.first.map(every) ?? [] : fromStart
  }

  /// Initial times of a period, in step with some that are there, that the data lack.
  static func absent(
    _ dataset: FieldDataset, from start: Timestamp, through end: Timestamp, every everyHours: Int, leadHours: Int,
    times: [Timestamp]
  ) -> [Timestamp] {
    guard let first = times.first else { return [] }
    let (interval, last) = (Int64(everyHours) * 3_600, end.adding(hours: -leadHours))
    let begin = first.seconds - (first.seconds - start.seconds) / interval * interval
    return stride(from: begin, through: last.seconds, by: Int(interval)).map(Timestamp.init(seconds:)).filter {
      dataset.index(of: $0) == nil
    }
  }

  /// - Throws: where initial times so far apart would fall between the times of the data.
  private func checkInterval(_ everyHours: Int, _ dataset: FieldDataset, from start: Timestamp, through end: Timestamp)
    throws
  {
    let times = dataset.indices(from: start, through: end).map { dataset.times[$0] }
    guard let interval = zip(times, times.dropFirst()).map({ $1.seconds - $0.seconds }).min() else { return }
    guard Int64(everyHours) * 3_600 % interval != 0 else { return }
    throw JigsawError(
      "forecast.everyHours (--every)", "is not a multiple of the data's interval",
      expected: "a multiple of \(significant(Double(interval) / 3_600)) h", found: "\(everyHours) h")
  }
}
