import CKernels
import Stores
import Testing

@Suite struct CRC32CTests {
  @Test func valuesAreThoseOfTheStandard() {
    #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xE306_9283)
    #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
  }

  @Test func instructionsAndTablesAgree() {
    let bytes = (0..<40_000).map { _ in UInt8.random(in: 0...255) }
    bytes.withUnsafeBytes { raw in
      for length in [0, 1, 7, 8, 9, 255, 256, 257, 511, 512, 575, 4_095, 12_287, 12_288, 12_289, 24_577, 39_990] {
        for offset in 0..<9 {
          let place = raw.baseAddress! + offset
          let start: UInt32 = length % 2 == 0 ? 0 : 0xFEDC_BA98
          let expected = jk_crc32c_portable(start, place, length)
          #expect(jk_crc32c(start, place, length) == expected)
          #expect(jk_crc32c_instruction(start, place, length) == expected)
        }
      }
    }
  }

  /// Rows of a matrix of which ranks hold columns, in any order.
  @Test func partsMakeTheWhole() {
    let (rows, columns) = (37, 52)
    let bytes = (0..<rows * columns).map { _ in UInt8.random(in: 0...255) }
    for cuts in [[0, 52], [0, 8, 52], [0, 5, 30, 31, 52]] {
      var sum: UInt32 = 0
      bytes.withUnsafeBytes { raw in
        for (first, end) in zip(cuts, cuts.dropFirst()) {
          var part = PartialChecksum(byteCount: bytes.count)
          for row in cuts.count == 3 ? Array((0..<rows).reversed()) : Array(0..<rows) {
            let start = row * columns + first
            part.add(UnsafeRawBufferPointer(rebasing: raw[start..<start + end - first]), at: start)
          }
          sum ^= part.remainder
        }
      }
      #expect(CRC32C.checksum(remainder: sum, byteCount: bytes.count) == CRC32C.checksum(bytes))
    }
  }
}
