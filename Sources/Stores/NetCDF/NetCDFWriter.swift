import Basics
import CNetCDF

/// A NetCDF-4 file being written through netCDF-C.
public final class NetCDFWriter: ArrayWriter {
  private let path: String
  public let temporary: String
  private var file: Int32 = 0
  private var isOpen = false
  private var variables: [String: Int32] = [:]
  private let definition: StoreDefinition

  public init(_ path: String, _ definition: StoreDefinition) throws {
    try definition.requireSafeNames(path)
    self.path = path
    temporary = Temporary.name(for: path)
    self.definition = definition
    try Files.createDirectory(Files.parent(of: path))
    // The library's message for a folder that can't be written to is obscure: try that first.
    try OutputFile(creating: temporary, shownAs: path).close()
    try Files.remove(temporary)
    do {
      try NetCDFLibrary.withLock { try define() }
    } catch {
      abandon()
      throw error
    }
  }

  deinit { if isOpen { abandon() } }

  public func write(_ name: String, _ box: [Range<Int>], _ values: UnsafeBufferPointer<Float>) throws {
    precondition(values.count == box.reduce(1) { $0 * $1.count })
    let status = NetCDFLibrary.withLock {
      nc_put_vara_float(file, variables[name]!, box.map(\.lowerBound), box.map(\.count), values.baseAddress)
    }
    try check(status, name)
  }

  public func write(_ name: String, _ box: [Range<Int>], _ values: RawArray) throws {
    precondition(values.count == box.reduce(1) { $0 * $1.count })
    let (start, count) = (box.map(\.lowerBound), box.map(\.count))
    if values.type == .float16 {
      // NetCDF has no half precision: such arrays are stored as FP32.
      try values.doubles.map(Float.init).withUnsafeBufferPointer { try write(name, box, $0) }
    } else {
      let status = NetCDFLibrary.withLock { nc_put_vara(file, variables[name]!, start, count, values.bytes) }
      try check(status, name)
    }
  }

  /// Pieces of a NetCDF file are not known one by one.
  public func isWritten(_ name: String, _ chunk: [Int]) -> Bool { false }

  public func write(_ name: String, _ values: [Double]) throws {
    let status = NetCDFLibrary.withLock { nc_put_var_double(file, variables[name]!, values) }
    try check(status, name)
  }

  public func finish() throws {
    let status = NetCDFLibrary.withLock { nc_close(file) }
    isOpen = false
    try check(status, "the end of the file")
    try Files.replace(path, by: temporary)
  }

  public func abandon() {
    if isOpen { NetCDFLibrary.withLock { _ = nc_close(file) } }
    isOpen = false
    try? Files.remove(temporary)
  }

  /// Bytes of chunks that the library keeps until the file is closed, once all of its arrays are written.
  public static func bytesKept(_ definition: StoreDefinition) -> Int {
    var (size, slots, preemption) = (0, 0, Float(0))
    let status = NetCDFLibrary.withLock { nc_get_chunk_cache(&size, &slots, &preemption) }
    guard status == NC_NOERR else { return 0 }
    let sizes = Dictionary(uniqueKeysWithValues: definition.dimensions.map { ($0.name, $0.size) })
    return definition.arrays.reduce(0) { sum, array in
      guard let chunks = array.chunks else { return sum }
      let bytes = chunks.reduce(array.type.byteCount) { $0.multipliedSaturating(by: $1) }
      let count = zip(array.dimensions, chunks).reduce(1) { count, dimension in
        let size = max(1, dimension.1)
        return count.multipliedSaturating(by: ((sizes[dimension.0] ?? 1) + size - 1) / size)
      }
      return sum + ChunkCache(byteLimit: size, chunkBytes: bytes).bytes(chunks: count)
    }
  }

  private func check(_ status: Int32, _ name: String) throws {
    // Positive numbers are the system's; HDF5 doesn't say what it is.
    let isDisk = status > 0 || status == NC_EHDFERR
    try NetCDFLibrary.check(
      status, "\(path): \(name)", "write", remedy: isDisk ? "free some space or choose another disk" : nil)
  }

  private func define() throws {
    try check(nc_create(temporary, NC_NETCDF4 | NC_NOCLOBBER, &file), "the file")
    isOpen = true
    var ids: [String: Int32] = [:]
    for dimension in definition.dimensions {
      var id: Int32 = 0
      try check(nc_def_dim(file, dimension.name, dimension.size, &id), dimension.name)
      ids[dimension.name] = id
    }
    for array in definition.arrays {
      guard array.meaning == .number else {
        throw JigsawError(
          "\(path): \(array.name)", "can't be written to NetCDF",
          expected: "numbers, with CF units where they are times")
      }
      var id: Int32 = 0
      let dimensions = array.dimensions.map { ids[$0]! }
      let type = NetCDFLibrary.netCDFType(array.type)
      try check(nc_def_var(file, array.name, type, Int32(dimensions.count), dimensions, &id), array.name)
      variables[array.name] = id
      if let chunks = array.chunks {
        try check(nc_def_var_chunking(file, id, NC_CHUNKED, chunks), array.name)
        try check(nc_def_var_deflate(file, id, 1, 1, 1), array.name)
      }
      if let fill = array.fill { try putNumbers("_FillValue", [fill], id, array.type) }
      for (name, value) in array.attributes.sorted(by: { $0.key < $1.key }) { try put(name, value, id, array.type) }
    }
    for (name, value) in definition.attributes.sorted(by: { $0.key < $1.key }) {
      try put(name, value, NC_GLOBAL, .float64)
    }
    try check(nc_enddef(file), "the header")
  }

  private func put(_ name: String, _ value: AttributeValue, _ variable: Int32, _ type: ScalarType) throws {
    switch value {
    case .text(let text): try check(nc_put_att_text(file, variable, name, text.utf8.count, text), name)
    case .texts(let texts):
      let joined = texts.joined(separator: " ")
      try check(nc_put_att_text(file, variable, name, joined.utf8.count, joined), name)
    case .json(let json):
      let text = try json.text(pretty: false)
      try check(nc_put_att_text(file, variable, name, text.utf8.count, text), name)
    case .numbers(let numbers):
      let isPacking = name == "scale_factor" || name == "add_offset"
      try putNumbers(name, numbers, variable, isPacking ? .float64 : type)
    }
  }

  private func putNumbers(_ name: String, _ numbers: [Double], _ variable: Int32, _ type: ScalarType) throws {
    try check(
      nc_put_att_double(file, variable, name, NetCDFLibrary.netCDFType(type), numbers.count, numbers), name)
  }
}
