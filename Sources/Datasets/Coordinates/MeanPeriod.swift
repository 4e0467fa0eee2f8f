import Basics
import Stores

/// The period over which each value of a field is a mean: what its cell methods and the bounds of its times say (CF 1.11, §7.1
/// and §7.3).
struct MeanPeriod {
  /// The same for all times.
  let seconds: Double

  /// Why the period over which a mean rate adds up to an amount is not certain.
  struct Doubt: Error { let text: String }

  /// - Parameters:
  ///   - time: the dimension of times.
  ///   - times: as the store gives them, without bounds.
  /// - Throws: `Doubt`.
  init(of array: ArrayInfo, time: String?, times: [Timestamp], in store: any ArrayStore) throws {
    guard let time, array.dimensionNames.contains(time), let coordinate = store.arrays[time] else {
      throw Doubt(text: "no times of its own")
    }
    let methods = array.attributes["cell_methods"]?.text ?? ""
    guard MeanPeriod.method(of: time, in: methods) == "mean" else {
      throw Doubt(text: methods.isEmpty ? "no cell_methods" : "cell_methods '\(methods)'")
    }
    guard let name = coordinate.attributes["bounds"]?.text, let bounds = store.arrays[name],
      bounds.shape == [times.count, 2]
    else { throw Doubt(text: "no bounds of '\(time)'") }
    let ends: [[Timestamp]]
    do { ends = try MeanPeriod.timestamps(bounds, like: coordinate, store) } catch {
      throw Doubt(text: "bounds of '\(time)' that can't be read")
    }
    guard let first = ends.first else { throw Doubt(text: "no times") }
    let length = first[1].seconds - first[0].seconds
    guard length > 0, ends.allSatisfy({ $0[1].seconds - $0[0].seconds == length }) else {
      throw Doubt(text: "bounds of '\(time)' of several lengths")
    }
    guard zip(ends, times).allSatisfy({ $0[1] == $1 }) else {
      throw Doubt(text: "times that are not the ends of their bounds")
    }
    seconds = Double(length)
  }

  /// - Throws: when bounds say that amounts are not those of the period that ends at their times, or of another length than the
  ///   variable's.
  static func requireSums(
    _ array: ArrayInfo, _ variable: Variable, time: String?, times: [Timestamp], in store: any ArrayStore
  ) throws {
    guard Lexicon.isAmount(variable.name) || LexiconTable.sumHours[variable.name] != nil,
      let time, array.dimensionNames.contains(time), let coordinate = store.arrays[time],
      let bounds = coordinate.attributes["bounds"]?.text.flatMap({ store.arrays[$0] }),
      bounds.shape == [times.count, 2],
      !times.isEmpty
    else { return }
    let ends = try timestamps(bounds, like: coordinate, store)
    func refusal(_ expected: String, _ found: [Timestamp]) -> JigsawError {
      JigsawError(
        "\(store.location): \(array.name)",
        "are amounts over other periods than \(variable.name) (\(variable.longName))",
        expected: expected, found: "\(found[0].display) to \(found[1].display) by \(bounds.name)",
        remedy: "give each amount the time at which its period ends")
    }
    for (pair, time) in zip(ends, times) where pair[1] != time {
      throw refusal("periods that end at \(time.display) and the other times", pair)
    }
    if let hours = LexiconTable.sumHours[variable.name],
      let other = ends.first(where: { $0[1].seconds - $0[0].seconds != Int64(hours) * 3_600 })
    {
      throw refusal("periods of \(hours) h", other)
    }
  }

  /// The pairs of a time's bounds, which have its units and calendar unless they say others.
  static func timestamps(
    _ bounds: ArrayInfo, like coordinate: ArrayInfo, _ store: any ArrayStore
  ) throws -> [[Timestamp]] {
    func text(_ key: String) -> String? { (bounds.attributes[key] ?? coordinate.attributes[key])?.text }
    let place = "\(store.location): \(bounds.name)"
    let cf = try CFTime(units: text("units") ?? "", calendar: text("calendar"), place: place)
    let values = try GriddedStore.coordinate(store, bounds.name).doubles
    return try stride(from: 0, to: values.count, by: 2).map { start in
      try values[start..<start + 2].map { try cf.timestamp($0) }
    }
  }

  /// The method of a dimension: "mean" of `time` in "area: time: mean (interval: 1 hour)". Nil where there is none, and for methods
  /// that hold for parts of cells or of periods ("where land", "over years").
  static func method(of dimension: String, in text: String) -> String? {
    var depth = 0
    let outside = text.filter { character in
      if character == "(" { depth += 1 }
      defer { if character == ")" { depth -= 1 } }
      return depth == 0
    }
    let words = outside.split(whereSeparator: \.isWhitespace)
    if words.contains(where: { ["where", "over", "within"].contains($0) }) { return nil }
    guard let place = words.lastIndex(where: { $0 == "\(dimension):" }) else { return nil }
    return words[place...].first { !$0.hasSuffix(":") }.map(String.init)
  }
}

extension UnitConversion {
  /// From a mean rate over a period to the amount that adds up in it: kg m⁻² s⁻¹ to m of water. Nil where the units are not those
  /// of a rate of what the variable is an amount of.
  init?(rate stored: String, to variable: Variable, over period: MeanPeriod) {
    guard let conversion = UnitConversion(from: stored, to: "\(variable.units) s-1"), conversion.offset == 0 else {
      return nil
    }
    self.init(factor: conversion.factor * period.seconds, offset: 0)
  }
}
