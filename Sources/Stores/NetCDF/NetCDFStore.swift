import Basics
import CNetCDF

/// A NetCDF file (classic, 64-bit or NetCDF-4) read through netCDF-C. Variables and dimensions in groups of NetCDF-4 have their own
/// names where these are the only ones of the file, else those with their group's: `surface/t2m`.
public final class NetCDFStore: ArrayStore {
  public let location: String
  public let reads = ReadCounter()
  private let file: Int32
  private let fault: LibraryFault
  private let contents: Contents

  public var format: String { contents.format }
  public var attributes: [String: AttributeValue] { contents.attributes }
  public var arrays: [String: ArrayInfo] { contents.arrays }
  public var strings: [String: StringArray] { contents.strings }
  public var notes: [String] { contents.notes }

  /// The metadata of a file.
  private struct Contents {
    var format: String
    var attributes: [String: AttributeValue]
    var arrays: [String: ArrayInfo] = [:]
    var variables: [String: NetCDFGroups.Variable] = [:]
    var strings: [String: StringArray] = [:]
    var notes: [String] = []
  }

  public init(_ path: String) throws {
    location = path
    if let needed = try ClassicHeader.requiredByteCount(path), let size = Files.size(path), size < needed {
      throw JigsawError(
        path, "was cut short", expected: "\(needed) bytes", found: "\(size)", remedy: "copy the file again")
    }
    var file: Int32 = 0
    let fault = LibraryFault(path)
    self.fault = fault
    contents = try NetCDFLibrary.withLock(fault) {
      try HDF5Links.check(path)
      try NetCDFLibrary.check(
        nc_open(path, NC_NOWRITE, &file), path, "open this as NetCDF",
        remedy: "it must be a complete NetCDF file or a Zarr folder")
      do {
        return try NetCDFStore.inspect(file, path)
      } catch {
        nc_close(file)
        throw error
      }
    }
    self.file = file
  }

  deinit { NetCDFLibrary.withLock(fault) { _ = nc_close(file) } }

  public func read(_ name: String, _ box: [Range<Int>]) throws -> RawArray {
    let info = try info(name)
    try checkBox(box, of: info)
    let count = box.reduce(1) { $0 * $1.count }
    let start = box.map(\.lowerBound)
    let extent = box.map(\.count)
    guard let place = contents.variables[name] else { preconditionFailure("an array has a variable") }
    var status = NC_NOERR
    let bytes = [UInt8](unsafeUninitializedCapacity: count * info.type.byteCount) { out, initialized in
      if count > 0 {
        status = NetCDFLibrary.withLock(fault, byteCount: out.count) {
          nc_get_vara(place.group, place.variable, start, extent, out.baseAddress)
        }
      }
      initialized = out.count
    }
    reads.count(bytes: bytes.count)
    reads.countChunk()
    try NetCDFLibrary.check(
      status, "\(location): \(name)", "read \(extent) values from \(start)",
      remedy: "the file is damaged or was cut short; copy it again")
    return RawArray(type: info.type, bytes: bytes)
  }

  public func bytesKept(afterReading name: String, _ box: [Range<Int>]) -> Int {
    guard let info = arrays[name], let place = contents.variables[name], let chunks = info.chunks else { return 0 }
    var (size, slots, preemption) = (0, 0, Float(0))
    let status = NetCDFLibrary.withLock {
      nc_get_var_chunk_cache(place.group, place.variable, &size, &slots, &preemption)
    }
    guard status == NC_NOERR else { return 0 }
    let bytes = chunks.reduce(info.type.byteCount) { $0.multipliedSaturating(by: $1) }
    return ChunkCache(byteLimit: size, chunkBytes: bytes).bytes(chunks: info.chunkCount(in: box))
  }

  // MARK: Inspection (under the lock)

  private static func inspect(_ file: Int32, _ path: String) throws -> Contents {
    var attributeCount: Int32 = 0
    var format: Int32 = 0
    try NetCDFLibrary.check(nc_inq_natts(file, &attributeCount), path, "inspect")
    try NetCDFLibrary.check(nc_inq_format(file, &format), path, "inspect")
    let names = [
      NC_FORMAT_CLASSIC: "NetCDF classic", NC_FORMAT_64BIT_OFFSET: "NetCDF 64-bit offset",
      NC_FORMAT_CDF5: "NetCDF CDF-5",
    ]
    var contents = Contents(
      format: names[format] ?? "NetCDF-4",
      attributes: try attributes(file, NC_GLOBAL, attributeCount, path).values)
    var userTyped: [String] = []
    let groups = try NetCDFGroups(file, path)
    for variable in groups.variables {
      if let info = try inspect(variable, groups, path) {
        contents.arrays[info.name] = info
        contents.variables[info.name] = variable
      } else if let text = try strings(variable, groups, path) {
        contents.strings[groups.name(of: variable)] = text
      } else if try isUserTyped(variable, path) {
        userTyped.append(groups.name(of: variable))
      }
    }
    if !userTyped.isEmpty {
      contents.notes = [
        "\(userTyped.joined(separator: ", ")): not read, since the values are of a type that the file defines itself"
          + " (enumeration, compound, opaque or of varying length)"
      ]
    }
    return contents
  }

  /// Whether the type of a variable is one that its file defines.
  private static func isUserTyped(_ place: NetCDFGroups.Variable, _ path: String) throws -> Bool {
    var type: nc_type = 0
    try NetCDFLibrary.check(nc_inq_vartype(place.group, place.variable, &type), path, "inspect a variable")
    return type >= NC_FIRSTUSERTYPEID
  }

  /// Nil for variables of other types than strings.
  private static func strings(_ place: NetCDFGroups.Variable, _ groups: NetCDFGroups, _ path: String) throws
    -> StringArray?
  {
    var (type, rank, attributeCount) = (nc_type(0), Int32(0), Int32(0))
    try NetCDFLibrary.check(
      nc_inq_var(place.group, place.variable, nil, &type, &rank, nil, &attributeCount), path, "inspect a variable")
    guard type == NC_STRING else { return nil }
    var ids = [Int32](repeating: 0, count: Int(rank))
    try NetCDFLibrary.check(nc_inq_vardimid(place.group, place.variable, &ids), path, "inspect a variable")
    return StringArray(
      dimensionNames: ids.map { groups.dimensions[$0] ?? "" },
      attributes: try attributes(place.group, place.variable, attributeCount, path).values)
  }

  private static let damaged = "the file is damaged; copy it again"

  /// Values of one attribute.
  private static let attributeLimit = 1 << 24

  /// Nil for types that hold no numbers (strings, compounds), but for characters: the single ones of grid mappings, and rows of
  /// text.
  private static func inspect(
    _ place: NetCDFGroups.Variable, _ groups: NetCDFGroups, _ path: String
  ) throws -> ArrayInfo? {
    let (file, variable) = (place.group, place.variable)
    var name = [CChar](repeating: 0, count: Int(NC_MAX_NAME) + 1)
    var type: nc_type = 0
    var rank: Int32 = 0
    var attributeCount: Int32 = 0
    try NetCDFLibrary.check(
      nc_inq_var(file, variable, &name, &type, &rank, nil, &attributeCount), path, "inspect a variable")
    let variableName = groups.name(of: place)
    let isText = type == NC_CHAR && (rank == 0 || rank == 2)
    guard let scalarType = isText ? .int8 : NetCDFLibrary.scalarType(type) else { return nil }
    var ids = [Int32](repeating: 0, count: Int(rank))
    try NetCDFLibrary.check(nc_inq_vardimid(file, variable, &ids), path, "inspect \(variableName)")
    let dimensions = try ids.map { id in
      var length = 0
      try NetCDFLibrary.check(nc_inq_dim(file, id, &name, &length), path, "inspect \(variableName)")
      return ArrayInfo.Dimension(name: groups.dimensions[id] ?? string(name), size: length)
    }
    // Sizes beyond 2⁶³ come out negative.
    guard ArrayInfo.fits(dimensions.map(\.size), scalarType, ArrayInfo.byteLimit) else {
      throw JigsawError(
        "\(path): \(variableName)", "has a size that can't be",
        found: dimensions.map { "\($0.name) \(UInt(bitPattern: $0.size))" }.joined(separator: ", "), remedy: damaged)
    }
    var storage: Int32 = 0
    var chunks = [Int](repeating: 0, count: Int(rank))
    let isChunked = nc_inq_var_chunking(file, variable, &storage, &chunks) == NC_NOERR && storage == NC_CHUNKED
    guard !isChunked || ArrayInfo.fits(chunks, scalarType, ArrayInfo.chunkByteLimit) else {
      throw JigsawError(
        "\(path): \(variableName)", "has chunks that are too large", expected: "at most 4 GiB", found: "\(chunks)",
        remedy: damaged)
    }
    var shuffle: Int32 = 0
    var deflate: Int32 = 0
    var level: Int32 = 0
    _ = nc_inq_var_deflate(file, variable, &shuffle, &deflate, &level)
    let codec = deflate != 0 ? "deflate(\(level)\(shuffle != 0 ? ", shuffle" : ""))" : "none"
    var (attributes, realAttributes) = try attributes(file, variable, attributeCount, path)
    if attributes["_FillValue"] == nil, let fill = defaultFill(scalarType) {
      attributes["_FillValue"] = .numbers([fill])
    }
    return ArrayInfo(
      name: variableName, type: scalarType, dimensions: dimensions, chunks: isChunked ? chunks : nil, codec: codec,
      attributes: attributes, realAttributes: realAttributes, isText: isText)
  }

  /// The value that netCDF fills in where nothing was written and no other fill value was agreed on. Bytes have none, since all
  /// their values are likely (NetCDF User's Guide, "Fill Values"); no field is stored in 64-bit integers.
  private static func defaultFill(_ type: ScalarType) -> Double? {
    switch type {
    case .int8, .uint8, .int64, .uint64, .float16: nil
    case .int16: Double(NC_FILL_SHORT)
    case .uint16: Double(NC_FILL_USHORT)
    case .int32: Double(NC_FILL_INT)
    case .uint32: Double(NC_FILL_UINT)
    case .float32: Double(NC_FILL_FLOAT)
    case .float64: NC_FILL_DOUBLE
    }
  }

  private static func attributes(
    _ file: Int32, _ variable: Int32, _ count: Int32, _ path: String
  ) throws -> (values: [String: AttributeValue], real: Set<String>) {
    var result: [String: AttributeValue] = [:]
    var real: Set<String> = []
    for index in 0..<count {
      var name = [CChar](repeating: 0, count: Int(NC_MAX_NAME) + 1)
      var type: nc_type = 0
      var length = 0
      try NetCDFLibrary.check(nc_inq_attname(file, variable, index, &name), path, "read an attribute")
      try NetCDFLibrary.check(nc_inq_att(file, variable, name, &type, &length), path, "read an attribute")
      guard (0...attributeLimit).contains(length) else {
        throw JigsawError(
          path, "has an attribute that is too long", expected: "at most \(attributeLimit) values",
          found: "\(UInt(bitPattern: length)) in \(string(name))", remedy: damaged)
      }
      switch type {
      case NC_CHAR:
        var text = [CChar](repeating: 0, count: length + 1)
        try NetCDFLibrary.check(nc_get_att_text(file, variable, name, &text), path, "read an attribute")
        result[string(name)] = .text(string(text).withoutPadding)
      case NC_STRING:
        var pointers = [UnsafeMutablePointer<CChar>?](repeating: nil, count: length)
        try NetCDFLibrary.check(nc_get_att_string(file, variable, name, &pointers), path, "read an attribute")
        let texts = pointers.map { $0.map { String(cString: $0).withoutPadding } ?? "" }
        nc_free_string(length, &pointers)
        result[string(name)] = texts.count == 1 ? .text(texts[0]) : .texts(texts)
      default:
        guard let scalarType = NetCDFLibrary.scalarType(type) else { continue }
        if scalarType.isFloatingPoint { real.insert(string(name)) }
        var numbers = [Double](repeating: 0, count: length)
        try NetCDFLibrary.check(nc_get_att_double(file, variable, name, &numbers), path, "read an attribute")
        result[string(name)] = .numbers(numbers)
      }
    }
    return (result, real)
  }

  static func string(_ characters: [CChar]) -> String {
    String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
