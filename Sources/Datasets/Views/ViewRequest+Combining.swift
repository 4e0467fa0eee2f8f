import Basics

/// How several datasets become one.
extension ViewRequest {
  func invalid(_ key: String, expected: String) -> JigsawError {
    JigsawError(key, "is not understood", expected: expected)
  }

  func flag(_ name: String, _ members: [String: JSONValue]) throws -> Bool {
    guard let given = members[name], given != .null else { return false }
    guard case .bool(let value) = given else { throw invalid("\(key).\(name)", expected: "true or false") }
    return value
  }

  /// Datasets that follow each other, with missing dates where there are gaps between them.
  func filledGaps(_ parts: [any FieldView]) throws -> [any FieldView] {
    var row: [any FieldView] = []
    let dates = parts.flatMap(\.dates)
    let steps = zip(dates, dates.dropFirst()).map { $1.seconds - $0.seconds }.filter { $0 > 0 }
    guard let step = steps.min() else { return parts }
    for part in parts {
      if let before = row.last, let last = before.dates.last, let first = part.dates.first {
        guard (first.seconds - last.seconds) / step <= Int64(ViewOptions.dateLimit) else {
          throw JigsawError(
            "\(key).fill_missing_gaps", "would make more dates than can be held",
            found: "\(first.display) after \(last.display)", remedy: "put the datasets in order")
        }
        let gap = stride(from: last.seconds + step, to: first.seconds, by: Int64.Stride(step))
        let dates = gap.map { Timestamp(seconds: $0) }
        if !dates.isEmpty { row.append(SpreadDates(gapLike: before, dates: dates)) }
      }
      row.append(part)
    }
    return row
  }

  /// A dataset and the variables of another one that it lacks: `complement`. Options apply to what is added.
  func complemented(_ members: [String: JSONValue]) throws -> any FieldView {
    guard let given = members["complement"], let other = members["source"] else {
      throw JigsawError("\(key).complement", "needs a source", remedy: "add source: …")
    }
    if let what = members["what"], what.string != "variables" {
      throw invalid("\(key).what", expected: "variables")
    }
    var parts = [
      try part(other, key: "\(key).source"), try part(given, key: "\(key).complement"),
    ]
    if let adjust = members["adjust"] { parts = try adjusted(parts, adjust, without: ["select"]) }
    let (source, target) = (parts[0], parts[1])
    let present = Set(target.variables.map(\.name))
    let added = source.variables.indices.filter { !present.contains(source.variables[$0].name) }
    if added.isEmpty { throw JigsawError("\(key).source", "has no variable that the complement lacks") }
    var addition: any FieldView = VariableSubset(source, added)
    var options = members.filter { !["complement", "source", "what", "interpolation", "k", "adjust"].contains($0.key) }
    switch members["interpolation"]?.string ?? "none" {
    case "none":
      if let name = ["k", "max_distance"].first(where: { members[$0] != nil }) {
        throw JigsawError("\(key).\(name)", "belongs to interpolation: nearest", remedy: "remove it")
      }
      // anemoi-datasets 0.5.47 takes variables of these places whatever their names.
      guard added == Array(added.indices) else {
        throw JigsawError(
          "\(key).source", "has variables of the complement before others, which anemoi-datasets mixes up",
          found: source.variables.map(\.name).joined(separator: ", "),
          remedy:
            "drop: [\(source.variables.map(\.name).filter { present.contains($0) }.joined(separator: ", "))] of it")
      }
    case "nearest":
      guard members["k"].map({ $0.integer == 1 }) ?? true else {
        throw JigsawError(
          "\(key).k", "is not supported: anemoi-datasets 0.5.47 can read the single nearest point alone",
          expected: "1", remedy: "use regrid for means of several points")
      }
      let limit = try ViewOptions(members, key: key, workers: workers).distance()
      options["max_distance"] = nil
      addition = NearestPoints(
        addition, at: target.points, NearestSources(from: source.points, to: target.points, within: limit))
    default: throw invalid("\(key).interpolation", expected: "none or nearest")
    }
    let joined = try JoinedView([target, ViewOptions(options, key: key, workers: workers).apply(to: addition)])
    return try ViewOptions(["reorder": .string("sort")], key: key, workers: workers).apply(to: joined)
  }

  /// Datasets cut to the variables, ends and intervals that they have in common: Anemoi's `adjust`.
  func adjusted(
    _ parts: [any FieldView], _ adjust: JSONValue, without excluded: Set<String> = []
  ) throws -> [any FieldView] {
    var wanted: Set<String> = []
    for word in adjust.strings ?? adjust.string.map({ [$0] }) ?? [] {
      switch word {
      case "all": wanted.formUnion(["select", "start", "end", "frequency"])
      case "dates": wanted.formUnion(["start", "end", "frequency"])
      case "variables": wanted.insert("select")
      case "select", "start", "end", "frequency": wanted.insert(word)
      default: throw invalid("\(key).adjust", expected: "all, dates, variables, select, start, end or frequency")
      }
    }
    wanted.subtract(excluded)
    if wanted.isEmpty && excluded.isEmpty { throw invalid("\(key).adjust", expected: "all, dates or variables") }
    var options: [String: JSONValue] = [:]
    if wanted.contains("start") || wanted.contains("end") {
      let common = parts.dropFirst().reduce(Set(parts[0].dates)) { $0.intersection($1.dates) }
      guard let start = common.min(), let end = common.max() else {
        throw JigsawError("\(key).adjust", "the datasets have no date in common")
      }
      if wanted.contains("start") { options["start"] = .string(start.description) }
      if wanted.contains("end") { options["end"] = .string(end.description) }
    }
    if wanted.contains("frequency"), let slowest = parts.compactMap(\.frequencyHours).max() {
      options["frequency"] = .string("\(Int64(slowest * 3_600))s")
    }
    return try parts.map { part in
      let names = Set(part.variables.map(\.name))
      let common = parts.reduce(names) { $0.intersection($1.variables.map(\.name)) }
      var own = options
      if wanted.contains("select"), common != names {
        if common.isEmpty { throw JigsawError("\(key).adjust", "the datasets have no variable in common") }
        own["select"] = .array(common.sorted().map { .string($0) })
      }
      return try ViewOptions(own, key: key, workers: workers).apply(to: part)
    }
  }
}
