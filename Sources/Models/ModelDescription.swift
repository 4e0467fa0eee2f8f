import Basics
import Tensors

/// Everything that defines a model's computation, as stored in checkpoints: enough to build it again.
public struct ModelDescription: Sendable, Hashable {
  public var settings: any ModelSettings
  public var fields: ModelFields

  public init(_ settings: any ModelSettings, _ fields: ModelFields) {
    self.settings = settings
    self.fields = fields
  }

  /// How its fields are cut into tokens.
  /// - Throws: when the settings don't fit the grid.
  public func tiling() throws -> Tiling { try settings.tiling(fields) }

  /// The model itself.
  public func makeModel() throws -> any ForecastModel { try settings.makeModel(fields) }

  /// The key of a damaged manifest that contradicts others, if any.
  public var contradiction: String? {
    let sizes = 1...1_000_000
    // Points are rows.
    guard (1...1 << 26).contains(fields.gridRows), sizes.contains(fields.gridColumns) else { return "grid" }
    guard sizes.contains(fields.variables), (0..<sizes.upperBound).contains(fields.auxiliaries) else { return "model" }
    if let key = settings.impossibleKey { return "model.\(key)" }
    guard fields.tendencyScale.count == fields.variables else { return "model.tendencyScale" }
    let steps = fields.inputSteps
    guard steps.last == 0, steps.count <= 1_000, zip(steps, steps.dropFirst()).allSatisfy({ $0 < $1 }),
      steps.allSatisfy({ $0 >= -1_000 })
    else { return "model.inputSteps" }
    guard fields.diagnostics.allSatisfy({ (0..<fields.variables).contains($0) }),
      fields.diagnostics.count < fields.variables
    else { return "model.diagnostics" }
    guard (try? tiling()) != nil else { return "model.patch" }
    return nil
  }

  public static func == (a: ModelDescription, b: ModelDescription) -> Bool {
    a.fields == b.fields && a.settings.isEqual(to: b.settings)
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(fields)
    settings.hash(into: &hasher)
  }
}

extension ModelDescription: Codable {
  private enum Key: String, CodingKey {
    case family, settings, gridRows, gridColumns, variables, auxiliaries, tendencyScale, inputSteps, diagnostics
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(settings.family, forKey: .family)
    try container.encode(settings, forKey: .settings)
    try container.encode(fields.gridRows, forKey: .gridRows)
    try container.encode(fields.gridColumns, forKey: .gridColumns)
    try container.encode(fields.variables, forKey: .variables)
    try container.encode(fields.auxiliaries, forKey: .auxiliaries)
    try container.encode(fields.tendencyScale, forKey: .tendencyScale)
    if fields.inputSteps != [0] { try container.encode(fields.inputSteps, forKey: .inputSteps) }
    if !fields.diagnostics.isEmpty { try container.encode(fields.diagnostics.sorted(), forKey: .diagnostics) }
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    let variables = try container.decode(Int.self, forKey: .variables)
    func fields(_ tendencyScale: [Float]) throws -> ModelFields {
      var fields = ModelFields(
        gridRows: try container.decode(Int.self, forKey: .gridRows),
        gridColumns: try container.decode(Int.self, forKey: .gridColumns), variables: variables,
        auxiliaries: try container.decode(Int.self, forKey: .auxiliaries), tendencyScale: tendencyScale)
      fields.inputSteps = try container.decodeIfPresent([Int].self, forKey: .inputSteps) ?? [0]
      fields.diagnostics = Set(try container.decodeIfPresent([Int].self, forKey: .diagnostics) ?? [])
      return fields
    }
    guard let family = try container.decodeIfPresent(String.self, forKey: .family) else {
      // Checkpoints that name no family hold the only one there was.
      let stored = try WeatherMixerSettings.Unnamed(from: decoder)
      self.init(stored.settings, try fields(stored.tendencyScale(variables: variables)))
      return
    }
    guard let type = ModelFamilies.named(family) else {
      throw UnknownModelFamily(name: family)
    }
    self.init(
      try container.decode(StoredSettings.self, forKey: .settings).settings(type),
      try fields(container.decode([Float].self, forKey: .tendencyScale)))
  }
}

/// A checkpoint is of a family that this version doesn't have.
public struct UnknownModelFamily: Error {
  public let name: String
}
