import Basics
import Stores

/// Where fields come from: stores that follow each other in time, or add variables.
public struct SourceDescription: Sendable, Equatable {
  /// A path or a pattern ("data/era5-*.nc"); several matches follow each other in time.
  public let path: String
  /// In place of a path: datasets to open as Anemoi does.
  public let open: JSONValue?
  /// Our name → the name in the store, where that isn't among the known ones.
  public let names: [String: String]

  public init(path: String, open: JSONValue? = nil, names: [String: String] = [:]) {
    self.path = path
    self.open = open
    self.names = names
  }

  /// The paths and patterns of all stores in it.
  public var paths: [String] { path.isEmpty ? open.map { ViewRequest($0, key: "open").paths } ?? [] : [path] }

  /// All of it as a view, whatever its points.
  ///
  /// - Parameter threads: how many compute.
  public func openView(key: String, threads: Int = 1) throws -> any FieldView {
    if path.isEmpty, open == nil { throw SourceDescription.empty(key) }
    if !path.isEmpty, open != nil { throw SourceDescription.both(key) }
    let workers = WorkerPool(threads: max(1, threads) - 1, isBackground: true)
    return try ViewRequest(open ?? .string(path), key: open == nil ? key : "\(key).open", workers: workers).open()
  }

  private static func both(_ key: String) -> JigsawError {
    JigsawError(key, "has both a path and open", remedy: "remove one of them")
  }

  static func empty(_ key: String) -> JigsawError {
    JigsawError(
      "\(key).path", "is empty", remedy: "name a NetCDF file, a Zarr folder or an Anemoi dataset, or use open")
  }

  /// For messages and files: the path, or what is opened, without user information.
  public var display: String { withoutUserInformation(path.isEmpty ? open?.line ?? "" : path) }

  /// - Parameters:
  ///   - asked: variables, static fields and forcings that are read.
  ///   - key: where the source stands, for messages.
  /// - Throws: when `names` renames a variable that is not requested.
  public func requireNames(among asked: [String], key: String) throws {
    for name in names.keys.sorted() where !asked.contains(name) {
      if let stem = LevelNames.split(name)?.stem, asked.contains(stem), Lexicon.isOnLevels(stem) { continue }
      let own = Lexicon.find(name)?.name
      throw JigsawError(
        "\(key).names.\(name)", "renames a variable that the configuration does not request",
        expected:
          "one of \(asked.joined(separator: ", "))\(asked.contains(where: Lexicon.isOnLevels) ? ", or of its levels, such as t_850" : "")",
        remedy: own.flatMap { asked.contains($0) ? "\(name) is called \($0) here" : nil }
          ?? nearest(to: name, among: asked).map { "did you mean '\($0)'?" } ?? "remove it")
    }
  }

  /// The stores of the source, or the view that it asks for.
  ///
  /// - Parameters:
  ///   - wanted: requested variables.
  ///   - workers: threads that compute beside the one that reads.
  func openStores(
    key: String, rows: Int?, wanted: Set<String>, workers: WorkerPool
  ) throws -> [any GridFields] {
    // Under the names that they have here.
    let wanted = wanted.union(names.filter { key, _ in wanted.contains(LevelNames.split(key)?.stem ?? key) }.values)
    if let request = open {
      if !path.isEmpty { throw SourceDescription.both(key) }
      let view = try ViewRequest(request, key: "\(key).open", wanted: wanted, workers: workers).open()
      return [try GriddedView(view, rows: rows)]
    }
    if path.isEmpty { throw SourceDescription.empty(key) }
    return try expand(path).map { path in
      let stored = try openStore(path)
      if AnemoiDataset.isOne(stored) { return try GriddedView(AnemoiDataset(stored), rows: rows) }
      let store: any ArrayStore = try SingleTimeStore(stored, wanted: wanted) ?? stored
      let meanings = Dictionary(names.map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
      if let points = try PointFields(store, meanings: meanings, wanted: wanted) {
        return try GriddedView(points, rows: rows)
      }
      return try GriddedStore(store, rows: rows, wanted: wanted)
    }
  }
}
