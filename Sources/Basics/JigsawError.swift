/// An error that a user can cause and mend: one sentence that names the place, what was expected, what was found and
/// what to do. User names and passwords of addresses are left out of it.
///
/// Everything a user can trigger (files, configuration, data, arguments) throws this; `precondition` is kept for bugs.
public struct JigsawError: Error, Equatable, CustomStringConvertible, Sendable {
  /// The file, variable or configuration key at fault, outermost first, for example `runs/a/config.yaml: data.levels`.
  public let place: String
  public let problem: String
  public let expected: String?
  public let found: String?
  public let remedy: String?

  public init(
    _ place: String, _ problem: String, expected: String? = nil, found: String? = nil, remedy: String? = nil
  ) {
    self.place = place
    self.problem = problem
    self.expected = expected
    self.found = found
    self.remedy = remedy
  }

  public var description: String {
    let (place, problem, remedy) = (lineText(place), lineText(problem), remedy.map { lineText($0) })
    var text = place.isEmpty ? problem : "\(place): \(problem)"
    switch (expected.map { lineText($0) }, found.map { lineText($0) }) {
    case (let expected?, let found?): text += "; expected \(expected), found \(found)"
    case (let expected?, nil): text += "; expected \(expected)"
    case (nil, let found?): text += "; found \(found)"
    case (nil, nil): break
    }
    if let remedy { text += "; \(remedy)" }
    return withoutUserInformation(text.hasSuffix("?") ? text : text + ".")
  }
}

/// The known word nearest to `word` by edit distance, if it is near enough to be a likely misspelling.
public func nearest(to word: String, among known: [String]) -> String? {
  let scored = known.map { (editDistance(word.lowercased(), $0.lowercased()), $0) }
  guard let best = scored.min(by: { $0.0 < $1.0 }), best.0 <= max(2, word.count / 3) else { return nil }
  return best.1
}

/// Levenshtein distance.
func editDistance(_ a: String, _ b: String) -> Int {
  let b = Array(b)
  var row = Array(0...b.count)
  for (i, x) in a.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for j in 0..<b.count {
      let substitution = diagonal + (x == b[j] ? 0 : 1)
      diagonal = row[j + 1]
      row[j + 1] = min(substitution, row[j] + 1, row[j + 1] + 1)
    }
  }
  return row[b.count]
}
