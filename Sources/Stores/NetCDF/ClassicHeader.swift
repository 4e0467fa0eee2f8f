import Basics

/// How long a NetCDF file of a classic format must be. netCDF-C reads zeros beyond the end of a file that was cut short;
/// HDF5 notices by itself.
///
/// The grammar is that of "NetCDF Classic Format Specification" (NetCDF User's Guide, appendix B) and CDF-5's.
struct ClassicHeader {
  private let bytes: [UInt8]
  private var position = 4
  private let hasWideCounts, hasWideOffsets: Bool

  /// Thrown when the header is longer than the bytes read so far.
  private struct EndOfBytes: Error {}

  /// Thrown when no library should see the file.
  private struct Damage: Error {
    let found: String
  }

  /// The byte after the last that variables occupy; nil for files of other formats.
  /// - Throws: when the file ends within its header, or netCDF-C would crash on it.
  static func requiredByteCount(_ path: String) throws -> Int? {
    var limit = 1 << 20
    while true {
      let bytes = try Files.read(path, atMost: limit)
      guard var header = ClassicHeader(bytes) else { return nil }
      do {
        return try header.end()
      } catch let damage as Damage {
        throw JigsawError(path, "has a damaged header", found: damage.found, remedy: "copy the file again")
      } catch is EndOfBytes {
        if bytes.count < limit { throw JigsawError(path, "ends within its header", remedy: "copy the file again") }
        if limit > 64 << 20 { return nil }  // No header is that long; netCDF-C will say what it is.
        limit *= 8
      }
    }
  }

  private init?(_ bytes: [UInt8]) {
    guard bytes.starts(with: Array("CDF".utf8)), bytes.count >= 4, [1, 2, 5].contains(bytes[3]) else { return nil }
    self.bytes = bytes
    hasWideCounts = bytes[3] == 5
    hasWideOffsets = bytes[3] != 1
  }

  private mutating func end() throws -> Int {
    let records = try count()
    let isStreamed = records < 0 || (!hasWideCounts && records == Int(UInt32.max))
    _ = try number(4)
    let dimensions = try entries().map { _ in
      try skipName()
      return try count()
    }
    try skipAttributes()
    _ = try number(4)
    var ends: [Int] = []
    var recordParts: [(begin: Int, byteCount: Int)] = []
    for _ in try entries() {
      try skipName()
      let extents = try entries().map { _ in
        let dimension = try count()
        guard dimensions.indices.contains(dimension) else { throw EndOfBytes() }
        return dimensions[dimension]
      }
      // netCDF-C divides by it.
      guard !extents.dropFirst().contains(0) else {
        throw Damage(found: "a dimension of no length that is not the first")
      }
      try skipAttributes()
      let width = try width()
      _ = try count()  // The size as stored overflows for large variables.
      let begin = try number(hasWideOffsets ? 8 : 4)
      let isRecord = extents.first == 0
      let byteCount = (isRecord ? extents.dropFirst() : extents[...]).reduce(width) { $0.multiply($1) }
      if isRecord { recordParts.append((begin, byteCount)) } else { ends.append(begin.add(byteCount)) }
    }
    if records > 0 && !isStreamed {
      // One record variable alone is not padded.
      let step =
        recordParts.count == 1
        ? recordParts[0].byteCount : recordParts.reduce(0) { $0.add($1.byteCount.add(3) / 4 * 4) }
      ends += recordParts.map { $0.begin.add(step.multiply(records - 1)).add($0.byteCount) }
    }
    return max(position, ends.max() ?? 0)
  }

  /// Bytes per element of the format's types.
  private mutating func width() throws -> Int {
    let type = try number(4)
    switch type {
    case 1, 2, 7: return 1  // byte, char, unsigned byte
    case 3, 8: return 2  // short, unsigned short
    case 4, 5, 9: return 4  // int, float, unsigned int
    case 6, 10, 11: return 8  // double and 64-bit integers
    // netCDF-C divides by the width of what it doesn't know.
    default: throw Damage(found: "type \(type)")
    }
  }

  private mutating func skipName() throws { try skip(try count()) }

  private mutating func skipAttributes() throws {
    _ = try number(4)
    for _ in try entries() {
      try skipName()
      let width = try width()
      try skip(try count().multiply(width))
    }
  }

  /// Skips bytes with their padding to a multiple of 4.
  private mutating func skip(_ byteCount: Int) throws {
    guard byteCount >= 0, byteCount <= bytes.count - position else { throw EndOfBytes() }
    position += (byteCount + 3) / 4 * 4
  }

  private mutating func count() throws -> Int { try number(hasWideCounts ? 8 : 4) }

  /// The number of entries of a list; no list has more than there are bytes.
  private mutating func entries() throws -> Range<Int> {
    let value = try count()
    guard (0...bytes.count).contains(value) else { throw EndOfBytes() }
    return 0..<value
  }

  /// Big-endian.
  private mutating func number(_ width: Int) throws -> Int {
    guard position + width <= bytes.count else { throw EndOfBytes() }
    defer { position += width }
    return bytes[position..<position + width].reduce(0) { $0 << 8 | Int($1) }
  }
}

extension Int {
  /// Sums and products of numbers from a damaged header must not trap.
  fileprivate func multiply(_ other: Int) -> Int {
    let (product, overflow) = multipliedReportingOverflow(by: other)
    return overflow ? .max : product
  }

  fileprivate func add(_ other: Int) -> Int {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}
