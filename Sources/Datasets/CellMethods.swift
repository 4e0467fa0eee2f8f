/// CF's `cell_methods`: how values stand for the cells along axes, "time: mean within days time: mean over years area: maximum".
struct CellMethods {
  /// The method that makes values another quantity than the variable itself, in the words of the attribute; nil for points, means
  /// and sums.
  let other: String?
  /// In lower case, without comments and without methods over places: fields of one series say these in many ways.
  let summary: String

  init(_ text: String) {
    var words: [String] = []
    var depth = 0
    // Comments in brackets say nothing of the method; "time : mean" and "time:mean" are "time: mean".
    let spaced = text.lowercased().replacing(" :", with: ":").replacing(":", with: ": ")
    for word in spaced.split(whereSeparator: \.isWhitespace) {
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
    summary = CellMethods.withoutPlaces(words)
  }

  /// Leaves out points and means over places, "area: mean", and places beside other axes, "area: time: mean".
  private static func withoutPlaces(_ words: [String]) -> String {
    var kept: [String] = []
    var rest = words[...]
    while !rest.isEmpty {
      let axes = rest.prefix { $0.hasSuffix(":") }
      let method = rest.dropFirst(axes.count).prefix { !$0.hasSuffix(":") }
      rest = rest.dropFirst(axes.count + method.count)
      let others = axes.filter { !places.contains(String($0.dropLast())) }
      let changesQuantity = method.first.map { !ofTheVariable.contains($0) } ?? false
      if others.isEmpty && !axes.isEmpty && !changesQuantity { continue }
      kept += (others.isEmpty ? Array(axes) : others) + method.map { sameMethods[$0] ?? $0 }
    }
    return kept.joined(separator: " ")
  }

  private static let places: Set<String> = [
    "area", "latitude", "longitude", "lat", "lon", "y", "x", "grid_latitude", "grid_longitude", "rlat", "rlon",
    "projection_y_coordinate", "projection_x_coordinate", "cell", "ncells", "values",
  ]

  /// CF's words for methods that have others, too.
  private static let sameMethods = ["instantaneous": "point", "instant": "point", "average": "mean", "avg": "mean"]

  /// Methods after which values are still those of the variable.
  private static let ofTheVariable: Set<String> = [
    "point", "mean", "sum", "average", "avg", "instantaneous", "instant", "interp", "interpolated", "none",
  ]
}
