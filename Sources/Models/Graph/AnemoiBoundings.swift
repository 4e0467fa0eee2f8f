import Basics

extension GraphModelDescription.Bounding {
  /// Reads the `bounding` list of a model's configuration.
  ///
  /// - Parameters:
  ///   - outputs: the model's output columns by variable.
  ///   - variables: all of the dataset, in the order of `statistics`.
  ///   - statistics: `mean`, `stdev`, `minimum`, `maximum`.
  ///   - limits: normalised limits that are known, by the bounding's place in the list and their number.
  public static func list(
    anemoi list: JSONValue, outputs: JSONValue, variables: [String], statistics: JSONValue, place: String,
    limits: ((Int, Int) throws -> [Float])? = nil
  ) throws -> [Self] {
    guard let entries = list.array else {
      throw JigsawError("\(place): model.bounding", "is not a list", found: list.line)
    }
    return try entries.enumerated().map { index, entry in
      let reader = BoundingReader(
        entry: entry, outputs: outputs, variables: variables, statistics: statistics,
        place: "\(place): model.bounding[\(index)]", known: limits.map { limits in { try limits(index, $0) } })
      return try reader.bounding()
    }
  }
}

private struct BoundingReader {
  let entry: JSONValue
  let outputs: JSONValue
  let variables: [String]
  let statistics: JSONValue
  let place: String
  let known: ((Int) throws -> [Float])?

  func bounding() throws -> GraphModelDescription.Bounding {
    guard let name = entry["_target_"]?.string?.split(separator: ".").last else {
      throw JigsawError(place, "has no _target_")
    }
    guard let listed = entry["variables"]?.strings else {
      throw JigsawError(place, "has no list of variables", found: entry["variables"]?.line ?? "nothing")
    }
    // anemoi-models takes each variable once, but for normalised limits, whose gradients it would add up.
    var known: Set<String> = []
    let names = listed.filter { known.insert($0).inserted }
    if names.count < listed.count, name.hasPrefix("Normalized") {
      throw JigsawError(place, "names a variable twice", found: listed.joined(separator: ", "))
    }
    let columns = try names.map(column)
    let isLeaky = name.contains("Leaky")
    func clampSlope() -> Float { isLeaky ? 0.01 : 0 }
    switch name {
    case "ReluBounding", "LeakyReluBounding":
      return .init(columns, .floor(least: names.map { _ in 0 }, slope: isLeaky ? 0.01 : 0))
    case "NormalizedReluBounding", "NormalizedLeakyReluBounding":
      return .init(columns, .floor(least: try normalizedLimits(names), slope: isLeaky ? 0.01 : 0))
    case "HardtanhBounding", "LeakyHardtanhBounding":
      return .init(
        columns, .clamp(least: try number("min_val"), most: try number("max_val"), slope: clampSlope()))
    case "FractionBounding", "LeakyFractionBounding":
      if let total = entry["total_var"]?.string, names.contains(total) {
        throw JigsawError(place, "limits '\(total)' as a fraction of itself")
      }
      return .init(
        columns,
        .fraction(
          least: try number("min_val"), most: try number("max_val"), slope: clampSlope(),
          of: try column(entry["total_var"]?.string ?? "")))
    default:
      throw JigsawError(
        place, "is of an unknown kind",
        expected: "ReluBounding, NormalizedReluBounding, HardtanhBounding, FractionBounding or their leaky forms",
        found: String(name))
    }
  }

  private func column(_ name: String) throws -> Int {
    guard let column = outputs[name]?.integer, (0..<(outputs.object?.count ?? 0)).contains(column) else {
      throw JigsawError(place, "limits '\(name)', which is not among the model's outputs")
    }
    return column
  }

  private func number(_ key: String) throws -> Float {
    guard let value = entry[key]?.double else { throw JigsawError(place, "has no number \(key)") }
    return Float(value)
  }

  /// The limits in normalised units.
  private func normalizedLimits(_ names: [String]) throws -> [Float] {
    if let known { return try known(names.count) }
    guard let limits = entry["min_val"]?.array?.compactMap(\.double), let kinds = entry["normalizer"]?.strings,
      limits.count == names.count, kinds.count == names.count
    else { throw JigsawError(place, "needs one min_val and one normalizer for each variable") }
    return try names.indices.map { index in
      func statistic(_ key: String) throws -> Double {
        guard let position = variables.firstIndex(of: names[index]),
          let values = statistics[key]?.array, position < values.count, let value = values[position].double
        else { throw JigsawError(place, "needs the \(key) of '\(names[index])', which is not there") }
        return value
      }
      let limit = limits[index]
      switch kinds[index] {
      case "mean-std": return Float(try (limit - statistic("mean")) / statistic("stdev"))
      case "std": return Float(try limit / statistic("stdev"))
      case "min-max":
        let least = try statistic("minimum")
        return Float(try (limit - least) / (statistic("maximum") - least))
      case "max": return Float(try limit / statistic("maximum"))
      default:
        throw JigsawError(
          place, "has an unknown normalizer", expected: "mean-std, std, min-max or max", found: kinds[index])
      }
    }
  }
}
