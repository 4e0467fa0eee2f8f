import Basics

/// Intervals of time as Anemoi writes them: 6, "6h", "1d", "30m", "900s", "1:30", "PT6H", "P1DT12H".
enum Frequency {
  /// Seconds; nil for what is none.
  static func seconds(_ text: String) -> Int64? {
    var text = text.filter { $0 != " " }[...]
    if text.hasPrefix("+") { text = text.dropFirst() }
    let seconds =
      text.hasPrefix("P") ? iso(text.dropFirst()) : text.contains(":") ? clock(text) : simple(text.lowercased())
    return seconds.flatMap { (1...10_000_000 * 86_400).contains($0) ? $0 : nil }
  }

  private static let units: [Character: Int64] = ["w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1]

  private static func number(_ text: some StringProtocol) -> Int64? {
    guard !text.isEmpty, text.allSatisfy({ ("0"..."9").contains($0) }) else { return nil }
    return Int64(text).flatMap { $0 <= 10_000_000 ? $0 : nil }
  }

  private static func simple(_ text: String) -> Int64? {
    guard let last = text.last else { return nil }
    let (digits, unit) = last == "w" ? (text[...], 0) : units[last].map { (text.dropLast(), $0) } ?? (text[...], 3_600)
    return number(digits).map { $0 * unit }
  }

  /// Hours, minutes and perhaps seconds.
  private static func clock(_ text: Substring) -> Int64? {
    let fields = text.split(separator: ":", omittingEmptySubsequences: false).map { number($0) }
    guard (2...3).contains(fields.count), !fields.contains(nil) else { return nil }
    return zip(fields, [3_600, 60, 1]).reduce(0) { $0 + ($1.0 ?? 0) * $1.1 }
  }

  /// Seconds of the part after the P of a duration of ISO 8601; years and months have no fixed length.
  private static func iso(_ text: Substring) -> Int64? {
    let halves = text.split(separator: "T", maxSplits: 1, omittingEmptySubsequences: false)
    var sum: Int64 = 0
    for (half, allowed) in zip(halves, ["WD", "HMS"]) {
      var (rest, left) = (half, Substring(allowed))
      if half.isEmpty && (halves.count == 1 || allowed == "HMS") { return nil }
      while !rest.isEmpty {
        guard let end = rest.firstIndex(where: { !$0.isNumber }), let place = left.firstIndex(of: rest[end]),
          let count = number(rest[..<end]), let unit = units[Character(rest[end].lowercased())]
        else { return nil }
        sum += count * unit
        left = left[left.index(after: place)...]
        rest = rest[rest.index(after: end)...]
      }
    }
    return sum
  }
}

/// The ends of a period as Anemoi reads them: a year, a month, a day, a time, or a share of all dates.
public enum DateBound {
  /// The first or last date that a bound allows.
  /// - Parameter stepSeconds: how far before the next day, month or year one of these ends.
  /// - Returns: nil for what is no bound.
  public static func timestamp(
    _ text: String, isLast: Bool, in dates: [Timestamp], stepSeconds: Int64 = 1
  ) -> Timestamp? {
    if text.hasSuffix("%") {
      guard let percent = Double(text.dropLast()), (0...100).contains(percent), !dates.isEmpty else { return nil }
      let place = percent * Double(dates.count) / 100
      // The rounding is Anemoi's: where the share is a whole number of dates, both bounds take the one before.
      let epsilon = 0x1p-30
      let index = isLast ? Int(place + epsilon) - 1 : Int(max(0, place - epsilon))
      return dates[max(0, min(dates.count - 1, index))]
    }
    // 2020, 202001, 20200131 and the same with dashes.
    let digits = text.filter { $0 != "-" }
    guard digits.allSatisfy(\.isNumber), let number = Int(digits) else { return Timestamp(text) }
    let (year, month, day): (Int, Int?, Int?)
    switch digits.count {
    case 4: (year, month, day) = (number, nil, nil)
    case 6: (year, month, day) = (number / 100, number % 100, nil)
    case 8: (year, month, day) = (number / 10_000, number / 100 % 100, number % 100)
    default: return nil
    }
    guard let first = Timestamp("\(padded(year, 4))-\(padded(month ?? 1))-\(padded(day ?? 1))") else { return nil }
    if !isLast { return first }
    let next: Timestamp
    if day != nil {
      next = first.adding(hours: 24)
    } else if let month {
      next = Timestamp(year: month == 12 ? year + 1 : year, month: month == 12 ? 1 : month + 1, day: 1)
    } else {
      next = Timestamp(year: year + 1, month: 1, day: 1)
    }
    return Timestamp(seconds: next.seconds - stepSeconds)
  }
}
