import Basics

/// One field as it lies in a file: the bytes that make a message with this field alone.
struct GRIBFrame: Sendable {
  let edition: Int
  /// The place of the message within the file, and which field of the message it is.
  let offset, part: Int
  /// All of it; a field of several in one message lacks the closing "7777".
  let pieces: [Range<Int>]
  /// The bytes before bitmap and packed numbers.
  let header: [Range<Int>]
  /// How many of the header's last bytes tell the packing (section 5); 0 in GRIB 1.
  let packingSize: Int
  /// The section that describes the grid; empty where a GRIB 1 message has none.
  let grid: Range<Int>
  /// The number of points that the sections give; 0 in GRIB 1, which gives it only in the grid.
  let points: Int
}

/// Finds the messages of a file and the fields within them, by the lengths of their sections (WMO Manual on Codes, FM 92).
///
/// This is done here and not by ecCodes so that lengths are checked before ecCodes trusts them, so that packed numbers
/// needn't be read to find out what there is, and because its way to read several fields of one message is a global
/// setting with a memory of its own.
struct GRIBFraming {
  let file: GRIBFile
  private var window = 0..<0
  private var bytes: [UInt8] = []

  /// Fields of one file; more come from damage.
  static let fieldLimit = 4_000_000
  /// Points of one grid: some 40 times those of a global one at 9 km.
  static let pointLimit = 1 << 28

  init(_ file: GRIBFile) { self.file = file }

  /// Tells the fields in the order of the file.
  ///
  /// - Throws: naming the place in the file where a message is cut short or its sections don't fit.
  mutating func forEachField(_ body: (GRIBFrame) throws -> Void) throws {
    var place = 0
    var count = 0
    while let start = try findMessage(from: place) {
      let edition = Int(try byte(start + 7))
      switch edition {
      case 1: place = try readEdition1(start, body, &count)
      case 2: place = try readEdition2(start, body, &count)
      default:
        throw JigsawError(
          "\(file.path): message at byte \(start)", "has an edition that is not read", expected: "1 or 2",
          found: "\(edition)")
      }
    }
  }

  /// The next "GRIB"; what lies between messages (headings of bulletins, padding) is passed over.
  private mutating func findMessage(from start: Int) throws -> Int? {
    var place = start
    while place < file.size - 3 {
      try load(place, min(1 << 16, file.size - place))
      let from = place - window.lowerBound
      if let found = GRIBFile.find(bytes, from: from) {
        if window.lowerBound + found + 8 > file.size { throw cut(window.lowerBound + found, 8) }
        return window.lowerBound + found
      }
      // The word may lie across the end of the window.
      place = max(place + 1, window.upperBound - 3)
    }
    return nil
  }

  // MARK: Bytes

  func countField(_ count: inout Int) throws {
    count += 1
    if count > GRIBFraming.fieldLimit {
      throw JigsawError(file.path, "has too many fields", expected: "at most \(GRIBFraming.fieldLimit)")
    }
  }

  /// A message must end within the file, and with "7777".
  mutating func requireEnd(_ start: Int, _ length: Int) throws {
    guard length <= file.size - start else { throw cut(start, length) }
    if try number(start + length - 4, 4, start) != 0x3737_3737 {
      throw damaged(start, "no closing 7777 after \(length) bytes")
    }
  }

  mutating func byte(_ place: Int) throws -> UInt8 {
    try load(place, 1)
    return bytes[place - window.lowerBound]
  }

  /// A whole number of some bytes, most significant first; at most what a file can be long.
  mutating func number(_ place: Int, _ width: Int, _ message: Int) throws -> Int {
    try load(place, width)
    let first = place - window.lowerBound
    let value = bytes[first..<first + width].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard value < 1 << 48 else { throw damaged(message, "a length of \(value) bytes") }
    return Int(value)
  }

  /// Makes some bytes available.
  private mutating func load(_ place: Int, _ count: Int) throws {
    if place >= window.lowerBound && place + count <= window.upperBound { return }
    guard place + count <= file.size else { throw cut(place, count) }
    window = place..<min(file.size, place + max(count, 8_192))
    bytes = try file.read(window)
  }

  private func cut(_ start: Int, _ length: Int) -> JigsawError {
    JigsawError(
      "\(file.path): message at byte \(start)", "was cut short", expected: "\(length) bytes",
      found: "\(file.size - start)", remedy: "copy the file again")
  }

  func damaged(_ start: Int, _ found: String) -> JigsawError {
    JigsawError(
      "\(file.path): message at byte \(start)", "is damaged", found: found, remedy: "copy the file again")
  }
}
