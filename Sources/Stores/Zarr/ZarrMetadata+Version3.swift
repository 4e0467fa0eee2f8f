import Basics
import FoundationEssentials

// The `zarr.json` document of an array of Zarr format 3 (zarr-specs, version 3.1; ZEP 2 for shards).
extension ZarrMetadata {
  init(version3 json: JSONValue, place: String) throws {
    let document = Document(json: json, place: place)
    guard json["zarr_format"]?.integer == 3 else { throw document.invalid("zarr_format", "3") }
    try ZarrMetadata.requireNoExtension(document)
    guard let found = ZarrMetadata.type(version3: json["data_type"]) else {
      throw document.invalid("data_type", "a number type such as \"float32\"")
    }
    let type = found.type
    shape = try document.shape(type)
    let grid = json["chunk_grid"]
    guard Extension(grid)?.name == "regular" else { throw document.invalid("chunk_grid", "\"regular\"") }
    let chunks = try document.chunks(
      Extension(grid)?.configuration["chunk_shape"], "chunk_grid", shape, type)
    if let transformers = json["storage_transformers"]?.array, !transformers.isEmpty {
      throw document.invalid("storage_transformers", "none")
    }
    let names = Extension(json["chunk_key_encoding"] ?? .string("default"))
    let separator = names?.configuration["separator"]
    switch (names?.name, separator?.string) {
    case ("default", "/"), ("default", "."): keys = .prefixed(separator: separator?.string ?? "/")
    case ("default", nil) where separator == nil: keys = .prefixed(separator: "/")
    case ("v2", "/"), ("v2", "."): keys = .plain(separator: separator?.string ?? ".")
    case ("v2", nil) where separator == nil: keys = .plain(separator: ".")
    default: throw document.invalid("chunk_key_encoding", "\"default\" or \"v2\" with the separator \"/\" or \".\"")
    }
    self.type = type
    timeUnits = found.timeUnits
    pipeline = try ZarrMetadata.pipeline(json["codecs"], "codecs", chunks, type, document, depth: 0)
    fill = try ZarrMetadata.fill(document, type).bytes
    fillNumber = nil  // in format 3 it marks nothing as missing; _FillValue does
  }

  static func fill(ofAttribute text: String) -> Double? {
    guard let data = Data(base64Encoded: text), data.count == 8 else { return nil }
    return Double(bitPattern: data.reversed().reduce(0) { $0 << 8 | UInt64($1) })
  }

  /// A name with settings: "gzip", or {"name": "gzip", "configuration": {"level": 1}}.
  private struct Extension {
    let name: String
    let configuration: JSONValue

    init?(_ json: JSONValue?) {
      guard let name = json?.string ?? json?["name"]?.string else { return nil }
      self.name = name
      configuration = json?["configuration"] ?? .object([:])
    }
  }

  static func type(version3 json: JSONValue?) -> (type: ScalarType, timeUnits: String?)? {
    guard let found = Extension(json) else { return nil }
    switch found.name {
    case "bool": return (.uint8, nil)
    case "numpy.datetime64", "numpy.timedelta64":
      guard found.configuration["scale_factor"]?.integer ?? 1 == 1 else { return nil }
      let unit = found.configuration["unit"]?.string ?? ""
      return (.int64, timeUnits(unit, isDate: found.name == "numpy.datetime64"))
    case let name: return ScalarType(rawValue: name).map { ($0, nil) }
    }
  }

  private static let knownKeys: Set = [
    "zarr_format", "node_type", "shape", "data_type", "chunk_grid", "chunk_key_encoding", "fill_value", "codecs",
    "attributes", "storage_transformers", "dimension_names",
  ]

  /// - Throws: for an extension that doesn't say that it may be passed over.
  private static func requireNoExtension(_ document: Document) throws {
    for (key, value) in document.json.object ?? [:] where !knownKeys.contains(key) {
      guard value["must_understand"] != .bool(false) else { continue }
      throw document.invalid(key, "no extension that must be understood", found: value)
    }
  }

  /// Codecs from numbers to bytes. - Parameter depth: of shards in shards.
  private static func pipeline(
    _ json: JSONValue?, _ key: String, _ shape: [Int], _ type: ScalarType, _ document: Document, depth: Int
  ) throws -> ChunkPipeline {
    guard let list = json?.array, !list.isEmpty, list.count <= codecLimit else {
      throw document.invalid(key, "a list of at most \(codecLimit) codecs", found: json)
    }
    func unknown(_ codec: JSONValue) -> JigsawError {
      document.invalid(
        key,
        "transpose, bytes, sharding_indexed, blosc, zstd, gzip, crc32c or numcodecs' delta, fixedscaleoffset, quantize, bitround, packbits, astype, shuffle, zlib, lz4, bz2, lzma, crc32, adler32, fletcher32, in an order that makes sense",
        found: codec)
    }
    var order = Array(shape.indices)
    var form: ChunkPipeline.Form?
    var compressors: [BytesCodec] = []
    var filters: [ArrayFilter] = []
    for codec in list {
      guard let found = Extension(codec) else { throw unknown(codec) }
      let settings = found.configuration
      switch found.name {
      case let name where form == nil && name.hasPrefix(numcodecsPrefix):
        let name = String(name.dropFirst(numcodecsPrefix.count))
        guard filters.last?.packsBits != true,
          let filter = ArrayFilter(name, settings, decoded: filters.last?.encoded ?? type)
        else { throw unknown(codec) }
        filters.append(filter)
      case "transpose" where form == nil && filters.isEmpty:
        let permutation: [Int]? =
          switch settings["order"]?.string {
          case "C": Array(shape.indices)
          case "F": shape.indices.reversed()
          default: settings["order"]?.integers
          }
        guard let permutation, permutation.sorted() == Array(shape.indices) else { throw unknown(codec) }
        order = permutation.map { order[$0] }
      case "bytes" where form == nil:
        let endian = settings["endian"]?.string
        let stored = filters.last?.encoded ?? type
        guard endian == "little" || endian == "big" || endian == nil && stored.byteCount == 1 else {
          throw unknown(codec)
        }
        guard let bytes = bytesForm(filters, isBigEndian: endian == "big", count: shape.reduce(1, *)) else {
          throw document.invalid(key, "chunks of at most 4 GiB", found: codec)
        }
        form = bytes
      case "sharding_indexed" where form == nil && filters.isEmpty && depth < 4:
        form = .shard(try shard(codec, settings, key, order.map { shape[$0] }, type, document, depth: depth))
      case let name where form != nil:
        guard let compressor = BytesCodec(version3: name, settings) else { throw unknown(codec) }
        compressors.append(compressor)
      default: throw unknown(codec)
      }
    }
    guard let form else { throw document.invalid(key, "a codec that makes bytes", found: json) }
    return ChunkPipeline(shape: shape, order: order, form: form, compressors: compressors)
  }

  /// Numbers as bytes, behind filters if there are any; nil where those can't take so many.
  private static func bytesForm(_ filters: [ArrayFilter], isBigEndian: Bool, count: Int) -> ChunkPipeline.Form? {
    filters.isEmpty
      ? .numbers(isBigEndian: isBigEndian)
      : ChunkPipeline.Filters(filters, isBigEndian: isBigEndian, count: count).map { .filtered($0) }
  }

  /// Inner chunks and index of shards.
  /// - Parameter stored: shape of a shard, dimensions in stored order.
  private static func shard(
    _ codec: JSONValue, _ settings: JSONValue, _ key: String, _ stored: [Int], _ type: ScalarType,
    _ document: Document, depth: Int
  ) throws -> ChunkPipeline.Shard {
    guard let extents = settings["chunk_shape"]?.integers, extents.count == stored.count,
      zip(extents, stored).allSatisfy({ $0 > 0 && $1 % $0 == 0 })
    else { throw document.invalid(key, "a chunk_shape that divides \(stored)", found: codec) }
    let inner = try pipeline(settings["codecs"], "\(key): codecs", extents, type, document, depth: depth + 1)
    let index = settings["index_codecs"]?.array?.compactMap { Extension($0) } ?? []
    let location = settings["index_location"]?.string ?? "end"
    let endian = index.first?.configuration["endian"]?.string
    guard index.first?.name == "bytes", endian == "little" || endian == "big",
      index.count == 1 || index.count == 2 && index[1].name == "crc32c", location == "start" || location == "end"
    else { throw document.invalid(key, "an index of bytes, or bytes and crc32c, at start or end", found: codec) }
    return ChunkPipeline.Shard(
      inner: inner, grid: zip(stored, extents).map(/), indexIsFirst: location == "start",
      indexIsBigEndian: endian == "big", indexHasChecksum: index.count == 2)
  }
}

extension BytesCodec {
  private static let shuffles = ["noshuffle", "shuffle", "bitshuffle"]

  func version3(elementSize: Int) -> (name: String, settings: [String: JSONValue]) {
    switch self {
    case .blosc(let compressor, let level, let shuffle):
      (
        "blosc",
        [
          "cname": .string(compressor), "clevel": .integer(level), "shuffle": .string(BytesCodec.shuffles[shuffle]),
          "typesize": .integer(elementSize), "blocksize": .integer(0),
        ]
      )
    case .zlib(let level): ("numcodecs.zlib", ["level": .integer(level)])
    case .gzip(let level): ("gzip", ["level": .integer(level)])
    case .zstd(let level, let hasChecksum): ("zstd", ["level": .integer(level), "checksum": .bool(hasChecksum)])
    case .lz4: ("numcodecs.lz4", [:])
    case .crc32c: ("crc32c", [:])
    case .checksum, .shuffle, .bzip2, .lzma: ("numcodecs.\(description)", [:])
    }
  }

  fileprivate init?(version3 name: String, _ settings: JSONValue) {
    let level = settings["level"]?.integer ?? settings["clevel"]?.integer ?? 1
    switch name {
    case "blosc":
      let shuffle = settings["shuffle"]?.string.flatMap { BytesCodec.shuffles.firstIndex(of: $0) } ?? 1
      self = .blosc(compressor: settings["cname"]?.string ?? "lz4", level: level, shuffle: shuffle)
    case "gzip": self = .gzip(level: level)
    case "zlib": self = .zlib(level: level)
    case "zstd": self = .zstd(level: level, hasChecksum: settings["checksum"] == .bool(true))
    case "crc32c": self = .crc32c
    case let name where name.hasPrefix(numcodecsPrefix):
      self.init(numcodecs: String(name.dropFirst(numcodecsPrefix.count)), settings)
    default: return nil
    }
  }
}

/// Codecs that zarr-python takes from numcodecs, with their names and settings there.
private let numcodecsPrefix = "numcodecs."
