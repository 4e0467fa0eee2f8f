import Basics

/// The stores of sources on one grid, opened once for any number of datasets made of them.
public struct OpenedSources: Sendable {
  let stores: [(source: Int, store: any GridFields)]
  /// Sources, renamings and rows in one line: the same for the same data.
  let origin: String
  /// The same without paths: what is chosen of the data, wherever they are.
  let selection: String
  let grid: LatLonGrid
  private let sources: [SourceDescription]

  /// - Parameters:
  ///   - rows: how many grid rows from the north to use; nil: all.
  ///   - threads: that compute what views are made of.
  /// - Throws: also when grids differ.
  public init(_ sources: [SourceDescription], rows: Int? = nil, threads: Int = 1) throws {
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
    var stores: [(source: Int, store: any GridFields)] = []
    for (index, source) in sources.enumerated() {
      for store in try source.openStores(key: "data.sources[\(index)]", rows: rows, workers: workers) {
        stores.append((index, store))
      }
    }
    guard let first = stores.first?.store else {
      throw JigsawError("data.sources", "is empty", remedy: "name at least one NetCDF file or Zarr folder")
    }
    for (_, store) in stores where !store.grid.matches(first.grid) {
      throw JigsawError(
        store.location, "has another grid than \(first.location)", expected: first.grid.summary,
        found: store.grid.summary, remedy: "regrid one of them")
    }
    grid = first.grid
    self.stores = stores
  }

  /// For messages.
  var display: String { sources.map(\.display).joined(separator: ", ") }

  /// - Throws: when another source has a variable or static field too, so that it isn't said which one is meant.
  private func refuseOthers(
    _ name: String, beside first: (store: Int, found: FoundVariable), source: Int, wantsTime: Bool
  ) throws {
    for other in stores where other.source > source {
      guard let found = try other.store.find(name, rename: sources[other.source].names, asStatic: !wantsTime),
        found.isStatic != wantsTime
      else { continue }
      throw JigsawError(
        "\(wantsTime ? "data.variables" : "data.static"): \(name)", "is in several sources",
        expected: "one source that has it",
        found: "\(stores[first.store].store.location) (\(first.found.storedName)) and \(other.store.location) "
          + "(\(found.storedName))",
        remedy: wantsTime
          ? "name files that follow each other in time by one pattern, or choose with open: {dataset: …, drop: […]}"
          : "choose with open: {dataset: …, drop: […]}")
    }
  }

  /// The stores of the one source that has `name`.
  func locate(_ name: String, wantsTime: Bool) throws -> [(store: Int, found: FoundVariable)] {
    for source in sources.indices {
      let ofSource = stores.indices.filter { stores[$0].source == source }
      let found = try ofSource.compactMap { index -> (store: Int, found: FoundVariable)? in
        guard
          let found = try stores[index].store.find(
            name, rename: sources[source].names, asStatic: !wantsTime),
          found.isStatic != wantsTime
        else { return nil }
        return (index, found)
      }
      if found.isEmpty { continue }
      if wantsTime && found.count < ofSource.count {
        let without = ofSource.first { index in !found.contains { $0.store == index } } ?? 0
        throw JigsawError(
          stores[without].store.location, "lacks the variable '\(name)' that other files of the source have",
          remedy: "complete the file or narrow data.sources.path")
      }
      try refuseOthers(name, beside: found[0], source: source, wantsTime: wantsTime)
      return found
    }
    // It may be there, but of the other kind.
    for (source, store) in stores {
      guard let found = try store.find(name, rename: sources[source].names, asStatic: !wantsTime) else { continue }
      throw JigsawError(
        "\(store.location): \(found.storedName)",
        wantsTime ? "has no times, but is among data.variables" : "varies in time, but is among data.static",
        expected: wantsTime ? "dimensions time, latitude, longitude" : "dimensions latitude, longitude",
        found: found.dimensionNames.joined(separator: ", "),
        remedy: wantsTime ? "move it to data.static" : "move it to data.variables, or select one time of it before")
    }
    let names = Set(stores.flatMap(\.store.names)).sorted()
    let aliases = Lexicon.variable(name).aliases
    let kind = wantsTime ? "variable" : "static field"
    throw JigsawError(
      display, "no \(kind) '\(name)' in this data",
      expected: "an array called \(([name] + aliases).map { "'\($0)'" }.joined(separator: " or "))",
      found: names.joined(separator: ", "),
      remedy: "correct \(wantsTime ? "data.variables" : "data.static"), or map the name under data.sources.names")
  }
}
