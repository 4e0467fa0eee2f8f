import Basics
import Datasets
import Stores
import TestSupport

/// Attributes that change values (packing, fills, valid ranges, units) or tell coordinates, of all types and with all values, on the
/// fields and coordinates of a small store. Opened are stores both of whose fields can be read.
struct AttributeKind: FuzzKind {
  private static let names = [
    "scale_factor", "add_offset", "_Unsigned", "_FillValue", "missing_value", "valid_min", "valid_max", "valid_range",
    "actual_range", "units", "standard_name", "calendar", "coordinates", "positive", "axis", "bounds", "cell_methods",
    "formula_terms", "grid_mapping", "long_name",
  ]
  private static let numbers = [
    "0", "1", "-1", "0.5", "-0.0", "1e20", "-32768", "32767", "255", "-9999", "1e-30", "1e300", "1e400", "NaN",
    "-Infinity",
    "9223372036854775807", "18446744073709551615",
  ]
  private static let texts = [
    "true", "false", "TRUE", "1", "0.01", "-999.f", "1e20", "nan", "", " ", "hPa", "Pa", "K", "degC", "m s-1", "1",
    "hours since 2000-01-01", "days since 0000-00-00", "nanoseconds since 1-1-1", "months since 1", "degrees_north",
    "degrees_east", "air_pressure", "air_temperature", "latitude", "time", "forecast_reference_time", "height",
    "atmosphere_hybrid_sigma_pressure_coordinate", "noleap", "360_day", "none", "level", "plev height level", "up", "Z",
    "time: maximum", "0b", "255UB", "-32768s, 1s",
  ]

  private static func value(_ mutator: inout Mutator) -> String {
    switch mutator.integer(below: 8) {
    case 0...2: mutator.pick(numbers)
    case 3...5: "\"\(mutator.pick(texts))\""
    case 6:
      "[" + (0..<mutator.integer(below: 4)).map { _ in mutator.pick(numbers) }.joined(separator: ", ") + "]"
    default: mutator.pick(["null", "true", "{}", "[]", "[\"1\", \"2\"]", "{\"value\": 1}", "\"AAAAAAAA8D8=\""])
    }
  }

  private static let types = ["i1", "u1", "i2", "u2", "i4", "i8", "f4", "f8"]
  private static let longTypes = [
    "i1": "int8", "u1": "uint8", "i2": "int16", "u2": "uint16", "i4": "int32", "i8": "int64", "f4": "float32",
    "f8": "float64",
  ]

  func run(_ mutator: inout Mutator) throws -> Bool {
    let isOld = mutator.isOne(in: 2)
    var attributes: [String: [String: String]] = [
      "time": ["units": "\"hours since 2000-01-01\"", "standard_name": "\"time\""],
      "level": ["units": "\"hPa\"", "standard_name": "\"air_pressure\""], "lat": ["units": "\"degrees_north\""],
      "lon": ["units": "\"degrees_east\""], "t": ["units": "\"K\""], "msl": ["units": "\"Pa\""], "": [:],
    ]
    let places = attributes.keys.sorted()
    for _ in 0..<1 + mutator.integer(below: 4) {
      // Fields as often as all others.
      let place = mutator.isOne(in: 2) ? mutator.pick(["t", "msl"]) : mutator.pick(places)
      attributes[place]?[mutator.pick(Self.names)] = Self.value(&mutator)
    }
    var values = [String: [UInt8]]()
    func document(_ place: String) -> String {
      "{"
        + (attributes[place] ?? [:]).sorted { $0.key < $1.key }.map { "\"\($0.key)\": \($0.value)" }.joined(
          separator: ", ")
        + "}"
    }
    if isOld {
      values[".zgroup"] = Values.text("{\"zarr_format\": 2}")
      values[".zattrs"] = Values.text(document(""))
    } else {
      values["zarr.json"] = Values.text(
        "{\"zarr_format\": 3, \"node_type\": \"group\", \"attributes\": \(document(""))}")
    }
    for array in Array.all {
      let type = array.isField ? mutator.pick(Self.types) : "f4"
      let fill = mutator.pick(["0", "1", "null", "-1"])
      array.write(&values, type, Self.longTypes[type] ?? "", fill: fill, document(array.name), isOld: isOld)
    }
    let storage = GuardedStorage(values: MemoryStorage(values))
    return try Probe.run { try ZarrStore(storage) } && Probe.readFields(ZarrStore(storage)) == 2
  }

  private struct Array {
    let name: String
    let dimensions: [String]
    let shape: [Int]
    let numbers: [Float]

    var isField: Bool { dimensions.count > 1 }

    static let all = [
      Array(name: "time", dimensions: ["time"], shape: [3], numbers: [0, 6, 12]),
      Array(name: "level", dimensions: [], shape: [], numbers: [850]),
      Array(name: "lat", dimensions: ["lat"], shape: [2], numbers: [45, -45]),
      Array(name: "lon", dimensions: ["lon"], shape: [4], numbers: [0, 90, 180, 270]),
      Array(name: "t", dimensions: ["time", "lat", "lon"], shape: [3, 2, 4], numbers: []),
      Array(name: "msl", dimensions: ["time", "lat", "lon"], shape: [3, 2, 4], numbers: []),
    ]

    func write(
      _ values: inout [String: [UInt8]], _ type: String, _ longType: String, fill: String, _ attributes: String,
      isOld: Bool
    ) {
      let extents = "\(shape)"
      let names = "[" + dimensions.map { "\"\($0)\"" }.joined(separator: ", ") + "]"
      let count = shape.reduce(1, *)
      let width = Int(String(type.dropFirst())) ?? 1
      let bytes =
        numbers.isEmpty
        ? (0..<count * width).map { UInt8(truncatingIfNeeded: $0 &* 37) } : numbers.withUnsafeBytes { [UInt8]($0) }
      guard isOld else {
        values["\(name)/zarr.json"] = Values.text(
          "{\"zarr_format\": 3, \"node_type\": \"array\", \"shape\": \(extents), \"data_type\": \"\(longType)\", "
            + "\"chunk_grid\": {\"name\": \"regular\", \"configuration\": {\"chunk_shape\": \(extents)}}, "
            + "\"chunk_key_encoding\": {\"name\": \"default\", \"configuration\": {\"separator\": \"/\"}}, "
            + "\"codecs\": [{\"name\": \"bytes\", \"configuration\": {\"endian\": \"little\"}}], "
            + "\"fill_value\": \(fill == "null" ? "0" : fill), \"dimension_names\": \(names), \"attributes\": \(attributes)}"
        )
        values["\(name)/c" + shape.map { _ in "/0" }.joined()] = bytes
        return
      }
      values["\(name)/.zarray"] = Values.text(
        "{\"zarr_format\": 2, \"shape\": \(extents), \"chunks\": \(extents), \"dtype\": \"\(width == 1 ? "|" : "<")\(type)\", "
          + "\"compressor\": null, \"fill_value\": \(fill), \"order\": \"C\", \"filters\": null}")
      let members = attributes.dropFirst().dropLast()
      values["\(name)/.zattrs"] = Values.text(
        "{\"_ARRAY_DIMENSIONS\": \(names)\(members.isEmpty ? "" : ", ")\(members)}")
      values["\(name)/" + (shape.isEmpty ? "0" : shape.map { _ in "0" }.joined(separator: "."))] = bytes
    }
  }
}
