import Basics

/// From the base time of a field to that of its validity, and how long it was accumulated, averaged, … before.
///
/// Made of the numbers in the message: ecCodes gives steps in whole hours or, from 2.34 on, as text in other units, and takes months
/// for 30 days.
struct GRIBPeriod {
  /// Seconds.
  let step, length: Int64

  /// - Parameter base: the field's base time, seconds since 1970.
  /// - Throws: `GRIBUnreadable` for units that don't exist; for damage, a sentence that says so.
  init(_ message: GRIBMessage, edition: Int, base: Int64, _ place: String) throws {
    let (validity, length) =
      edition == 1
      ? try GRIBPeriod.edition1(message, base, place) : try GRIBPeriod.edition2(message, base, place)
    step = validity - base
    self.length = length
    guard max(step.magnitude, length.magnitude) <= GRIBPeriod.limit else {
      throw JigsawError(
        place, "has a step that can't be", expected: "at most \(GRIBPeriod.limit / 3_600) hours",
        found: "\(step) s after a period of \(length) s", remedy: "the file is damaged; copy it again")
    }
  }

  /// Seconds of a thousand years.
  private static let limit: UInt64 = 10_000_000 * 3_600

  /// One unit for both steps, which ecCodes finds by the time range indicator.
  private static func edition1(
    _ message: GRIBMessage, _ base: Int64, _ place: String
  ) throws -> (validity: Int64, length: Int64) {
    let unit = message.integer("indicatorOfUnitOfTimeRange") ?? 1
    let isCalendar = GRIBPeriod.months[unit] != nil
    // Beyond its own tables ecCodes takes units from whatever lies in memory there.
    _ = try after(base, 0, unit, edition: 1, place)
    try message.set("stepUnits", isCalendar ? unit : GRIBPeriod.secondsUnit, place)
    let (first, last) = (message.integer("startStep") ?? 0, message.integer("endStep") ?? 0)
    // The unit is seconds, code 13 of edition 2.
    func time(_ count: Int) throws -> Int64 {
      try isCalendar
        ? after(base, count, unit, edition: 1, place)
        : after(base, count, GRIBPeriod.secondsUnit, edition: 2, place)
    }
    let (start, end) = (try time(first), try time(last))
    return (end, end - start)
  }

  private static func edition2(
    _ message: GRIBMessage, _ base: Int64, _ place: String
  ) throws -> (validity: Int64, length: Int64) {
    let start = try after(
      base, message.integer("forecastTime") ?? 0, message.integer("indicatorOfUnitOfTimeRange"), edition: 2, place)
    guard let ranges = message.integer("numberOfTimeRange") else { return (start, 0) }
    var stated: Int64?
    if ranges == 1, let length = message.integer("lengthOfTimeRange") {
      stated = try after(start, length, message.integer("indicatorOfUnitForTimeRange"), edition: 2, place)
    }
    // The end is that of all ranges. Where it was left at the start, the length counts.
    let end = endOfInterval(message)
    guard let validity = end.flatMap({ $0 > start || stated == nil ? $0 : nil }) ?? stated else {
      throw JigsawError(place, "has no end of its period", remedy: "the file is damaged; copy it again")
    }
    return (validity, (stated ?? validity) - start)
  }

  private static func endOfInterval(_ message: GRIBMessage) -> Int64? {
    let parts = ["year", "month", "day", "hour", "minute", "second"].compactMap {
      message.integer("\($0)OfEndOfOverallTimeInterval")
    }
    guard parts.count == 6, (0...60).contains(parts[5]) else { return nil }
    return GRIBProduct.timestamp(
      date: parts[0] * 10_000 + parts[1] * 100 + parts[2], time: parts[3] * 100 + parts[4]
    ).map { $0 + Int64(parts[5]) }
  }

  // MARK: Units

  /// Code of seconds in edition 2, and in ecCodes' `stepUnits`.
  private static let secondsUnit = 13
  /// Code table 4.4 of edition 2, 4 of edition 1: seconds, months.
  private static let seconds = [0: 60, 1: 3_600, 2: 86_400, 10: 10_800, 11: 21_600, 12: 43_200]
  private static let months = [3: 1, 4: 12, 5: 120, 6: 360, 7: 1_200]

  private static func seconds(_ unit: Int, edition: Int) -> Int? {
    switch (edition, unit) {
    case (1, 13): 900
    case (1, 14): 1_800
    case (1, 254), (2, secondsUnit): 1
    default: seconds[unit]
    }
  }

  /// - Parameter unit: code of a unit; nil where it is marked as missing.
  private static func after(_ start: Int64, _ count: Int, _ unit: Int?, edition: Int, _ place: String) throws -> Int64 {
    let unit = unit ?? 255
    // Nothing needs no unit.
    if edition == 2, unit == 255, count == 0 { return start }
    let isCalendar = months[unit] != nil
    guard let size = months[unit] ?? seconds(unit, edition: edition) else {
      throw GRIBUnreadable("unit of time \(unit) of edition \(edition) is not known")
    }
    let (total, overflow) = count.multipliedReportingOverflow(by: size)
    guard !overflow, total.magnitude <= (isCalendar ? 12_000 : GRIBPeriod.limit) else {
      throw JigsawError(
        place, "has a step that can't be", found: "\(count) in unit \(unit)",
        remedy: "the file is damaged; copy it again")
    }
    return isCalendar ? later(start, months: total) : start + Int64(total)
  }

  /// The same day of another month, or its last.
  private static func later(_ start: Int64, months: Int) -> Int64 {
    let from = Timestamp(seconds: start).components
    let month = from.year * 12 + from.month - 1 + months
    func first(_ month: Int) -> Int64 {
      let year = (month >= 0 ? month : month - 11) / 12
      return Timestamp(year: year, month: month - 12 * year + 1, day: 1).seconds
    }
    let day = min(Int64(from.day), (first(month + 1) - first(month)) / 86_400)
    let midnight = Timestamp(year: from.year, month: from.month, day: from.day).seconds
    return first(month) + (day - 1) * 86_400 + start - midnight
  }
}

/// A field that is whole but not of a kind that is read: it is left out, by name.
struct GRIBUnreadable: Error {
  let reason: String

  init(_ reason: String) { self.reason = reason }
}
