import Basics
import Datasets
import Tensors

/// Opens what a configuration's `open` does, for comparison with anemoi-datasets. Prints facts as JSON, writes values as raw
/// 32-bit numbers:
///   view-checks view REQUEST.json INDEX OUTPUT    the view at a date: [variables, members, points]
///   view-checks tensor REQUEST.json DATE OUTPUT   a frame as training gets it, normalised with the datasets' own statistics:
///                                                 [variables, points]
@main
struct ViewChecksMain {
  static func main() throws {
    let arguments = CommandLine.arguments
    guard arguments.count == 5 else {
      throw JigsawError("view-checks", "is used as: view-checks view | tensor REQUEST.json DATE OUTPUT")
    }
    let request = try JSONValue(parsing: try Files.read(arguments[2]), place: arguments[2])
    let (facts, values) =
      arguments[1] == "tensor"
      ? try tensor(request, arguments[3]) : try view(request, Int(arguments[3]) ?? 0)
    try Files.writeAtomically(values.withUnsafeBytes { Array($0) }, to: arguments[4])
    print(try JSONValue.object(facts).text(pretty: false))
  }

  static func view(_ request: JSONValue, _ date: Int) throws -> ([String: JSONValue], [Float]) {
    let view = try ViewRequest(request, key: "open").open()
    let size = view.points.count
    var values: [Float] = []
    if !view.missing.contains(date) {
      let members = try (0..<view.memberCount).map { try view.read(date: date, member: $0) }
      for variable in view.variables.indices {
        for member in members { values += member[variable * size..<(variable + 1) * size] }
      }
    }
    func column(_ value: (ViewVariable) -> Double?) -> JSONValue {
      .array(view.variables.map { value($0).map { .number($0) } ?? .null })
    }
    let facts: [String: JSONValue] = [
      "shape": .array([view.dates.count, view.variables.count, view.memberCount, size].map { .integer($0) }),
      "variables": .array(view.variables.map { .string($0.name) }),
      "dates": .array(view.dates.map { .string($0.description) }),
      "missing": .array(view.missing.sorted().map { .integer($0) }),
      "latitudes": .array(view.points.latitudes.map { .number($0) }),
      "longitudes": .array(view.points.longitudes.map { .number($0) }),
      "mean": column { $0.statistics?.mean }, "stdev": column { $0.statistics?.deviation },
      "minimum": column { $0.statistics?.minimum }, "maximum": column { $0.statistics?.maximum },
      "tendency_stdev_6h": column { $0.tendencies[6]?.deviation },
    ]
    return (facts, values)
  }

  static func tensor(_ request: JSONValue, _ date: String) throws -> ([String: JSONValue], [Float]) {
    let dataset = try FieldDataset(
      sources: [SourceDescription(path: "", open: request)], variables: ["t2m", "msl", "u10", "t_850", "z_500"],
      levelsHPa: [])
    guard let time = Timestamp(date), let index = dataset.index(of: time),
      let tiling = Tiling(rows: dataset.grid.rows, columns: dataset.grid.columns, tileRows: 1, tileColumns: 1)
    else {
      throw JigsawError("view-checks", "no such date", found: date)
    }
    let statistics = try dataset.storedStatistics(stepHours: 6)
    let normalization = try Normalization(statistics, channels: dataset.channels, place: "statistics")
    let frame = try FrameReader(dataset, normalization, tiling, Compute(threads: 1)).read([index])
    // [points, batch, variables] with tiles of one point.
    let (points, variables) = (dataset.grid.count, dataset.channels.count)
    var values = [Float](repeating: 0, count: points * variables)
    for point in 0..<points {
      for variable in 0..<variables {
        values[variable * points + point] = frame.state.floats[point * variables + variable]
      }
    }
    return (
      [
        "shape": .array([dataset.times.count, variables, points].map { .integer($0) }),
        "variables": .array(dataset.channels.map { .string($0.name) }),
      ], values
    )
  }
}
