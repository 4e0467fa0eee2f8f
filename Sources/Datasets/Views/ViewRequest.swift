import Basics

/// What `open` in a configuration asks for: the arguments of Anemoi's `open_dataset`, with its names and in its order, and
/// `regrid`.
public struct ViewRequest: Sendable {
  private let value: JSONValue
  private let key: String
  private let workers: WorkerPool

  /// - Parameters:
  ///   - key: where the request stands, for messages.
  ///   - workers: threads that compute beside the one that reads.
  public init(_ value: JSONValue, key: String, workers: WorkerPool = WorkerPool(threads: 0)) {
    self.value = value
    self.key = key
    self.workers = workers
  }

  /// Words that combine datasets.
  private static let combiners = ["join", "concat", "ensemble", "grids", "cutout"]
  /// Words under which paths stand, or further requests.
  private static let ofPaths = ["dataset", "datasets"] + combiners + ["statistics", "area"]
  /// Options in the order in which they are applied.
  private static let options = [
    "start", "end", "frequency", "select", "drop", "reorder", "rename", "rescale", "statistics", "regrid", "trim_edge",
    "thinning", "method", "area", "number", "numbers", "member", "members", "set_missing_dates",
  ]
  private static let ofCombiners = ["adjust", "min_distance_km", "max_distance_km", "cropping_distance", "neighbours"]
  /// Known to Anemoi alone.
  private static let unsupported = [
    "extend_start", "extend_end", "fill_missing_dates", "fill_missing_gaps", "statistics_tendencies", "mask",
    "skip_missing_dates", "expected_access", "interpolate_frequency", "interpolate_variables", "rolling_average",
    "shuffle", "complement", "merge", "zip", "xy", "x", "y", "chain", "synthetic", "cache",
  ]

  /// The paths and patterns of all that is read: stores, also those that points or statistics are taken from, and weights.
  var paths: [String] {
    switch value {
    case .string(let path): [path]
    case .array(let entries): entries.flatMap { ViewRequest($0, key: key).paths }
    case .object(let members):
      (ViewRequest.ofPaths.compactMap { members[$0] } + ["like", "weights"].compactMap { members["regrid"]?[$0] })
        .flatMap { ViewRequest($0, key: key).paths }
    default: []
    }
  }

  /// Opens what is asked for.
  /// - Throws: for options that are not known or don't fit, and what opening throws.
  public func open() throws -> any FieldView {
    switch value {
    case .string(let path): return try openLeaf(path)
    case .array(let entries): return try combine(entries)
    case .object(let members): return try open(members)
    default: throw invalid(key, expected: "a path, a list of datasets, or options such as {dataset: …, select: […]}")
    }
  }

  private func open(_ members: [String: JSONValue]) throws -> any FieldView {
    let known = ["dataset", "datasets"] + ViewRequest.combiners + ViewRequest.options + ViewRequest.ofCombiners
    for name in members.keys.sorted() where !known.contains(name) {
      if ViewRequest.unsupported.contains(name) {
        throw JigsawError("\(key).\(name)", "is not supported yet", remedy: "apply it with Anemoi and store the result")
      }
      throw JigsawError(
        "\(key).\(name)", "unknown option", expected: "one of \(known.joined(separator: ", "))",
        remedy: nearest(to: name, among: known).map { "did you mean '\($0)'?" } ?? "remove it")
    }
    let sources = (["dataset", "datasets"] + ViewRequest.combiners).filter { members[$0] != nil }
    guard sources.count == 1, let source = sources.first, let given = members[source] else {
      throw JigsawError(
        key, "names no dataset, or several ways to combine them",
        expected: "one of dataset, \(ViewRequest.combiners.joined(separator: ", "))",
        found: sources.isEmpty ? members.keys.sorted().joined(separator: ", ") : sources.joined(separator: " and "))
    }
    let inner = "\(key).\(source)"
    for name in ViewRequest.ofCombiners where members[name] != nil && name != "adjust" && source != "cutout" {
      throw JigsawError("\(key).\(name)", "belongs to cutout", remedy: "remove it")
    }
    let view: any FieldView
    if ViewRequest.combiners.contains(source) {
      guard let entries = given.array, !entries.isEmpty else { throw invalid(inner, expected: "a list of datasets") }
      var parts = try entries.enumerated().map { try ViewRequest($1, key: "\(inner)[\($0)]", workers: workers).open() }
      if let adjust = members["adjust"] { parts = try adjusted(parts, adjust) }
      view = parts.count == 1 ? parts[0] : try combine(parts, by: source, members)
    } else {
      if members["adjust"] != nil {
        throw JigsawError("\(key).adjust", "needs datasets to combine", remedy: "remove it")
      }
      view = try ViewRequest(given, key: inner, workers: workers).open()
    }
    return try ViewOptions(members, key: key, workers: workers).apply(to: view)
  }

  /// A store, or several that follow each other.
  private func openLeaf(_ path: String) throws -> any FieldView {
    let views = try expand(path).map { try openView($0) }
    return views.count == 1 ? views[0] : try ConcatenatedView(views)
  }

  /// A bare list: joined when all have the same dates, else one after the other.
  private func combine(_ entries: [JSONValue]) throws -> any FieldView {
    let parts = try entries.enumerated().map { try ViewRequest($1, key: "\(key)[\($0)]", workers: workers).open() }
    guard let first = parts.first else { throw invalid(key, expected: "a list of datasets") }
    if parts.count == 1 { return first }
    let isSamePeriod = parts.allSatisfy { $0.dates.first == first.dates.first && $0.dates.last == first.dates.last }
    return isSamePeriod ? try JoinedView(parts) : try ConcatenatedView(parts)
  }

  private func combine(
    _ parts: [any FieldView], by word: String, _ members: [String: JSONValue]
  ) throws -> any FieldView {
    switch word {
    case "join": return try JoinedView(parts)
    case "concat": return try ConcatenatedView(parts)
    case "ensemble": return try EnsembleView(parts)
    case "grids": return try GridUnion(parts, key: key)
    default:
      var cutout = Cutout()
      func number(_ name: String, _ minimum: Double) throws -> Double? {
        guard let given = members[name], given != .null else { return nil }
        guard let value = given.double, value.isFinite, value >= minimum else {
          throw invalid("\(key).\(name)", expected: "a number of at least \(minimum)")
        }
        return value
      }
      cutout.minimumDistanceKm = try number("min_distance_km", 0)
      cutout.maximumDistanceKm = try number("max_distance_km", 0)
      cutout.croppingDistance = try number("cropping_distance", 0) ?? cutout.croppingDistance
      cutout.neighbours = Int(min(64, try number("neighbours", 3) ?? Double(cutout.neighbours)))
      return try cutout.combine(parts, key: "\(key).cutout")
    }
  }

  /// What datasets have in common, of variables, ends and intervals: Anemoi's `adjust`.
  private func adjusted(_ parts: [any FieldView], _ adjust: JSONValue) throws -> [any FieldView] {
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
    if wanted.isEmpty { throw invalid("\(key).adjust", expected: "all, dates or variables") }
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

  private func invalid(_ key: String, expected: String) -> JigsawError {
    JigsawError(key, "is not understood", expected: expected)
  }
}
