import Basics

/// A Zarr group of format 2 in a folder.
public final class ZarrStore: ArrayStore {
  public let location: String
  public let format: String
  public let attributes: [String: AttributeValue]
  public let arrays: [String: ArrayInfo]
  public let reads = ReadCounter()
  private let metadata: [String: ZarrMetadata]

  public init(_ path: String) throws {
    location = path
    let documents: Documents
    if let consolidated = try Documents.consolidated(path) {
      documents = consolidated
      format = "Zarr 2 (consolidated)"
    } else {
      documents = try Documents.listed(path)
      format = "Zarr 2"
    }
    attributes = ZarrStore.attributes(documents.groupAttributes)
    var arrays: [String: ArrayInfo] = [:]
    var metadata: [String: ZarrMetadata] = [:]
    for (name, json) in documents.arrays.sorted(by: { $0.key < $1.key }) {
      // Strings and objects are not fields; they are passed over as in NetCDF files.
      guard let dtype = json["dtype"]?.string, ZarrMetadata.type(dtype) != nil else { continue }
      let array = try ZarrMetadata(json, place: "\(path)/\(name)/.zarray")
      let attributes = documents.attributes[name] ?? .object([:])
      let names =
        attributes["_ARRAY_DIMENSIONS"]?.strings ?? array.shape.indices.map { "dim_\($0)" }
      guard names.count == array.shape.count else {
        throw JigsawError(
          "\(path)/\(name)", "names \(names.count) dimensions in _ARRAY_DIMENSIONS", expected: "\(array.shape.count)")
      }
      var values = ZarrStore.attributes(attributes)
      values["_ARRAY_DIMENSIONS"] = nil
      // As in xarray, the fill value marks missing values; but not zero, which zarr-python sets when none is asked for.
      if values["_FillValue"] == nil, let fill = array.fill, !fill.isNaN, fill != 0 {
        values["_FillValue"] = .numbers([fill])
      }
      if let dtype = json["dtype"]?.string, dtype.dropFirst().hasPrefix("M8[") {
        values["units"] = ZarrStore.units(ofDate: dtype).map { .text($0) }
      }
      metadata[name] = array
      arrays[name] = ArrayInfo(
        name: name, type: array.type,
        dimensions: zip(names, array.shape).map { ArrayInfo.Dimension(name: $0, size: $1) }, chunks: array.chunks,
        codec: array.codec.description, attributes: values)
    }
    self.arrays = arrays
    self.metadata = metadata
  }

  public func read(_ name: String, _ box: [Range<Int>]) throws -> RawArray {
    let info = try info(name)
    try checkBox(box, of: info)
    let array = metadata[name]!
    let width = array.type.byteCount
    let extent = box.map(\.count)
    var bytes = [UInt8](repeating: 0, count: extent.reduce(width, *))
    if bytes.isEmpty { return RawArray(type: array.type, bytes: bytes) }
    let first = zip(box, array.chunks).map { $0.lowerBound / $1 }
    let last = zip(box, array.chunks).map { ($0.upperBound - 1) / $1 }
    for index in BoxIterator(first, last) {
      let chunk = try decodedChunk(name, array, index)
      let origin = zip(index, array.chunks).map(*)
      let lower = zip(box, origin).map { max($0.lowerBound, $1) }
      let upper = zip(zip(box, origin), array.chunks).map { min($0.0.upperBound, $0.1 + $1) }
      copyBox(
        from: chunk, strides(array.chunks, isFortranOrder: array.isFortranOrder), zip(lower, origin).map(-),
        to: &bytes, strides(extent, isFortranOrder: false), zip(lower, box).map { $0 - $1.lowerBound },
        extent: zip(upper, lower).map(-), width: width)
    }
    return RawArray(type: array.type, bytes: bytes)
  }

  private func decodedChunk(_ name: String, _ array: ZarrMetadata, _ index: [Int]) throws -> [UInt8] {
    let path = "\(location)/\(name)/\(array.key(index))"
    guard let encoded = try Files.readIfPresent(path) else { return fillChunk(array) }
    reads.count(bytes: encoded.count)
    guard var bytes = array.codec.decode(encoded, byteCount: array.chunkByteCount) else {
      throw JigsawError(
        path, "is a damaged chunk", expected: "\(array.chunkByteCount) bytes from \(array.codec.description)",
        found: "something that doesn't decode to that", remedy: "copy the store again")
    }
    if array.isBigEndian { swapBytes(&bytes, width: array.type.byteCount) }
    return bytes
  }

  private func fillChunk(_ array: ZarrMetadata) -> [UInt8] {
    var element = [UInt8]()
    let fill = array.fill ?? 0
    switch array.type {
    case .float32: withUnsafeBytes(of: Float(fill)) { element += $0 }
    case .float64: withUnsafeBytes(of: fill) { element += $0 }
    default:
      let whole = array.wholeFill ?? Int64(exactly: fill) ?? 0
      withUnsafeBytes(of: whole) { element += $0.prefix(array.type.byteCount) }
    }
    var bytes = [UInt8]()
    bytes.reserveCapacity(array.chunkByteCount)
    for _ in 0..<array.chunkCount { bytes += element }
    return bytes
  }

  // MARK: Metadata

  private struct Documents {
    var groupAttributes: JSONValue = .object([:])
    var arrays: [String: JSONValue] = [:]
    var attributes: [String: JSONValue] = [:]

    mutating func add(_ key: String, _ value: JSONValue) {
      if key == ".zattrs" {
        groupAttributes = value
      } else if key.hasSuffix("/.zarray") {
        arrays[String(key.dropLast("/.zarray".count))] = value
      } else if key.hasSuffix("/.zattrs") {
        attributes[String(key.dropLast("/.zattrs".count))] = value
      }
    }

    static func consolidated(_ path: String) throws -> Documents? {
      let file = path + "/.zmetadata"
      guard Files.exists(file) else { return nil }
      let json = try JSONValue(parsing: Files.read(file), place: file)
      guard let members = json["metadata"]?.object else {
        throw JigsawError(file, "has no 'metadata'", remedy: "consolidate the store again")
      }
      var documents = Documents()
      for (key, value) in members {
        guard isSafe(key) else {
          throw JigsawError(
            file, "has the key '\(key)', which leads out of the store", remedy: "don't trust this store")
        }
        documents.add(key, value)
      }
      return documents
    }

    static func listed(_ path: String) throws -> Documents {
      guard Files.exists(path + "/.zgroup") else {
        if Files.exists(path + "/zarr.json") {
          throw JigsawError(
            path, "is a Zarr store of format 3", expected: "format 2",
            remedy: "write it with zarr_format=2; format 3 is not supported yet")
        }
        throw JigsawError(path, "is not a Zarr group (no .zgroup or .zmetadata in it)")
      }
      var documents = Documents()
      func add(_ key: String) throws {
        let file = "\(path)/\(key)"
        if Files.exists(file) { documents.add(key, try JSONValue(parsing: Files.read(file), place: file)) }
      }
      try add(".zattrs")
      for name in try Files.list(path) where Files.exists("\(path)/\(name)/.zarray") {
        try add("\(name)/.zarray")
        try add("\(name)/.zattrs")
      }
      return documents
    }

    /// No key may lead out of the store's folder.
    private static func isSafe(_ key: String) -> Bool {
      !key.hasPrefix("/") && !key.split(separator: "/").contains("..")
    }
  }

  private static func attributes(_ json: JSONValue) -> [String: AttributeValue] {
    (json.object ?? [:]).compactMapValues { value in
      switch value {
      case .string(let text): .text(text)
      case .integer, .number: value.double.map { .numbers([$0]) }
      case .bool(let flag): .numbers([flag ? 1 : 0])
      case .array:
        if let texts = value.strings {
          .texts(texts)
        } else if let numbers = value.array?.map(\.double), !numbers.contains(nil) {
          .numbers(numbers.compactMap { $0 })
        } else {
          nil
        }
      case .null, .object: nil
      }
    }
  }

  /// CF units for NumPy dates: "<M8[ns]" counts nanoseconds since 1970.
  private static func units(ofDate dtype: String) -> String? {
    let unit = dtype.dropFirst().dropFirst("M8[".count).dropLast()
    let names = [
      "ns": "nanoseconds", "us": "microseconds", "ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours",
      "D": "days",
    ]
    return names[String(unit)].map { "\($0) since 1970-01-01" }
  }
}

// MARK: Boxes

/// All index vectors from `first` to `last`, both included, the last dimension fastest.
struct BoxIterator: Sequence, IteratorProtocol {
  private let first, last: [Int]
  private var current: [Int]?

  init(_ first: [Int], _ last: [Int]) {
    self.first = first
    self.last = last
    current = zip(first, last).allSatisfy(<=) ? first : nil
  }

  mutating func next() -> [Int]? {
    guard let result = current else { return nil }
    var index = result
    for dimension in index.indices.reversed() {
      if index[dimension] < last[dimension] {
        index[dimension] += 1
        current = index
        return result
      }
      index[dimension] = first[dimension]
    }
    current = nil
    return result
  }
}

/// Elements between neighbours along each dimension.
func strides(_ shape: [Int], isFortranOrder: Bool) -> [Int] {
  var strides = [Int](repeating: 1, count: shape.count)
  var stride = 1
  for dimension in isFortranOrder ? Array(shape.indices) : shape.indices.reversed() {
    strides[dimension] = stride
    stride *= shape[dimension]
  }
  return strides
}

/// Copies a box of elements of `width` bytes between two arrays with strides and start indices in elements.
func copyBox(
  from source: [UInt8], _ sourceStrides: [Int], _ sourceStart: [Int], to target: inout [UInt8], _ targetStrides: [Int],
  _ targetStart: [Int], extent: [Int], width: Int
) {
  let from = zip(sourceStrides, sourceStart).reduce(0) { $0 + $1.0 * $1.1 }
  let to = zip(targetStrides, targetStart).reduce(0) { $0 + $1.0 * $1.1 }
  source.withUnsafeBytes { source in
    target.withUnsafeMutableBytes { target in
      copyDimension(
        source.baseAddress!, sourceStrides[...], from, target.baseAddress!, targetStrides[...], to, extent[...], width)
    }
  }
}

private func copyDimension(
  _ source: UnsafeRawPointer, _ sourceStrides: ArraySlice<Int>, _ from: Int, _ target: UnsafeMutableRawPointer,
  _ targetStrides: ArraySlice<Int>, _ to: Int, _ extent: ArraySlice<Int>, _ width: Int
) {
  guard let count = extent.first, let sourceStride = sourceStrides.first, let targetStride = targetStrides.first else {
    return target.advanced(by: to * width).copyMemory(from: source + from * width, byteCount: width)
  }
  if extent.count == 1 && sourceStride == 1 && targetStride == 1 {
    return target.advanced(by: to * width).copyMemory(from: source + from * width, byteCount: count * width)
  }
  for i in 0..<count {
    copyDimension(
      source, sourceStrides.dropFirst(), from + i * sourceStride, target, targetStrides.dropFirst(),
      to + i * targetStride, extent.dropFirst(), width)
  }
}

func swapBytes(_ bytes: inout [UInt8], width: Int) {
  guard width > 1 else { return }
  for start in stride(from: 0, to: bytes.count - width + 1, by: width) { bytes[start..<start + width].reverse() }
}
