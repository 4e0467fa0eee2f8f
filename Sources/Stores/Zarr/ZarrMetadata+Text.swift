import Basics

// Rows of text, as xarray writes times of WRF: NumPy's fixed widths in format 2, `null_terminated_bytes` and `fixed_length_utf32` in
// format 3.
extension ZarrMetadata {
  /// Text of times and names has some ten characters.
  private static let widthLimit = 4_096

  /// The document of a one-dimensional array of text as that of an array of characters [row, place in it]; nil for all others.
  static func characters(_ json: JSONValue, version: Int) -> JSONValue? {
    guard case .object(var members) = json, let shape = json["shape"]?.integers, shape.count == 1 else { return nil }
    let found = version == 3 ? textType(version3: json) : textType(version2: json)
    guard let (type, width) = found, (1...widthLimit).contains(width) else { return nil }
    func wide(_ extents: JSONValue?) -> JSONValue? {
      extents?.integers.map { .array(($0 + [width]).map { .integer($0) }) }
    }
    members["shape"] = wide(json["shape"])
    members["fill_value"] = .integer(0)
    if version == 3 {
      members["data_type"] = type
      guard let chunks = wide(json["chunk_grid"]?["configuration"]?["chunk_shape"]) else { return nil }
      members["chunk_grid"] = .object([
        "name": .string("regular"), "configuration": .object(["chunk_shape": chunks]),
      ])
    } else {
      members["dtype"] = type
      members["order"] = .string("C")
      guard let chunks = wide(json["chunks"]) else { return nil }
      members["chunks"] = chunks
    }
    return .object(members)
  }

  /// An array of strings that is not read: of Python's strings and, where its chunks are not plain, of fixed widths; nil for other types.
  static func strings(_ json: JSONValue, _ attributes: JSONValue) -> StringArray? {
    let type = json["dtype"]?.string ?? json["data_type"]?.string ?? json["data_type"]?["name"]?.string ?? ""
    let isText =
      type == "|O" || ["S", "U"].contains(type.dropFirst().prefix(1)) || textTypes.contains(type)
    let names = json["dimension_names"]?.strings ?? attributes["_ARRAY_DIMENSIONS"]?.strings
    return isText ? StringArray(dimensionNames: names ?? [], attributes: ZarrStore.attributes(attributes)) : nil
  }

  private static let textTypes: Set = [
    "string", "variable_length_utf8", "variable_length_bytes", "null_terminated_bytes", "fixed_length_utf32",
  ]

  /// Type of a character, and how many there are in a row.
  private static func textType(version2 json: JSONValue) -> (JSONValue, width: Int)? {
    guard json["filters"] ?? .null == .null, let dtype = json["dtype"]?.string, dtype.count > 2 else { return nil }
    let (order, kind) = (dtype.prefix(1), dtype.dropFirst().prefix(1))
    guard let width = Int(dtype.dropFirst(2)) else { return nil }
    switch kind {
    case "S": return (.string("|i1"), width)
    case "U" where ["<", ">"].contains(order): return (.string("\(order)u4"), width)
    default: return nil
    }
  }

  private static func textType(version3 json: JSONValue) -> (JSONValue, width: Int)? {
    let type = json["data_type"]
    // Others would need to know of the dimension of characters.
    let codecs = (json["codecs"]?.array ?? []).map { $0.string ?? $0["name"]?.string ?? "" }
    guard Set(codecs).isDisjoint(with: ["transpose", "sharding_indexed"]),
      json["chunk_grid"]?["name"]?.string == "regular",
      let bytes = type?["configuration"]?["length_bytes"]?.integer
    else { return nil }
    switch type?["name"]?.string {
    case "null_terminated_bytes": return (.string("int8"), bytes)
    case "fixed_length_utf32" where bytes % 4 == 0: return (.string("uint32"), bytes / 4)
    default: return nil
    }
  }
}
