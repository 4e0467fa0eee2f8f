import Basics
import Stores

/// How variables of ours are found in a store.
extension GriddedStore {
  /// A variable of ours found in this store.
  public struct Binding: Sendable {
    public let variable: Variable
    public let array: ArrayInfo
    public let conversion: UnitConversion
    public let storedUnits: String?
    let packing: CFPacking
    /// Why the stored numbers can't be unpacked; thrown when they are read.
    let refusal: JigsawError?
    /// Dimension numbers.
    let time, level, member: Int?
    let latitude, longitude: Int

    public var isStatic: Bool { time == nil }
    public var hasLevels: Bool { level != nil }
  }

  /// Finds `name` by `rename` (the user's word), by our name, by known aliases. Nil when it isn't here.
  ///
  /// - Parameters:
  ///   - asStatic: takes a field with a single time, as archives deliver masks and orography, for a static one.
  ///   - keepsUnits: leaves values as they are where their units don't fit the variable, and refuses numbers that can't be
  ///     unpacked only when they are read.
  public func bind(
    _ name: String, rename: [String: String] = [:], asStatic: Bool = false, keepsUnits: Bool = false
  ) throws -> Binding? {
    let variable = Lexicon.variable(name)
    let candidates = rename[name].map { [$0] } ?? [name] + variable.aliases
    guard let array = candidates.lazy.compactMap({ store.arrays[$0] }).first else {
      if let wanted = rename[name] { _ = try store.info(wanted) }
      return nil
    }
    let place = "\(store.location): \(array.name)"
    let names = array.dimensionNames
    guard let latitude = names.firstIndex(of: axes.latitude), let longitude = names.firstIndex(of: axes.longitude)
    else {
      throw JigsawError(
        place, "is not a field on the grid", expected: "dimensions \(axes.latitude) and \(axes.longitude)",
        found: names.joined(separator: ", "))
    }
    var time = axes.time.flatMap { names.firstIndex(of: $0) }
    if asStatic, let dimension = time, array.shape[dimension] == 1 { time = nil }
    let level = axes.level.flatMap { names.firstIndex(of: $0) }
    let member = axes.member.flatMap { names.firstIndex(of: $0) }
    let known = [latitude, longitude, time, level, member].compactMap { $0 }
    for index in names.indices where !known.contains(index) && array.shape[index] != 1 {
      throw StoreAxes.misfit(array.dimensions[index], in: store, place)
    }
    // A single level of a model is not the surface.
    if Lexicon.isOnLevels(name),
      let model = names.first(where: { !known.contains(names.firstIndex(of: $0) ?? -1) && isModelLevel($0) }),
      let index = names.firstIndex(of: model)
    {
      throw StoreAxes.misfit(array.dimensions[index], in: store, place)
    }
    if level == nil, Lexicon.isOnLevels(variable.name), let scalar = scalarPressure(of: array) {
      throw JigsawError(
        place, "lies on the single level of its coordinate '\(scalar)', which has no dimension",
        expected: "a dimension of levels", found: names.joined(separator: ", "),
        remedy:
          "give it one, for example with xarray's expand_dims('\(scalar)'), then join the files of several levels into one with concat"
      )
    }
    let units = array.units
    var conversion = UnitConversion.none
    if let units, Lexicon[name] != nil {
      let found = UnitConversion(from: units, to: variable.units)
      guard let found = found ?? (keepsUnits ? UnitConversion.none : nil) else {
        throw JigsawError(
          place, "has units that don't fit \(name) (\(variable.longName))", expected: "'\(variable.units)'",
          found: "'\(units)'", remedy: "correct the units, or name the right variable under data.sources.names")
      }
      conversion = found
    }
    let packing = Result { try store.packing(of: array) }
    var refusal: JigsawError?
    if case .failure(let error as JigsawError) = packing {
      if !keepsUnits { throw error }
      refusal = error
    }
    return Binding(
      variable: variable, array: array, conversion: conversion, storedUnits: units,
      packing: try refusal == nil ? packing.get() : .plain, refusal: refusal, time: time, level: level, member: member,
      latitude: latitude,
      longitude: longitude)
  }

  /// The coordinate without dimensions that says on which pressure a variable lies, if there is one.
  private func scalarPressure(of array: ArrayInfo) -> String? {
    let named = [array.attributes["coordinates"], store.attributes["coordinates"]].compactMap { $0?.text }
      .flatMap { $0.split(whereSeparator: \.isWhitespace).map(String.init) }
    return store.arrays.values.sorted { $0.name < $1.name }.first { candidate in
      guard candidate.shape.isEmpty else { return false }
      if candidate.attributes["standard_name"]?.text == "air_pressure" { return true }
      let isPressure = candidate.units.map { UnitConversion(from: $0, to: "hPa") != nil } ?? false
      return isPressure && named.contains(candidate.name)
    }?.name
  }

  private func isModelLevel(_ dimension: String) -> Bool {
    store.arrays[dimension].map(StoreAxes.isModelLevel) ?? false
  }

  /// The stored index of a level.
  public func levelIndex(_ levelHPa: Double, of binding: Binding) throws -> Int {
    if let index = levelsHPa.firstIndex(where: { abs($0 - levelHPa) < 1e-3 }) { return index }
    throw JigsawError(
      "\(store.location): \(binding.array.name)", "has no level \(Channel.text(levelHPa)) hPa",
      found: levelsHPa.map { Channel.text($0) }.joined(separator: ", "), remedy: "choose data.levels among these")
  }

  /// Runs of times that are stored together.
  func storedTimes(_ binding: Binding) -> DateRuns {
    DateRuns(count: times.count, together: binding.time.flatMap { binding.array.chunks?[$0] } ?? 1)
  }
}
