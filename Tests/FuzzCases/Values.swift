import Basics
import Stores

/// Stores as keys and values.
enum Values {
  static func isDocument(_ key: String) -> Bool {
    [".zarray", ".zattrs", ".zgroup", ".zmetadata", "zarr.json"].contains {
      key == $0 || key.hasSuffix("/\($0)")
    }
  }

  static func folder(_ path: String, _ prefix: String = "") throws -> [String: [UInt8]] {
    var values: [String: [UInt8]] = [:]
    for name in try Files.list(path) {
      let key = prefix + name
      if Files.isDirectory("\(path)/\(name)") {
        values.merge(try folder("\(path)/\(name)", "\(key)/")) { $1 }
      } else {
        values[key] = try Files.read("\(path)/\(name)")
      }
    }
    return values
  }

  /// One array of a group, with the group's own document.
  static func alone(_ array: String, of values: [String: [UInt8]]) -> [String: [UInt8]] {
    values.filter { [".zgroup", "zarr.json"].contains($0.key) || $0.key.hasPrefix("\(array)/") }
      .merging(values["zarr.json"] == nil ? [".zgroup": text("{\"zarr_format\": 2}")] : [:]) { $1 }
  }

  /// The same with consolidated metadata; nil where it has them already.
  static func consolidated(_ values: [String: [UInt8]]) -> [String: [UInt8]]? {
    func string(_ bytes: [UInt8]?) -> String { String(decoding: bytes ?? [], as: UTF8.self) }
    var result = values
    if values["zarr.json"] != nil {
      if string(values["zarr.json"]).contains("consolidated_metadata\": {") { return nil }
      let members = values.filter { $0.key.hasSuffix("/zarr.json") }.sorted { $0.key < $1.key }.map {
        "\"\($0.key.dropLast("/zarr.json".count))\": \(string($0.value))"
      }
      let attributes = (try? JSONValue(parsing: values["zarr.json"] ?? [], place: ""))?["attributes"]
      let written = (try? attributes?.text()) ?? "{}"
      result["zarr.json"] = text(
        "{\"zarr_format\": 3, \"node_type\": \"group\", \"attributes\": \(written), \"consolidated_metadata\": "
          + "{\"kind\": \"inline\", \"must_understand\": false, \"metadata\": {\(members.joined(separator: ", "))}}}")
      return result
    }
    if values[".zmetadata"] != nil { return nil }
    let members = values.filter { isDocument($0.key) }.sorted { $0.key < $1.key }.map {
      "\"\($0.key)\": \(string($0.value))"
    }
    result[".zmetadata"] = text(
      "{\"zarr_consolidated_format\": 1, \"metadata\": {\(members.joined(separator: ", "))}}")
    return result
  }

  static func text(_ text: String) -> [UInt8] { Array(text.utf8) }

  /// A dataset as anemoi-datasets writes it: 4 dates, 3 variables, 1 member, 8 points.
  static func anemoi(format: Int) -> [String: [UInt8]] {
    let attributes = """
      {"variables": ["t_850", "z_500", "lsm"], "field_shape": [2, 4], "missing_dates": ["2001-01-01T06:00:00"],
       "constant_fields": ["lsm"], "frequency": "6h", "variables_metadata": {
        "t_850": {"mars": {"param": "t", "levtype": "pl", "levelist": 850}, "units": "K"},
        "z_500": {"mars": {"param": "z", "levtype": "pl", "levelist": "500"}},
        "lsm": {"constant_in_time": true, "computed_forcing": false}}}
      """
    var values: [String: [UInt8]] = [:]
    if format == 2 {
      values = [".zgroup": text("{\"zarr_format\": 2}"), ".zattrs": text(attributes)]
    } else {
      values["zarr.json"] = text("{\"zarr_format\": 3, \"node_type\": \"group\", \"attributes\": \(attributes)}")
    }
    func add(_ name: String, _ type: String, _ shape: [Int], _ chunks: [Int], _ bytes: [UInt8]) {
      if format == 2 {
        let dtype = ["float32": "<f4", "float64": "<f8", "dates": "<M8[s]"][type] ?? ""
        values["\(name)/.zarray"] = text(
          "{\"zarr_format\": 2, \"shape\": \(shape), \"chunks\": \(chunks), \"dtype\": \"\(dtype)\", \"compressor\": null, "
            + "\"fill_value\": 0, \"order\": \"C\", \"filters\": null}")
        values["\(name)/" + chunks.map { _ in "0" }.joined(separator: ".")] = bytes
      } else {
        let dates = "{\"name\": \"numpy.datetime64\", \"configuration\": {\"unit\": \"s\", \"scale_factor\": 1}}"
        values["\(name)/zarr.json"] = text(
          "{\"zarr_format\": 3, \"node_type\": \"array\", \"shape\": \(shape), \"data_type\": "
            + (type == "dates" ? dates : "\"\(type)\"")
            + ", \"chunk_grid\": {\"name\": \"regular\", \"configuration\": {\"chunk_shape\": \(chunks)}}, "
            + "\"chunk_key_encoding\": {\"name\": \"default\", \"configuration\": {\"separator\": \"/\"}}, "
            + "\"codecs\": [{\"name\": \"bytes\", \"configuration\": {\"endian\": \"little\"}}], \"fill_value\": 0, "
            + "\"attributes\": {}}")
        values["\(name)/c/" + chunks.map { _ in "0" }.joined(separator: "/")] = bytes
      }
    }
    func bytes<T>(_ numbers: [T]) -> [UInt8] { numbers.withUnsafeBytes { Array($0) } }
    add("data", "float32", [4, 3, 1, 8], [1, 3, 1, 8], bytes((0..<24).map { Float($0) }))
    add("dates", "dates", [4], [4], bytes((0..<4).map { Int64(978_307_200 + 21_600 * $0) }))
    add("latitudes", "float64", [8], [8], bytes((0..<8).map { $0 < 4 ? 45.0 : -45.0 }))
    add("longitudes", "float64", [8], [8], bytes((0..<8).map { Double($0 % 4 * 90) }))
    for prefix in ["", "statistics_tendencies_6h_"] {
      for name in ["mean", "stdev", "minimum", "maximum"] {
        add(prefix + name, "float64", [3], [3], bytes([1.0, 2.0, 3.0]))
      }
    }
    return values
  }

  /// Arrays of twelve numbers that went through filters, whose chunks are not compressed.
  static func filtered() -> [String: [UInt8]] {
    let filters = [
      ("<u2", "{\"id\": \"delta\", \"dtype\": \"<u2\", \"astype\": \"|i1\"}", 12),
      (
        "<f4", "{\"id\": \"fixedscaleoffset\", \"dtype\": \"<f4\", \"astype\": \"|u1\", \"scale\": 2, \"offset\": 100}",
        12
      ),
      ("|b1", "{\"id\": \"packbits\"}", 3),
      ("<f4", "{\"id\": \"astype\", \"decode_dtype\": \"<f4\", \"encode_dtype\": \"<f8\"}, {\"id\": \"crc32\"}", 100),
      ("<f8", "{\"id\": \"quantize\", \"digits\": 3, \"dtype\": \"<f8\", \"astype\": \"<f4\"}", 48),
      (
        "|u1",
        "{\"id\": \"delta\", \"dtype\": \"|u1\"}, {\"id\": \"packbits\"}, {\"id\": \"shuffle\", \"elementsize\": 2}", 3
      ),
    ]
    var values = [".zgroup": text("{\"zarr_format\": 2}")]
    for (i, (dtype, filter, count)) in filters.enumerated() {
      values["a\(i)/.zarray"] = text(
        "{\"zarr_format\": 2, \"shape\": [12], \"chunks\": [12], \"dtype\": \"\(dtype)\", \"compressor\": null, "
          + "\"fill_value\": 7, \"order\": \"C\", \"filters\": [\(filter)]}")
      values["a\(i)/0"] = [UInt8](repeating: 5, count: count)
    }
    return values
  }
}
