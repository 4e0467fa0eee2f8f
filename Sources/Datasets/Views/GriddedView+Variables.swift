import Basics

/// How variables of ours are found in a view.
extension GriddedView {
  func find(_ name: String, rename: [String: String], asStatic: Bool) throws -> FoundVariable? {
    let known = Lexicon.variable(name)
    if let wanted = rename[name] { try require(wanted, for: name) }
    let own = [name] + known.aliases
    var found = (rename[name].map { [$0] } ?? own).compactMap { choose($0, asStatic: asStatic) }
    if found.isEmpty, asStatic, rename[name] == nil, let shared = known.sharedName {
      found = [choose(shared, asStatic: true)].compactMap { $0 }.filter { !$0.isOnLevels }
    }
    guard let chosen = found.first else { return nil }
    if found.count > 1 {
      throw Lexicon.isThereTwice(name, location, found.compactMap { $0.variables.first.map { variables[$0].name } })
    }
    let first = variables[chosen.variables[0]]
    let slots = Dictionary(
      chosen.variables.map { (chosen.isOnLevels ? variables[$0].stemAndLevel.level ?? 0 : 0, $0) },
      uniquingKeysWith: { first, _ in first })
    var variable = FoundVariable(
      variable: known, storedName: first.name, dimensionNames: ["dates", "variables", "ensembles", "values"],
      levelsHPa: chosen.isOnLevels ? slots.keys.sorted() : [], isStatic: asStatic, storedUnits: first.units,
      conversion: try conversion(chosen.variables, to: known), handle: .variables(slots))
    variable.storedTimeCount = asStatic && !first.isConstantInTime ? max(1, times.count) : 1
    return variable
  }

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

  /// - Throws: when the view has nothing of the name that the user gave for a variable.
  private func require(_ wanted: String, for name: String) throws {
    if variables.contains(where: { $0.name == wanted || $0.stemAndLevel.stem == wanted }) { return }
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
