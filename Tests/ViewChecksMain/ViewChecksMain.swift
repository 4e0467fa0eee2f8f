import Basics
import Datasets

/// Opens views as a configuration's `open` does and says what they hold, for comparison with anemoi-datasets:
/// view-checks REQUEST.json DATE OUTPUT: prints the facts as JSON, writes the values at a date as raw 32-bit numbers
/// [variables, members, points].
@main
struct ViewChecksMain {
  static func main() throws {
    let arguments = CommandLine.arguments
    guard arguments.count == 4, let date = Int(arguments[2]) else {
      throw JigsawError("view-checks", "is used as: view-checks REQUEST.json DATE OUTPUT")
    }
    let request = try JSONValue(parsing: try Files.read(arguments[1]), place: arguments[1])
    let view = try ViewRequest(request, key: "open").open()
    var values: [[Float]] = []
    if !view.missing.contains(date) {
      for member in 0..<view.memberCount { values.append(try view.read(date: date, member: member)) }
    }
    let size = view.points.count
    var bytes: [UInt8] = []
    for variable in view.variables.indices {
      for member in values {
        member[variable * size..<(variable + 1) * size].withUnsafeBytes { bytes += $0 }
      }
    }
    try Files.writeAtomically(bytes, to: arguments[3])
    func column(_ value: (ViewVariable) -> Double?) -> JSONValue {
      .array(view.variables.map { value($0).map { .number($0) } ?? .null })
    }
    let facts: [String: JSONValue] = [
      "shape": .array(
        [view.dates.count, view.variables.count, view.memberCount, size].map { .integer($0) }),
      "variables": .array(view.variables.map { .string($0.name) }),
      "dates": .array(view.dates.map { .string($0.description) }),
      "missing": .array(view.missing.sorted().map { .integer($0) }),
      "latitudes": .array(view.points.latitudes.map { .number($0) }),
      "longitudes": .array(view.points.longitudes.map { .number($0) }),
      "mean": column { $0.statistics?.mean }, "stdev": column { $0.statistics?.deviation },
      "minimum": column { $0.statistics?.minimum }, "maximum": column { $0.statistics?.maximum },
      "tendency_stdev_6h": column { $0.tendencies[6]?.deviation },
      "constant": .array(view.variables.map { .bool($0.isConstantInTime) }),
    ]
    print(try JSONValue.object(facts).text(pretty: false))
  }
}
