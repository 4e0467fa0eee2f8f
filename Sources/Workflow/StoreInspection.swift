import Basics
import Datasets
import Stores

/// `jigsaw data inspect`: what a store holds and how it is understood.
public enum StoreInspection {
  /// A tree like that of `ncdump -h`: dimensions, variables with chunks, codecs and sizes, attributes; then grid, times, levels,
  /// known variables and every change that reading makes.
  public static func text(_ path: String) throws -> String {
    try expand(path).flatMap { file in
      let store = try openStore(file)
      return ["\(file)  \(store.format)"] + tree(store).map { "  \($0)" } + understood(store).map { "  \($0)" }
    }.joined(separator: "\n")
  }

  // MARK: The tree

  private static func tree(_ store: any ArrayStore) -> [String] {
    var sizes: [String: Int] = [:]
    for array in store.arrays.values {
      for dimension in array.dimensions { sizes[dimension.name] = dimension.size }
    }
    var lines = ["dimensions:"] + sizes.keys.sorted().map { "  \($0) = \(sizes[$0] ?? 0)" } + ["variables:"]
    for array in store.arrays.values.sorted(by: { $0.name < $1.name }) {
      let dimensions = array.dimensions.map { "\($0.name) \($0.size)" }.joined(separator: ", ")
      let bytes = array.count * array.type.byteCount
      lines.append(
        "  \(array.name)(\(dimensions))  \(array.type.rawValue)  \(InspectWorkflow.size(bytes))"
          + (array.chunks.map { "  chunks \($0)" } ?? "  contiguous") + "  \(array.codec)")
      lines += attributes(array.attributes).map { "    \($0)" }
    }
    return lines + ["attributes:"] + attributes(store.attributes).map { "  \($0)" }
  }

  private static func attributes(_ attributes: [String: AttributeValue]) -> [String] {
    attributes.sorted { $0.key < $1.key }.map { ":\($0) = \(text($1))" }
  }

  private static func text(_ value: AttributeValue) -> String {
    let whole: String
    switch value {
    case .text(let text): whole = text
    case .texts(let texts): whole = texts.joined(separator: ", ")
    case .numbers(let numbers):
      whole = numbers.map { Int(exactly: $0).map(String.init) ?? String($0) }.joined(separator: ", ")
    case .json(let json): whole = (try? json.text(pretty: false)) ?? ""
    }
    // Recipes and provenance fill pages.
    let line = whole.split(whereSeparator: \.isNewline).joined(separator: " ")
    return line.count > 240 ? "\(line.prefix(240))… (\(whole.utf8.count) bytes)" : line
  }

  // MARK: What is understood

  private static func understood(_ store: any ArrayStore) -> [String] {
    do {
      if AnemoiDataset.isOne(store) { return ["Anemoi dataset"] + view(try AnemoiDataset(store)) }
      if let points = try PointFields(store) { return view(points) + points.notes.map { "note: \($0)" } }
      return try fields(GriddedStore(store))
    } catch {
      return ["not usable as fields: \(error)"]
    }
  }

  private static func times(_ times: [Timestamp]) -> [String] {
    guard let first = times.first, let last = times.last else { return ["times: none"] }
    let steps = Set(zip(times, times.dropFirst()).map { $1.seconds - $0.seconds }).sorted()
    let every =
      steps.count <= 1
      ? "every \(duration(steps.first ?? 0))" : "steps of \(steps.map(duration).joined(separator: ", ")) (gaps)"
    return ["times: \(times.count) from \(first.display) to \(last.display), \(every)"]
  }

  private static func duration(_ seconds: Int64) -> String {
    seconds % 3_600 == 0 ? "\(seconds / 3_600) h" : "\(seconds / 60) min"
  }

  private static func fields(_ gridded: GriddedStore) throws -> [String] {
    var lines = ["grid: \(gridded.grid.summary)\(gridded.grid.isGlobal ? ", global" : ", limited area")"]
    if !gridded.times.isEmpty { lines += times(gridded.times) }
    if gridded.memberCount > 1 { lines.append("members: \(gridded.memberCount)") }
    if !gridded.levelsHPa.isEmpty {
      lines.append("levels: \(gridded.levelsHPa.map { Channel.text($0) }.joined(separator: ", ")) hPa")
    }
    var count = 0
    for binding in try Lexicon.variables.compactMap({ try gridded.bind($0.name) }) {
      let conversion = binding.conversion == .none ? "" : ", converted from \(binding.storedUnits ?? "?")"
      lines.append(
        "\(binding.variable.name) = \(binding.array.name): \(binding.variable.longName), "
          + "\(binding.variable.units)\(conversion)\(binding.storedUnits == nil ? " (assumed: the store gives no units)" : "")"
          + (binding.isStatic ? ", static" : ""))
      if !binding.isStatic { count += binding.hasLevels ? gridded.levelsHPa.count : 1 }
    }
    if count > 0 { lines.append(sample(count, gridded.grid.count, "known fields")) }
    return lines + gridded.normalizations.map { "note: \($0)" }
  }

  /// A state of so many fields in memory.
  private static func sample(_ fields: Int, _ points: Int, _ what: String) -> String {
    "sample: \(fields) \(what) of \(points) points, \(InspectWorkflow.size(fields * points * 4)) in FP32"
  }

  private static func view(_ dataset: any FieldView) -> [String] {
    var lines = ["points: \(dataset.points.summary); \(dataset.memberCount) member(s)"]
    if let grid = dataset.points.regular()?.grid {
      lines.append("grid: \(grid.summary)\(grid.isGlobal ? ", global" : ", limited area")")
    } else {
      lines.append("grid: not regular; regrid it for WeatherMixer (docs/data.md)")
    }
    lines += times(dataset.dates)
    let missing = dataset.missing.sorted().map { dataset.dates[$0].display }
    if !missing.isEmpty {
      lines.append(
        "missing dates: \(missing.count): \(missing.prefix(10).joined(separator: ", "))\(missing.count > 10 ? ", …" : "")"
      )
    }
    let reading = ViewReading(dataset)
    var rows = [["variable", "read as", "unit", "mean", "stdev", "minimum", "maximum", "changes over", ""]]
    for (variable, field) in zip(dataset.variables, reading.fields) {
      let s = variable.statistics
      var remarks = variable.isComputedForcing ? ["computed"] : variable.isConstantInTime ? ["constant"] : []
      if let conversion = field?.conversion { remarks.append("converted from \(conversion.from) to \(conversion.to)") }
      if field?.hasWrongUnits == true { remarks.append("unusable: its unit doesn't fit") }
      rows.append(
        [variable.name, field?.name ?? "–", variable.units ?? "?"]
          + [s?.mean, s?.deviation, s?.minimum, s?.maximum].map { $0.map { significant($0) } ?? "–" }
          + [variable.tendencies.keys.sorted().map { "\($0) h" }.joined(separator: ", ")]
          + [remarks.joined(separator: ", ")])
    }
    lines += InspectWorkflow.table(rows).split(separator: "\n").map(String.init)
    lines.append(sample(dataset.variables.count, dataset.points.count * dataset.memberCount, "variables"))
    return lines + reading.notes.map { "note: \($0)" }
  }
}
