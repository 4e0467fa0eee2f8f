import Basics

/// A request of `open` in a configuration: the arguments of Anemoi's `open_dataset`, with its names and in its order, and
/// `regrid`.
public struct ViewRequest: Sendable {
  let value: JSONValue
  let key: String
  let workers: WorkerPool
  private let wanted: Set<String>

  /// - Parameters:
  ///   - key: where the request stands, for messages.
  ///   - wanted: requested variables, by our names or the stores': of several sets of coordinates the one with most of them counts.
  ///   - workers: threads that compute beside the one that reads.
  public init(
    _ value: JSONValue, key: String, wanted: Set<String> = [], workers: WorkerPool = WorkerPool(threads: 0)
  ) {
    self.value = value
    self.key = key
    self.wanted = wanted
    self.workers = workers
  }

  /// Words that combine datasets.
  private static let combiners = ["join", "concat", "ensemble", "grids", "cutout"]
  /// Words under which paths stand, or further requests.
  private static let ofPaths =
    ["dataset", "datasets"] + combiners + ["complement", "source", "statistics", "statistics_tendencies", "area"]
  /// Options in the order in which they are applied.
  private static let options = [
    "extend_start", "extend_end", "fill_missing_dates", "closest", "start", "end", "frequency", "select", "drop",
    "reorder", "rename", "rescale", "statistics", "statistics_tendencies", "regrid", "trim_edge", "thinning", "method",
    "area", "number", "numbers", "member", "members", "set_missing_dates", "interpolate_frequency",
    "rolling_average",
  ]
  /// Options that combinations of datasets take beside these, by the name of the combination.
  private static let ofCombiners: [String: [String]] = [
    "adjust": combiners + ["complement"], "min_distance_km": ["cutout"], "max_distance_km": ["cutout"],
    "cropping_distance": ["cutout"], "neighbours": ["cutout"], "fill_missing_gaps": ["concat"],
    "source": ["complement"], "what": ["complement"],
    "interpolation": ["complement"], "k": ["complement"], "max_distance": ["complement"],
  ]
  /// Options that only go with others.
  private static let dependent = ["allow_gaps_in_dates", "expected_access"]
  /// Known to Anemoi, and why not here.
  private static let refused: [String: (reason: String, remedy: String)] = [
    "zip": (
      "gives tuples of fields on several grids, and a model has one state",
      "use join for variables on the same points, complement for others, or several sources"
    ),
    "xy": ("gives pairs of inputs and targets, and a model predicts its own state", "use join or several sources"),
    "x": ("gives pairs of inputs and targets, and a model predicts its own state", "use join or several sources"),
    "y": ("gives pairs of inputs and targets, and a model predicts its own state", "use join or several sources"),
    "chain": ("puts datasets in a row unchecked", "use concat"),
    "merge": (
      "fails in anemoi-datasets 0.5.47, so that there is nothing to compare it with",
      "use concat, with fill_missing_gaps: true where dates lack between datasets"
    ),
    "allow_gaps_in_dates": ("belongs to merge, which is not supported", "remove it"),
    "skip_missing_dates": (
      "gives tuples of consecutive dates", "remove it: samples that would span missing dates are left out anyway"
    ),
    "expected_access": ("belongs to skip_missing_dates, which is not supported", "remove it"),
    "shuffle": (
      "orders dates at random, and steps in time need them ascending",
      "remove it: training draws its samples in random order, from training.seed"
    ),
    "interpolate_variables": (
      "fills points without values, and anemoi-datasets 0.5.47 can't open it either",
      "use data.impute: {sst: nearest}"
    ),
    "synthetic": ("makes fields up", "name a dataset"),
    "mask": ("reads a file of NumPy", "use area, or apply it with Anemoi and store the result"),
    "cache": ("is a cache of Anemoi's", "remove it: data.cacheGiB says how much is kept"),
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
    let sourceWords = ["dataset", "datasets"] + ViewRequest.combiners + ["complement"]
    let known = sourceWords + ViewRequest.options + ViewRequest.ofCombiners.keys.sorted()
    // Members that belong to another option are named after it.
    let unknown = members.keys.sorted {
      (ViewRequest.dependent.contains($0) ? 1 : 0, $0) < (ViewRequest.dependent.contains($1) ? 1 : 0, $1)
    }
    for name in unknown where !known.contains(name) {
      if let (reason, remedy) = ViewRequest.refused[name] {
        throw JigsawError("\(key).\(name)", "is not supported: it \(reason)", remedy: remedy)
      }
      throw JigsawError(
        "\(key).\(name)", "unknown option", expected: "one of \(known.joined(separator: ", "))",
        remedy: nearest(to: name, among: known).map { "did you mean '\($0)'?" } ?? "remove it")
    }
    let sources = sourceWords.filter { members[$0] != nil }
    guard sources.count == 1, let source = sources.first, let given = members[source] else {
      throw JigsawError(
        key, "names no dataset, or several ways to combine them",
        expected: "one of \(sourceWords.joined(separator: ", "))",
        found: sources.isEmpty ? members.keys.sorted().joined(separator: ", ") : sources.joined(separator: " and "))
    }
    let inner = "\(key).\(source)"
    for (name, owners) in ViewRequest.ofCombiners.sorted(by: { $0.key < $1.key }) {
      guard members[name] != nil, !owners.contains(source) else { continue }
      throw JigsawError("\(key).\(name)", "belongs to \(owners.joined(separator: ", "))", remedy: "remove it")
    }
    if source == "complement" { return try complemented(members) }
    let view: any FieldView
    if ViewRequest.combiners.contains(source) {
      guard let entries = given.array, !entries.isEmpty else { throw invalid(inner, expected: "a list of datasets") }
      var parts = try entries.enumerated().map { try part($1, key: "\(inner)[\($0)]") }
      if let adjust = members["adjust"] { parts = try adjusted(parts, adjust) }
      view = parts.count == 1 ? parts[0] : try combine(parts, by: source, members)
    } else {
      view = try part(given, key: inner)
    }
    return try ViewOptions(members, key: key, workers: workers).apply(to: view)
  }

  /// A store, or several that follow each other.
  private func openLeaf(_ path: String) throws -> any FieldView {
    let views = try expand(path).map { try openView($0, wanted: wanted) }
    return views.count == 1 ? views[0] : try ConcatenatedView(filledGaps(views.map(GapDates.filling)))
  }

  /// The view that a request within this one asks for.
  func part(_ value: JSONValue, key: String) throws -> any FieldView {
    GapDates.filling(try ViewRequest(value, key: key, wanted: wanted, workers: workers).open())
  }

  /// A bare list: joined when all have the same dates, else one after the other.
  private func combine(_ entries: [JSONValue]) throws -> any FieldView {
    let parts = try entries.enumerated().map { try part($1, key: "\(key)[\($0)]") }
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
    case "concat": return try ConcatenatedView(flag("fill_missing_gaps", members) ? filledGaps(parts) : parts)
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
      cutout.neighbours = Int(saturating: min(64, try number("neighbours", 3) ?? Double(cutout.neighbours)))
      return try cutout.combine(parts, key: "\(key).cutout")
    }
  }
}
