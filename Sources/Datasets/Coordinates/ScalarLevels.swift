import Basics
import Stores

/// Vertical coordinates without a dimension, as xarray's `sel(level=850)` and CMIP's `height` leave them (CF 1.11, §5.7).
struct ScalarLevels: Sendable {
  enum Level: Sendable, Equatable {
    case pressure(hPa: Double)
    case height(metres: Double)
    /// A model's, or one that nothing says to be a pressure: the coordinate's name.
    case other(String, found: String)
  }

  private struct Entry {
    let name: String
    let level: Level
    /// Whether it holds for fields that don't name it among their coordinates.
    let isOfAll: Bool

    var hPa: Double? { if case .pressure(let hPa) = level { hPa } else { nil } }
  }

  private let entries: [Entry]
  private let namedByStore: Set<String>

  init(_ store: any ArrayStore) throws {
    namedByStore = StoreAxes.words(store.attributes["coordinates"])
    let named = store.arrays.values.reduce(namedByStore) { $0.union(StoreAxes.words($1.attributes["coordinates"])) }
    entries = try store.arrays.values.sorted { $0.name < $1.name }.compactMap { array in
      let isHeight =
        array.dimensionNames == [array.name]
        && (array.attributes["standard_name"]?.text == "height" || ScalarLevels.isLevelInMetres(array))
      guard array.shape.isEmpty || array.count == 1 && (named.contains(array.name) || isHeight),
        let level = try ScalarLevels.level(array, store, isNamed: named.contains(array.name))
      else { return nil }
      return Entry(
        name: array.name, level: level,
        isOfAll: array.shape.isEmpty
          && (array.attributes["standard_name"]?.text == "air_pressure"
            || StoreAxes.pressureNames.contains(array.name))
      )
    }
  }

  /// The level of a field that has no dimension of levels; pressures before others.
  func level(of array: ArrayInfo) -> Level? {
    let named = namedByStore.union(StoreAxes.words(array.attributes["coordinates"]))
    let own = entries.filter { named.contains($0.name) && !array.dimensionNames.contains($0.name) }
    let levels = (own.isEmpty ? entries.filter(\.isOfAll) : own).map(\.level)
    let pressures = own.filter { if case .pressure = $0.level { true } else { false } }
    if pressures.count > 1, Set(pressures.compactMap(\.hPa)).count > 1 {
      return .other(
        pressures[0].name, found: "several pressures (\(pressures.map(\.name).joined(separator: ", ")))")
    }
    return levels.first { if case .pressure = $0 { true } else { false } }
      ?? levels.first { if case .other = $0 { true } else { false } } ?? levels.first
  }

  /// The scalar level of a variable; nil for variables at the surface, where it has no meaning.
  ///
  /// - Throws: when it is one of a model for a variable that lies on pressure levels.
  func level(of array: ArrayInfo, _ name: String, isStatic: Bool, in store: any ArrayStore) throws -> Level? {
    let isOnLevels = Lexicon.isOnLevels(name)
    guard isOnLevels || Lexicon[name] == nil && !isStatic, let level = level(of: array) else { return nil }
    if isOnLevels, case .other(let coordinate, _) = level, let found = store.arrays[coordinate],
      StoreAxes.isModelLevel(found, in: store)
    {
      throw StoreAxes.misfit(.init(name: coordinate, size: 1), in: store, "\(store.location): \(array.name)")
    }
    return level
  }

  /// The same in hPa.
  func pressure(of array: ArrayInfo, _ name: String, isStatic: Bool, in store: any ArrayStore) throws -> Double? {
    if case .pressure(let hPa)? = try level(of: array, name, isStatic: isStatic, in: store) { hPa } else { nil }
  }

  /// Where a field lies.
  /// - Parameter dimension: of pressure levels that it has.
  func place(of array: ArrayInfo, dimension: String?) -> Lexicon.VerticalPlace {
    if dimension != nil { return .pressureLevels }
    // An array that has the name of a variable is that one.
    if Lexicon.find(array.name) == nil, array.attributes["GRIB_typeOfLevel"]?.text == "heightAboveGround",
      let metres = array.attributes["GRIB_level"]?.number
    {
      return .height(metres: metres)
    }
    let ofDimension = entries.first { array.dimensionNames.contains($0.name) }?.level
    switch level(of: array) ?? ofDimension {
    case .pressure(let hPa)?: return .pressure(hPa: hPa)
    case .height(let metres)?: return .height(metres: metres)
    case .other?, nil: return .unsaid
    }
  }

  /// All that are pressures.
  var pressuresHPa: Set<Double> {
    Set(entries.compactMap { if case .pressure(let hPa) = $0.level { hPa } else { nil } })
  }

  /// NCEP has the 2 m of its temperatures as a level.
  private static func isLevelInMetres(_ array: ArrayInfo) -> Bool {
    array.attributes["standard_name"]?.text?.isEmpty ?? true && ["level", "lev", "zlev"].contains(array.name)
      && array.units.map { Unit($0)?.dimension == Unit("m")?.dimension } ?? false
  }

  /// Which level a coordinate says; nil when it is no vertical one.
  ///
  /// - Parameter isNamed: whether fields name it among their coordinates.
  private static func level(_ array: ArrayInfo, _ store: any ArrayStore, isNamed: Bool) throws -> Level? {
    func value() throws -> Double { try GriddedStore.coordinate(store, array.name).doubles.first ?? .nan }
    let standard = array.attributes["standard_name"]?.text ?? ""
    if standard == "height" || isLevelInMetres(array)
      || standard.isEmpty && ["height", "heightAboveGround"].contains(array.name)
    {
      let factor = UnitConversion(from: array.units ?? "m", to: "m")?.factor
      return try factor.map { .height(metres: try value() * $0) }
    }
    if StoreAxes.isModelLevel(array, in: store) {
      guard isNamed else { return nil }
      return .other(array.name, found: standard.isEmpty ? array.attributes["long_name"]?.text ?? array.name : standard)
    }
    let isPressureName = StoreAxes.pressureNames.contains(array.name)
    if StoreAxes.isPressure(array), isNamed || isPressureName || standard == "air_pressure" {
      guard let units = array.units else {
        let number = try value()
        return StoreAxes.arePressures([number])
          ? .pressure(hPa: number) : .other(array.name, found: "\(Channel.text(number)) without units")
      }
      guard let conversion = UnitConversion(from: units, to: "hPa") else {
        return .other(array.name, found: "units '\(units)'")
      }
      return .pressure(hPa: ((try value() * conversion.factor) * 1e6).rounded() / 1e6)
    }
    let isVertical =
      array.name.lowercased().hasPrefix("lev") || array.attributes["axis"]?.text == "Z"
      || array.attributes["positive"] != nil
    guard isNamed, isVertical, ["", "1", "level"].contains(array.units ?? "") else { return nil }
    return .other(array.name, found: "\(Channel.text(try value())) with nothing that says it is a pressure")
  }
}
