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
    let compressor = try BytesCodec(version2: json["compressor"] ?? .null, key: "compressor", place: place)
    let (form, codecs) = try ZarrMetadata.filters(
      document, type, isBigEndian: found.isBigEndian, count: chunks.reduce(1, *))
    pipeline = ChunkPipeline(
      shape: chunks, order: storageOrder == "C" ? Array(chunks.indices) : chunks.indices.reversed(), form: form,
      compressors: codecs + (compressor.map { [$0] } ?? []))
    (fill, fillNumber) = try ZarrMetadata.fill(document, type)
  }

  /// The meaning that filters give to elements, and the codecs of filters that work on bytes.
  private static func filters(_ document: Document, _ type: ScalarType, isBigEndian: Bool, count: Int) throws -> (
    form: ChunkPipeline.Form, codecs: [BytesCodec]
  ) {
    let given = document.json["filters"] ?? .null
    guard let list = given == .null ? [] : given.array, list.count <= codecLimit else {
      throw document.invalid("filters", "a list of at most \(codecLimit) filters")
    }
    var (filters, codecs): ([ArrayFilter], [BytesCodec]) = ([], [])
    var last = (type: type, isBigEndian: isBigEndian)
    for filter in list {
      let name = filter["id"]?.string ?? ""
      if codecs.isEmpty, filters.last?.packsBits != true, let found = ArrayFilter(name, filter, decoded: last.type) {
        filters.append(found)
        let dtype = (filter["encode_dtype"] ?? filter["astype"])?.string.flatMap(ZarrMetadata.type)
        last = (found.encoded, dtype?.isBigEndian ?? last.isBigEndian)
      } else if let codec = try BytesCodec(version2: filter, key: "filters", place: document.place) {
        codecs.append(codec)
      }
    }
    if filters.isEmpty { return (.numbers(isBigEndian: isBigEndian), codecs) }
    guard let made = ChunkPipeline.Filters(filters, isBigEndian: last.isBigEndian, count: count) else {
      throw document.invalid("filters", "chunks of at most 4 GiB")
    }
    return (.filtered(made), codecs)
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
  fileprivate init?(version2 json: JSONValue, key: String, place: String) throws {
    if json == .null { return nil }
    guard let id = json["id"]?.string, let codec = BytesCodec(numcodecs: id, json) else {
      throw JigsawError(
        "\(place): \(key)", "is not supported",
        expected: key == "filters"
          ? "delta, fixedscaleoffset, quantize, bitround, packbits, astype, shuffle or a checksum, of this array's type"
          : "blosc, zlib, gzip, zstd, lz4, bz2, lzma or none",
        found: json.line, remedy: "rewrite the store with one of these")
    }
    self = codec
  }

  /// By numcodecs' names and settings; nil for others.
  init?(numcodecs id: String, _ json: JSONValue) {
    let level = json["level"]?.integer ?? json["clevel"]?.integer ?? 1
    switch id {
    case "blosc":
      let shuffle = json["shuffle"]?.integer ?? 1
      self = .blosc(compressor: json["cname"]?.string ?? "lz4", level: level, shuffle: shuffle)
    case "zlib": self = .zlib(level: level)
    case "gzip": self = .gzip(level: level)
    case "zstd": self = .zstd(level: level, hasChecksum: json["checksum"] == .bool(true))
    case "lz4": self = .lz4
    case "bz2": self = .bzip2
    // Raw streams need their settings given; nobody writes them.
    case "lzma" where json["format"]?.integer != 3: self = .lzma
    case "shuffle":
      let size = json["elementsize"]?.integer ?? 4
      guard size >= 0, size < 1 << 16 else { return nil }
      self = .shuffle(elementSize: size)
    case "fletcher32": self = .checksum(.fletcher32, isFirst: false)
    case "crc32", "adler32", "crc32c":
      let location = json["location"]?.string ?? (id == "crc32c" ? "end" : "start")
      guard let kind = Checksum(rawValue: id), location == "start" || location == "end" else { return nil }
      self = .checksum(kind, isFirst: location == "start")
    default: return nil
    }
  }

  var version2: JSONValue {
    switch self {
    case .blosc(let compressor, let level, let shuffle):
      .object([
        "id": .string("blosc"), "cname": .string(compressor), "clevel": .integer(level), "shuffle": .integer(shuffle),
        "blocksize": .integer(0),
      ])
    case .zlib(let level): .object(["id": .string("zlib"), "level": .integer(level)])
    case .gzip(let level): .object(["id": .string("gzip"), "level": .integer(level)])
    case .zstd(let level, let hasChecksum):
      // tensorstore knows no "checksum" here; without it there is none.
      .object(
        ["id": .string("zstd"), "level": .integer(level)].merging(hasChecksum ? ["checksum": .bool(true)] : [:]) { $1 })
    case .lz4: .object(["id": .string("lz4"), "acceleration": .integer(1)])
    case .crc32c, .checksum, .shuffle, .bzip2, .lzma: .object(["id": .string(description)])
    }
  }
}
