import Basics
import Datasets

/// The periods of a checkpoint's own training, as its metadata have them.
struct AnemoiPeriods {
  typealias Period = (start: Timestamp, end: Timestamp)

  let training: Period
  /// Nil where the metadata say nothing of them, or they hold no dates.
  let validation, test: Period?

  /// - Throws: where a bound is no date.
  init(_ checkpoint: AnemoiCheckpoint, stepHours: Int) throws {
    let dataset = checkpoint.metadata["dataset"]?[checkpoint.dataset]
    func time(_ key: String) -> Timestamp? { dataset?[key]?.string.flatMap { Timestamp($0) } }
    let first = time("start_date") ?? Timestamp(seconds: 0)
    let last = max(first, time("end_date") ?? first)
    let count = (last.seconds - first.seconds) / (Int64(stepHours) * 3_600) + 1
    guard count <= AnemoiPeriods.dateLimit else {
      throw JigsawError(
        checkpoint.path, "was trained on more dates than can be", expected: "at most \(AnemoiPeriods.dateLimit)",
        found: "\(first.display) to \(last.display), every \(stepHours) h")
    }
    let dates = (0..<Int(count)).map { first.adding(hours: $0 * stepHours) }
    let loader = checkpoint.metadata["config"]?["dataloader"]
    func period(_ name: String) throws -> Period? {
      let part = loader?[name]
      guard let section = part?["datasets"]?[checkpoint.dataset] ?? part, section.object != nil else { return nil }
      return try AnemoiPeriods.period(section, in: dates, "\(checkpoint.path): config.dataloader.\(name)")
    }
    let arguments = dataset?["arguments"]?["kwargs"] ?? .null
    training =
      try period("training") ?? AnemoiPeriods.period(arguments, in: dates, "\(checkpoint.path): dataset.arguments")
      ?? (first, last)
    (validation, test) = (try period("validation"), try period("test"))
  }

  /// Two centuries of hours.
  private static let dateLimit: Int64 = 2_000_000

  /// The dates between `start` and `end`, with all of a day, month or year that ends a period; nil for none.
  private static func period(_ section: JSONValue, in dates: [Timestamp], _ place: String) throws -> Period? {
    func bound(_ name: String, isLast: Bool) throws -> Timestamp? {
      guard let given = section[name], given != .null else { return nil }
      guard let text = given.string ?? given.integer.map(String.init),
        let bound = DateBound.timestamp(text, isLast: isLast, in: dates)
      else {
        throw JigsawError(
          "\(place).\(name)", "is no date",
          expected: "a date, a month, a year or a share: 2020-01-31, 2020-01, 2020, 80%",
          found: try given.text(pretty: false))
      }
      return bound
    }
    let (start, end) = (try bound("start", isLast: false), try bound("end", isLast: true))
    let kept = dates.filter { $0 >= start ?? $0 && $0 <= end ?? $0 }
    return kept.first.flatMap { first in kept.last.map { (first, $0) } }
  }
}
