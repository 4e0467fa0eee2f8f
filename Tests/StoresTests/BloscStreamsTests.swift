import CBlosc
import Testing

@testable import Stores

#if canImport(Glibc)
  import Glibc
#endif

/// Parts of blosc containers put together from their streams are the bytes that went in, whatever the settings.
@Suite struct BloscStreamsTests {
  private func container(
    _ bytes: [UInt8], _ compressor: String, level: Int, shuffle: Shuffle, width: Int, blockSize: Int = 0
  ) throws -> [UInt8] {
    var out = [UInt8](repeating: 0, count: bytes.count + Int(BLOSC_MAX_OVERHEAD))
    let length = blosc_compress_ctx(
      Int32(level), Int32(shuffle.rawValue), width, bytes.count, bytes, &out, out.count, compressor, blockSize, 1)
    try #require(length > 0)
    return Array(out.prefix(Int(length)))
  }

  private typealias Shuffle = Compression.Shuffle

  /// Numbers whose last bytes don't compress and whose first ones do.
  private func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 % 4 == 0 ? $0 &* 2_654_435_761 >> 7 : $0 >> 12) }
  }

  @Test(arguments: ["lz4", "lz4hc", "zstd"], [2, 4, 8])
  func anyPartIsWhatWentIn(compressor: String, width: Int) throws {
    var generator = SystemRandomNumberGenerator()
    for count in [width, 127 * width, 129 * width, 30_000 * width, 131_072 * width + width] {
      let bytes = bytes(count)
      for (level, blockSize) in [(1, 0), (5, 0), (9, 0), (5, 1_000 * width)] {
        let stored = try container(
          bytes, compressor, level: level, shuffle: .bytes, width: width, blockSize: blockSize)
        try stored.withUnsafeBytes { input in
          guard let streams = try BloscStreams(HeldBytes(input), byteCount: count, elementSize: width) else {
            // A container of bytes that don't compress is a copy of them.
            #expect(input[2] & 2 != 0, "\(compressor), \(count) bytes, level \(level)")
            return
          }
          #expect(streams.byteCount == count)
          for turn in 0..<10 {
            let lower = turn == 0 ? 0 : Int.random(in: 0..<count / width, using: &generator) * width
            let upper = turn == 0 ? count : Int.random(in: lower / width...count / width, using: &generator) * width
            var out = [UInt8](repeating: 0xAA, count: upper - lower + 1)
            let isSound = try out.withUnsafeMutableBytes { try streams.decode(lower..<upper, into: $0.baseAddress!) }
            try #require(isSound)
            let isSame = out.withUnsafeBytes { out in
              bytes.withUnsafeBytes { memcmp(out.baseAddress!, $0.baseAddress! + lower, upper - lower) == 0 }
            }
            #expect(isSame, "\(compressor), \(count), \(lower)..<\(upper)")
            #expect(out.last == 0xAA)
          }
        }
      }
    }
  }

  @Test func otherFiltersAreLeftToBlosc() throws {
    for (compressor, shuffle) in [("lz4", Shuffle.none), ("lz4", .bits), ("blosclz", .bytes), ("zlib", .bytes)] {
      try container(bytes(40_000), compressor, level: 5, shuffle: shuffle, width: 4).withUnsafeBytes {
        let streams = try BloscStreams(HeldBytes($0), byteCount: 40_000, elementSize: 4)
        #expect(streams == nil, "\(compressor), \(shuffle)")
        #expect(BloscBlocks($0, elementSize: 4) != nil, "\(compressor), \(shuffle)")
      }
    }
  }

  /// No change of a byte leads outside of the container or of the memory for a block.
  @Test func damageIsSurvived() throws {
    let bytes = bytes(60_000)
    let whole = try container(bytes, "lz4", level: 5, shuffle: .bytes, width: 4, blockSize: 8_192)
    var generator = SystemRandomNumberGenerator()
    for turn in 0..<4_000 {
      var stored = whole
      for _ in 0...turn % 3 {
        // Most of them in the header and the table of blocks.
        let place = Int.random(in: 0..<(turn % 2 == 0 ? 64 : stored.count), using: &generator)
        stored[place] = UInt8.random(in: 0...255, using: &generator)
      }
      try stored.withUnsafeBytes { input in
        guard let streams = try BloscStreams(HeldBytes(input), byteCount: bytes.count, elementSize: 4) else { return }
        var out = [UInt8](repeating: 0, count: streams.byteCount)
        _ = try out.withUnsafeMutableBytes { try streams.decode(0..<$0.count, into: $0.baseAddress!) }
      }
    }
  }
}
