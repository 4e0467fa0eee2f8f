/// How the fields of a view are read, for `data inspect`.
public struct ViewReading: Sendable {
  /// For each of the view's variables, what it is to us; nil where its name means nothing.
  public let fields: [Field?]
  /// Sentences on how the points are reordered, if they are a regular grid.
  public let notes: [String]

  public struct Field: Sendable, Equatable {
    /// Our name, with the level: `z_500`.
    public let name: String
    /// The units between which values are converted; nil if they stay as they are.
    public let conversion: Conversion?
    /// Whether the units are none that the variable can have: an error where it is wanted.
    public let hasWrongUnits: Bool
  }

  public struct Conversion: Sendable, Equatable {
    public let from, to: String
  }

  public init(_ view: any FieldView) {
    fields = view.variables.map { ViewReading.field($0) }
    notes = view.points.regular().flatMap { GriddedView.note(of: $0.order) }.map { [$0] } ?? []
  }

  private static func field(_ variable: ViewVariable) -> Field? {
    let (stem, level) = variable.stemAndLevel
    // ECMWF calls the surface's geopotential z too: among constant fields that is what is meant.
    let surface =
      variable.isConstantInTime && level == nil
      ? Lexicon.variables.first { $0.ecmwf?.shortName == stem && $0.name != stem } : nil
    guard let known = surface ?? Lexicon.find(stem) else { return nil }
    let name = Channel(variable: known.name, levelHPa: level).name
    guard let units = variable.units else { return Field(name: name, conversion: nil, hasWrongUnits: false) }
    guard let conversion = UnitConversion(from: units, to: known.units) else {
      return Field(name: name, conversion: nil, hasWrongUnits: true)
    }
    let from = variable.storedUnits ?? (conversion == .none ? nil : units)
    return Field(name: name, conversion: from.map { Conversion(from: $0, to: known.units) }, hasWrongUnits: false)
  }
}
