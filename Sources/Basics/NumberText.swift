#if canImport(Glibc)
  import Glibc
#endif

/// "3:20", "1:02:03".
public func duration(_ seconds: Double) -> String {
  guard seconds.isFinite else { return "?" }
  let s = Int(saturating: seconds.rounded())
  return s >= 3_600 ? "\(s / 3_600):\(padded(s / 60 % 60)):\(padded(s % 60))" : "\(s / 60):\(padded(s % 60))"
}

/// "1 date", "2 dates".
public func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

/// A number with a fixed count of decimals.
public func fixed(_ value: Double, _ decimals: Int) -> String {
  guard value.isFinite else { return "–" }
  var scale = 1.0
  for _ in 0..<decimals { scale *= 10 }
  let scaled = (abs(value) * scale).rounded()
  guard scaled < 1e15 else { return String(value) }
  let whole = Int(scaled)
  let sign = value < 0 && whole != 0 ? "-" : ""
  if decimals == 0 { return sign + String(whole) }
  let unit = Int(scale)
  return "\(sign)\(whole / unit).\(padded(whole % unit, decimals))"
}

/// A number with about `digits` significant digits, without exponent where that is short.
public func significant(_ value: Double, _ digits: Int = 4) -> String {
  guard value.isFinite else { return "–" }
  if value == 0 { return "0" }
  // Half a unit of the last digit may carry into the next power of ten.
  let magnitude = Int((log10(abs(value)) + log10(1 + 0.5 * pow(10, -Double(digits)))).rounded(.down))
  if magnitude < -3 || magnitude > 7 {
    var scale = 1.0
    for _ in 0..<abs(magnitude) { scale *= 10 }
    let mantissa = magnitude < 0 ? value * scale : value / scale
    return "\(fixed(mantissa, digits - 1))e\(magnitude)"
  }
  return fixed(value, max(0, digits - 1 - magnitude))
}
