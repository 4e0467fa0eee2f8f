import Basics

// How values stand in YAML, and in sentences about it.

/// Shortest form that reads back to the same number: 500, 0.001, 1e-08.
func describe(_ value: Double) -> String { Int(exactly: value).map(String.init) ?? String(value) }

func describe(_ range: ClosedRange<Double>) -> String {
  "between \(describe(range.lowerBound)) and \(describe(range.upperBound))"
}

func doubles(_ range: ClosedRange<Int>) -> ClosedRange<Double> {
  Double(range.lowerBound)...Double(range.upperBound)
}

/// Plain where YAML allows it.
func quoted(_ text: String) -> String {
  let isPlain =
    text.first.map { $0.isLetter || $0 == "/" || $0 == "." } ?? false
    && text.allSatisfy { $0.isLetter || $0.isNumber || "_-./+".contains($0) }
    && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(text.lowercased())
  if isPlain { return text }
  let escapes: [Character: String] = [
    "\"": "\\\"", "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\r\n": "\\r\\n", "\t": "\\t",
  ]
  return "\"" + text.map { escapes[$0] ?? String($0) }.joined() + "\""
}
