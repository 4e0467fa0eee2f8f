import Basics
import Stores

/// Variables that a store has level by level, an array for each: `ta850`, `z500`, `t_850`.
extension GriddedStore {
  /// The arrays of a variable, by `names: {t_850: ta850, t_500: ta500}` or as `bind` finds them: one, or one for each level where
  /// standard names and scalar coordinates of pressure say that they hold one each. Empty when it isn't here.
  ///
  /// - Throws: also when arrays say other levels than the names given for them.
  func bindings(_ name: String, rename: [String: String], asStatic: Bool) throws -> [Binding] {
    let given = try LevelNames.arrays(of: name, rename)
    let bindings =
      try given.isEmpty
      ? arrays(of: name, rename: rename, asStatic: asStatic).map {
        try bind($0, to: name, asStatic: asStatic, keepsUnits: false)
      }
      // Each file of a pattern may have some of the levels.
      : given.filter { store.arrays[$0.array] != nil }.map { level, array in
        try bind(array, asLevel: level, of: name, asStatic: asStatic)
      }
    if let other = bindings.first(where: { $0.isStatic != bindings[0].isStatic }) {
      throw JigsawError(
        "\(store.location): \(other.array.name)",
        "has \(other.isStatic ? "no " : "")times, unlike "
          + bindings[0].array.name, remedy: "give all levels of \(name) the same dimensions")
    }
    return bindings
  }

  private func bind(_ array: String, asLevel levelHPa: Double, of name: String, asStatic: Bool) throws -> Binding {
    var binding = try bind(store.info(array), to: name, asStatic: asStatic, keepsUnits: false)
    let found: String? =
      switch binding.scalarLevel {
      case .pressure(let hPa)?: abs(hPa - levelHPa) < 1e-3 ? nil : "\(Channel.text(hPa)) hPa"
      case .other(let coordinate, let found)?: "\(coordinate): \(found)"
      case .height(let metres)?: "\(Channel.text(metres)) m"
      case nil: binding.level == nil ? nil : "a dimension of \(counted(binding.levelsHPa.count, "level"))"
      }
    if let found { throw LevelNames.isElsewhere(array, name, levelHPa, found, store.location) }
    binding.levelsHPa = [levelHPa]
    return binding
  }
}
