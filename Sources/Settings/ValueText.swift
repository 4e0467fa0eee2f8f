import Basics

// How values stand in YAML, and in sentences about it.

/// Shortest form that reads back to the same number: 500, 0.001, 1e-08.
public func describe(_ value: Double) -> String { Int(exactly: value).map(String.init) ?? String(value) }

public func describe(_ range: ClosedRange<Double>) -> String {
  "between \(describe(range.lowerBound)) and \(describe(range.upperBound))"
}

func doubles(_ range: ClosedRange<Int>) -> ClosedRange<Double> {
  Double(range.lowerBound)...Double(range.upperBound)
}

/// Plain where YAML allows it.
public func quoted(_ text: String) -> String {
  let isPlain =
    text.first.map { $0.isLetter || $0 == "/" || $0 == "." } ?? false
    && text.allSatisfy { $0.isLetter || $0.isNumber || "_-./+".contains($0) }
    && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(text.lowercased())
  if isPlain { return text }
  let escapes: [Character: String] = [
    "\"": "\\\"", "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\r\n": "\\r\\n", "\t": "\\t",
  ]
  return "\"" + text.map { escapes[$0] ?? String($0.unicodeScalars.map(visible).joined()) }.joined() + "\""
}

/// Characters that YAML allows in quotes as escapes alone (YAML 1.2, production 1 and section 5.7).
private func visible(_ scalar: Unicode.Scalar) -> String {
  let category = scalar.properties.generalCategory
  let isLineBreak = scalar == "\u{2028}" || scalar == "\u{2029}" || scalar == "\u{FEFF}"
  switch scalar {
  case "\"": return "\\\""
  case "\\": return "\\\\"
  default: break
  }
  guard category == .control || isLineBreak || scalar.value & 0xFFFE == 0xFFFE else { return String(scalar) }
  let digits = String(scalar.value, radix: 16)
  let (mark, width) = scalar.value < 0x100 ? ("x", 2) : scalar.value < 0x1_0000 ? ("u", 4) : ("U", 8)
  return "\\\(mark)" + String(repeating: "0", count: width - digits.count) + digits
}
