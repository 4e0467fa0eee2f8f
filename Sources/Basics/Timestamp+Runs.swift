extension Timestamp {
  /// Ascending times as text: those that are the same time apart are joined ("2001-01-01 00:00 … 2001-01-05 00:00 every 24 h").
  ///
  /// - Parameter limit: runs that are shown; nil: all.
  public static func text(_ times: [Timestamp], limit: Int? = nil) -> String {
    var parts: [String] = []
    var first = 0
    while first < times.count {
      var last = first
      if first + 2 < times.count {
        let interval = times[first + 1].seconds - times[first].seconds
        while last + 1 < times.count, times[last + 1].seconds - times[last].seconds == interval { last += 1 }
      }
      if last > first + 1 {
        let hours = Double(times[first + 1].seconds - times[first].seconds) / 3_600
        parts.append("\(times[first].display) … \(times[last].display) every \(significant(hours)) h")
      } else {
        last = first
        parts.append(times[first].display)
      }
      first = last + 1
    }
    let shown = parts.prefix(limit ?? parts.count).joined(separator: ", ")
    return shown + (parts.count > limit ?? parts.count ? ", …" : "")
  }
}
