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
      return GRIBFile.closed(bytes + GRIBFile.noNumbers)
    }
    // No bitmap; a data section of no bits.
    bytes[8 + 7] &= 0xBF
    bytes += [0, 0, 12, 8, 0, 0, 0, 0, 0, 0, 0, 0] + GRIBFile.end
    for i in 0..<3 { bytes[4 + i] = UInt8(truncatingIfNeeded: bytes.count >> (8 * (2 - i))) }
    return bytes
  }

  /// A header's message with a constant in place of numbers. ecCodes before 2.30 decodes them to tell the places of a grid's
  /// points, and of some packings none is an error.
  static func gridMessage(_ header: [UInt8], _ frame: GRIBFrame) -> [UInt8] {
    if frame.edition == 1 { return header }
    var bytes = Array(header.dropLast(frame.packingSize + noNumbers.count + end.count))
    // Section 5: template 0, zero, no bits a number.
    bytes += [0, 0, 0, 21, 5]
    bytes += (0..<4).map { UInt8(truncatingIfNeeded: frame.points >> (8 * (3 - $0))) }
    bytes += [UInt8](repeating: 0, count: 12) + noNumbers
    return closed(bytes)
  }

  private static let end = Array("7777".utf8)
  /// Sections 6 and 7 of edition 2: no bitmap, nothing packed.
  private static let noNumbers: [UInt8] = [0, 0, 0, 6, 6, 255, 0, 0, 0, 5, 7]

  private func read(_ pieces: [Range<Int>]) throws -> [UInt8] { try pieces.reduce(into: []) { $0 += try read($1) } }

  /// Sections of edition 2 with their end and their length.
  private static func closed(_ sections: [UInt8]) -> [UInt8] {
    var bytes = sections + end
    for i in 0..<8 { bytes[8 + i] = UInt8(truncatingIfNeeded: bytes.count >> (8 * (7 - i))) }
    return bytes
  }
}
