import Basics
import Stores

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
  /// CF standard names that serve as well.
  public let otherStandardNames: [String]

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

  /// ECMWF's short name where that is another variable's own, too: among static fields without levels `z` is the
  /// geopotential of the surface.
  var sharedName: String? { ecmwf.map(\.shortName).flatMap { $0 != name && Lexicon[$0] != nil ? $0 : nil } }
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
        name: name, longName: name, units: "1", standardName: nil, ecmwf: nil, weatherBench: nil, others: [],
        otherStandardNames: [])
  }

  /// The variable that has this name anywhere: ours, ECMWF's, WeatherBench 2's, another's.
  public static func find(_ name: String) -> Variable? { byAnyName[name] }

  /// The variable that an array of this name holds. Nil also when its units measure something else: then the name means another thing
  /// there.
  static func find(_ name: String, units: String?) -> Variable? {
    guard let found = find(name) else { return nil }
    return units.map { UnitConversion(from: $0, to: found.units) != nil } ?? true ? found : nil
  }

  /// The variables that arrays of one store hold, by their names and units, or by their CF standard names where the lexicon
  /// doesn't know the name. Arrays that would be the same variable keep their own names (nil).
  ///
  /// Several that hold a level each are one variable.
  ///
  /// - Parameter place: the level of an array: on pressure levels, or the height of a single one.
  static func names(of arrays: [ArrayInfo], place: (ArrayInfo) throws -> VerticalPlace) rethrows -> [Variable?] {
    let places = try arrays.map(place)
    let found = zip(arrays, places).map { array, place in
      find(array.name) == nil ? find(meaningOf: array, place) : find(array.name, units: array.units)
    }
    let together = Dictionary(
      grouping: zip(found, places).compactMap { variable, place in variable.map { ($0.name, place) } }, by: \.0
    ).mapValues { areApart($0.map(\.1)) }
    return found.map { variable in variable.flatMap { together[$0.name] == true ? $0 : nil } }
  }

  /// Where a field lies, as far as its store says: on a dimension of pressures, at one, at a height.
  enum VerticalPlace { case pressureLevels, pressure(hPa: Double), height(metres: Double), unsaid }

  /// Whether fields of one variable don't lie in the same place: there is one, or each has a pressure of its own.
  static func areApart(_ places: [VerticalPlace]) -> Bool {
    if places.count == 1 { return true }
    let pressures = places.compactMap { if case .pressure(let hPa) = $0 { hPa } else { nil } }
    return Set(pressures).count == places.count
  }

  private static let byStandardName = Dictionary(
    grouping: variables.flatMap { variable in
      ([variable.standardName].compactMap { $0 } + variable.otherStandardNames).map { ($0, variable) }
    }, by: \.0
  ).mapValues { $0.map(\.1) }

  /// The variables with a CF standard name; nil where there is none.
  static func variables(standardName: String) -> [Variable]? { byStandardName[standardName] }

  /// The one variable that an array means whose name isn't known: by GRIB's number of it, which stays where releases of ecCodes
  /// change short names, or by its standard name.
  static func find(meaningOf array: ArrayInfo, _ place: VerticalPlace) -> Variable? {
    guard array.attributes["GRIB_shortName"]?.text == array.name,
      let number = array.attributes["GRIB_paramId"]?.number.flatMap({ Int(exactly: $0) }),
      let found = find(paramId: number), !(periodStatistic(of: array).map { isOther($0, than: found) } ?? false),
      array.units.map({ UnitConversion(from: $0, to: found.units) != nil }) ?? true
    else { return find(standardNameOf: array, place) }
    if !isOnLevels(found.name) { return found }
    switch place {
    case .pressureLevels, .pressure: return found
    case .height, .unsaid: return find(standardNameOf: array, place)
    }
  }

  /// Numbers of parameters to which ecCodes gives the standard name of another quantity: 3066, depth of snow, that of its water.
  private static let misnamedParameters: Set<Double> = [3066]

  /// The one variable that an array's standard name, place and units mean. Extremes over a period are none.
  private static func find(standardNameOf array: ArrayInfo, _ place: VerticalPlace) -> Variable? {
    guard let standard = array.attributes["standard_name"]?.text, let named = byStandardName[standard],
      array.attributes["GRIB_paramId"]?.number.map({ !misnamedParameters.contains($0) }) ?? true
    else { return nil }
    let ofSurface = named.filter { !isOnLevels($0.name) }
    if periodStatistic(of: array) != nil { return nil }
    let fitting = named.filter { variable in
      if let units = array.units, UnitConversion(from: units, to: variable.units) == nil { return false }
      switch place {
      case .pressureLevels, .pressure: return isOnLevels(variable.name)
      case .height(let metres):
        // A variable that has no height, of a standard name that is no other's.
        return LexiconTable.heights[variable.name].map { $0 == metres } ?? (named.count == 1 && ofSurface.count == 1)
      case .unsaid:
        return ofSurface.count == 1 && !isOnLevels(variable.name)
          && (named.count == 1 || LexiconTable.heights[variable.name] == nil)
      }
    }
    return fitting.count == 1 ? fitting[0] : nil
  }

  /// Why a variable that a store has under several names is not taken from one of them.
  static func isThereTwice(_ name: String, _ location: String, _ names: [String]) -> JigsawError {
    JigsawError(
      "\(location): \(name)", "is present under several names", expected: "one array that holds it",
      found: names.joined(separator: " and "),
      remedy: "say which one is meant, with data.sources.names: {\(name): \(names[0])}")
  }

  /// Whether a variable is one of those that lie on pressure levels.
  static func isOnLevels(_ name: String) -> Bool { namesOnLevels.contains(name) }

  /// The least value that a variable can have, in its units; nil where it can be negative, or nothing is known.
  public static func lowerBound(_ name: String) -> Double? { LexiconTable.nonNegative.contains(name) ? 0 : nil }

  /// Whether a variable is an amount over a period, of one sign: how long that is, stores don't say.
  public static func isAmount(_ name: String) -> Bool { LexiconTable.amounts.contains(name) }

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
