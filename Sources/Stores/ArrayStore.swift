import Basics

/// How numbers are stored.
public enum ScalarType: String, Sendable, CaseIterable, Hashable {
  case int8, uint8, int16, uint16, int32, uint32, int64, uint64, float16, float32, float64

  public var isFloatingPoint: Bool { self == .float16 || self == .float32 || self == .float64 }

  public var byteCount: Int {
    switch self {
    case .int8, .uint8: 1
    case .int16, .uint16, .float16: 2
    case .int32, .uint32, .float32: 4
    case .int64, .uint64, .float64: 8
    }
  }
}

/// An array's properties that are known without reading it.
public struct ArrayInfo: Sendable {
  public let name: String
  public let type: ScalarType
  /// Names and extents, outermost first.
  public let dimensions: [Dimension]
  /// Extents of the pieces in which it is stored; nil when it is stored as a whole.
  public let chunks: [Int]?
  /// For people: compressor and filters, for example "blosc(lz4, 5, shuffle)".
  public let codec: String
  public let attributes: [String: AttributeValue]
  /// Names of attributes that are stored as floating-point numbers, whole or not.
  public let realAttributes: Set<String>
  /// Whether its bytes are characters: rows of text.
  public let isText: Bool

  public struct Dimension: Sendable, Hashable {
    public let name: String
    public let size: Int
    public init(name: String, size: Int) {
      self.name = name
      self.size = size
    }
  }

  public init(
    name: String, type: ScalarType, dimensions: [Dimension], chunks: [Int]?, codec: String,
    attributes: [String: AttributeValue], realAttributes: Set<String> = [], isText: Bool = false
  ) {
    self.name = name
    self.type = type
    self.dimensions = dimensions
    self.chunks = chunks
    self.codec = codec
    self.attributes =
      attributes.values.contains(where: \.isLongText) ? attributes.mapValues(\.withoutEndlessCharacters) : attributes
    self.realAttributes = realAttributes
    self.isText = isText
  }

  /// The unit as text, also where it was written as a number (1). What is neither fits no unit, and is shown in errors.
  public var units: String? { attributes["units"].map { $0.text ?? $0.asJSON.line } }

  public var shape: [Int] { dimensions.map(\.size) }
  public var dimensionNames: [String] { dimensions.map(\.name) }
  public var count: Int { dimensions.reduce(1) { $0 * $1.size } }

  /// Bytes of a whole array; far more than any disk holds, far less than overflows.
  static let byteLimit = 1 << 60
  /// The largest chunk that is decoded; a larger one is taken for damage.
  static let chunkByteLimit = 4 << 30

  /// Whether no extent is negative, and the numbers other than those of no length have at most so many bytes.
  static func fits(_ extents: [Int], _ type: ScalarType, _ limit: Int) -> Bool {
    var bytes = type.byteCount
    for extent in extents where extent != 0 {
      let (product, overflow) = bytes.multipliedReportingOverflow(by: extent)
      if extent < 0 || overflow || product > limit { return false }
      bytes = product
    }
    return true
  }
}

/// The properties of an array of strings of any length.
public struct StringArray: Sendable {
  public let dimensionNames: [String]
  public let attributes: [String: AttributeValue]

  public init(dimensionNames: [String], attributes: [String: AttributeValue]) {
    (self.dimensionNames, self.attributes) = (dimensionNames, attributes)
  }
}

/// Part of an array as stored: native byte order, C order, not decoded.
public struct RawArray: Sendable {
  public let type: ScalarType
  public let bytes: [UInt8]

  public init(type: ScalarType, bytes: [UInt8]) {
    self.type = type
    self.bytes = bytes
  }

  public var count: Int { bytes.count / type.byteCount }

  /// The elements as doubles (integers beyond 2⁵³ lose their last bits).
  public var doubles: [Double] {
    [Double](unsafeUninitializedCapacity: count) { out, initialized in
      forEach { out[$0] = $1 }
      initialized = count
    }
  }

  /// The elements as whole numbers; fractions are cut off, what doesn't fit becomes Int64.min.
  public var integers: [Int64] {
    bytes.withUnsafeBytes { raw in
      (0..<count).map { i in
        switch type {
        case .int64: raw.loadUnaligned(fromByteOffset: i * 8, as: Int64.self)
        case .uint64: Int64(exactly: raw.loadUnaligned(fromByteOffset: i * 8, as: UInt64.self)) ?? .min
        default: Int64(exactly: element(raw, i).rounded(.towardZero)) ?? .min
        }
      }
    }
  }

  func forEach(_ body: (Int, Double) -> Void) {
    bytes.withUnsafeBytes { raw in
      for i in 0..<count { body(i, element(raw, i)) }
    }
  }

  @inline(__always)
  func element(_ raw: UnsafeRawBufferPointer, _ i: Int) -> Double {
    switch type {
    case .int8: Double(raw.loadUnaligned(fromByteOffset: i, as: Int8.self))
    case .uint8: Double(raw[i])
    case .int16: Double(raw.loadUnaligned(fromByteOffset: i * 2, as: Int16.self))
    case .uint16: Double(raw.loadUnaligned(fromByteOffset: i * 2, as: UInt16.self))
    case .int32: Double(raw.loadUnaligned(fromByteOffset: i * 4, as: Int32.self))
    case .uint32: Double(raw.loadUnaligned(fromByteOffset: i * 4, as: UInt32.self))
    case .int64: Double(raw.loadUnaligned(fromByteOffset: i * 8, as: Int64.self))
    case .uint64: Double(raw.loadUnaligned(fromByteOffset: i * 8, as: UInt64.self))
    case .float16: Double(raw.loadUnaligned(fromByteOffset: i * 2, as: Float16.self))
    case .float32: Double(raw.loadUnaligned(fromByteOffset: i * 4, as: Float.self))
    case .float64: raw.loadUnaligned(fromByteOffset: i * 8, as: Double.self)
    }
  }
}

/// A place that holds named arrays: a NetCDF file, a Zarr group. Reading is safe from several threads.
public protocol ArrayStore: Sendable {
  /// The path or address, for messages.
  var location: String { get }
  /// For people: "NetCDF-4", "Zarr 2 (consolidated)".
  var format: String { get }
  var attributes: [String: AttributeValue] { get }
  var arrays: [String: ArrayInfo] { get }
  /// For people: what of the files is left out, and why.
  var notes: [String] { get }
  /// Arrays of strings of any length, which can't be read, by name.
  var strings: [String: StringArray] { get }
  /// By array, why some of it can't be read; known without reading.
  var problems: [String: JigsawError] { get }
  var reads: ReadCounter { get }

  /// Reads the box given by one range per dimension.
  /// - Throws: `JigsawError` naming store and array when it is missing, damaged, or the box exceeds it.
  func read(_ name: String, _ box: [Range<Int>]) throws -> RawArray

  /// Hands on what is wanted of an array in pieces, each once, in the order of the chunks; more than what matters of the
  /// box may come, too. Pieces are small enough for a processor's cache where the codec allows.
  /// - Throws: as above; some pieces may have been handed on by then.
  func read(
    _ name: String, _ part: ArrayPart, _ scratch: ReadingScratch, _ take: (StoredPiece) -> Void) throws

  /// Reads a box into memory, C order.
  func read(_ name: String, _ box: [Range<Int>], _ scratch: ReadingScratch, into out: UnsafeMutableRawPointer) throws

  /// How many reads gain from waiting side by side, whatever the number of processors.
  var readsAtOnce: Int { get }

  /// Whether a box holds positions for which there is no field, which read as missing values: times, members or levels of GRIB
  /// without a message.
  func hasGaps(_ name: String, _ box: [Range<Int>]) -> Bool

  /// Bytes of decoded chunks that a library keeps once a box of an array was read.
  func bytesKept(afterReading name: String, _ box: [Range<Int>]) -> Int

  /// Bytes that the library of the format takes for itself as soon as it decodes, once in a process and whatever is read.
  var libraryBytes: Int { get }
}

extension ArrayStore {
  public func hasGaps(_ name: String, _ box: [Range<Int>]) -> Bool { false }
  public func bytesKept(afterReading name: String, _ box: [Range<Int>]) -> Int { 0 }
  public var libraryBytes: Int { 0 }

  public var notes: [String] { [] }
  public var strings: [String: StringArray] { [:] }
  public var problems: [String: JigsawError] { [:] }
  public var readsAtOnce: Int { 1 }

  public func read(
    _ name: String, _ box: [Range<Int>], _ scratch: ReadingScratch, into out: UnsafeMutableRawPointer
  ) throws {
    try read(name, ArrayPart(box), scratch) { $0.copy(to: out, holding: box) }
  }

  public func read(
    _ name: String, _ part: ArrayPart, _ scratch: ReadingScratch, _ take: (StoredPiece) -> Void
  ) throws {
    let raw = try read(name, part.box)
    raw.bytes.withUnsafeBytes {
      guard let start = $0.baseAddress, raw.count > 0 else { return }
      let extent = part.box.map(\.count)
      take(
        StoredPiece(type: raw.type, box: part.box, start: start, strides: strides(extent, isFortranOrder: false)))
    }
  }

  public func info(_ name: String) throws -> ArrayInfo {
    if let info = arrays[name] { return info }
    let names = arrays.keys.sorted()
    throw JigsawError(
      location, "has no variable '\(name)'", found: names.isEmpty ? "no variables" : names.joined(separator: ", "),
      remedy: nearest(to: name, among: names).map { "did you mean '\($0)'?" })
  }

  /// The whole array, of at most 8 GiB: what is larger is read in parts.
  public func read(_ name: String) throws -> RawArray {
    let info = try info(name)
    guard info.count <= 8 << 30 / info.type.byteCount else {
      throw JigsawError(
        "\(location): \(name)", "is too large to be read as a whole", expected: "at most 8 GiB",
        found: "\(info.count) numbers of \(info.type.byteCount) bytes")
    }
    return try read(name, info.shape.map { 0..<$0 })
  }

  /// The whole of an array that is read when a store is opened, whether wanted or not: a coordinate, statistics. What a few
  /// bytes of metadata say must not cost gigabytes or minutes.
  ///
  /// - Parameter limit: numbers of the array, and of one of its chunks.
  public func readSmall(_ name: String, atMost limit: Int) throws -> RawArray {
    let info = try info(name)
    let chunks = info.chunks ?? info.shape
    let pieces = zip(info.shape, chunks).reduce(1) { $0 * (($1.0 + max(1, $1.1) - 1) / max(1, $1.1)) }
    guard info.count <= limit, chunks.reduce(1, *) <= limit, pieces <= 1 << 18 else {
      throw JigsawError(
        "\(location): \(name)", "is too long for a coordinate",
        expected: "at most \(limit) values in \(1 << 18) chunks",
        found: "\(info.count) values in \(pieces) chunks",
        remedy: "write it anew in larger chunks, or correct its metadata")
    }
    return try read(name)
  }

  func checkBox(_ box: [Range<Int>], of info: ArrayInfo) throws {
    let isInside =
      box.count == info.shape.count
      && zip(box, info.shape).allSatisfy { $0.lowerBound >= 0 && $0.upperBound <= $1 }
    if !isInside {
      throw JigsawError(
        "\(location): \(info.name)", "can't read the part \(box)", expected: "a part of the shape \(info.shape)")
    }
    try info.requireMemory(for: box, availableByteCount: Machine.availableMemory, location)
  }
}

extension ArrayInfo {
  /// Sizes below this are allocated without a look at the machine's memory.
  private static let smallByteCount = 256 << 20

  /// Refuses to read what memory can't hold: the part itself, or one chunk, as large as its metadata declare it.
  func requireMemory(for box: [Range<Int>], availableByteCount: @autoclosure () -> Int?, _ location: String) throws {
    let part = box.reduce(type.byteCount) { $0.multipliedSaturating(by: $1.count) }
    let chunk = (chunks ?? []).reduce(type.byteCount) { $0.multipliedSaturating(by: $1) }
    let needed = part == 0 ? 0 : max(part, chunk)
    guard needed > ArrayInfo.smallByteCount, let available = availableByteCount(), needed > available else { return }
    func gibibytes(_ bytes: Int) -> String { "\(fixed(Double(bytes) / 0x1p30, 1)) GiB" }
    throw JigsawError(
      "\(location): \(name)", "declares more than memory can hold, chunks \(chunks ?? shape)",
      expected: "at most the \(gibibytes(available)) that are free", found: "\(gibibytes(needed)) at once",
      remedy: "write it anew in smaller chunks, or correct its metadata")
  }
}

/// Opens a store by what is at the path: the address of a remote Zarr group, a Zarr folder, a ZIP archive of one
/// (name ends in `.zip`), a file of GRIB messages, or a NetCDF file.
///
/// - Parameters:
///   - cache: where values of remote stores are kept; nil: as the environment says (`CacheOptions.fromEnvironment`).
///   - gribTimes: how times of GRIB messages are arranged, which say both start and validity.
public func openStore(
  _ path: String, cache: CacheOptions? = nil, gribTimes: GRIBTimes = .validity
) throws -> any ArrayStore {
  if HTTPStorage.isAddress(path) {
    let storage = try HTTPStorage(path)
    guard let cache = try cache ?? CacheOptions.fromEnvironment() else { return try ZarrStore(storage) }
    return try ZarrStore(CachedStorage(storage, cache, place: storage.base))
  }
  if !Files.exists(path) {
    throw JigsawError(
      path, "no such file or folder", remedy: "check the path; relative ones start at the working folder")
  }
  if Files.isDirectory(path) { return try ZarrStore(path) }
  if path.hasSuffix(".zip") { return try ZarrStore(ZipStorage(path)) }
  return try GRIBFile.isGRIB(path) ? try GRIBStore(path, times: gribTimes) : try NetCDFStore(path)
}
