import Basics

/// A physical variable as everything here calls it.
public struct Variable: Sendable, Hashable {
  /// Our name: ECMWF's short name, or `t2m` instead of `2t` where that begins with a digit.
  public let name: String
  public let longName: String
  /// UDUNITS form, for example "m2 s-2".
  public let units: String
  /// CF standard name, if there is one.
  public let standardName: String?
  /// In ECMWF's parameter database, which GRIB files and Anemoi datasets go by.
  public let ecmwf: ECMWF?
  /// In WeatherBench 2's ERA5 stores and the Climate Data Store.
  public let weatherBench: String?
  /// Elsewhere: NCEP, CMIP, older files.
  public let others: [String]

  public struct ECMWF: Sendable, Hashable {
    public let shortName: String
    public let paramId: Int
  }

  /// All other names under which stores have it. ECMWF calls the geopotential of the surface `z` too: such a name stands for the
  /// variable whose own it is.
  public var aliases: [String] {
    ([ecmwf?.shortName, weatherBench].compactMap { $0 } + others).reduce(into: []) { names, alias in
      if alias != name && Lexicon[alias] == nil && !names.contains(alias) { names.append(alias) }
    }
  }
}

/// The variables that are known by name.
public enum Lexicon {
  public static let variables = LexiconTable.rows

  private static let byName = Dictionary(uniqueKeysWithValues: variables.map { ($0.name, $0) })
  /// By any name; each stands for one variable alone.
  private static let byAnyName = Dictionary(
    variables.flatMap { variable in ([variable.name] + variable.aliases).map { ($0, variable) } },
    uniquingKeysWith: { first, _ in first })
  private static let namesOnLevels = Set(LexiconTable.onLevels.map(\.name))
  private static let byParamId = Dictionary(
    variables.compactMap { variable in variable.ecmwf.map { ($0.paramId, variable) } },
    uniquingKeysWith: { first, _ in first })

  public static subscript(name: String) -> Variable? { byName[name] }

  /// The variable called `name`, or one without metadata for a name that is not known.
  public static func variable(_ name: String) -> Variable {
    byName[name]
      ?? Variable(
        name: name, longName: name, units: "1", standardName: nil, ecmwf: nil, weatherBench: nil, others: [])
  }

  /// The variable that has this name anywhere: ours, ECMWF's, WeatherBench 2's, another's.
  public static func find(_ name: String) -> Variable? { byAnyName[name] }

  /// The variable that an array of this name holds. Nil also when its units measure something else: then the name means another thing
  /// there.
  static func find(_ name: String, units: String?) -> Variable? {
    guard let found = find(name) else { return nil }
    return units.map { UnitConversion(from: $0, to: found.units) != nil } ?? true ? found : nil
  }

  /// Whether a variable is one of those that lie on pressure levels.
  static func isOnLevels(_ name: String) -> Bool { namesOnLevels.contains(name) }

  /// The least value that a variable can have, in its units; nil where it can be negative, or nothing is known.
  public static func lowerBound(_ name: String) -> Double? { LexiconTable.nonNegative.contains(name) ? 0 : nil }

  /// By ECMWF's number; 129 is `z`, not `zs`.
  public static func find(paramId: Int) -> Variable? { byParamId[paramId] }
}

/// One field of a sample: a variable, on a pressure level if it has levels.
public struct Channel: Sendable, Hashable, Codable, CustomStringConvertible {
  public let variable: String
  /// hPa; nil at the surface.
  public let levelHPa: Double?

  public init(variable: String, levelHPa: Double? = nil) {
    self.variable = variable
    self.levelHPa = levelHPa
  }

  /// `z_500`, `t2m`: level and variable stay apart, since `u10` is the wind at 10 m and `u_10` that at 10 hPa.
  public var name: String { levelHPa.map { "\(variable)_\(Channel.text($0))" } ?? variable }
  public var description: String { name }

  /// "500", "0.5".
  public static func text(_ levelHPa: Double) -> String {
    Int(exactly: levelHPa).map(String.init) ?? String(levelHPa)
  }
}
