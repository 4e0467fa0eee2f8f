import Basics

/// The metadata of a Zarr array, of format 2 or 3.
struct ZarrMetadata: Sendable {
  let shape: [Int]
  let type: ScalarType
  let pipeline: ChunkPipeline
  /// One element that was never written, native byte order.
  let fill: [UInt8]
  /// The same as a number; nil when undefined.
  let fillNumber: Double?
  let keys: KeyEncoding
  /// CF units for dates and time differences: "nanoseconds since 1970-01-01".
  let timeUnits: String?
  /// Whether its last dimension is that of the characters of a row, which chunks have no number for.
  var isText = false

  /// Names of chunks below the array's own.
  enum KeyEncoding: Sendable, Hashable {
    /// "0.1", or "0/1" when nested.
    case plain(separator: String)
    /// "c/0/1".
    case prefixed(separator: String)
  }

  var chunks: [Int] { pipeline.shape }
  /// The most bytes that a chunk has as stored.
  var storedLimit: Int { pipeline.storedLimit(elementSize: type.byteCount) }

  func key(_ index: [Int]) -> String {
    let index = isText ? index.dropLast() : index
    return switch keys {
    case .plain(let separator): index.isEmpty ? "0" : index.map(String.init).joined(separator: separator)
    case .prefixed(let separator): (["c"] + index.map(String.init)).joined(separator: separator)
    }
  }

  /// The largest chunk that is decoded; a larger one is taken for a damaged document.
  static let chunkLimit = ArrayInfo.chunkByteLimit

  /// The most codecs or filters of an array.
  static let codecLimit = 16

  /// Reads values of a document with errors that name it.
  struct Document {
    let json: JSONValue
    let place: String

    func invalid(_ key: String, _ expected: String, found: JSONValue? = nil) -> JigsawError {
      let found = (found ?? json[key])?.line
      return JigsawError("\(place): \(key)", "is not usable", expected: expected, found: found ?? "nothing")
    }

    /// Extents that are sound for elements of this type.
    func shape(_ type: ScalarType) throws -> [Int] {
      guard let shape = json["shape"]?.integers, shape.allSatisfy({ $0 >= 0 && $0 < 1 << 40 }), shape.count <= 32
      else { throw invalid("shape", "a list of extents") }
      guard ArrayInfo.fits(shape, type, ArrayInfo.byteLimit) else { throw invalid("shape", "a size that can be") }
      return shape
    }

    func chunks(_ value: JSONValue?, _ key: String, _ shape: [Int], _ type: ScalarType) throws -> [Int] {
      guard let chunks = value?.integers, chunks.count == shape.count, chunks.allSatisfy({ $0 > 0 && $0 < 1 << 40 })
      else { throw invalid(key, "a list of \(shape.count) positive extents", found: value) }
      guard ArrayInfo.fits(chunks, type, chunkLimit) else {
        throw invalid(key, "chunks of at most 4 GiB", found: value)
      }
      return chunks
    }

  }

  /// One element with the fill value of a document. Format 2 may have none, which is zero.
  /// - Throws: for what is no value of the array's type.
  static func fill(_ document: Document, _ type: ScalarType) throws -> (bytes: [UInt8], number: Double?) {
    let (value, isVersion2) = (document.json["fill_value"] ?? .null, document.json["zarr_format"]?.integer == 2)
    let invalid = document.invalid("fill_value", "a value of type \(type.rawValue)", found: value)
    switch value {
    case .null where isVersion2: return (element(type, 0), nil)
    case .bool(let flag) where type == .uint8: return (element(type, flag ? 1 : 0), flag ? 1 : 0)
    case .string("NaT") where type == .int64: return (withUnsafeBytes(of: Int64.min) { Array($0) }, nil)
    case .integer(let whole) where type == .int64 || type == .uint64 && whole >= 0:
      return (withUnsafeBytes(of: whole) { Array($0) }, Double(whole))
    case .integer, .number:
      guard let number = value.double, holds(type, number) else { throw invalid }
      return (element(type, number), number)
    case .string(let text):
      // Floating-point numbers of format 3 may be given by all their bits.
      if !isVersion2, type.isFloatingPoint, text.hasPrefix("0x"), text.count == 2 + 2 * type.byteCount,
        let bits = UInt64(text.dropFirst(2), radix: 16)
      {
        return (withUnsafeBytes(of: bits.littleEndian) { Array($0.prefix(type.byteCount)) }, nil)
      }
      guard let number = value.double ?? (isVersion2 ? Double(text) : nil), holds(type, number) else { throw invalid }
      return (element(type, number), number)
    default: throw invalid
    }
  }

  private static func holds(_ type: ScalarType, _ number: Double) -> Bool {
    if type.isFloatingPoint { return true }
    let isSigned = type.rawValue.hasPrefix("int")
    let span = Double(sign: .plus, exponent: 8 * type.byteCount, significand: 1)
    let least = isSigned ? -span / 2 : 0
    return number == number.rounded() && number >= least && number < least + span
  }

  static func element(_ type: ScalarType, _ value: Double) -> [UInt8] {
    switch type {
    case .float16: withUnsafeBytes(of: Float16(value).bitPattern) { Array($0) }
    case .float32: withUnsafeBytes(of: Float(value)) { Array($0) }
    case .float64: withUnsafeBytes(of: value) { Array($0) }
    case .uint64: withUnsafeBytes(of: value >= 0x1p64 ? .max : UInt64(exactly: value) ?? 0) { Array($0) }
    default: withUnsafeBytes(of: Int64(exactly: value) ?? 0) { Array($0.prefix(type.byteCount)) }
    }
  }

  private static let timeUnitNames = [
    "ns": "nanoseconds", "us": "microseconds", "ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours",
    "D": "days",
  ]

  /// CF units for NumPy's counts of `unit`; nil for units that CF has not.
  static func timeUnits(_ unit: String, isDate: Bool) -> String? {
    timeUnitNames[unit].map { isDate ? "\($0) since 1970-01-01" : $0 }
  }
}
