import Basics

/// Intervals of time as Anemoi writes them: 6, "6h", "1d", "30m", "900s".
enum Frequency {
  /// Seconds; nil for what is none.
  static func seconds(_ text: String) -> Int64? {
    let units: [Character: Int64] = ["d": 86_400, "h": 3_600, "m": 60, "s": 1]
    guard let last = text.last else { return nil }
    let (digits, unit) = units[last].map { (text.dropLast(), $0) } ?? (text[...], 3_600)
    guard let number = Int64(digits), (1...10_000_000).contains(number) else { return nil }
    return number * unit
  }
}

/// The ends of a period as Anemoi reads them: a year, a month, a day, a time, or a share of all dates.
enum DateBound {
  /// The first or last date that a bound allows.
  /// - Returns: nil for what is no bound.
  static func timestamp(_ text: String, isLast: Bool, in dates: [Timestamp]) -> Timestamp? {
    if text.hasSuffix("%") {
      guard let percent = Double(text.dropLast()), (0...100).contains(percent), !dates.isEmpty else { return nil }
      let place = percent * Double(dates.count) / 100
      // As Anemoi rounds: where the share is a whole number of dates, both bounds take the one before.
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
    // The second before the next day, month or year.
    let next: Timestamp
    if day != nil {
      next = first.adding(hours: 24)
    } else if let month {
      next = Timestamp(year: month == 12 ? year + 1 : year, month: month == 12 ? 1 : month + 1, day: 1)
    } else {
      next = Timestamp(year: year + 1, month: 1, day: 1)
    }
    return Timestamp(seconds: next.seconds - 1)
  }
}
