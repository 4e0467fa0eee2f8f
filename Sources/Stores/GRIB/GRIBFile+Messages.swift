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
