/// The checksum of Castagnoli's polynomial (RFC 3720, appendix B.4), eight bytes at a time.
enum CRC32C {
  private static let tables: [[UInt32]] = {
    var tables = [[UInt32]](repeating: [UInt32](repeating: 0, count: 256), count: 8)
    for byte in 0..<256 {
      var value = UInt32(byte)
      for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1 }
      tables[0][byte] = value
    }
    for level in 1..<8 {
      for byte in 0..<256 {
        let previous = tables[level - 1][byte]
        tables[level][byte] = previous >> 8 ^ tables[0][Int(previous & 255)]
      }
    }
    return tables
  }()

  static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    var crc: UInt32 = .max
    bytes.withUnsafeBytes { raw in
      var position = 0
      while position + 8 <= raw.count {
        let word = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: position, as: UInt64.self)) ^ UInt64(crc)
        crc = 0
        for byte in 0..<8 { crc ^= tables[7 - byte][Int(word >> (8 * UInt64(byte)) & 255)] }
        position += 8
      }
      while position < raw.count {
        crc = crc >> 8 ^ tables[0][Int((crc ^ UInt32(raw[position])) & 255)]
        position += 1
      }
    }
    return ~crc
  }
}
