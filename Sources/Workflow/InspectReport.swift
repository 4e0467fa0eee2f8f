import Basics
import Datasets
import Stores

/// The answer of `jigsaw data inspect`.
public struct InspectReport: JSONReport {
  public struct Grid: Encodable, Sendable {
    public let summary: String
    public let rows, columns: Int
    public let isGlobal: Bool
  }

  public struct Times: Encodable, Sendable {
    public let count: Int
    public let first, last: String
    /// The shortest first; several where there are gaps.
    public let intervalMinutes: [Int]
  }

  /// An array on the grid or the points.
  public struct Field: Encodable, Sendable {
    /// The store's name of it.
    public var storedName: String
    /// Our name, with the level where the store's has it; nil where the variable isn't known.
    public var readAs: String?
    public var longName: String?
    /// In which it is read, and stored.
    public var units, storedUnits: String?
    public var isConverted = false
    public var isStatic = false
    public var levelsHPa: [Double] = []
    /// That hold it.
    public var files = 1
    public var times: Times?
    /// The store's value, in the unit in which it is read.
    public var statistics: Statistics?
    public var remarks: [String] = []
    /// Why it can't be used.
    public var problem: String?
    /// For `data.sources`: makes it a variable of ours.
    public var names: String?
  }

  public struct Statistics: Encodable, Sendable {
    public let mean, deviation, minimum, maximum: Double
    /// Over which the change is known, too.
    public let tendencyHours: [Int]
  }

  /// A file or folder as it is.
  public struct Store: Encodable, Sendable {
    public let path, format: String
    public let arrays: [StoredArray]
    public let attributes: [String: JSONValue]
  }

  public struct StoredArray: Encodable, Sendable {
    public let name, type: String
    public let dimensions: [Dimension]
    /// Nil where it is stored as a whole.
    public let chunks: [Int]?
    public let codec: String
    public let bytes: Int
    public let attributes: [String: JSONValue]
  }

  public struct Dimension: Encodable, Sendable {
    public let name: String
    public let size: Int
  }

  public enum Kind: String, Encodable, Sendable { case grid, points, forecast }

  public let format = "jigsaw-inspect-1"
  public let version = jigsawVersion
  /// The path or pattern, and what it stands for.
  public let path: String
  public var files: [String] = []
  public var isUsable = false
  /// The first line of the text, without the path.
  public var verdict = ""
  /// Nil where it isn't usable.
  public var kind: Kind?
  public var grid: Grid?
  public var points: Int?
  public var members = 1
  public var times: Times?
  public var missingDates: [String] = []
  public var levelsHPa: [Double] = []
  public var fields: [Field] = []
  public var notes: [String] = []
  /// The first file, and others that hold other arrays.
  public var stores: [Store] = []
  /// Lines of the text between the verdict and the stores.
  var understood: [String] = []

  private enum CodingKeys: CodingKey {
    case format, version, path, files, isUsable, verdict, kind, grid, points, members, times, missingDates, levelsHPa
    case fields, notes, stores
  }

  init(_ path: String) { self.path = withoutUserInformation(path) }

  // MARK: For people

  /// The verdict, what is understood, then trees like those of `ncdump -h`.
  public var text: String {
    let indented = (understood + notes.map { "note: \($0)" }).map { "  \(InspectReport.line($0))" }
    return
      ([InspectReport.line("\(path): \(verdict)")] + indented + stores.flatMap(InspectReport.tree)
      + (files.count > stores.count ? ["… and \(files.count - stores.count) more files with the same arrays"] : []))
      .joined(separator: "\n")
  }

  private static func tree(_ store: Store) -> [String] {
    var sizes: [String: Int] = [:]
    for dimension in store.arrays.flatMap(\.dimensions) { sizes[dimension.name] = dimension.size }
    var lines = ["dimensions:"] + sizes.keys.sorted().map { "  \($0) = \(sizes[$0] ?? 0)" } + ["variables:"]
    for array in store.arrays {
      let dimensions = array.dimensions.map { "\($0.name) \($0.size)" }.joined(separator: ", ")
      lines.append(
        "  \(array.name)(\(dimensions))  \(array.type)  \(InspectWorkflow.size(array.bytes))"
          + (array.chunks.map { "  chunks \($0)" } ?? "  contiguous") + "  \(array.codec)")
      lines += attributes(array.attributes).map { "    \($0)" }
    }
    lines += ["attributes:"] + attributes(store.attributes).map { "  \($0)" }
    return [line("\(store.path)  \(store.format)")] + lines.map { "  \(line($0))" }
  }

  /// Names of hundreds of fields are one line, too.
  private static func line(_ text: String) -> String { lineText(text, atMost: 20_000) }

  private static func attributes(_ attributes: [String: JSONValue]) -> [String] {
    attributes.sorted { $0.key < $1.key }.map { ":\($0) = \(text($1))" }
  }

  private static func text(_ value: JSONValue) -> String {
    func plain(_ value: JSONValue) -> String { value.string ?? value.line }
    let whole = value.array.map { $0.map(plain).joined(separator: ", ") } ?? plain(value)
    // Recipes and provenance fill pages.
    let line = whole.split(whereSeparator: \.isNewline).joined(separator: " ")
    return line.count > 240 ? "\(line.prefix(240))… (\(whole.utf8.count) bytes)" : line
  }
}

extension InspectReport.Store {
  init(_ store: any ArrayStore) {
    self.init(
      path: withoutUserInformation(store.location), format: store.format,
      arrays: store.arrays.values.sorted { $0.name < $1.name }.map { array in
        InspectReport.StoredArray(
          name: array.name, type: array.isText ? "char" : array.type.rawValue,
          dimensions: array.dimensions.map { InspectReport.Dimension(name: $0.name, size: $0.size) },
          chunks: array.chunks, codec: array.codec, bytes: array.count * array.type.byteCount,
          attributes: array.attributes.mapValues(\.asJSON))
      }, attributes: store.attributes.mapValues(\.asJSON))
  }
}

extension InspectReport.Times {
  /// Nil without any.
  init?(_ times: [Timestamp]) {
    guard let first = times.first, let last = times.last else { return nil }
    self.init(
      count: times.count, first: first.description, last: last.description,
      intervalMinutes: Set(zip(times, times.dropFirst()).map { Int($1.seconds - $0.seconds) / 60 }).sorted())
  }
}
