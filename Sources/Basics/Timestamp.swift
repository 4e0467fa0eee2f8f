/// An instant in UTC, proleptic Gregorian calendar, in whole seconds since 1970-01-01T00:00:00.
public struct Timestamp: Hashable, Comparable, Sendable, CustomStringConvertible {
  public var seconds: Int64

  public init(seconds: Int64) { self.seconds = seconds }

  public init(year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0) {
    let days = Timestamp.days(year: year, month: month, day: day)
    seconds = Int64(days) * 86_400 + Int64(hour * 3_600 + minute * 60 + second)
  }

  /// Parses `2001-01-31`, `2001-01-31T06`, `2001-01-31T06:00`, `2001-01-31 06:00:00`, with an optional `Z` or `+00:00`.
  public init?(_ text: String) {
    var text = Substring(text)
    for suffix in ["Z", "+00:00", " UTC"] where text.hasSuffix(suffix) { text = text.dropLast(suffix.count) }
    let halves = text.split(whereSeparator: { $0 == "T" || $0 == " " })
    guard (1...2).contains(halves.count) else { return nil }
    let date = halves[0].split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
    guard date.count == 3, let year = date[0], let month = date[1], let day = date[2],
      (0...99_999).contains(year), (1...12).contains(month),
      (1...Timestamp.daysInMonth(year: year, month: month)).contains(day)
    else { return nil }
    var clock = [0, 0, 0]
    if halves.count == 2 {
      let fields = halves[1].split(separator: ":", omittingEmptySubsequences: false)
      guard (1...3).contains(fields.count) else { return nil }
      for (i, field) in fields.enumerated() {
        let whole = field.split(separator: ".", maxSplits: 1)
        if i == 2, whole.count == 2, !whole[1].allSatisfy({ $0 == "0" }) { return nil }
        guard let first = whole.first, let value = Int(first) else { return nil }
        clock[i] = value
      }
      guard (0..<24).contains(clock[0]), (0..<60).contains(clock[1]), (0..<60).contains(clock[2]) else { return nil }
    }
    self.init(year: year, month: month, day: day, hour: clock[0], minute: clock[1], second: clock[2])
  }

  public static func < (a: Timestamp, b: Timestamp) -> Bool { a.seconds < b.seconds }

  public func adding(hours: Int) -> Timestamp {
    Timestamp(seconds: seconds.addingSaturating(Int64(hours).multipliedSaturating(by: 3_600)))
  }

  /// Hours from `other` to self, rounded towards zero.
  public func hours(since other: Timestamp) -> Int { Int((seconds - other.seconds) / 3_600) }

  public struct Components: Equatable, Sendable {
    public let year, month, day, hour, minute, second: Int
  }

  public var components: Components {
    let days = Int((seconds >= 0 ? seconds : seconds - 86_399) / 86_400)
    let rest = Int(seconds - Int64(days) * 86_400)
    let (year, month, day) = Timestamp.civil(days: days)
    return Components(year: year, month: month, day: day, hour: rest / 3_600, minute: rest / 60 % 60, second: rest % 60)
  }

  /// 1 … 366; the same calendar day has the same number in all years: 1 March is 61 also when there was no 29 February.
  public var dayOfLeapYear: Int {
    let c = components
    return Timestamp.days(year: 2000, month: c.month, day: c.day) - Timestamp.days(year: 2000, month: 1, day: 1) + 1
  }

  /// Position within the year, 0 at 1 January 00 UTC, below 1.
  public var yearFraction: Double {
    let c = components
    let start = Timestamp(year: c.year, month: 1, day: 1).seconds
    let end = Timestamp(year: c.year + 1, month: 1, day: 1).seconds
    return Double(seconds - start) / Double(end - start)
  }

  /// ISO 8601 without zone: `2001-01-31T06:00:00`.
  public var description: String {
    let c = components
    return "\(padded(c.year, 4))-\(padded(c.month))-\(padded(c.day))T"
      + "\(padded(c.hour)):\(padded(c.minute)):\(padded(c.second))"
  }

  /// Short form for people: `2001-01-31 06:00`.
  public var display: String {
    let c = components
    return "\(padded(c.year, 4))-\(padded(c.month))-\(padded(c.day)) \(padded(c.hour)):\(padded(c.minute))"
  }

  static func daysInMonth(year: Int, month: Int) -> Int {
    let isLeap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
    return [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
  }

  /// Days since 1970-01-01 (Hinnant, "chrono-compatible low-level date algorithms").
  static func days(year: Int, month: Int, day: Int) -> Int {
    let y = month <= 2 ? year - 1 : year
    let era = (y >= 0 ? y : y - 399) / 400
    let yearOfEra = y - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  static func civil(days: Int) -> (year: Int, month: Int, day: Int) {
    let z = days + 719_468
    let era = (z >= 0 ? z : z - 146_096) / 146_097
    let dayOfEra = z - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let month = shifted + (shifted < 10 ? 3 : -9)
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
  }
}

/// A whole number with leading zeros.
public func padded(_ value: Int, _ width: Int = 2) -> String {
  let digits = String(value.magnitude)
  return (value < 0 ? "-" : "") + String(repeating: "0", count: max(0, width - digits.count)) + digits
}
