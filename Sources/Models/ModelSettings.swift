import Basics
import Geometry
import Settings
import Tensors

/// A model family: the settings from which its model is built, which are its part of the configuration file and of
/// checkpoints. A family is one folder below Models and one line in `ModelFamilies.all`; docs/write-a-model.md walks
/// through one.
public protocol ModelSettings: Section, Codable, Hashable {
  /// The name of the family in `model.family` and checkpoints, for example `weather-mixer`.
  static var family: String { get }
  /// Its name in sentences, for example `linear regression`.
  static var title: String { get }
  /// A description of the family in one sentence, for configuration files.
  static var help: String { get }

  /// Whether it works on rows and columns, so that it can't take points that are no raster.
  static var needsRaster: Bool { get }

  /// Differs where decoders of the same shape predict something else, for example the next state instead of the change.
  var outputForm: String { get }

  /// Names of settings that say how the model is computed, not what: a training may be resumed with others.
  static var computationSettings: Set<String> { get }

  /// Names of settings that say in which order fields stand in columns: weights are taken by field, whatever the order.
  static var orderSettings: Set<String> { get }

  /// Names of settings that say where something lies of which checkpoints keep the content: the content counts, not the place.
  static var placeSettings: Set<String> { get }

  /// Memory that an update may take on each rank, GiB; nil: any.
  var memoryGiB: Double? { get }

  /// The same model computed in other ways, where activations are checkpointed. The first ones take less time, the last one the
  /// least memory. None by default.
  ///
  /// - Parameter ranks: that share it.
  func waysToCompute(points: Int, ranks: Int) -> [Self]

  /// How it is computed, in words.
  var computation: String { get }

  /// How fields are cut into tokens. A family that works on grid points has tokens of one point.
  /// - Throws: when the settings don't fit the grid, naming some that do.
  func tiling(_ fields: ModelFields) throws -> Tiling

  /// The graph that its model computes on, of data on the points of `fields`; nil: none. It goes with the model from there on:
  /// `makeModel` gets it as `fields.graph`, and checkpoints keep it.
  /// - Throws: when the settings contradict each other.
  func graphSource(_ fields: ModelFields) throws -> GraphSource?

  /// - Throws: when the settings don't fit the fields.
  func makeModel(_ fields: ModelFields) throws -> any ForecastModel
}

/// Where the graph of a model comes from.
public enum GraphSource: Sendable {
  case recipe(GraphRecipe)
  /// A file that holds it.
  case file(String)
}

/// Name and normalisation of a predicted field: (value − offset)/scale.
public struct FieldScaling: Sendable, Hashable {
  public let name: String
  public let offset, scale: Float

  public init(name: String, offset: Float, scale: Float) {
    self.name = name
    self.offset = offset
    self.scale = scale
  }

  /// A value in the field's own units in normalised ones.
  public func normalised(_ value: Double) -> Float { Float((value - Double(offset)) / Double(scale)) }
}

/// The grid and the fields that a model is built for.
public struct ModelFields: Sendable {
  /// Points that are no raster are rows of one column.
  public var gridRows, gridColumns: Int
  /// Predicted fields.
  public var variables: Int
  /// Static fields and forcings.
  public var auxiliaries: Int
  /// Deviation of each predicted field's change over one step, in units of the field's own deviation: [variables].
  public var tendencyScale: [Float]
  /// Where the points are, row after row, which for tokens of one point is the order of the tokens; nil where nobody said.
  /// Manifests have them elsewhere, and descriptions that differ in them alone are the same: whether data are on the points
  /// of a model is asked of their grids.
  public var points: GridPoints?
  /// Times at which the model reads states and forcings, in steps before the start of the prediction, ascending to 0.
  public var inputSteps = [0]
  /// Predicted fields that the model does not read.
  public var diagnostics: Set<Int> = []
  /// The predicted fields, where they are known: [variables], else empty.
  public var scaling: [FieldScaling] = []
  /// The graph that `ModelSettings.graphSource` asked for.
  public var graph: HeteroGraph?

  public init(
    gridRows: Int, gridColumns: Int, variables: Int, auxiliaries: Int, tendencyScale: [Float],
    points: GridPoints? = nil
  ) {
    precondition(points.map { $0.count == gridRows * gridColumns } ?? true)
    self.points = points
    self.gridRows = gridRows
    self.gridColumns = gridColumns
    self.variables = variables
    self.auxiliaries = auxiliaries
    self.tendencyScale = tendencyScale
  }
}

extension ModelFields: Hashable {
  public static func == (a: ModelFields, b: ModelFields) -> Bool {
    (a.gridRows, a.gridColumns, a.variables, a.auxiliaries) == (b.gridRows, b.gridColumns, b.variables, b.auxiliaries)
      && a.tendencyScale == b.tendencyScale && a.inputSteps == b.inputSteps && a.diagnostics == b.diagnostics
  }

  public func hash(into hasher: inout Hasher) {
    for number in [gridRows, gridColumns, variables, auxiliaries] { hasher.combine(number) }
    hasher.combine(tendencyScale)
    hasher.combine(inputSteps)
    hasher.combine(diagnostics)
  }
}

extension ModelFields {
  /// Whether points are crossings of rows and columns.
  public var isRaster: Bool { gridColumns > 1 }

  /// - Throws: on points that are no raster, naming the families that take them.
  public func requireRaster(for title: String) throws {
    if isRaster { return }
    let others = ModelFamilies.all.filter { !$0.needsRaster }.map { $0.family }
    throw JigsawError(
      "model.family", "\(title) needs a raster of latitudes and longitudes, and the data are on points",
      found: "\(gridRows) points",
      remedy: "choose model.family among \(others.joined(separator: ", ")), or regrid the data with "
        + "open: {dataset: …, regrid: {grid: [32, 64]}}")
  }

  /// The grid in patches of rows × columns.
  /// - Throws: when the patch doesn't divide the grid, naming patches that do.
  public func tiling(patch: [Int]) throws -> Tiling {
    if !isRaster && patch != [1, 1] {
      throw JigsawError(
        "model.patch", "needs rows and columns, and the data are on points", expected: "[1, 1]",
        found: "[\(patch[0]), \(patch[1])]", remedy: "set it to [1, 1]")
    }
    if let tiling = Tiling(rows: gridRows, columns: gridColumns, tileRows: patch[0], tileColumns: patch[1]) {
      return tiling
    }
    func divisors(_ n: Int) -> String { (1...n).filter { n % $0 == 0 }.map(String.init).joined(separator: ", ") }
    throw JigsawError(
      "model.patch", "doesn't divide the grid", expected: "a patch that divides \(gridRows) × \(gridColumns)",
      found: "\(patch[0]) × \(patch[1])",
      remedy: "choose rows among \(divisors(gridRows)) and columns among \(divisors(gridColumns))")
  }
}

/// The families that there are.
public enum ModelFamilies {
  /// The first one is what a configuration without `model.family` gets.
  public static let all: [any ModelSettings.Type] = [
    WeatherMixerSettings.self, LinearRegressionSettings.self, GraphTransformerSettings.self, GNNSettings.self,
    TransformerSettings.self,
  ]

  public static var names: [String] { all.map { $0.family } }

  public static func named(_ name: String) -> (any ModelSettings.Type)? { all.first { $0.family == name } }
}

extension ModelSettings {
  public static var section: any SectionDescription { SectionType<Self>() }

  public static var needsRaster: Bool { false }
  public var outputForm: String { "" }
  public static var computationSettings: Set<String> { [] }
  public static var orderSettings: Set<String> { [] }
  public static var placeSettings: Set<String> { [] }
  public var memoryGiB: Double? { nil }
  public func waysToCompute(points: Int, ranks: Int) -> [Self] { [] }
  public var computation: String { "" }
  public func graphSource(_ fields: ModelFields) throws -> GraphSource? { nil }
  public var family: String { Self.family }
  public var title: String { Self.title }

  /// Every setting with its value as it stands in a configuration file.
  public var entries: [(key: String, value: String)] { SectionType<Self>().settings(self, below: "") }

  /// The settings that say what is computed, with their values.
  public var computedEntries: [(key: String, value: String)] {
    entries.filter { !Self.computationSettings.contains($0.key) && !Self.placeSettings.contains($0.key) }
  }

  /// Every setting with its value, for sentences: `patch [2, 4], channels 384, …`.
  public var text: String { entries.map { "\($0.key) \($0.value)" }.joined(separator: ", ") }

  /// A setting whose value no configuration file could give it.
  public var impossibleKey: String? {
    Self.fields.first { (try? Self.init(parsing: fieldLines($0, of: self, comments: false))) == nil }?.name
  }

  public func isEqual(to other: any ModelSettings) -> Bool { (other as? Self) == self }
}
