import Basics
import FoundationEssentials

// Arrays that this program writes.
extension ZarrMetadata {
  /// - Throws: `JigsawError` if the format has not what the definition asks for, or no reader could read it.
  init(writing array: ArrayDefinition, shape: [Int], format: Int, place: String) throws {
    func unusable(_ problem: String, _ expected: String, found: String? = nil) -> JigsawError {
      JigsawError(place, problem, expected: expected, found: found)
    }
    let encoding = array.encoding
    let chunks = array.chunks ?? shape.map { max($0, 1) }
    guard chunks.count == shape.count, chunks.allSatisfy({ $0 > 0 }) else {
      throw unusable("has unusable chunks", "\(shape.count) positive extents", found: "\(chunks)")
    }
    let shards = encoding.shards
    if let shards {
      guard shards.count == chunks.count, zip(shards, chunks).allSatisfy({ $0 > 0 && $0 % $1 == 0 }) else {
        throw unusable("has unusable shards", "multiples of the chunks \(chunks)", found: "\(shards)")
      }
    }
    let stored = try ZarrMetadata.byteCount(shards ?? chunks, array.type, place)
    let piece = shards == nil ? stored : try ZarrMetadata.byteCount(chunks, array.type, place)
    if let limit = encoding.compression.inputLimit, piece > limit {
      throw unusable("has chunks that its compressor can't take", "at most \(limit) bytes", found: "\(piece) bytes")
    }
    if let need = ZarrMetadata.need(of: encoding, otherThan: format) {
      throw unusable("can't be written in Zarr format \(format)", need)
    }
    guard array.meaning.fits(array.type) else {
      throw unusable("has a type that doesn't fit", "uint8 for truth values, int64 for times", found: "\(array.type)")
    }
    let fill = array.fill ?? 0
    let element = ZarrMetadata.element(array.type, fill)
    guard array.type.isFloatingPoint || RawArray(type: array.type, bytes: element).doubles[0] == fill,
      array.type.isFloatingPoint || Int(exactly: fill) != nil
    else { throw unusable("has a fill value that its type can't hold", "one of \(array.type)", found: "\(fill)") }

    let codecs = encoding.compression.codec.map { [$0] } ?? []
    let order = encoding.isFortranOrder ? chunks.indices.reversed() : Array(chunks.indices)
    let inner = ChunkPipeline(
      // Single bytes have no order.
      shape: chunks, order: order, form: .numbers(isBigEndian: encoding.isBigEndian && array.type.byteCount > 1),
      compressors: codecs + (encoding.hasChecksum ? [.crc32c] : []))
    pipeline =
      shards.map {
        ChunkPipeline(
          shape: $0, order: Array($0.indices),
          form: .shard(
            ChunkPipeline.Shard(
              inner: inner, grid: zip($0, chunks).map(/), indexIsFirst: false, indexIsBigEndian: false,
              indexHasChecksum: true)),
          compressors: [])
      } ?? inner
    let separator = (encoding.separator ?? (format == 2 ? .dot : .slash)).rawValue
    keys = format == 2 ? .plain(separator: separator) : .prefixed(separator: separator)
    self.shape = shape
    type = array.type
    self.fill = element
    fillNumber = array.fill
    timeUnits = nil
  }

  /// The format that an encoding needs, and for what; nil where this one serves.
  private static func need(of encoding: ChunkEncoding, otherThan format: Int) -> String? {
    let needs: [(isAsked: Bool, format: Int, what: String)] = [
      (encoding.shards != nil, 3, "shards"), (encoding.hasChecksum, 3, "checksums of chunks"),
      (encoding.compression == .lz4, 2, "the compressor lz4 (but Blosc's)"),
      (encoding.compression.isZlib, 2, "the compressor zlib (but gzip)"),
    ]
    return needs.first { $0.isAsked && $0.format != format }.map { "format \($0.format) for \($0.what)" }
  }

  /// Bytes of a chunk or shard, within what readers take.
  private static func byteCount(_ extents: [Int], _ type: ScalarType, _ place: String) throws -> Int {
    var bytes = type.byteCount
    for extent in extents {
      let (product, overflow) = bytes.multipliedReportingOverflow(by: extent)
      guard !overflow, product <= chunkLimit else {
        throw JigsawError(place, "has chunks that are too large", expected: "at most 4 GiB", found: "\(extents)")
      }
      bytes = product
    }
    return bytes
  }

  // MARK: Documents

  /// `.zarray`
  func version2(_ array: ArrayDefinition) -> JSONValue {
    .object([
      "zarr_format": .integer(2), "shape": integers(shape), "chunks": integers(chunks),
      "dtype": .string(ZarrMetadata.dtype(type, array.meaning, isBigEndian: array.encoding.isBigEndian)),
      "compressor": pipeline.compressors.first?.version2 ?? .null,
      "fill_value": fillNumber.map { fillValue($0, array.meaning) } ?? .null,
      "order": .string(array.encoding.isFortranOrder ? "F" : "C"), "filters": .null,
      "dimension_separator": .string((array.encoding.separator ?? .dot).rawValue),
    ])
  }

  /// `zarr.json`
  func version3(_ array: ArrayDefinition, attributes: [String: JSONValue]) -> JSONValue {
    var attributes = attributes
    if let fillNumber, array.meaning == .number {
      attributes["_FillValue"] = ZarrMetadata.fillAttribute(fillNumber, type)
    }
    return .object([
      "zarr_format": .integer(3), "node_type": .string("array"), "shape": integers(shape),
      "data_type": ZarrMetadata.dataType(type, array.meaning), "fill_value": fillValue(fillNumber ?? 0, array.meaning),
      "chunk_grid": named("regular", ["chunk_shape": integers(chunks)]),
      "chunk_key_encoding": named("default", ["separator": .string((array.encoding.separator ?? .slash).rawValue)]),
      "codecs": .array(codecs(pipeline)), "attributes": .object(attributes),
      "dimension_names": .array(array.dimensions.map { .string($0) }),
    ])
  }

  private func codecs(_ pipeline: ChunkPipeline) -> [JSONValue] {
    var codecs: [JSONValue] = []
    if pipeline.order != Array(pipeline.order.indices) {
      codecs.append(named("transpose", ["order": integers(pipeline.order)]))
    }
    let little = named("bytes", ["endian": .string("little")])
    switch pipeline.form {
    case .shard(let shard):
      codecs.append(
        named(
          "sharding_indexed",
          [
            "chunk_shape": integers(shard.inner.shape), "codecs": .array(self.codecs(shard.inner)),
            "index_codecs": .array([little, named("crc32c", [:])]), "index_location": .string("end"),
          ]))
    case .numbers(isBigEndian: true): codecs.append(named("bytes", ["endian": .string("big")]))
    case .numbers, .filtered: codecs.append(little)
    }
    return codecs
      + pipeline.compressors.map {
        let (name, settings) = $0.version3(elementSize: type.byteCount)
        return named(name, settings)
      }
  }

  private func named(_ name: String, _ configuration: [String: JSONValue]) -> JSONValue {
    .object(["name": .string(name), "configuration": .object(configuration)])
  }

  private func integers(_ values: [Int]) -> JSONValue { .array(values.map { .integer($0) }) }

  private func fillValue(_ fill: Double, _ meaning: ElementMeaning) -> JSONValue {
    if meaning == .truth { return .bool(fill != 0) }
    return type.isFloatingPoint ? .number(fill) : .integer(Int(exactly: fill) ?? 0)
  }

  /// The attribute that marks missing values. xarray writes and expects floating-point ones in format 3 as the base64 text of
  /// a little-endian double (FillValueCoder in xarray/backends/zarr.py).
  private static func fillAttribute(_ fill: Double, _ type: ScalarType) -> JSONValue {
    if !type.isFloatingPoint { return .integer(Int(exactly: fill) ?? 0) }
    return .string(withUnsafeBytes(of: fill.bitPattern.littleEndian) { Data($0) }.base64EncodedString())
  }

  private static func dtype(_ type: ScalarType, _ meaning: ElementMeaning, isBigEndian: Bool) -> String {
    let little =
      switch meaning {
      case .number: dtype(type)
      case .truth: "|b1"
      case .date(let unit): "<M8[\(unit)]"
      case .timeDifference(let unit): "<m8[\(unit)]"
      }
    return isBigEndian && little.hasPrefix("<") ? ">" + little.dropFirst() : little
  }

  private static func dataType(_ type: ScalarType, _ meaning: ElementMeaning) -> JSONValue {
    func counted(_ name: String, _ unit: String) -> JSONValue {
      .object([
        "name": .string(name), "configuration": .object(["unit": .string(unit), "scale_factor": .integer(1)]),
      ])
    }
    return switch meaning {
    case .number: .string(type.rawValue)
    case .truth: .string("bool")
    case .date(let unit): counted("numpy.datetime64", unit)
    case .timeDifference(let unit): counted("numpy.timedelta64", unit)
    }
  }
}

extension ElementMeaning {
  fileprivate func fits(_ type: ScalarType) -> Bool {
    switch self {
    case .number: true
    case .truth: type == .uint8
    case .date(let unit), .timeDifference(let unit):
      type == .int64 && ZarrMetadata.timeUnits(unit, isDate: false) != nil
    }
  }
}

extension Compression {
  fileprivate var codec: BytesCodec? {
    switch self {
    case .none: nil
    case .blosc(let compressor, let level, let shuffle):
      .blosc(compressor: compressor, level: level, shuffle: shuffle.rawValue)
    case .zstd(let level): .zstd(level: level, hasChecksum: false)
    case .gzip(let level): .gzip(level: level)
    case .zlib(let level): .zlib(level: level)
    case .lz4: .lz4
    }
  }

  fileprivate var isZlib: Bool { if case .zlib = self { true } else { false } }

  /// The most bytes that the library takes at once.
  fileprivate var inputLimit: Int? {
    switch self {
    case .blosc: Int(Int32.max) - 16
    case .lz4: 0x7E00_0000
    default: nil
    }
  }
}
