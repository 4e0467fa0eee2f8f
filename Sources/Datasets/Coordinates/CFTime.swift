import Basics
import Stores

/// Times in CF form, "hours since 2000-01-01 00:00:00 +01:00" (CF 1.11, §4.4), and dates written as numbers,
/// "day as %Y%m%d.%f".
public struct CFTime: Sendable {
  private let form: Form
  private let calendar: CFCalendar
  private let place: String

  private enum Form: Sendable {
    /// Counted from a reference, in the calendar's seconds (`CFCalendar.seconds`).
    case count(secondsPerUnit: Double, reference: Int64)
    /// 20000131.25 is 31 January 2000, 06 UTC.
    case digits
  }

  public init(units: String, calendar name: String?, place: String) throws {
    guard let calendar = CFCalendar(name ?? "standard") else {
      throw JigsawError(
        place, "has a calendar that is not supported", expected: CFCalendar.names.joined(separator: ", "),
        found: name ?? "none", remedy: "convert the times to the standard calendar")
    }
    self.calendar = calendar
    self.place = place
    let words = units.split(whereSeparator: \.isWhitespace)
    if words.count == 3, words[0].lowercased() == "day", words[1].lowercased() == "as", words[2] == "%Y%m%d.%f" {
      form = .digits
      return
    }
    guard words.count >= 3, words[1].lowercased() == "since", let seconds = CFTime.seconds(unit: String(words[0])),
      let (date, zoneSeconds) = CFTime.reference(words.dropFirst(2).joined(separator: " ")),
      let reference = calendar.seconds(date)
    else {
      throw JigsawError(
        place, "has time units that can't be read", expected: "for example 'hours since 2000-01-01'",
        found: "'\(units)'")
    }
    form = .count(secondsPerUnit: seconds, reference: reference - zoneSeconds)
  }

  public func timestamp(_ value: Double) throws -> Timestamp {
    switch form {
    case .digits: return try timestamp(digits: value)
    case .count(let secondsPerUnit, let reference):
      let seconds = (value * secondsPerUnit).rounded()
      guard abs(seconds) <= Double(CFTime.limit) else { throw beyond("\(value)") }
      return try timestamp(calendarSeconds: reference + Int64(seconds), "\(value)")
    }
  }

  /// Whole counts of small units (nanoseconds since 1970) exceed what doubles hold exactly.
  public func timestamp(_ value: Int64) throws -> Timestamp {
    guard case .count(let secondsPerUnit, let reference) = form else { return try timestamp(digits: Double(value)) }
    let seconds: Int64
    if secondsPerUnit >= 1 {
      let (product, overflow) = value.multipliedReportingOverflow(by: Int64(secondsPerUnit))
      guard !overflow else { throw beyond("\(value)") }
      seconds = product
    } else {
      let perSecond = Int64(saturating: (1 / secondsPerUnit).rounded())
      let (quotient, rest) = value.quotientAndRemainder(dividingBy: perSecond)
      seconds = quotient + (2 * rest >= perSecond ? 1 : 2 * rest < -perSecond ? -1 : 0)
    }
    guard seconds.magnitude <= CFTime.limit.magnitude else { throw beyond("\(value)") }
    return try timestamp(calendarSeconds: reference + seconds, "\(value)")
  }

  private func timestamp(digits value: Double) throws -> Timestamp {
    guard value.isFinite, value >= 1e4, value < 1e9 else { throw beyond("\(value)") }
    let whole = value.rounded(.down)
    let number = Int(saturating: whole)
    let date = CFCalendar.Date(
      year: number / 10_000, month: number / 100 % 100, day: number % 100, seconds: 0)
    guard let midnight = calendar.seconds(date) else {
      throw JigsawError(place, "has a date that can't be", expected: "%Y%m%d", found: "\(number)")
    }
    return try timestamp(
      calendarSeconds: midnight + Int64(saturating: ((value - whole) * 86_400).rounded()), "\(value)")
  }

  private func timestamp(calendarSeconds seconds: Int64, _ value: String) throws -> Timestamp {
    if let timestamp = calendar.timestamp(seconds) { return timestamp }
    throw JigsawError(
      place, "has a date that the standard calendar lacks", expected: "no 29 February but in leap years",
      found: "\(value) in the calendar \(calendar.rawValue)", remedy: "leave out these days")
  }

  /// Seconds between a time and its reference: 30 000 years. What lies beyond is a fill value.
  private static let limit: Int64 = 1_000_000_000_000

  private func beyond(_ value: String) -> JigsawError {
    JigsawError(
      place, "has a time that can't be", expected: "times within some thousand years", found: value,
      remedy: "the store was not written completely, or its time units are wrong")
  }

  // MARK: Units

  /// Seconds of a unit that CF allows, by any of its spellings; nil for months and years, which differ in length.
  public static func seconds(unit: String) -> Double? {
    let lower = unit.lowercased()
    return seconds[lower] ?? (lower.hasSuffix("s") ? seconds[String(lower.dropLast())] : nil)
  }

  /// Whether units are those of times, as "days since 2000-01-01" are, readable or not.
  static func isTime(units: String) -> Bool {
    let words = units.lowercased().split(whereSeparator: \.isWhitespace)
    return words.count >= 3 && (words[1] == "since" || words[1] == "as")
  }

  /// Seconds of a unit of lead times: "hours", "hours since forecast start". Nil for what is none, or counts from a date.
  static func seconds(unitOfLead units: String) -> Double? {
    if let seconds = seconds(unit: units) { return seconds }
    let words = units.split(whereSeparator: \.isWhitespace)
    guard words.count >= 3, ["since", "after", "from"].contains(words[1].lowercased()),
      reference(words.dropFirst(2).joined(separator: " ")) == nil
    else { return nil }
    return seconds(unit: String(words[0]))
  }

  /// Without the plural's s.
  private static let seconds: [String: Double] = [
    "nanosecond": 1e-9, "nanosec": 1e-9, "ns": 1e-9, "nsec": 1e-9, "microsecond": 1e-6, "microsec": 1e-6, "us": 1e-6,
    "millisecond": 1e-3, "millisec": 1e-3, "msec": 1e-3, "ms": 1e-3, "second": 1, "sec": 1, "s": 1, "minute": 60,
    "min": 60, "hour": 3_600, "h": 3_600, "hr": 3_600, "day": 86_400, "d": 86_400, "week": 604_800,
  ]

  // MARK: The reference

  /// Reads a date, a time of day and a time zone: "2000-1-31", "20000131", "2000-01-31T06:00Z", "2000-1-31 6:0:0.0 -6:30",
  /// "… +0100", "… UTC", "… 0:00".
  /// - Returns: the date in its zone, and seconds by which the zone is ahead of UTC.
  private static func reference(_ text: String) -> (CFCalendar.Date, zoneSeconds: Int64)? {
    var pieces = text.split(separator: " ")
    if let date = pieces.first, let letter = date.firstIndex(where: { $0 == "T" || $0 == "t" }) {
      pieces.replaceSubrange(0..<1, with: [date[..<letter], date[date.index(after: letter)...]])
    }
    guard let first = pieces.first, pieces.count <= 3 else { return nil }
    var dateText = first
    var rest = Array(pieces.dropFirst())
    if dateText.hasSuffix("Z") {
      dateText = dateText.dropLast()
      rest.append("Z")
    }
    guard let (year, month, day) = calendarDay(dateText) else { return nil }
    var (seconds, zone) = (0, 0)
    if let clock = rest.first {
      let split = clock.lastIndex(where: { $0 == "+" || $0 == "-" || $0 == "Z" || $0 == "z" })
      let (time, ending) = split.map { (clock[..<$0], clock[$0...]) } ?? (clock, "")
      // "2000-01-01 UTC" and "2000-01-01 +01:00" have a zone without a time of day.
      let isZoneAlone = time.isEmpty || self.zone(clock) != nil && clock.contains(where: \.isLetter)
      let zones = (isZoneAlone ? [clock] : ending.isEmpty ? [] : [ending]) + rest.dropFirst()
      guard zones.count <= 1 else { return nil }
      if !isZoneAlone {
        guard let read = clockSeconds(time) else { return nil }
        seconds = read
      }
      if let text = zones.first {
        guard let read = self.zone(text) else { return nil }
        zone = read
      }
    }
    return (CFCalendar.Date(year: year, month: month, day: day, seconds: seconds), Int64(zone))
  }

  /// Year, month and day of "2000-1-31", "2000/01/31", "20000131"; the first day of "2000-01".
  private static func calendarDay(_ text: Substring) -> (Int, Int, Int)? {
    if text.count == 8, let packed = digits(text, atMost: 8) {
      return (packed / 10_000, packed / 100 % 100, packed % 100)
    }
    let fields = text.split(omittingEmptySubsequences: false) { $0 == "-" || $0 == "/" }
    // Where slashes separate, the year must be told from a day.
    guard (2...3).contains(fields.count), !text.contains("/") || fields[0].count == 4 && !text.contains("-"),
      fields.count == 3 || fields[0].count == 4, let year = digits(fields[0], atMost: 5),
      let month = digits(fields[1], atMost: 2), let day = fields.count == 3 ? digits(fields[2], atMost: 2) : 1
    else { return nil }
    return (year, month, day)
  }

  private static func digits(_ text: Substring, atMost count: Int) -> Int? {
    guard (1...count).contains(text.count), text.allSatisfy(\.isNumber) else { return nil }
    return Int(text)
  }

  /// Seconds of "6", "06:30", "6:0:0.0".
  private static func clockSeconds(_ text: Substring) -> Int? {
    let fields = text.split(separator: ":", omittingEmptySubsequences: false)
    guard (1...3).contains(fields.count) else { return nil }
    var parts = [0, 0, 0]
    for (index, field) in fields.enumerated() {
      let halves = field.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
      if halves.count == 2, index < 2 || !halves[1].allSatisfy({ $0 == "0" }) { return nil }
      guard let number = digits(halves[0], atMost: 2) else { return nil }
      parts[index] = number
    }
    guard parts[0] < 24, parts[1] < 60, parts[2] < 60 else { return nil }
    return parts[0] * 3_600 + parts[1] * 60 + parts[2]
  }

  /// Seconds ahead of UTC of "Z", "UTC", "+01:00", "-6:30", "+0100", "0:00", "00".
  private static func zone(_ text: Substring) -> Int? {
    if ["Z", "UTC", "GMT"].contains(text.uppercased()) { return 0 }
    let sign = text.hasPrefix("-") ? -1 : 1
    let numbers = text.hasPrefix("-") || text.hasPrefix("+") ? text.dropFirst() : text
    let fields = numbers.split(separator: ":", omittingEmptySubsequences: false)
    guard let first = fields.first, fields.count <= 2, var hours = digits(first, atMost: 4) else { return nil }
    var minutes = 0
    if fields.count == 2 {
      guard let read = digits(fields[1], atMost: 2), first.count <= 2 else { return nil }
      minutes = read
    } else if first.count > 2 {
      (hours, minutes) = hours.quotientAndRemainder(dividingBy: 100)
    }
    guard hours <= 14, minutes < 60 else { return nil }
    return sign * (hours * 3_600 + minutes * 60)
  }
}
