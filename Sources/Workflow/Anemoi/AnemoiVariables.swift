import Basics
import Datasets

/// The variables of a checkpoint of Anemoi as those of a run: which are predicted, read or computed, in our names and order.
struct AnemoiVariables {
  /// A variable of the checkpoint's dataset.
  struct Variable {
    /// Its place in the dataset.
    let index: Int
    let channel: Channel
    let units: String
    let scaling: AffineScaling
  }

  /// Predicted ones by variable, then level; and forcings that are read at every time.
  private(set) var predicted: [Variable] = []
  private(set) var read: [Variable] = []
  private(set) var statics: [Variable] = []
  private(set) var computed: [(variable: Variable, forcing: Forcing)] = []
  /// Places among `predicted` of those that are never read.
  private(set) var diagnostics: [Int] = []
  private(set) var levels: [Double] = []
  /// By column of the model's inputs and of its prediction, as `ImportedOrders` has them.
  private(set) var inputOrder: [Int] = []
  private(set) var outputOrder: [Int] = []
  private let path: String
  private let metadata: JSONValue

  /// - Throws: naming a variable that a run can't have.
  init(_ checkpoint: AnemoiCheckpoint, _ reader: AnemoiModelReader) throws {
    path = checkpoint.path
    metadata = checkpoint.metadata["dataset"]?[checkpoint.dataset]?["variables_metadata"] ?? .object([:])
    let (factors, addends) = (try reader.normalizer("pre", "mul"), try reader.normalizer("pre", "add"))
    let (inputs, outputs) = try reader.datasetColumns()
    guard try factors == reader.normalizer("post", "mul"), try addends == reader.normalizer("post", "add") else {
      throw JigsawError(path, "normalises its predictions otherwise than its inputs, which no run does")
    }
    func variable(_ index: Int) throws -> Variable {
      try self.variable(
        checkpoint.variables[index], index, factor: Double(factors[index]), addend: Double(addends[index]))
    }
    predicted = try inOrder(try outputs.map(variable))
    diagnostics = predicted.indices.filter { !inputs.contains(predicted[$0].index) }
    try requireWholeDiagnostics(checkpoint.variables)
    var forcings: [Variable] = []
    for index in inputs where !outputs.contains(index) {
      let (name, found) = (checkpoint.variables[index], try variable(index))
      // A forcing that is computed here is computed, whatever the metadata say or lack.
      if metadata[name]?["computed_forcing"] == .bool(true) || Forcing(rawValue: name) != nil {
        guard let forcing = Forcing(rawValue: name) else {
          throw JigsawError(
            "\(path): \(name)", "is a forcing that is not computed here",
            expected: Forcing.allCases.map(\.rawValue).joined(separator: ", "))
        }
        computed.append((found, forcing))
      } else if metadata[name]?["constant_in_time"] == .bool(true), found.channel.levelHPa == nil {
        statics.append(found)
      } else {
        forcings.append(found)
      }
    }
    read = try inOrder(forcings)
    let prognostic = predicted.indices.filter { !diagnostics.contains($0) }.map { predicted[$0].index }
    let own = prognostic + statics.map(\.index) + computed.map(\.variable.index) + read.map(\.index)
    inputOrder = try inputs.map { try place($0, in: own) }
    outputOrder = try outputs.map { try place($0, in: predicted.map(\.index)) }
  }

  /// A run names its diagnostic variables without levels.
  private func requireWholeDiagnostics(_ names: [String]) throws {
    let read = predicted.indices.filter { !diagnostics.contains($0) }.map { predicted[$0] }
    for variable in diagnostics.map({ predicted[$0] }) {
      let others = read.filter { $0.channel.variable == variable.channel.variable }
      if others.isEmpty { continue }
      throw JigsawError(
        "\(path): \(names[variable.index])", "is diagnostic, and other levels of it are not, as no run's fields are",
        expected: "all levels diagnostic, or none",
        found: "prognostic \(others.map { names[$0.index] }.joined(separator: ", "))")
    }
  }

  private func place(_ index: Int, in own: [Int]) throws -> Int {
    if let place = own.firstIndex(of: index) { return place }
    throw JigsawError(path, "has a variable that is neither predicted nor a forcing", found: "number \(index)")
  }

  private func variable(_ name: String, _ index: Int, factor: Double, addend: Double) throws -> Variable {
    let facts = metadata[name]
    let mars = facts?["mars"]
    var (stem, level): (String, Double?) = (mars?["param"]?.string ?? name, nil)
    let isOnLevel = mars?["levtype"]?.string == "pl"
    if isOnLevel, let found = mars?["levelist"]?.double ?? mars?["levelist"]?.string.flatMap(Double.init) {
      level = found
    } else if mars == nil || isOnLevel, let underscore = name.lastIndex(of: "_"),
      let number = Double(name[name.index(after: underscore)...]), number > 0, number <= 1_100
    {
      (stem, level) = (String(name[..<underscore]), number)
    } else {
      stem = name
    }
    let known = Lexicon.find(stem)
    let stored = (facts?["units"] ?? mars?["units"])?.string
    var conversion = UnitConversion.none
    if let known, let stored, Forcing(rawValue: name) == nil {
      guard let found = UnitConversion(from: stored, to: known.units) else {
        throw JigsawError(
          "\(path): \(name)", "is in units that can't be converted to ours", expected: known.units, found: stored)
      }
      conversion = found
    }
    let scaling = AffineScaling(factor: factor, addend: addend, conversion)
    guard scaling.isUsable else {
      throw JigsawError(
        "\(path): \(name)", "is normalised with numbers that can't be computed with",
        found: "\(significant(factor)) and \(significant(addend))")
    }
    return Variable(
      index: index, channel: Channel(variable: known?.name ?? stem, levelHPa: level),
      units: known?.units ?? stored ?? "1", scaling: scaling)
  }

  /// By variable in the order of their first level, each with the same levels.
  private mutating func inOrder(_ variables: [Variable]) throws -> [Variable] {
    var names: [String] = []
    for variable in variables where !names.contains(variable.channel.variable) {
      names.append(variable.channel.variable)
    }
    return try names.flatMap { name -> [Variable] in
      let own = variables.filter { $0.channel.variable == name }
      let found = own.compactMap(\.channel.levelHPa)
      if found.isEmpty && own.count == 1 { return own }
      if levels.isEmpty { levels = found }
      guard found.count == own.count, found.sorted() == levels.sorted() else {
        throw JigsawError(
          "\(path): \(name)", "is on other levels than other variables, which no run's fields are",
          expected: levels.map { Channel.text($0) }.joined(separator: ", "),
          found: found.map { Channel.text($0) }.joined(separator: ", "))
      }
      return try levels.map { level in
        guard let variable = own.first(where: { $0.channel.levelHPa == level }) else {
          throw JigsawError("\(path): \(name)", "lacks the level \(Channel.text(level)) hPa")
        }
        return variable
      }
    }
  }
}
