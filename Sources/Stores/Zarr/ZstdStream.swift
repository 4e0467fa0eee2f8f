import CZstd

/// Zstandard frames decoded from the front, as far as something is wanted.
final class ZstdStream: PiecewiseBytes {
  let byteCount: Int
  let blockSize = 256 << 10
  let elementSize: Int
  private let context: OpaquePointer
  private var input: ZSTD_inBuffer
  private let hasChecksum: Bool
  /// Bytes decoded so far, and whether a frame has just ended.
  private var position = 0
  private var isAtEnd = false

  /// Smaller chunks fit into the cache as a whole.
  private static let smallest = 1 << 20

  /// Nil when the chunk is small, or when the frame looks back so far that it can't be decoded with little memory; it may be
  /// damaged then, too.
  init?(_ bytes: UnsafeRawBufferPointer, byteCount: Int, elementSize: Int) {
    guard byteCount >= ZstdStream.smallest, byteCount % elementSize == 0, bytes.count > 5,
      let context = ZSTD_createDCtx()
    else { return nil }
    self.context = context
    self.byteCount = byteCount
    self.elementSize = elementSize
    // The third bit of the frame's descriptor, behind its magic number (RFC 8878, 3.1.1.1).
    hasChecksum = bytes[4] & 4 != 0
    input = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
    var nothing = ZSTD_outBuffer(dst: nil, size: 0, pos: 0)
    if ZSTD_isError(ZSTD_decompressStream(context, &nothing, &input)) != 0 { return nil }
  }

  deinit { ZSTD_freeDCtx(context) }

  func decode(_ range: Range<Int>, into out: UnsafeMutableRawPointer) -> Bool {
    // Bytes that nobody wants are decoded, too, and overwritten.
    while position < range.lowerBound {
      guard fill(out, min(range.count, range.lowerBound - position)) else { return false }
    }
    return position == range.lowerBound && fill(out, range.count)
  }

  func finish() -> Bool {
    // A checksum stands behind the last byte; without one, the rest says nothing about what came before it.
    if position < byteCount && !hasChecksum { return true }
    var rest = [UInt8](repeating: 0, count: position < byteCount ? blockSize : 1)
    while position < byteCount {
      let count = min(rest.count, byteCount - position)
      guard rest.withUnsafeMutableBytes({ fill($0.baseAddress!, count) }) else { return false }
    }
    while !isAtEnd || input.pos < input.size {
      // Nothing may follow; the end itself may still have to be read.
      let before = input.pos
      let count = rest.withUnsafeMutableBytes { bytes in
        var out = ZSTD_outBuffer(dst: bytes.baseAddress, size: 1, pos: 0)
        return step(&out)
      }
      guard count == 0, isAtEnd || input.pos > before else { return false }
    }
    return true
  }

  /// Decodes so many bytes.
  private func fill(_ out: UnsafeMutableRawPointer, _ count: Int) -> Bool {
    var buffer = ZSTD_outBuffer(dst: out, size: count, pos: 0)
    while buffer.pos < count {
      let before = input.pos
      guard let made = step(&buffer), made > 0 || input.pos > before else { return false }
      position += made
    }
    return true
  }

  /// - Returns: how many bytes came out; nil when the input is damaged.
  private func step(_ out: inout ZSTD_outBuffer) -> Int? {
    let before = out.pos
    let status = ZSTD_decompressStream(context, &out, &input)
    if ZSTD_isError(status) != 0 { return nil }
    isAtEnd = status == 0
    return out.pos - before
  }
}
