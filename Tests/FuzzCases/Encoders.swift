import CBZip2
import CBlosc
import CLZ4
import CLZMA
import CZlib
import CZstd

/// Sound compressed bytes by numcodecs' names, made by the libraries themselves.
enum Encoders {
  /// Of every codec.
  static func all(_ bytes: [UInt8]) -> [(id: String, chunk: [UInt8])] {
    bytes.withUnsafeBytes { raw in
      var result = streams(raw)
      for compressor in ["blosclz", "lz4", "lz4hc", "zlib", "zstd"] { result.append(("blosc", blosc(raw, compressor))) }
      result.append(("lz4", lz4(raw)))
      return result
    }
  }

  /// Of so many zeros.
  static func bombs(_ count: Int) -> [(key: String, value: [UInt8])] {
    // Pages that are only read take no memory.
    guard let zeros = calloc(count, 1) else { return [] }
    defer { free(zeros) }
    let raw = UnsafeRawBufferPointer(start: zeros, count: count)
    return (streams(raw) + [("blosc", blosc(raw, "zstd")), ("lz4", lz4(raw))]).map { ($0.0, $0.1) }
  }

  static func deflated(_ bytes: [UInt8]) -> [UInt8] { bytes.withUnsafeBytes { deflated($0, window: -15) } }

  private static func streams(_ raw: UnsafeRawBufferPointer) -> [(String, [UInt8])] {
    [
      ("zlib", deflated(raw, window: 15)), ("gzip", deflated(raw, window: 31)), ("zstd", zstd(raw)),
      ("bz2", bzip2(raw)), ("lzma", lzma(raw)),
    ]
  }

  private static func filled(_ capacity: Int, _ body: (UnsafeMutableRawPointer) -> Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
      count = buffer.baseAddress.map { max(0, body($0)) } ?? 0
    }
  }

  private static func deflated(_ raw: UnsafeRawBufferPointer, window: Int32) -> [UInt8] {
    var stream = z_stream()
    guard
      deflateInit2_(
        &stream, 1, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
    else { return [] }
    defer { deflateEnd(&stream) }
    return filled(Int(deflateBound(&stream, UInt(raw.count)))) {
      stream.next_in = UnsafeMutablePointer(mutating: raw.baseAddress?.assumingMemoryBound(to: UInt8.self))
      stream.avail_in = UInt32(raw.count)
      stream.next_out = $0.assumingMemoryBound(to: UInt8.self)
      stream.avail_out = UInt32(deflateBound(&stream, UInt(raw.count)))
      return deflate(&stream, Z_FINISH) == Z_STREAM_END ? Int(stream.total_out) : 0
    }
  }

  private static func zstd(_ raw: UnsafeRawBufferPointer) -> [UInt8] {
    let capacity = ZSTD_compressBound(raw.count)
    return filled(capacity) {
      let size = ZSTD_compress($0, capacity, raw.baseAddress, raw.count, 1)
      return ZSTD_isError(size) == 0 ? size : 0
    }
  }

  private static func bzip2(_ raw: UnsafeRawBufferPointer) -> [UInt8] {
    filled(raw.count / 100 + 1_000) {
      var length = UInt32(raw.count / 100 + 1_000)
      let source = UnsafeMutablePointer(mutating: raw.baseAddress?.assumingMemoryBound(to: CChar.self))
      let status = BZ2_bzBuffToBuffCompress(
        $0.assumingMemoryBound(to: CChar.self), &length, source, UInt32(raw.count), 9, 0, 0)
      return status == BZ_OK ? Int(length) : 0
    }
  }

  private static func lzma(_ raw: UnsafeRawBufferPointer) -> [UInt8] {
    let capacity = lzma_stream_buffer_bound(raw.count)
    return filled(capacity) {
      var length = 0
      let status = lzma_easy_buffer_encode(
        0, LZMA_CHECK_CRC32, nil, raw.baseAddress?.assumingMemoryBound(to: UInt8.self), raw.count,
        $0.assumingMemoryBound(to: UInt8.self), &length, capacity)
      return status == LZMA_OK ? length : 0
    }
  }

  private static func blosc(_ raw: UnsafeRawBufferPointer, _ compressor: String) -> [UInt8] {
    let capacity = raw.count + Int(BLOSC_MAX_OVERHEAD)
    return filled(capacity) {
      Int(blosc_compress_ctx(5, 1, 4, raw.count, raw.baseAddress, $0, capacity, compressor, 0, 1))
    }
  }

  /// numcodecs' form: the length, then one block.
  private static func lz4(_ raw: UnsafeRawBufferPointer) -> [UInt8] {
    let capacity = Int(LZ4_compressBound(Int32(raw.count)))
    return filled(capacity + 4) {
      $0.storeBytes(of: UInt32(raw.count).littleEndian, as: UInt32.self)
      let size = LZ4_compress_default(
        raw.baseAddress?.assumingMemoryBound(to: CChar.self), $0.assumingMemoryBound(to: CChar.self) + 4,
        Int32(raw.count), Int32(capacity))
      return Int(size) + 4
    }
  }
}
