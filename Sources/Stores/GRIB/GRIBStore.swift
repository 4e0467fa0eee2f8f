import Basics

/// A file of GRIB messages, edition 1 or 2, as arrays over time, member, level and the grid (see `GRIBCatalog`).
///
/// Arrays are called by ECMWF's short names (see `GRIBNames`): `t` [time, (number,) level, latitude, longitude] on pressure
/// levels, `2t` [time, latitude, longitude] at the surface. `time` is the time of validity, in seconds since 1970, `level` in
/// hPa; `number` exists when a variable has several members. Latitudes go north to south, longitudes eastwards. Grids that
/// are no product of latitudes and longitudes (reduced Gaussian ones above all) have one dimension `values` with
/// `latitude` [values] and `longitude` [values]. What has one time in a file with several is constant and has no `time`.
/// Combinations for which there is no message read as NaN, and so does what a bitmap leaves out. A message that is repeated byte
/// for byte is taken once; different ones for the same place are an error when they are read.
///
/// Fields are FP32: packed numbers have at most 24 bits as a rule, and nothing here computes in more.
public final class GRIBStore: ArrayStore {
  public let location: String
  public let format: String
  public let attributes: [String: AttributeValue]
  public let arrays: [String: ArrayInfo]
  public let notes: [String]
  public let problems: [String: JigsawError]
  public let reads = ReadCounter()
  public var libraryBytes: Int { GRIBStore.measuredLibraryBytes }
  /// ecCodes' definitions of keys and tables, by the peak of a process that inspects a small file (docs/results/planning/memory.md).
  public static let measuredLibraryBytes = 40_000_000
  private let file: GRIBFile
  private let index: GRIBIndex
  private let catalog: GRIBCatalog

  /// - Throws: naming the message that is damaged, or why the file can't be one set of arrays.
  public init(_ path: String, times: GRIBTimes = .validity) throws {
    location = path
    file = try GRIBFile(path)
    index = try GRIBIndex(file)
    catalog = try GRIBCatalog(index, times: times, path) { [file] in try file.isSame($0, $1) }
    let editions = Set(index.products.map(\.edition)).sorted().map(String.init).joined(separator: " and ")
    format = "GRIB \(editions)"
    attributes = [
      "GRIB_grid": .text(catalog.grid.summary), "GRIB_fields": .numbers([Double(index.fields.count)]),
    ]
    arrays = catalog.entries.mapValues(\.info).merging(catalog.coordinates.mapValues(\.info)) { $1 }
    var notes = index.notes
    if catalog.repetitions > 0 {
      notes.append("messages with the same bytes as another are left out: \(catalog.repetitions)")
    }
    var problems: [String: JigsawError] = [:]
    for (name, entry) in catalog.entries {
      guard let cell = entry.rivals.keys.min() else { continue }
      problems[name] = try index.rivalry(entry, cell, name, file)
    }
    self.problems = problems
    notes += problems.values.map { "\($0)" }.sorted()
    self.notes = notes
  }

  public func read(_ name: String, _ box: [Range<Int>]) throws -> RawArray {
    let info = try info(name)
    try checkBox(box, of: info)
    if let coordinate = catalog.coordinates[name] { return GRIBStore.part(coordinate, box[0]) }
    guard let entry = catalog.entries[name] else { preconditionFailure("an array is a coordinate or has fields") }
    let innerRank = GRIBStore.innerRank(catalog.grid)
    let outerShape = Array(info.shape.dropLast(innerRank))
    let (outer, inner) = (Array(box.dropLast(innerRank)), Array(box.suffix(innerRank)))
    let fieldCount = inner.reduce(1) { $0 * $1.count }
    let count = outer.reduce(fieldCount) { $0 * $1.count }
    let bytes = try [UInt8](unsafeUninitializedCapacity: count * 4) { raw, initialized in
      let out = UnsafeMutableRawBufferPointer(raw).bindMemory(to: Float.self)
      var start = 0
      if count > 0 {
        try GRIBStore.forEachCell(outerShape, outer) { cell in
          let part = UnsafeMutableBufferPointer(rebasing: out[start..<start + fieldCount])
          if let field = entry.fields[cell] {
            if let error = try index.rivalry(entry, cell, name, file) { throw error }
            try decode(index.fields[field], name, inner, into: part)
            if let factor = entry.factors[index.fields[field].product] {
              for place in part.indices { part[place] = Float(Double(part[place]) * factor) }
            }
          } else {
            part.update(repeating: .nan)
          }
          start += fieldCount
        }
      }
      initialized = count * 4
    }
    return RawArray(type: .float32, bytes: bytes)
  }

  public func hasGaps(_ name: String, _ box: [Range<Int>]) -> Bool {
    guard let entry = catalog.entries[name] else { return false }
    let innerRank = GRIBStore.innerRank(catalog.grid)
    let shape = Array(entry.info.shape.dropLast(innerRank))
    if entry.fields.count == shape.reduce(1, *) { return false }
    var isMissing = false
    GRIBStore.forEachCell(shape, Array(box.dropLast(innerRank))) { if entry.fields[$0] == nil { isMissing = true } }
    return isMissing
  }

  // MARK: One field

  /// Decodes a field and copies the part `inner` of the grid.
  private func decode(
    _ field: GRIBField, _ name: String, _ inner: [Range<Int>], into out: UnsafeMutableBufferPointer<Float>
  ) throws {
    let place = index.place(field, name, location)
    let message = try file.message(field.pieces)
    reads.count(bytes: message.count)
    reads.countChunk()
    let grid = index.grids[field.grid]
    let numbers = UnsafeMutableBufferPointer<Double>.allocate(capacity: grid.count)
    defer { numbers.deallocate() }
    try GRIBLibrary.withMessage(message, place) { message in
      let stored = message.count("values") ?? 0
      guard stored == grid.count else {
        throw JigsawError(
          place, "has numbers that don't fit its grid", expected: "\(grid.count)", found: "\(stored)",
          remedy: "the file is damaged; copy it again")
      }
      try message.set("missingValue", GRIBStore.missing, place)
      try message.numbers("values", into: numbers, place)
    }
    GRIBStore.copy(numbers, grid, inner, into: out)
  }

  /// Stands for missing values between the library and here: a number that no field has.
  private static let missing = -Double.greatestFiniteMagnitude

  private static func copy(
    _ numbers: UnsafeMutableBufferPointer<Double>, _ grid: GRIBGrid, _ inner: [Range<Int>],
    into out: UnsafeMutableBufferPointer<Float>
  ) {
    func float(_ number: Double) -> Float { number == missing ? .nan : Float(number) }
    var next = 0
    guard case .regular(_, let longitudes) = grid.shape else {
      for i in inner[0] {
        out[next] = float(numbers[i])
        next += 1
      }
      return
    }
    for row in inner[0] {
      for column in inner[1] {
        out[next] = float(numbers[grid.scanning?.index(row, column) ?? row * longitudes.count + column])
        next += 1
      }
    }
  }

  // MARK: Positions

  private static func innerRank(_ grid: GRIBGrid) -> Int {
    if case .regular = grid.shape { 2 } else { 1 }
  }

  /// Positions in C order of a box among outer dimensions.
  private static func forEachCell(_ shape: [Int], _ box: [Range<Int>], _ body: (Int) throws -> Void) rethrows {
    func walk(_ dimension: Int, _ cell: Int) throws {
      if dimension == shape.count { return try body(cell) }
      for index in box[dimension] { try walk(dimension + 1, cell * shape[dimension] + index) }
    }
    try walk(0, 0)
  }

  private static func part(_ coordinate: (info: ArrayInfo, values: [Double]), _ range: Range<Int>) -> RawArray {
    let values = coordinate.values[range]
    let bytes: [UInt8] =
      coordinate.info.type == .int64
      ? values.map { Int64($0) }.withUnsafeBytes { Array($0) } : values.withUnsafeBytes { Array($0) }
    return RawArray(type: coordinate.info.type, bytes: bytes)
  }
}
