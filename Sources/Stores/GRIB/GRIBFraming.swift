import Basics

/// One field as it lies in a file: the bytes that make a message with this field alone.
struct GRIBFrame: Sendable {
  let edition: Int
  /// Of the message within the file, and which field of the message it is.
  let offset, part: Int
  /// All of it; a field of several in one message lacks the closing "7777".
  let pieces: [Range<Int>]
  /// What comes before bitmap and packed numbers.
  let header: [Range<Int>]
  /// The section that describes the grid; empty where a GRIB 1 message has none.
  let grid: Range<Int>
  /// As the sections say; 0 in GRIB 1, which says so only in the grid.
  let points: Int
}

/// Finds the messages of a file and the fields within them, by the lengths of their sections (WMO Manual on Codes, FM 92).
///
/// This is done here and not by ecCodes so that lengths are checked before ecCodes trusts them, so that packed numbers
/// needn't be read to find out what there is, and because its way to read several fields of one message is a global
/// setting with a memory of its own.
struct GRIBFraming {
  private let file: GRIBFile
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

  // MARK: Edition 1

  private mutating func readEdition1(
    _ start: Int, _ body: (GRIBFrame) throws -> Void, _ count: inout Int
  ) throws -> Int {
    var length = try number(start + 4, 3, start)
    let product = try section1(start + 8, start, least: 28)
    let flags = try byte(product.lowerBound + 7)
    var end = product.upperBound
    var grid = end..<end
    if flags & 0x80 != 0 {
      grid = try section1(end, start, least: 32)
      end = grid.upperBound
    }
    let header = start..<end
    if flags & 0x40 != 0 { end = try section1(end, start, least: 6).upperBound }
    let data = try number(end, 3, start)
    // ECMWF's way to have messages beyond 8 MiB: lengths in units of 120 bytes, the rest told in the data section.
    if length >= 0x80_0000 && data < 120 {
      length = (length & 0x7F_FFFF) * 120 - data + 4
    } else if data < 11 || end + data > start + length - 4 {
      throw damaged(start, "sections that don't fit into its \(length) bytes")
    }
    guard end + 11 <= start + length - 4 else { throw damaged(start, "a data section beyond its end") }
    try requireEnd(start, length)
    try countField(&count)
    try body(
      GRIBFrame(
        edition: 1, offset: start, part: 0, pieces: [start..<start + length], header: [header], grid: grid, points: 0))
    return start + length
  }

  private mutating func section1(_ start: Int, _ message: Int, least: Int) throws -> Range<Int> {
    let length = try number(start, 3, message)
    guard length >= least, start + length <= file.size else {
      throw damaged(message, "a section of \(length) bytes")
    }
    return start..<start + length
  }

  // MARK: Edition 2

  private mutating func readEdition2(
    _ start: Int, _ body: (GRIBFrame) throws -> Void, _ count: inout Int
  ) throws -> Int {
    let length = try number(start + 8, 8, start)
    guard length >= 16 + 4 else { throw damaged(start, "a length of \(length) bytes") }
    try requireEnd(start, length)
    let end = start + length - 4
    /// The latest section of each number.
    var sections = [Range<Int>?](repeating: nil, count: 8)
    /// The latest section 6 that holds a bitmap, for later ones that refer to it.
    var bitmap: Range<Int>?
    sections[0] = start..<start + 16
    var place = start + 16
    var last = 0
    var part = 0
    while place < end {
      let size = try number(place, 4, start)
      let which = Int(try byte(place + 4))
      guard size >= 5, place + size <= end, (1...7).contains(which) else {
        throw damaged(start, "a section \(which) of \(size) bytes")
      }
      // Ascending; after a field it may go on with section 2, 3 or 4.
      guard which > last || (last == 7 && (2...4).contains(which)) else {
        throw damaged(start, "section \(which) after section \(last)")
      }
      guard size >= GRIBFraming.leastSize[which] else {
        throw damaged(start, "a section \(which) of \(size) bytes")
      }
      sections[which] = place..<place + size
      if which == 6 {
        switch try byte(place + 5) {
        case 0: bitmap = place..<place + size
        case 254: sections[6] = bitmap
        default: break
        }
      }
      place += size
      last = which
      if which == 7 {
        // A field alone in its message is that message.
        let isAlone = part == 0 && place == end
        try countField(&count)
        try body(try frame(start, part, sections, whole: isAlone ? start..<start + length : nil))
        part += 1
      }
    }
    guard last == 7 else { throw damaged(start, "no field after section \(last)") }
    return start + length
  }

  /// Bytes that a section has at least, by its number.
  private static let leastSize = [16, 21, 5, 15, 9, 11, 6, 5]

  private mutating func frame(
    _ start: Int, _ part: Int, _ sections: [Range<Int>?], whole: Range<Int>?
  ) throws -> GRIBFrame {
    guard let grid = sections[3], let packing = sections[5], let bitmap = sections[6], let data = sections[7],
      sections[1] != nil, sections[4] != nil
    else { throw damaged(start, "a field without all of its sections") }
    let points = try number(grid.lowerBound + 6, 4, start)
    let packed = try number(packing.lowerBound + 5, 4, start)
    guard points <= GRIBFraming.pointLimit else { throw damaged(start, "\(points) points in a field") }
    guard packed <= points else { throw damaged(start, "\(packed) numbers for \(points) points") }
    if try byte(bitmap.lowerBound + 5) == 0, bitmap.count - 6 < (points + 7) / 8 {
      throw damaged(start, "a bitmap of \(bitmap.count - 6) bytes for \(points) points")
    }
    // Plain packing: as many bits as there are numbers.
    if try number(packing.lowerBound + 9, 2, start) == 0, packing.count >= 21 {
      let bits = Int(try byte(packing.lowerBound + 19))
      guard bits <= 64, data.count - 5 >= (packed * bits + 7) / 8 else {
        throw damaged(start, "\(data.count - 5) bytes for \(packed) numbers of \(bits) bits")
      }
    }
    try requireImage(packing, data, packed, start)
    try requireGroups(packing, data, packed, start)
    let present = sections.compactMap { $0 }
    return GRIBFrame(
      edition: 2, offset: start, part: part, pieces: whole.map { [$0] } ?? GRIBFraming.joined(present),
      header: GRIBFraming.joined(sections[0...5].compactMap { $0 }), grid: grid, points: points)
  }

  /// Complex packing (templates 2 and 3): there must be bits for what each group says of itself. ecCodes reads on beyond the
  /// end of the message.
  private mutating func requireGroups(_ packing: Range<Int>, _ data: Range<Int>, _ packed: Int, _ start: Int) throws {
    let template = try number(packing.lowerBound + 9, 2, start)
    guard template == 2 || template == 3 else { return }
    guard packing.count >= 47 else { throw damaged(start, "a section 5 of \(packing.count) bytes") }
    let groups = try number(packing.lowerBound + 31, 4, start)
    // Of the references, the widths and the lengths.
    let bits = try [19, 36, 46].reduce(0) { $0 + Int(try byte(packing.lowerBound + $1)) }
    // A field without a single number has a few groups all the same.
    guard groups <= max(16, packed), groups * bits <= 8 * (data.count - 5) else {
      throw damaged(start, "\(groups) groups of \(packed) numbers in \(data.count - 5) bytes")
    }
  }

  /// JPEG 2000 (template 40): the image must have as many points as there are numbers, in one component. OpenJPEG crashes on
  /// some images of other sizes than ecCodes expects.
  private mutating func requireImage(_ packing: Range<Int>, _ data: Range<Int>, _ packed: Int, _ start: Int) throws {
    let template = try number(packing.lowerBound + 9, 2, start)
    guard template == 40 || template == 40_000, data.count > 5 else { return }
    let image = data.lowerBound + 5
    guard data.count >= 5 + 42, try number(image, 4, start) == 0xFF4F_FF51 else {
      throw damaged(start, "no JPEG 2000 image")
    }
    let (width, height) = (try number(image + 8, 4, start), try number(image + 12, 4, start))
    let offsets = try [16, 20, 32, 36].map { try number(image + $0, 4, start) }
    let components = try number(image + 40, 2, start)
    guard width <= GRIBFraming.pointLimit, height <= GRIBFraming.pointLimit, width * height == packed,
      offsets.allSatisfy({ $0 == 0 }), components == 1
    else { throw damaged(start, "an image of \(width) × \(height) for \(packed) numbers") }
  }

  private static func joined(_ ranges: [Range<Int>]) -> [Range<Int>] {
    ranges.reduce(into: []) { result, range in
      if let last = result.last, last.upperBound == range.lowerBound {
        result[result.count - 1] = last.lowerBound..<range.upperBound
      } else {
        result.append(range)
      }
    }
  }

  // MARK: Bytes

  private func countField(_ count: inout Int) throws {
    count += 1
    if count > GRIBFraming.fieldLimit {
      throw JigsawError(file.path, "has too many fields", expected: "at most \(GRIBFraming.fieldLimit)")
    }
  }

  /// A message must end within the file, and with "7777".
  private mutating func requireEnd(_ start: Int, _ length: Int) throws {
    guard length <= file.size - start else { throw cut(start, length) }
    if try number(start + length - 4, 4, start) != 0x3737_3737 {
      throw damaged(start, "no closing 7777 after \(length) bytes")
    }
  }

  private mutating func byte(_ place: Int) throws -> UInt8 {
    try load(place, 1)
    return bytes[place - window.lowerBound]
  }

  /// A whole number of some bytes, most significant first; at most what a file can be long.
  private mutating func number(_ place: Int, _ width: Int, _ message: Int) throws -> Int {
    try load(place, width)
    let first = place - window.lowerBound
    let value = bytes[first..<first + width].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard value < 1 << 48 else { throw damaged(message, "a length of \(value) bytes") }
    return Int(value)
  }

  /// Has some bytes at hand.
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

  private func damaged(_ start: Int, _ found: String) -> JigsawError {
    JigsawError(
      "\(file.path): message at byte \(start)", "is damaged", found: found, remedy: "copy the file again")
  }
}

extension GRIBFile {
  /// The bytes of a field, made a message of their own.
  func message(_ pieces: [Range<Int>]) throws -> [UInt8] {
    let bytes = try read(pieces)
    return bytes.suffix(4).elementsEqual(GRIBFile.end) ? bytes : GRIBFile.closed(bytes)
  }

  /// A field's message without its bitmap and numbers: what describes it, in few bytes.
  func headerMessage(_ frame: GRIBFrame) throws -> [UInt8] {
    var bytes = try read(frame.header)
    if frame.edition == 2 {
      return GRIBFile.closed(bytes + [0, 0, 0, 6, 6, 255] + [0, 0, 0, 5, 7])
    }
    // No bitmap; a data section of no bits.
    bytes[8 + 7] &= 0xBF
    bytes += [0, 0, 12, 8, 0, 0, 0, 0, 0, 0, 0, 0] + GRIBFile.end
    for i in 0..<3 { bytes[4 + i] = UInt8(truncatingIfNeeded: bytes.count >> (8 * (2 - i))) }
    return bytes
  }

  private static let end = Array("7777".utf8)

  private func read(_ pieces: [Range<Int>]) throws -> [UInt8] { try pieces.reduce(into: []) { $0 += try read($1) } }

  /// Sections of edition 2 with their end and their length.
  private static func closed(_ sections: [UInt8]) -> [UInt8] {
    var bytes = sections + end
    for i in 0..<8 { bytes[8 + i] = UInt8(truncatingIfNeeded: bytes.count >> (8 * (7 - i))) }
    return bytes
  }
}
