import CBlosc
import CZstd

extension ChunkPipeline {
  /// The codec, where numbers are stored in order and one codec alone makes bytes of them that it can decode into place.
  var onlyCodec: BytesCodec? {
    guard case .numbers(isBigEndian: false) = form, order == Array(order.indices), compressors.count == 1 else {
      return nil
    }
    switch compressors[0] {
    case .blosc, .zstd: return compressors[0]
    default: return nil
    }
  }
}

extension BytesCodec {
  /// Decodes into memory of the caller's; false when the input is damaged or not of this length. For blosc and zstd.
  func decode(_ input: UnsafeRawBufferPointer, toExactly length: Int, at out: UnsafeMutableRawPointer) -> Bool {
    if case .blosc = self {
      var found = 0
      guard blosc_cbuffer_validate(input.baseAddress, input.count, &found) == 0, found == length else { return false }
      return Int(blosc_decompress_ctx(input.baseAddress, out, length, 1)) == length
    }
    return ZSTD_decompress(out, length, input.baseAddress, input.count) == length
  }

  /// Decodes to at most `capacity` bytes, into `out`; nil when the input is damaged or decodes to more. Codecs of
  /// large chunks write straight there.
  func decode(_ input: UnsafeRawBufferPointer, capacity: Int, into out: RawBytes) -> UnsafeRawBufferPointer? {
    switch self {
    case .blosc:
      var length = 0
      guard blosc_cbuffer_validate(input.baseAddress, input.count, &length) == 0, length <= capacity else { return nil }
      let memory = out.reserve(length)
      guard Int(blosc_decompress_ctx(input.baseAddress, memory, length, 1)) == length else { return nil }
      return UnsafeRawBufferPointer(start: memory, count: length)
    case .zstd:
      let memory = out.reserve(max(capacity, 1))
      let length = ZSTD_decompress(memory, capacity, input.baseAddress, input.count)
      return ZSTD_isError(length) == 0 ? UnsafeRawBufferPointer(start: memory, count: length) : nil
    default:
      guard let bytes = decode(Array(input), capacity: capacity) else { return nil }
      let memory = out.reserve(max(bytes.count, 1))
      bytes.withUnsafeBytes { if let start = $0.baseAddress { memory.copyMemory(from: start, byteCount: $0.count) } }
      return UnsafeRawBufferPointer(start: memory, count: bytes.count)
    }
  }
}
