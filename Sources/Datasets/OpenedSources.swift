import Basics

/// The stores of sources on one grid, opened once for any number of datasets made of them.
public struct OpenedSources: Sendable {
  let stores: [Opened]
  /// Sources, renamings and rows in one line: the same for the same data.
  let origin: String
  /// The same without paths: what is chosen of the data, wherever they are.
  let selection: String
  let grid: FieldGrid
  /// By grid point: whether it is read but not predicted; nil for none.
  private(set) var boundary: [Bool]?
  private let sources: [SourceDescription]

  /// One store of a source. The stores of a series follow each other in time; files of a pattern that hold other levels
  /// are a series of their own.
  struct Opened: Sendable {
    let source, series: Int
    let store: any GridFields
  }

  typealias Found = (store: Int, found: FoundVariable)

  /// - Parameters:
  ///   - rows: how many grid rows from the north to use; nil: all.
  ///   - boundary: which points are read but not predicted.
  ///   - wanted: requested variables, where they are known: of several sets of coordinates of a store the one with most of them is
  ///     taken.
  ///   - threads: that compute what views are made of.
  /// - Throws: also when grids differ.
  public init(
    _ sources: [SourceDescription], rows: Int? = nil, boundary: Boundary = .none, wanted: Set<String> = [],
    threads: Int = 1
  ) throws {
    self.sources = sources
    let workers = WorkerPool(threads: max(1, threads) - 1, isBackground: true)
    let paths = sources.map { source in
      ([source.display] + source.names.sorted { $0.key < $1.key }.map { "\($0.key) as \($0.value)" })
        .joined(separator: ", ")
    }
    let chosen = sources.map { source in
      let view = source.paths.enumerated().reduce(source.open?.line ?? "") { text, path in
        text.replacing(path.element, with: "#\(path.offset)")
      }
      return ([view] + source.names.sorted { $0.key < $1.key }.map { "\($0.key) as \($0.value)" })
        .joined(separator: ", ")
    }
    selection = (chosen + (rows.map { ["\($0) rows"] } ?? [])).joined(separator: "; ")
    origin = withoutUserInformation((paths + (rows.map { ["\($0) rows"] } ?? [])).joined(separator: "; "))
    var stores: [Opened] = []
    for (index, source) in sources.enumerated() {
      let first = (stores.last?.series ?? -1) + 1
      let ofSource = try source.openStores(
        key: "data.sources[\(index)]", rows: rows, wanted: wanted, workers: workers)
      for (store, series) in zip(ofSource, OpenedSources.series(ofSource, source.names)) {
        stores.append(Opened(source: index, series: first + series, store: store))
      }
    }
    guard let first = stores.first?.store else {
      throw JigsawError("data.sources", "is empty", remedy: "name at least one file, store or recipe (path, open)")
    }
    for store in stores.map(\.store) where !store.fieldGrid.matches(first.fieldGrid) {
      let (expected, found) = first.fieldGrid.summaries(against: store.fieldGrid)
      throw JigsawError(
        store.location, "has another grid than \(first.location)", expected: expected, found: found,
        remedy: "regrid one of them")
    }
    grid = first.fieldGrid
    self.stores = stores
    self.boundary = try points(of: boundary)
  }

  /// A source as the configuration names it.
  func display(of source: Int) -> String { sources[source].display }

  /// For messages.
  var display: String { sources.map(\.display).joined(separator: ", ") }

  /// The series that each store of a source belongs to, ascending: stores without a level in common are of several. Levels are
  /// those of the stores and those that `names` gives to their arrays (`t_850: ta850`).
  private static func series(_ stores: [any GridFields], _ names: [String: String]) -> [Int] {
    let named = names.compactMap { key, array in LevelNames.split(key).map { (level: $0.number, array: array) } }
    var levels: [Set<Double>] = []
    let numbers = stores.map { store -> Int in
      let arrays = Set(store.names)
      let own = Set(store.levelsHPa).union(named.filter { arrays.contains($0.array) }.map(\.level))
      if let number = levels.firstIndex(where: { own.isEmpty || $0.isEmpty || !own.isDisjoint(with: $0) }) {
        levels[number].formUnion(own)
        return number
      }
      levels.append(own)
      return levels.count - 1
    }
    return numbers
  }

  /// Why several series are not taken together.
  func ambiguity(_ name: String, _ first: Found, _ other: Found, wantsTime: Bool) -> JigsawError {
    JigsawError(
      "\(wantsTime ? "data.variables" : "data.static"): \(name)", "is in several sources",
      expected: "one source that has it",
      found: "\(stores[first.store].store.location) (\(first.found.storedName)) and "
        + "\(stores[other.store].store.location) (\(other.found.storedName))",
      remedy: wantsTime
        ? "name files that follow each other in time by one pattern, or choose with open: {dataset: …, drop: […]}"
        : "choose with open: {dataset: …, drop: […]}")
  }

  private func find(_ name: String, in index: Int, asStatic: Bool) throws -> Found? {
    let opened = stores[index]
    return try opened.store.find(name, rename: sources[opened.source].names, asStatic: asStatic).map { (index, $0) }
  }

  /// The stores that have a variable with times, by series.
  /// - Throws: when none has it, or not all of a series.
  func locate(_ name: String) throws -> [[Found]] {
    let all = try stores.indices.compactMap { try find(name, in: $0, asStatic: false) }
    let found = all.filter { !$0.found.isStatic }
    guard !found.isEmpty else {
      guard let (store, other) = all.first else { throw absence(name, wantsTime: true) }
      throw JigsawError(
        "\(stores[store].store.location): \(other.storedName)", "has no times, but is among data.variables",
        expected: "dimensions time, latitude, longitude", found: other.dimensionNames.joined(separator: ", "),
        remedy: "move it to data.static")
    }
    let ofSeries = Dictionary(grouping: candidates(name, found)) { stores[$0.store].series }.sorted { $0.key < $1.key }
    for (series, found) in ofSeries {
      let without = stores.indices.first { index in
        stores[index].series == series && !found.contains { $0.store == index }
      }
      guard let without else { continue }
      throw JigsawError(
        stores[without].store.location, "lacks the variable '\(name)' that other files of the source have",
        remedy: "complete the file or narrow data.sources.path")
    }
    return ofSeries.map(\.value)
  }

  /// The stores of the sources that have a variable where it belongs: archives call the geopotential of the surface `z` too, and have it
  /// in files of its own. A variable of the upper air is none without levels, one at the surface none with levels. All of them where no
  /// source has such, where one has both, or where the place isn't known.
  private func candidates(_ name: String, _ found: [Found]) -> [Found] {
    guard Lexicon[name] != nil else { return found }
    let (right, wrong) = (
      found.filter { $0.found.hasLevels == Lexicon.isOnLevels(name) },
      found.filter { $0.found.hasLevels != Lexicon.isOnLevels(name) }
    )
    let sources = Set(right.map { stores[$0.store].source })
    return right.isEmpty || wrong.contains { sources.contains(stores[$0.store].source) } ? found : right
  }

  /// The stores of the one source that has a static field. Fields without levels come before those that have some, then those without
  /// times.
  func locateStatic(_ name: String) throws -> [Found] {
    let anywhere = try stores.indices.compactMap { try find(name, in: $0, asStatic: true) }
    let flat = anywhere.filter { !$0.found.hasLevels }
    let all = flat.isEmpty ? anywhere : flat
    let plain = all.filter { $0.found.storedTimeCount == 1 }
    let found = plain.isEmpty ? all : plain
    guard let first = found.first else { throw absence(name, wantsTime: false) }
    if let other = found.first(where: { stores[$0.store].source != stores[first.store].source }) {
      throw ambiguity(name, first, other, wantsTime: false)
    }
    if let levels = found.first(where: \.found.hasLevels) {
      throw JigsawError(
        "\(stores[levels.store].store.location): \(levels.found.storedName)", "has levels",
        expected: "a static field [latitude, longitude]", remedy: "select one level of it before")
    }
    return found
  }

  private func absence(_ name: String, wantsTime: Bool) -> JigsawError {
    let names = Set(stores.flatMap(\.store.names)).sorted()
    let aliases = Lexicon.variable(name).aliases
    if let elsewhere = stores.lazy.compactMap({ $0.store.elsewhere([name] + aliases) }).first {
      return JigsawError(
        "\(elsewhere.location): \(elsewhere.array)", "lies on other places than the fields that are read",
        expected: elsewhere.places.joined(separator: ", "), found: elsewhere.dimensions.joined(separator: ", "),
        remedy: "put it into a file of its own, or leave the other fields out of data.variables and data.static")
    }
    return JigsawError(
      display, "no \(wantsTime ? "variable" : "static field") '\(name)' in this data",
      expected: "an array called \(([name] + aliases).map { "'\($0)'" }.joined(separator: " or "))",
      found: names.joined(separator: ", "),
      remedy: Lexicon.find(name).flatMap { $0.name == name ? nil : "'\(name)' is called \($0.name) here" }
        ?? "correct \(wantsTime ? "data.variables" : "data.static"), or map the name under data.sources.names")
  }
}
