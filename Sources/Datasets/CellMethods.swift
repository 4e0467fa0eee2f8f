/// CF's `cell_methods`: how values stand for the cells along axes, "time: mean within days time: mean over years area: maximum".
struct CellMethods {
  /// The method that makes values another quantity than the variable itself, in the words of the attribute; nil for points, means
  /// and sums.
  let other: String?
  /// Without comments, in lower case.
  let summary: String

  init(_ text: String) {
    var words: [String] = []
    var depth = 0
    // Comments in brackets say nothing of the method; "time : mean" is "time: mean".
    for word in text.lowercased().replacing(" :", with: ":").split(whereSeparator: \.isWhitespace) {
      depth += word.count { $0 == "(" }
      if depth == 0 { words.append(String(word)) }
      depth -= word.count { $0 == ")" }
    }
    var other: String?
    for (index, word) in words.enumerated() where !word.hasSuffix(":") {
      let isMethod = index > 0 && words[index - 1].hasSuffix(":")
      if isMethod && !Self.ofTheVariable.contains(word) { other = word }
      let isClimatology = ["within", "over"].contains(words[max(0, index - 1)]) && ["days", "years"].contains(word)
      if isClimatology { other = "\(words[index - 1]) \(word)" }
    }
    self.other = other
    summary = words.joined(separator: " ")
  }

  /// Methods after which values are still those of the variable.
  private static let ofTheVariable: Set<String> = [
    "point", "mean", "sum", "average", "avg", "instantaneous", "instant", "interp", "interpolated", "none",
  ]
}
