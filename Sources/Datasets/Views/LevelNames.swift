import Basics

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

  /// What comes before and after the last "_", if that is a number.
  static func split(_ name: String) -> (stem: String, number: Double)? {
    guard let underscore = name.lastIndex(of: "_"), let number = Double(name[name.index(after: underscore)...]) else {
      return nil
    }
    return (String(name[..<underscore]), number)
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
