import Basics

/// How variables of ours are found in a view.
extension GriddedView {
  func find(_ name: String, rename: [String: String], asStatic: Bool) throws -> FoundVariable? {
    let known = Lexicon.variable(name)
    let given = try LevelNames.arrays(of: name, rename)
    if !given.isEmpty { return try find(given, of: known, asStatic: asStatic) }
    let wanted = try rename[name].map { try require($0, for: name) }
    let own = [name] + known.aliases
    var found = (wanted.map { [$0] } ?? own).compactMap { choose($0, asStatic: asStatic) }
    if found.isEmpty, asStatic, rename[name] == nil, let shared = known.sharedName {
      found = [choose(shared, asStatic: true)].compactMap { $0 }.filter { !$0.isOnLevels }
    }
    guard let chosen = found.first else { return nil }
    if found.count > 1 {
      throw Lexicon.isThereTwice(name, location, found.compactMap { $0.variables.first.map { variables[$0].name } })
    }
    let slots = Dictionary(
      chosen.variables.map { (chosen.isOnLevels ? variables[$0].stemAndLevel.level ?? 0 : 0, $0) },
      uniquingKeysWith: { first, _ in first })
    return try describe(known, chosen, slots, asStatic: asStatic)
  }

  /// Variables that the user's names give to levels; nil where the view has none of them.
  private func find(_ given: [(levelHPa: Double, array: String)], of known: Variable, asStatic: Bool) throws
    -> FoundVariable?
  {
    var slots: [Double: Int] = [:]
    for (level, array) in given {
      let called = variables.indices.filter { variables[$0].name == array || variables[$0].storedName == array }
      guard let index = called.first else { continue }
      if let other = variables[index].levelHPa, called.count > 1 || abs(other - level) >= 1e-3 {
        let found = called.count > 1 ? counted(called.count, "level") : "\(Channel.text(other)) hPa"
        throw LevelNames.isElsewhere(array, known.name, level, found, location)
      }
      slots[level] = index
    }
    if slots.isEmpty { return nil }
    let ordered = slots.sorted { $0.key > $1.key }.map(\.value)
    return try describe(known, Chosen(variables: ordered, isOnLevels: true), slots, asStatic: asStatic)
  }

  private func describe(_ known: Variable, _ chosen: Chosen, _ slots: [Double: Int], asStatic: Bool) throws
    -> FoundVariable
  {
    let first = variables[chosen.variables[0]]
    var variable = FoundVariable(
      variable: known, storedName: first.name, dimensionNames: ["dates", "variables", "ensembles", "values"],
      levelsHPa: chosen.isOnLevels ? slots.keys.sorted() : [], isStatic: asStatic, storedUnits: first.units,
      conversion: try conversion(chosen.variables, to: known), handle: .variables(slots))
    variable.viewNote = chosen.variables.compactMap { note(of: variables[$0], as: known) }.first
    variable.periodSeconds = first.periodSeconds
    variable.meaning = first.meaning
    variable.storedTimeCount = asStatic && !first.isConstantInTime ? max(1, times.count) : 1
    return variable
  }

  /// How a view understood the units of its store.
  private func note(of variable: ViewVariable, as known: Variable) -> String? {
    let units = variable.units ?? known.units
    if variable.hasAssumedUnits { return "\(known.name) is assumed to be in \(units): the store gives no units" }
    return variable.storedUnits.map { "\(known.name) converted from \($0) to \(units)" }
  }

  func elsewhere(_ names: [String]) -> ElsewhereArray? { (view as? PointFields)?.elsewhere(names) }

  /// Variables of one name: one, or several levels.
  private struct Chosen {
    let variables: [Int]
    let isOnLevels: Bool
  }

  private func choose(_ candidate: String, asStatic: Bool) -> Chosen? {
    let exact = variables.indices.filter { variables[$0].name == candidate }
    let ofLevels = variables.indices.filter {
      variables[$0].stemAndLevel.level != nil && variables[$0].stemAndLevel.stem == candidate
    }
    // A name that has levels means these; a field of the same name at the surface is another variable.
    let takesLevels = exact.isEmpty || !asStatic && !ofLevels.isEmpty
    let chosen = takesLevels ? ofLevels : exact
    return chosen.isEmpty ? nil : Chosen(variables: chosen, isOnLevels: takesLevels)
  }

  /// The view's name of the variable that the user named, by the view's name or by that of the store's array.
  /// - Throws: when there is none.
  private func require(_ wanted: String, for name: String) throws -> String {
    if variables.contains(where: { $0.name == wanted || $0.stemAndLevel.stem == wanted }) { return wanted }
    let stored = Set(variables.filter { $0.storedName == wanted }.map(\.stemAndLevel.stem))
    if let only = stored.first, stored.count == 1 { return only }
    let there = names
    throw JigsawError(
      "\(location): names.\(name)", "there is no variable '\(wanted)'", found: there.joined(separator: ", "),
      remedy: nearest(to: wanted, among: there).map { "did you mean '\($0)'?" })
  }

  /// - Throws: when units don't fit the variable, or differ among its levels.
  private func conversion(_ chosen: [Int], to known: Variable) throws -> UnitConversion {
    if Lexicon[known.name] == nil { return .none }
    let conversions = try chosen.map { index -> UnitConversion in
      guard let units = variables[index].units else { return .none }
      if let conversion = UnitConversion(from: units, to: known.units) { return conversion }
      throw JigsawError(
        "\(location): \(variables[index].name)", "has units that don't fit \(known.name) (\(known.longName))",
        expected: "'\(known.units)'", found: "'\(units)'", remedy: "add rescale, or name the right variable")
    }
    if let other = conversions.firstIndex(where: { $0 != conversions[0] }) {
      let (first, second) = (variables[chosen[0]], variables[chosen[other]])
      throw JigsawError(
        "\(location): \(second.name)", "has other units than \(first.name)", expected: first.units ?? "none",
        found: second.units ?? "none", remedy: "add rescale")
    }
    return conversions.first ?? .none
  }
}
