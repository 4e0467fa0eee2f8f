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
    var refusal: JigsawError?
    /// Dimension numbers.
    let time, level, member: Int?
    let latitude, longitude: Int

    /// Whether a field with times is taken for one without.
    let isFixed: Bool
    /// Level of a field that has no level dimension.
    let scalarLevel: ScalarLevels.Level?
    /// hPa; empty without levels.
    public internal(set) var levelsHPa: [Double]
    /// A sentence on changes of the stored values beside that of units.
    var remark: String?

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
    let arrays = try arrays(of: name, rename: rename, asStatic: asStatic)
    if arrays.count > 1 { throw Lexicon.isThereTwice(name, store.location, arrays.map(\.name)) }
    return try arrays.first.map { try bind($0, to: name, asStatic: asStatic, keepsUnits: keepsUnits) }
  }

  /// An array that holds a variable.
  func bind(_ array: ArrayInfo, to name: String, asStatic: Bool, keepsUnits: Bool) throws -> Binding {
    let place = "\(store.location): \(array.name)"
    let names = array.dimensionNames
    guard let latitude = names.firstIndex(of: axes.latitude), let longitude = names.firstIndex(of: axes.longitude)
    else {
      throw JigsawError(
        place, "is not a field on the grid", expected: "dimensions \(axes.latitude) and \(axes.longitude)",
        found: names.joined(separator: ", "),
        remedy: array.name.contains("/") && store.format.hasPrefix("Zarr")
          ? "name its group as a source of its own: \(store.location)/\(Files.parent(of: array.name))" : nil)
    }
    let time = axes.time.flatMap { names.firstIndex(of: $0) }
    let levelDimension = axes.level(of: array)
    let level = levelDimension.flatMap { names.firstIndex(of: $0) }
    let ownLevels = levelDimension.flatMap { axes.levels[$0] } ?? []
    let member = axes.member.flatMap { names.firstIndex(of: $0) }
    try checkDimensions(array, name, known: [latitude, longitude, time, level, member].compactMap { $0 })
    let lengths: [(Int?, Int)] = [
      (latitude, storedRows), (longitude, storedColumns), (time, times.count), (level, ownLevels.count),
    ]
    for case (let dimension?, let length) in lengths where array.shape[dimension] != length {
      throw JigsawError(
        place, "has another length along '\(names[dimension])' than its coordinate", expected: "\(length)",
        found: "\(array.shape[dimension])", remedy: "the store was not written completely; write it again")
    }
    let scalar =
      level == nil
      ? try scalarLevels.level(of: array, name, isStatic: time == nil || asStatic, in: store) : nil
    let (conversion, remark) = try conversion(of: array, to: name, keepsUnits: keepsUnits)
    let packing = Result { try store.packing(of: array) }
    var refusal: JigsawError?
    if remark == nil {
      do {
        try MeanPeriod.requireSums(array, Lexicon.variable(name), time: axes.time, times: times, in: store)
      } catch let error as JigsawError {
        if !keepsUnits { throw error }
        refusal = error
      }
    }
    if case .failure(let error as JigsawError) = packing {
      if !keepsUnits { throw error }
      refusal = error
    }
    let levels: [Double] = if case .pressure(let hPa)? = scalar { [hPa] } else { ownLevels }
    return Binding(
      variable: Lexicon.variable(name), array: array, conversion: conversion, storedUnits: array.units,
      packing: try refusal == nil ? packing.get() : .plain, refusal: refusal, time: time, level: level, member: member,
      latitude: latitude, longitude: longitude, isFixed: asStatic, scalarLevel: scalar, levelsHPa: levels,
      remark: remark)
  }

  /// The array that holds a variable, or those that hold a level of it each.
  func arrays(of name: String, rename: [String: String], asStatic: Bool) throws -> [ArrayInfo] {
    if let wanted = rename[name] { return [try store.info(wanted)] }
    let variable = Lexicon.variable(name)
    let found = ([name] + variable.aliases).compactMap { store.arrays[$0] }
    let fields = found.filter(isField)
    let doubts = fields.map { Lexicon.contradiction(of: $0, to: variable, place(of: $0), in: store) }
    let sound = zip(fields, doubts).filter { $1 == nil }.map(\.0)
    if sound.isEmpty, let array = fields.first, let doubt = doubts[0] {
      throw Lexicon.contradicts(array, variable, doubt, store.location, at: place(of: array))
    }
    if sound.count > 1 { return try levels(sound, of: name) }
    if let only = sound.first {
      if let refusal = Lexicon.otherNumber(of: only, among: store.arrays.values.lazy.filter(isField), store.location) {
        throw refusal
      }
      return [only]
    }
    if found.isEmpty, asStatic, let shared = variable.sharedName.flatMap({ store.arrays[$0] }), isField(shared),
      axes.level(of: shared) == nil
    {
      return [shared]
    }
    if found.isEmpty {
      let named = store.arrays.values.filter { array in
        Lexicon.find(array.name) == nil && isField(array)
          && Lexicon.find(meaningOf: array, place(of: array))?.name == name
      }.sorted { $0.name < $1.name }
      return try named.isEmpty ? meanRates(of: name) : levels(named, of: name)
    }
    return [found[0]]
  }

  /// - Throws: unless these arrays are one, or hold a level each.
  private func levels(_ arrays: [ArrayInfo], of name: String) throws -> [ArrayInfo] {
    guard Lexicon.areApart(arrays.map(place)) else {
      throw Lexicon.isThereTwice(name, store.location, arrays.map(\.name))
    }
    return arrays
  }

  /// The array of mean rates that add up to a variable, where the period is certain.
  private func meanRates(of name: String) throws -> [ArrayInfo] {
    guard let rate = LexiconTable.meanRates[name].flatMap({ Lexicon[$0] }) else { return [] }
    let rates = store.arrays.values.filter { array in
      isField(array)
        && (Lexicon.find(array.name) ?? Lexicon.find(meaningOf: array, place(of: array)))?.name == rate.name
    }
    guard rates.count == 1, let units = rates[0].units else { return [] }
    do { return try sum(of: rates[0], units, Lexicon.variable(name)) == nil ? [] : rates } catch is MeanPeriod.Doubt {
      return []
    }
  }

  /// From mean rates to amounts, and what is to be said of that; nil where the units are not those of such rates.
  /// - Throws: `MeanPeriod.Doubt`.
  private func sum(of array: ArrayInfo, _ units: String, _ variable: Variable) throws -> (UnitConversion, String)? {
    guard LexiconTable.meanRates[variable.name] != nil, UnitConversion(from: units, to: "\(variable.units) s-1") != nil
    else { return nil }
    let period = try MeanPeriod(of: array, time: axes.time, times: times, in: store)
    let hours = Channel.text(period.seconds / 3_600)
    if let wanted = LexiconTable.sumHours[variable.name], Double(wanted) * 3_600 != period.seconds {
      throw MeanPeriod.Doubt(text: "means over \(hours) h")
    }
    return UnitConversion(rate: units, to: variable, over: period).map {
      ($0, "means over \(hours) h of \(array.name) are added up over these")
    }
  }

  /// Where a field lies.
  func place(of array: ArrayInfo) -> Lexicon.VerticalPlace {
    scalarLevels.place(of: array, dimension: axes.level(of: array))
  }

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

  /// From stored units to those of a variable, and what more is to be said of it.
  private func conversion(
    of array: ArrayInfo, to name: String, keepsUnits: Bool
  ) throws -> (UnitConversion, remark: String?) {
    guard let units = array.units, let variable = Lexicon[name] else { return (.none, nil) }
    if let found = UnitConversion(from: units, to: variable.units) { return (found, nil) }
    if keepsUnits { return (.none, nil) }
    var doubt: String?
    do {
      if let (conversion, remark) = try sum(of: array, units, variable) { return (conversion, remark) }
    } catch let found as MeanPeriod.Doubt { doubt = found.text }
    throw JigsawError(
      "\(store.location): \(array.name)", "has units that don't fit \(name) (\(variable.longName))",
      expected: doubt == nil
        ? "'\(variable.units)'"
        : "'\(variable.units)', or rates with cell_methods 'time: mean' and bounds that end at their times",
      found: "'\(units)'\(doubt.map { " with \($0)" } ?? "")",
      remedy: "correct the units, or name the right variable under data.sources.names")
  }

  private func isModelLevel(_ dimension: String) -> Bool {
    store.arrays[dimension].map { StoreAxes.isModelLevel($0, in: store) } ?? false
  }

  /// The stored index of a level.
  public func levelIndex(_ levelHPa: Double, of binding: Binding) throws -> Int {
    try levelIndex(levelHPa, among: binding.levelsHPa, array: binding.array.name)
  }

  func levelIndex(_ levelHPa: Double, among levelsHPa: [Double], array: String) throws -> Int {
    if let index = levelsHPa.firstIndex(where: { abs($0 - levelHPa) < 1e-3 }) { return index }
    throw JigsawError(
      "\(store.location): \(array)", "has no level \(Channel.text(levelHPa)) hPa",
      found: levelsHPa.map { Channel.text($0) }.joined(separator: ", "), remedy: "choose data.levels among these")
  }

  /// Runs of times that are stored together.
  func storedTimes(_ binding: Binding) -> DateRuns {
    DateRuns(count: times.count, together: binding.time.flatMap { binding.array.chunks?[$0] } ?? 1)
  }
}
