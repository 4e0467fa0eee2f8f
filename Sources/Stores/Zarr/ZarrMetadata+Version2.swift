import Basics

// The `.zarray` document of Zarr format 2 (zarr-specs, version 2), with numcodecs' names for codecs.
extension ZarrMetadata {
  init(version2 json: JSONValue, place: String) throws {
    let document = Document(json: json, place: place)
    guard json["zarr_format"]?.integer == 2 else { throw document.invalid("zarr_format", "2") }
    guard let dtype = json["dtype"]?.string, let found = ZarrMetadata.type(dtype) else {
      throw document.invalid("dtype", "a number type such as \"<f4\"")
    }
    let type = found.type
    shape = try document.shape(type)
    let chunks = try document.chunks(json["chunks"], "chunks", shape, type)
    if let filters = json["filters"], filters != .null, filters != .array([]) {
      throw document.invalid("filters", "none")
    }
    let storageOrder = json["order"]?.string ?? "C"
    guard storageOrder == "C" || storageOrder == "F" else { throw document.invalid("order", "\"C\" or \"F\"") }
    // Other separators would lead out of the array's folder.
    let separator = json["dimension_separator"] ?? .string(".")
    guard let separator = separator.string, separator == "." || separator == "/" else {
      throw document.invalid("dimension_separator", "\".\" or \"/\"")
    }
    keys = .plain(separator: separator)
    self.type = type
    timeUnits = found.timeUnits
    let compressor = try BytesCodec(version2: json["compressor"] ?? .null, place: place)
    pipeline = ChunkPipeline(
      shape: chunks, order: storageOrder == "C" ? Array(chunks.indices) : chunks.indices.reversed(),
      form: .numbers(isBigEndian: found.isBigEndian), compressors: compressor.map { [$0] } ?? [])
    fill = ZarrMetadata.element(type, json["fill_value"])
    fillNumber = json["fill_value"]?.double
  }

  /// An array to be written.
  init(shape: [Int], chunks: [Int], type: ScalarType, codec: BytesCodec, fill: Double?, keys: KeyEncoding) {
    self.shape = shape
    self.type = type
    pipeline = ChunkPipeline(
      shape: chunks, order: Array(chunks.indices), form: .numbers(isBigEndian: false), compressors: [codec])
    fillNumber = fill
    self.fill = ZarrMetadata.element(type, fill ?? 0)
    self.keys = keys
    timeUnits = nil
  }

  /// The document of an array that this program writes.
  var version2: JSONValue {
    let fillValue: JSONValue = fillNumber.map { Int(exactly: $0).map { .integer($0) } ?? .number($0) } ?? .null
    return .object([
      "zarr_format": .integer(2), "shape": .array(shape.map { .integer($0) }),
      "chunks": .array(chunks.map { .integer($0) }), "dtype": .string(ZarrMetadata.dtype(type)),
      "compressor": pipeline.compressors.first?.version2 ?? .null, "fill_value": fillValue, "order": .string("C"),
      "filters": .null,
    ])
  }

  /// NumPy's type strings. Dates and time differences are read as their 64-bit counts.
  static func type(_ dtype: String) -> (type: ScalarType, isBigEndian: Bool, timeUnits: String?)? {
    guard let order = dtype.first, "<>|".contains(order) else { return nil }
    let types: [String: ScalarType] = [
      "i1": .int8, "u1": .uint8, "b1": .uint8, "i2": .int16, "u2": .uint16, "i4": .int32, "u4": .uint32,
      "i8": .int64, "u8": .uint64, "f2": .float16, "f4": .float32, "f8": .float64,
    ]
    let name = dtype.dropFirst()
    if let type = types[String(name)] { return (type, order == ">", nil) }
    if name.hasPrefix("M8[") || name.hasPrefix("m8[") {
      let unit = String(name.dropFirst("M8[".count).dropLast())
      return (.int64, order == ">", timeUnits(unit, isDate: name.hasPrefix("M")))
    }
    return nil
  }

  static func dtype(_ type: ScalarType) -> String {
    switch type {
    case .int8: "|i1"
    case .uint8: "|u1"
    case .int16: "<i2"
    case .uint16: "<u2"
    case .int32: "<i4"
    case .uint32: "<u4"
    case .int64: "<i8"
    case .uint64: "<u8"
    case .float16: "<f2"
    case .float32: "<f4"
    case .float64: "<f8"
    }
  }
}

extension BytesCodec {
  /// Nil for none.
  fileprivate init?(version2 json: JSONValue, place: String) throws {
    if json == .null { return nil }
    let level = json["level"]?.integer ?? json["clevel"]?.integer ?? 1
    switch json["id"]?.string {
    case "blosc":
      let shuffle = json["shuffle"]?.integer ?? 1
      self = .blosc(compressor: json["cname"]?.string ?? "lz4", level: level, shuffle: shuffle)
    case "zlib": self = .zlib(level: level)
    case "gzip": self = .gzip(level: level)
    case "zstd": self = .zstd(level: level, hasChecksum: json["checksum"] == .bool(true))
    case "lz4": self = .lz4
    case let id:
      throw JigsawError(
        "\(place): compressor", "is not supported", expected: "blosc, zlib, gzip, zstd, lz4 or none",
        found: id ?? "none given", remedy: "rewrite the store with one of these")
    }
  }

  fileprivate var version2: JSONValue {
    switch self {
    case .blosc(let compressor, let level, let shuffle):
      .object([
        "id": .string("blosc"), "cname": .string(compressor), "clevel": .integer(level), "shuffle": .integer(shuffle),
        "blocksize": .integer(0),
      ])
    case .zlib(let level): .object(["id": .string("zlib"), "level": .integer(level)])
    case .gzip(let level): .object(["id": .string("gzip"), "level": .integer(level)])
    case .zstd(let level, let hasChecksum):
      .object(["id": .string("zstd"), "level": .integer(level), "checksum": .bool(hasChecksum)])
    case .lz4: .object(["id": .string("lz4"), "acceleration": .integer(1)])
    case .crc32c: .object(["id": .string("crc32c")])
    }
  }
}
