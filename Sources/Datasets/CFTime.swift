import Basics
import Stores

/// Times in CF form, "hours since 2000-01-01" (CF 1.11, §4.4).
public struct CFTime: Sendable {
  private let secondsPerUnit: Double
  private let reference: Timestamp
  private let place: String

  public init(units: String, calendar: String?, place: String) throws {
    let calendar = (calendar ?? "standard").lowercased()
    guard ["standard", "gregorian", "proleptic_gregorian"].contains(calendar) else {
      throw JigsawError(
        place, "has a calendar that is not supported", expected: "standard or proleptic_gregorian", found: calendar,
        remedy: "convert the times to the standard calendar")
    }
    let parts = units.components(separatedBy: " since ")
    guard parts.count == 2, let seconds = CFTime.seconds[parts[0].lowercased()], let reference = Timestamp(parts[1])
    else {
      throw JigsawError(
        place, "has time units that can't be read", expected: "for example 'hours since 2000-01-01'",
        found: "'\(units)'")
    }
    secondsPerUnit = seconds
    self.reference = calendar == "proleptic_gregorian" ? reference : CFTime.standard(reference)
    self.place = place
  }

  public func timestamp(_ value: Double) throws -> Timestamp {
    let seconds = (value * secondsPerUnit).rounded()
    guard abs(seconds) <= Double(CFTime.limit) else { throw beyond("\(value)") }
    return Timestamp(seconds: reference.seconds + Int64(seconds))
  }

  /// Whole counts of small units (nanoseconds since 1970) exceed what doubles hold exactly.
  public func timestamp(_ value: Int64) throws -> Timestamp {
    let seconds: Int64
    if secondsPerUnit >= 1 {
      let (product, overflow) = value.multipliedReportingOverflow(by: Int64(secondsPerUnit))
      guard !overflow else { throw beyond("\(value)") }
      seconds = product
    } else {
      let perSecond = Int64((1 / secondsPerUnit).rounded())
      let (quotient, rest) = value.quotientAndRemainder(dividingBy: perSecond)
      seconds = quotient + (2 * rest >= perSecond ? 1 : 2 * rest < -perSecond ? -1 : 0)
    }
    guard seconds.magnitude <= CFTime.limit.magnitude else { throw beyond("\(value)") }
    return Timestamp(seconds: reference.seconds + seconds)
  }

  /// Seconds between a time and its reference: 30 000 years. What lies beyond is a fill value.
  private static let limit: Int64 = 1_000_000_000_000

  private func beyond(_ value: String) -> JigsawError {
    JigsawError(
      place, "has a time that can't be", expected: "times within some thousand years", found: value,
      remedy: "the store was not written completely, or its time units are wrong")
  }

  /// In the standard calendar, dates before 15 October 1582 are Julian ("hours since 1-1-1" above all).
  private static func standard(_ date: Timestamp) -> Timestamp {
    guard date < Timestamp(year: 1582, month: 10, day: 15) else { return date }
    let c = date.components
    let year = c.month <= 2 ? c.year - 1 : c.year
    let leapDays = year >= 0 ? year / 4 : (year - 3) / 4
    let dayOfYear = (153 * (c.month + (c.month > 2 ? -3 : 9)) + 2) / 5 + c.day - 1
    let days = 365 * year + leapDays + dayOfYear - 719_470
    return Timestamp(seconds: Int64(days) * 86_400 + Int64(c.hour * 3_600 + c.minute * 60 + c.second))
  }

  private static let seconds: [String: Double] = [
    "nanoseconds": 1e-9, "microseconds": 1e-6, "milliseconds": 1e-3, "seconds": 1, "second": 1, "s": 1, "minutes": 60,
    "minute": 60, "min": 60, "hours": 3_600, "hour": 3_600, "h": 3_600, "hr": 3_600, "days": 86_400, "day": 86_400,
    "d": 86_400,
  ]
}

extension String {
  func components(separatedBy separator: String) -> [String] {
    var parts: [String] = []
    var rest = self[...]
    while let range = rest.firstRange(of: separator) {
      parts.append(String(rest[..<range.lowerBound]))
      rest = rest[range.upperBound...]
    }
    return parts + [String(rest)]
  }
}
