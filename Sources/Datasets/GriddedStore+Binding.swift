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

    /// Whether a field with times is taken for one without.
    let isFixed: Bool
    /// Level of a field that has no level dimension.
    let scalarLevel: ScalarLevels.Level?
    /// hPa; empty without levels.
    public let levelsHPa: [Double]

    public var isStatic: Bool { time == nil || isFixed }
    public var hasLevels: Bool { !levelsHPa.isEmpty }
    /// Times at which a field that is taken for a static one is stored.
    var fixedTimes: Int { time.map { array.shape[$0] } ?? 1 }
  }

  /// Finds `name` by `rename` (the user's word), by our name, by known aliases. Nil when it isn't here.
  ///
  /// - Parameters:
  ///   - asStatic: takes a field with times, as archives deliver masks and orography, for a static one.
  ///   - keepsUnits: leaves values as they are where their units don't fit the variable, and refuses numbers that can't be
  ///     unpacked only when they are read.
  /// - Throws: also when the store has the variable under two names.
  public func bind(
    _ name: String, rename: [String: String] = [:], asStatic: Bool = false, keepsUnits: Bool = false
  ) throws -> Binding? {
    guard let array = try array(of: name, rename: rename, asStatic: asStatic) else { return nil }
    let place = "\(store.location): \(array.name)"
    let names = array.dimensionNames
    guard let latitude = names.firstIndex(of: axes.latitude), let longitude = names.firstIndex(of: axes.longitude)
    else {
      throw JigsawError(
        place, "is not a field on the grid", expected: "dimensions \(axes.latitude) and \(axes.longitude)",
        found: names.joined(separator: ", "))
    }
    let time = axes.time.flatMap { names.firstIndex(of: $0) }
    let level = axes.level.flatMap { names.firstIndex(of: $0) }
    let member = axes.member.flatMap { names.firstIndex(of: $0) }
    try checkDimensions(array, name, known: [latitude, longitude, time, level, member].compactMap { $0 })
    let scalar =
      level == nil
      ? try scalarLevels.level(of: array, name, isStatic: time == nil || asStatic, in: store) : nil
    let conversion = try conversion(of: array, to: name, keepsUnits: keepsUnits)
    let packing = Result { try store.packing(of: array) }
    var refusal: JigsawError?
    if case .failure(let error as JigsawError) = packing {
      if !keepsUnits { throw error }
      refusal = error
    }
    let levels: [Double] = if case .pressure(let hPa)? = scalar { [hPa] } else { level == nil ? [] : levelsHPa }
    return Binding(
      variable: Lexicon.variable(name), array: array, conversion: conversion, storedUnits: array.units,
      packing: try refusal == nil ? packing.get() : .plain, refusal: refusal, time: time, level: level, member: member,
      latitude: latitude, longitude: longitude, isFixed: asStatic, scalarLevel: scalar, levelsHPa: levels)
  }

  /// The one array that holds a variable.
  private func array(of name: String, rename: [String: String], asStatic: Bool) throws -> ArrayInfo? {
    if let wanted = rename[name] { return try store.info(wanted) }
    let variable = Lexicon.variable(name)
    let found = ([name] + variable.aliases).compactMap { store.arrays[$0] }
    let fields = found.filter(isField)
    if fields.count > 1 {
      throw Lexicon.isThereTwice(name, store.location, fields.map(\.name))
    }
    if found.isEmpty, asStatic, let shared = variable.sharedName.flatMap({ store.arrays[$0] }), isField(shared),
      axes.level.map({ !shared.dimensionNames.contains($0) }) ?? true
    {
      return shared
    }
    if found.isEmpty {
      let named = store.arrays.values.filter { array in
        Lexicon.find(array.name) == nil && isField(array)
          && Lexicon.find(standardNameOf: array, place(of: array))?.name == name
      }.sorted { $0.name < $1.name }
      if named.count > 1 { throw Lexicon.isThereTwice(name, store.location, named.map(\.name)) }
      return named.first
    }
    return fields.first ?? found[0]
  }

  /// Where a field lies.
  func place(of array: ArrayInfo) -> Lexicon.VerticalPlace { scalarLevels.place(of: array, dimension: axes.level) }

  private func checkDimensions(_ array: ArrayInfo, _ name: String, known: [Int]) throws {
    let place = "\(store.location): \(array.name)"
    // A single level of a model is not the surface.
    for index in array.dimensions.indices
    where !known.contains(index)
      && (array.shape[index] != 1 || Lexicon.isOnLevels(name) && isModelLevel(array.dimensions[index].name))
    {
      throw StoreAxes.misfit(array.dimensions[index], in: store, place)
    }
  }

  /// From stored units to those of a variable.
  private func conversion(of array: ArrayInfo, to name: String, keepsUnits: Bool) throws -> UnitConversion {
    guard let units = array.units, let variable = Lexicon[name] else { return .none }
    if let found = UnitConversion(from: units, to: variable.units) { return found }
    if keepsUnits { return .none }
    throw JigsawError(
      "\(store.location): \(array.name)", "has units that don't fit \(name) (\(variable.longName))",
      expected: "'\(variable.units)'", found: "'\(units)'",
      remedy: "correct the units, or name the right variable under data.sources.names")
  }

  private func isModelLevel(_ dimension: String) -> Bool {
    store.arrays[dimension].map(StoreAxes.isModelLevel) ?? false
  }

  /// The stored index of a level.
  public func levelIndex(_ levelHPa: Double, of binding: Binding) throws -> Int {
    if let index = binding.levelsHPa.firstIndex(where: { abs($0 - levelHPa) < 1e-3 }) { return index }
    throw JigsawError(
      "\(store.location): \(binding.array.name)", "has no level \(Channel.text(levelHPa)) hPa",
      found: binding.levelsHPa.map { Channel.text($0) }.joined(separator: ", "),
      remedy: "choose data.levels among these")
  }

  /// Runs of times that are stored together.
  func storedTimes(_ binding: Binding) -> DateRuns {
    DateRuns(count: times.count, together: binding.time.flatMap { binding.array.chunks?[$0] } ?? 1)
  }
}
