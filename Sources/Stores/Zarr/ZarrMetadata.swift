import Basics

/// The `.zarray` document of Zarr format 2 (zarr-specs, version 2).
struct ZarrMetadata: Sendable {
  let shape: [Int]
  let chunks: [Int]
  let type: ScalarType
  let isBigEndian: Bool
  let codec: ZarrCodec
  /// What a missing chunk reads as; nil (JSON null) when undefined.
  let fill: Double?
  /// The same, exactly, if it is a whole number.
  let wholeFill: Int64?
  let isFortranOrder: Bool
  let separator: String

  /// Chunks along each dimension.
  var grid: [Int] { zip(shape, chunks).map { ($0 + $1 - 1) / $1 } }
  var chunkCount: Int { chunks.reduce(1, *) }
  var chunkByteCount: Int { chunkCount * type.byteCount }

  /// The largest chunk that is decoded; a larger one is taken for a damaged document.
  static let chunkLimit = 4 << 30
  /// Bytes of a whole array; far more than any disk holds, far less than overflows.
  static let arrayLimit = 1 << 60

  init(_ json: JSONValue, place: String) throws {
    func invalid(_ key: String, _ expected: String) -> JigsawError {
      let found = try? json[key]?.text(pretty: false)
      return JigsawError("\(place): \(key)", "is not usable", expected: expected, found: found ?? "nothing")
    }
    guard json["zarr_format"]?.integer == 2 else { throw invalid("zarr_format", "2") }
    guard let shape = json["shape"]?.integers, shape.allSatisfy({ $0 >= 0 && $0 < 1 << 40 }), shape.count <= 32 else {
      throw invalid("shape", "a list of extents")
    }
    guard let chunks = json["chunks"]?.integers, chunks.count == shape.count,
      chunks.allSatisfy({ $0 > 0 && $0 < 1 << 40 })
    else { throw invalid("chunks", "a list of \(shape.count) positive extents") }
    guard let dtype = json["dtype"]?.string, let (type, isBigEndian) = ZarrMetadata.type(dtype) else {
      throw invalid("dtype", "a number type such as \"<f4\"")
    }
    func fits(_ extents: [Int], _ limit: Int) -> Bool {
      var bytes = type.byteCount
      for extent in extents {
        let (product, overflow) = bytes.multipliedReportingOverflow(by: extent)
        if overflow || product > limit { return false }
        bytes = product
      }
      return true
    }
    guard fits(chunks, ZarrMetadata.chunkLimit) else { throw invalid("chunks", "chunks of at most 4 GiB") }
    guard fits(shape.filter { $0 > 0 }, ZarrMetadata.arrayLimit) else { throw invalid("shape", "a size that can be") }
    if let filters = json["filters"], filters != .null, filters != .array([]) {
      throw invalid("filters", "none")
    }
    let order = json["order"]?.string ?? "C"
    guard order == "C" || order == "F" else { throw invalid("order", "\"C\" or \"F\"") }
    // Other separators would lead out of the array's folder.
    let separator = json["dimension_separator"] ?? .string(".")
    guard let separator = separator.string, separator == "." || separator == "/" else {
      throw invalid("dimension_separator", "\".\" or \"/\"")
    }
    self.shape = shape
    self.chunks = chunks
    self.type = type
    self.isBigEndian = isBigEndian
    codec = try ZarrCodec(json["compressor"] ?? .null, place: place)
    fill = json["fill_value"]?.double
    wholeFill = json["fill_value"]?.integer.map(Int64.init)
    isFortranOrder = order == "F"
    self.separator = separator
  }

  init(shape: [Int], chunks: [Int], type: ScalarType, codec: ZarrCodec, fill: Double?) {
    self.shape = shape
    self.chunks = chunks
    self.type = type
    self.codec = codec
    self.fill = fill
    wholeFill = nil
    isBigEndian = false
    isFortranOrder = false
    separator = "."
  }

  var json: JSONValue {
    let fillValue: JSONValue = fill.map { Int(exactly: $0).map { .integer($0) } ?? .number($0) } ?? .null
    return .object([
      "zarr_format": .integer(2), "shape": .array(shape.map { .integer($0) }),
      "chunks": .array(chunks.map { .integer($0) }), "dtype": .string(ZarrMetadata.dtype(type)),
      "compressor": codec.json, "fill_value": fillValue, "order": .string("C"), "filters": .null,
    ])
  }

  func key(_ index: [Int]) -> String {
    index.isEmpty ? "0" : index.map(String.init).joined(separator: separator)
  }

  /// NumPy's type strings. Dates and time differences are read as their 64-bit counts.
  static func type(_ dtype: String) -> (ScalarType, isBigEndian: Bool)? {
    guard let order = dtype.first, "<>|".contains(order) else { return nil }
    let types: [String: ScalarType] = [
      "i1": .int8, "u1": .uint8, "b1": .uint8, "i2": .int16, "u2": .uint16, "i4": .int32, "u4": .uint32,
      "i8": .int64, "u8": .uint64, "f4": .float32, "f8": .float64,
    ]
    let name = dtype.dropFirst()
    if let type = types[String(name)] { return (type, order == ">") }
    if name.hasPrefix("M8[") || name.hasPrefix("m8[") { return (.int64, order == ">") }
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
    case .float32: "<f4"
    case .float64: "<f8"
    }
  }
}
