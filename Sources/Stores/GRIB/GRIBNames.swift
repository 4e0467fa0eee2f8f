/// Names for the arrays of a file, as users of cfgrib would guess them.
///
/// ECMWF's short name alone where it is clear: for pressure levels, else for the surface, mean sea level or the whole column,
/// else when it stands on a single kind of level. Parameters that may lie at any height (`t`, unlike `2t`) have it for those kinds
/// alone. What is left gets the kind of level too (`t_tropopause`), and its number where there are several
/// (`soilw_depthBelowLandLayer_10`), for parameters of any height always (`t_heightAboveGround_80`), then the way of processing where
/// that differs (`tcc_avg`), then hours, or that these are not known (`mx2t_unknownPeriod`).
enum GRIBNames {
  /// The kinds of level that own the plain name: the first that exists does.
  private static let plain = [
    GRIBProduct.pressure, "surface", "meanSea", "entireAtmosphere", "atmosphere", "atmosphereSingleLayer",
  ]

  /// Kinds of level whose number is part of what a parameter is, unless its name has that: `2t`, `mx2t`, `10u`.
  private static let numbered: Set = [
    "heightAboveGround", "heightAboveSea", "hybrid", "hybridHeight", "hybridPressure", "sigma", "eta", "theta",
    "potentialVorticity", "generalVertical", "generalVerticalLayer", "depthBelowSea",
  ]

  /// Whether a parameter lies at a level that it need not lie at. The logarithm of the surface pressure (152) is stored on a model level,
  /// and means one value of a column.
  private static func isAtSomeLevel(_ variant: GRIBVariant) -> Bool {
    if plain.contains(variant.typeOfLevel) || variant.paramId == 152 { return false }
    return GRIBVariant.ofAnyLevel.contains(variant.paramId)
      || numbered.contains(variant.typeOfLevel) && !variant.shortName.contains(where: \.isNumber)
  }

  /// - Parameter taken: names of coordinates.
  static func names(_ variants: [GRIBVariant], taken: Set<String>) -> [GRIBVariant: String] {
    var names: [GRIBVariant: String] = [:]
    var used = taken
    for (_, group) in Dictionary(grouping: variants, by: \.shortName).sorted(by: { $0.key < $1.key }) {
      let types = Set(group.map(\.typeOfLevel))
      let main = plain.first(where: types.contains) ?? (types.count == 1 ? types.first : nil)
      for variant in group.sorted(by: precedes) {
        let sameType = group.filter { $0.typeOfLevel == variant.typeOfLevel }
        let sameLevel = sameType.filter { $0.level == variant.level }
        var name = variant.shortName
        let isAtSomeLevel = isAtSomeLevel(variant)
        let hasLevels = Set(sameType.map(\.level)).count > 1 || isAtSomeLevel && variant.level != 0
        if variant.typeOfLevel != main || hasLevels || isAtSomeLevel { name += "_\(variant.typeOfLevel)" }
        if hasLevels, let level = variant.level { name += "_\(text(level))" }
        let steps = Set(sameLevel.map(\.stepType)).sorted(by: stepPrecedes)
        if variant.stepType != steps.first { name += "_\(variant.stepType)" }
        if let span = variant.spanSeconds {
          name += span == GRIBVariant.unknownSpan ? "_unknownPeriod" : "_\(text(seconds: span))"
        }
        // Parameters of different numbers may share a short name.
        if used.contains(name) { name += "_\(variant.paramId)" }
        var unique = name
        var number = 2
        while used.contains(unique) {
          unique = "\(name)_\(number)"
          number += 1
        }
        used.insert(unique)
        names[variant] = unique
      }
    }
    return names
  }

  private static func stepPrecedes(_ a: String, _ b: String) -> Bool {
    (a == "instant" ? 0 : 1, a) < (b == "instant" ? 0 : 1, b)
  }

  private static func precedes(_ a: GRIBVariant, _ b: GRIBVariant) -> Bool {
    if a.typeOfLevel != b.typeOfLevel { return a.typeOfLevel < b.typeOfLevel }
    if a.level != b.level { return (a.level ?? 0) < (b.level ?? 0) }
    if a.stepType != b.stepType { return stepPrecedes(a.stepType, b.stepType) }
    return (a.spanSeconds ?? 0, a.paramId) < (b.spanSeconds ?? 0, b.paramId)
  }

  /// "6h", "30min", "45s".
  private static func text(seconds: Int64) -> String {
    seconds % 3_600 == 0 ? "\(seconds / 3_600)h" : seconds % 60 == 0 ? "\(seconds / 60)min" : "\(seconds)s"
  }

  /// "500", "0.5".
  static func text(_ number: Double) -> String { Int(exactly: number).map(String.init) ?? String(number) }
}
