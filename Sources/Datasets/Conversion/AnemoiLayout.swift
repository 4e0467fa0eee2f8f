import Basics
import Stores

/// Fields as anemoi-datasets stores them (version 0.22 of its layout).
struct AnemoiLayout: StoredLayout {
  let order: [Int]
  let statisticsDates: Int
  let definition: StoreDefinition
  private let input: ConversionInput
  private let names: [String]
  private let run: Int
  private let tendencies: String

  init(_ input: ConversionInput, _ options: Conversion.Options) {
    self.input = input
    let all = input.fields.map { AnemoiLayout.name($0.channel) }
    // Sorted as text, as anemoi-datasets does, unless a view has an order of its own.
    order = input.keepsOrder ? Array(all.indices) : all.indices.sorted { all[$0] < all[$1] }
    names = order.map { all[$0] }
    let points = input.points.count
    run = (points + options.bands - 1) / options.bands
    // Statistics are those of the first 80 % of the dates, as there, so that later ones can serve to verify.
    statisticsDates = max(min(2, input.dates.count), input.dates.count * 8 / 10)
    let seconds = input.intervalSeconds
    let frequency = seconds % 3_600 == 0 ? "\(seconds / 3_600)h" : "\(seconds / 60)m"
    tendencies = "statistics_tendencies_\(frequency)_"
    definition = AnemoiLayout.define(
      input, names, order, options, run: run, frequency: frequency, tendencies: tendencies,
      statisticsDates: statisticsDates)
  }

  /// Anemoi's name of a field: ECMWF's short name, where it stands for this variable alone (not `z` for the surface's
  /// geopotential), with the level.
  private static func name(_ channel: Channel) -> String {
    let short = Lexicon.variable(channel.variable).ecmwf?.shortName
    let name = short.flatMap { Lexicon.find($0)?.name == channel.variable ? $0 : nil } ?? channel.variable
    return channel.levelHPa.map { "\(name)_\(Channel.text($0))" } ?? name
  }

  private static let statistics = ["mean", "stdev", "minimum", "maximum"]

  private static func define(
    _ input: ConversionInput, _ names: [String], _ order: [Int], _ options: Conversion.Options, run: Int,
    frequency: String, tendencies: String, statisticsDates: Int
  ) -> StoreDefinition {
    func dimension(_ name: String, _ size: Int) -> ArrayInfo.Dimension { ArrayInfo.Dimension(name: name, size: size) }
    let (dates, points) = (input.dates, input.points)
    var arrays = [
      ArrayDefinition(
        name: "data", type: .float32, dimensions: ["time", "variable", "ensemble", "cell"],
        chunks: [1, names.count, 1, run], fill: .nan, encoding: ChunkEncoding(options.compression)),
      ArrayDefinition(name: "dates", type: .int64, meaning: .date(unit: "s"), dimensions: ["time"]),
      ArrayDefinition(name: "latitudes", type: .float64, dimensions: ["cell"]),
      ArrayDefinition(name: "longitudes", type: .float64, dimensions: ["cell"]),
    ]
    for prefix in ["", tendencies] {
      arrays += statistics.map { ArrayDefinition(name: prefix + $0, type: .float64, dimensions: ["variable"]) }
    }
    func text(_ value: String) -> AttributeValue { .text(value) }
    func list(_ values: [String]) -> AttributeValue { .json(.array(values.map { .string($0) })) }
    func numbers(_ values: [Int]) -> AttributeValue { .json(.array(values.map { .integer($0) })) }
    let last = dates[dates.count - 1].description
    var attributes: [String: AttributeValue] = [
      "version": text("0.22"), "uuid": text(randomIdentifier()),
      "description": text("converted by jigsaw"), "licence": text("unknown"), "attribution": text("unknown"),
      "dimensions": list(["dates", "variables", "ensembles", "values"]),
      "shape": numbers([dates.count, names.count, 1, points.count]),
      "chunks": numbers([1, names.count, 1, run]), "dtype": text("float32"),
      "variables": list(names), "variables_metadata": .json(.object(metadata(input, names, order))),
      "constant_fields": list(order.indices.filter { input.fields[order[$0]].isConstant }.map { names[$0] }),
      "field_shape": .json(
        points.shape.map { .array([.integer($0.rows), .integer($0.columns)]) } ?? .null),
      "resolution": .json(.null), "frequency": text(frequency),
      "start_date": text(dates[0].description), "end_date": text(last),
      "last_date": text(last), "missing_dates": list(input.missing.sorted().map { dates[$0].description }),
      "statistics_start_date": text(dates[0].description),
      "statistics_end_date": text(dates[max(0, statisticsDates - 1)].description),
      "allow_nans": .json(.bool(true)), "order_by": list(["valid_datetime", "param_level", "number"]),
      "remapping": .json(.object(["param_level": .string("{param}_{levelist}")])),
      "recipe": .json(.object(["source": .string(input.origin)])), "proj_string": .json(.null),
    ]
    for (key, value) in options.attributes { attributes[key] = .text(value) }
    return StoreDefinition(
      dimensions: [
        dimension("time", dates.count), dimension("variable", names.count), dimension("ensemble", 1),
        dimension("cell", points.count),
      ], arrays: arrays, attributes: attributes, isConsolidated: false)
  }

  private static func metadata(
    _ input: ConversionInput, _ names: [String], _ order: [Int]
  ) -> [String: JSONValue] {
    let start = input.dates[0].components
    var all: [String: JSONValue] = [:]
    for (name, field) in zip(names, order.map({ input.fields[$0] })) {
      if field.isComputedForcing {
        all[name] = .object([
          "computed_forcing": .bool(true), "constant_in_time": .bool(field.isConstant), "units": .string(field.units),
        ])
        continue
      }
      let level = field.channel.levelHPa
      let param = level.map { String(name.dropLast(Channel.text($0).count + 1)) } ?? name
      var mars: [String: JSONValue] = [
        "param": .string(param), "levtype": .string(level == nil ? "sfc" : "pl"), "variable": .string(name),
        "units": .string(field.units), "step": .integer(0),
        "date": .integer(start.year * 10_000 + start.month * 100 + start.day), "time": .integer(start.hour * 100),
        "valid_datetime": .string(input.dates[0].description),
      ]
      if let level { mars["levelist"] = Int(exactly: level).map { .integer($0) } ?? .number(level) }
      var entry: [String: JSONValue] = ["mars": .object(mars), "units": .string(field.units)]
      if field.isConstant { entry["constant_in_time"] = .bool(true) }
      all[name] = .object(entry)
    }
    return all
  }

  private static func randomIdentifier() -> String {
    let digits = (0..<32).map { _ in String(Int.random(in: 0..<16), radix: 16) }.joined()
    let groups = [8, 4, 4, 4, 12]
    var rest = digits[...]
    return groups.map { count in
      defer { rest = rest.dropFirst(count) }
      return String(rest.prefix(count))
    }.joined(separator: "-")
  }

  func writeCoordinates(_ writer: any ArrayWriter) throws {
    try writer.write("dates", input.dates.map { Double($0.seconds) })
    try writer.write("latitudes", input.points.latitudes)
    try writer.write("longitudes", input.points.longitudes)
  }

  func write(_ planes: UnsafePointer<Float>, date: Int, isFirst: Bool, _ writer: any ArrayWriter) throws {
    let points = input.points.count
    for (number, start) in stride(from: 0, to: points, by: run).enumerated() {
      if writer.isWritten("data", [date, 0, 0, number]) { continue }
      let range = start..<min(points, start + run)
      try withTemporary(names.count * range.count) { values in
        for line in names.indices {
          (values + line * range.count).update(from: planes + line * points + start, count: range.count)
        }
        try writer.write(
          "data", [date..<date + 1, 0..<names.count, 0..<1, range],
          UnsafeBufferPointer(start: values, count: names.count * range.count))
      }
    }
  }

  func writeStatistics(_ totals: DatePass.Totals, _ writer: any ArrayWriter) throws {
    for (prefix, moments) in [("", totals.values), (tendencies, totals.tendencies)] {
      let empty = moments.map { $0.count == 0 }
      func column(_ value: (Moments) -> Double) -> [Double] { zip(moments, empty).map { $1 ? .nan : value($0) } }
      try writer.write(prefix + "mean", column(\.mean))
      try writer.write(prefix + "stdev", column(\.deviation))
      try writer.write(prefix + "minimum", column(\.minimum))
      try writer.write(prefix + "maximum", column(\.maximum))
    }
  }
}
