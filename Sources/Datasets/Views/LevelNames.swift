import Basics
import Stores

/// Pressure levels in names: `z_500`, as Anemoi names variables. A number at the end of a name may mean something else too (`swvl_1`,
/// `surface_01`), so names are asked only where metadata say nothing, and believed for
///  - variables that the lexicon has on levels, at any pressure;
///  - unknown names of which there are several, all at common pressures, not only high up.
enum LevelNames {
  /// hPa: those of ERA5, and of most archives.
  private static let common: Set<Double> = [
    1, 2, 3, 5, 7, 10, 20, 30, 50, 70, 100, 125, 150, 175, 200, 225, 250, 300, 350, 400, 450, 500, 550, 600, 650, 700,
    750, 775, 800, 825, 850, 875, 900, 925, 950, 975, 1000,
  ]
  private static let highest = 1_100.0

  /// The parts before and after the last "_", if that is a number.
  static func split(_ name: String) -> (stem: String, number: Double)? {
    guard let underscore = name.lastIndex(of: "_"), let number = Double(name[name.index(after: underscore)...]) else {
      return nil
    }
    return (String(name[..<underscore]), number)
  }

  /// The arrays that the user's names give to the levels of a variable, `t_850: ta850`, descending in pressure.
  /// - Throws: when they also give one for all levels.
  static func arrays(of name: String, _ rename: [String: String]) throws -> [(levelHPa: Double, array: String)] {
    guard Lexicon.isOnLevels(name) else { return [] }
    let given = rename.compactMap { key, array -> (levelHPa: Double, array: String)? in
      guard let (stem, level) = split(key), stem == name else { return nil }
      return (level, array)
    }.sorted { $0.levelHPa > $1.levelHPa }
    guard let whole = rename[name], !given.isEmpty else { return given }
    throw JigsawError(
      "data.sources.names", "gives \(name) and levels of it", expected: "one array for all levels, or one for each",
      found: "\(whole) and \(given.map(\.array).joined(separator: ", "))", remedy: "remove one of them")
  }

  /// The refusal of an array that does not lie where the user's names say.
  static func isElsewhere(_ array: String, _ name: String, _ levelHPa: Double, _ found: String, _ location: String)
    -> JigsawError
  {
    JigsawError(
      "\(location): \(array)", "is not what data.sources.names says it is",
      expected: "\(name) at \(Channel.text(levelHPa)) hPa", found: found, remedy: "correct data.sources.names")
  }

  /// Whether GRIB's metadata say that an array lies on another kind of level than pressures, so that a number in its name is none.
  static func isElsewhere(_ array: ArrayInfo) -> Bool {
    array.attributes["GRIB_typeOfLevel"]?.text.map { $0 != "isobaricInhPa" } ?? false
  }

  /// The variables of a store, with levels where names tell them.
  static func applied(to variables: [ViewVariable]) -> [ViewVariable] {
    let named = variables.map { variable -> (stem: String, number: Double)? in
      guard variable.parameter == nil, variable.levelHPa == nil, let found = split(variable.name),
        variable.name == Channel(variable: found.stem, levelHPa: found.number).name
      else { return nil }
      return found
    }
    let numbers = Dictionary(grouping: named.compactMap { $0 }, by: \.stem).mapValues { $0.map(\.number) }
    let stems = numbers.filter { stem, numbers in
      if let known = Lexicon.find(stem) { return Lexicon.isOnLevels(known.name) }
      return numbers.count > 1 && numbers.allSatisfy(common.contains) && numbers.contains { $0 >= 100 }
    }
    return zip(variables, named).map { variable, named in
      guard let named, stems[named.stem] != nil, named.number > 0, named.number <= highest else { return variable }
      var changed = variable
      changed.levelHPa = named.number
      return changed
    }
  }
}

extension ViewVariable {
  /// The name without its level, and the level in hPa.
  var stemAndLevel: (stem: String, level: Double?) {
    guard let levelHPa else { return (name, nil) }
    if let named = LevelNames.split(name), named.number == levelHPa { return (named.stem, levelHPa) }
    return (parameter ?? name, levelHPa)
  }
}
