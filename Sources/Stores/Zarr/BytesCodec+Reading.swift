import CBZip2
import CLZMA
import CZlib

// Codecs of numcodecs that are read, not written.
extension BytesCodec {
  enum Checksum: String, Sendable {
    case crc32, adler32, crc32c, fletcher32

    func of(_ bytes: ArraySlice<UInt8>) -> UInt32 {
      bytes.withUnsafeBufferPointer { buffer in
        switch self {
        case .crc32: UInt32(crc32_z(0, buffer.baseAddress, buffer.count))
        case .adler32: UInt32(adler32_z(1, buffer.baseAddress, buffer.count))
        case .crc32c: CRC32C.checksum(bytes)
        case .fletcher32: BytesCodec.fletcher32(UnsafeRawBufferPointer(buffer))
        }
      }
    }
  }

  static func checked(_ input: [UInt8], _ kind: Checksum, isFirst: Bool, capacity: Int) -> [UInt8]? {
    guard input.count >= 4, input.count - 4 <= capacity else { return nil }
    let place = isFirst ? 0 : input.count - 4
    let stored = input.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: place, as: UInt32.self) }
    let content = isFirst ? input.dropFirst(4) : input.dropLast(4)
    return kind.of(content) == UInt32(littleEndian: stored) ? Array(content) : nil
  }

  /// HDF5's (H5_checksum_fletcher32): sums of big-endian 16-bit words, modulo 65 535.
  private static func fletcher32(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    var (first, second): (UInt32, UInt32) = (0, 0)
    var position = 0
    while position + 1 < bytes.count {
      // So many words leave both sums below 2³².
      for _ in 0..<min(360, (bytes.count - position) / 2) {
        first += UInt32(bytes[position]) << 8 | UInt32(bytes[position + 1])
        second += first
        position += 2
      }
      first = first & 0xFFFF + first >> 16
      second = second & 0xFFFF + second >> 16
    }
    if position < bytes.count {
      first += UInt32(bytes[position]) << 8
      second += first
      first = first & 0xFFFF + first >> 16
      second = second & 0xFFFF + second >> 16
    }
    first = first & 0xFFFF + first >> 16
    second = second & 0xFFFF + second >> 16
    return second << 16 | first
  }

  /// Bytes beyond the last whole element stay where they are.
  static func unshuffled(_ input: [UInt8], elementSize: Int) -> [UInt8] {
    guard elementSize > 1 else { return input }
    let count = input.count / elementSize
    var output = input
    for byte in 0..<elementSize {
      for element in 0..<count { output[element * elementSize + byte] = input[byte * count + element] }
    }
    return output
  }

  static func bunzipped(_ input: [UInt8], capacity: Int) -> [UInt8]? {
    guard input.count <= Int(UInt32.max), capacity <= Int(UInt32.max) else { return nil }
    return filled(capacity) { out in
      input.withUnsafeBytes { source in
        var length = UInt32(capacity)
        let status = BZ2_bzBuffToBuffDecompress(
          out.assumingMemoryBound(to: CChar.self), &length,
          UnsafeMutablePointer(mutating: source.baseAddress?.assumingMemoryBound(to: CChar.self)),
          UInt32(source.count), 0, 0)
        return status == BZ_OK ? Int(length) : nil
      }
    }
  }

  static func unlzmaed(_ input: [UInt8], capacity: Int) -> [UInt8]? {
    filled(capacity) { out in
      var stream = lzma_stream()
      // Dictionaries of 1 GiB at most: preset 9 has 64 MiB.
      guard lzma_auto_decoder(&stream, 1 << 30 + 1 << 20, 0) == LZMA_OK else { return nil }
      defer { lzma_end(&stream) }
      return input.withUnsafeBufferPointer { source in
        stream.next_in = source.baseAddress
        stream.avail_in = source.count
        stream.next_out = out.assumingMemoryBound(to: UInt8.self)
        stream.avail_out = capacity
        return lzma_code(&stream, LZMA_FINISH) == LZMA_STREAM_END ? capacity - stream.avail_out : nil
      }
    }
  }
}
