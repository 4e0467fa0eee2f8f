import Basics
import CBlosc
import CLZ4
import CZlib
import CZstd

/// A codec from bytes to bytes: pure functions. Names and settings are those of numcodecs (Zarr 2) and of the codec
/// specifications of Zarr 3.
enum BytesCodec: Sendable, Equatable {
  /// c-blosc 1: a container with its own header, whichever compressor and shuffle were used.
  case blosc(compressor: String, level: Int, shuffle: Int)
  case zlib(level: Int)
  case gzip(level: Int)
  case zstd(level: Int, hasChecksum: Bool)
  /// numcodecs' LZ4: the length in four bytes, then one block.
  case lz4
  /// A checksum behind the bytes.
  case crc32c
  /// numcodecs' other checksums, before or behind the bytes.
  case checksum(Checksum, isFirst: Bool)
  /// First bytes of all elements, second bytes of all, and so on.
  case shuffle(elementSize: Int)
  case bzip2
  /// .xz or .lzma, distinguished by their headers.
  case lzma

  /// The codec that we write, xarray's and WeatherBench 2's default.
  static let standard = BytesCodec.blosc(compressor: "lz4", level: 5, shuffle: 1)

  /// For people.
  var description: String {
    switch self {
    case .blosc(let compressor, let level, let shuffle):
      "blosc(\(compressor), \(level), \(["no shuffle", "shuffle", "bitshuffle"][min(max(shuffle, 0), 2)]))"
    case .zlib(let level): "zlib(\(level))"
    case .gzip(let level): "gzip(\(level))"
    case .zstd(let level, _): "zstd(\(level))"
    case .lz4: "lz4"
    case .crc32c: "crc32c"
    case .checksum(let kind, _): kind.rawValue
    case .shuffle(let elementSize): "shuffle(\(elementSize))"
    case .bzip2: "bz2"
    case .lzma: "lzma"
    }
  }

  /// Decodes to at most `capacity` bytes; nil when the input is damaged or decodes to more.
  func decode(_ input: [UInt8], capacity: Int) -> [UInt8]? {
    switch self {
    case .blosc:
      var length = 0
      guard blosc_cbuffer_validate(input, input.count, &length) == 0, length <= capacity else { return nil }
      return BytesCodec.filled(length) { Int(blosc_decompress_ctx(input, $0, length, 1)) == length ? length : nil }
    case .zlib, .gzip: return inflated(input, capacity: capacity)
    case .zstd:
      return BytesCodec.filled(capacity) {
        let size = ZSTD_decompress($0, capacity, input, input.count)
        return ZSTD_isError(size) == 0 ? size : nil
      }
    case .lz4:
      guard input.count >= 4 else { return nil }
      let length = Int(UInt32(littleEndian: input.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }))
      guard length <= capacity, input.count - 4 <= Int(Int32.max), length <= Int(Int32.max) else { return nil }
      return BytesCodec.filled(length) { out in
        input.withUnsafeBytes {
          let source = $0.baseAddress!.assumingMemoryBound(to: CChar.self) + 4
          let count = LZ4_decompress_safe(
            source, out.assumingMemoryBound(to: CChar.self), Int32(input.count - 4), Int32(length))
          return Int(count) == length ? length : nil
        }
      }
    case .crc32c:
      guard input.count >= 4, input.count - 4 <= capacity else { return nil }
      let stored = input.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: input.count - 4, as: UInt32.self) }
      let content = input.dropLast(4)
      return CRC32C.checksum(content) == UInt32(littleEndian: stored) ? Array(content) : nil
    case .checksum(let kind, let isFirst): return BytesCodec.checked(input, kind, isFirst: isFirst, capacity: capacity)
    case .shuffle(let elementSize):
      return input.count <= capacity ? BytesCodec.unshuffled(input, elementSize: elementSize) : nil
    case .bzip2: return BytesCodec.bunzipped(input, capacity: capacity)
    case .lzma: return BytesCodec.unlzmaed(input, capacity: capacity)
    }
  }

  /// Encodes; nil when the library fails.
  func encode(_ input: UnsafeRawBufferPointer, elementSize: Int) -> [UInt8]? {
    switch self {
    case .blosc(let compressor, let level, let shuffle):
      let capacity = input.count + Int(BLOSC_MAX_OVERHEAD)
      return encoded(capacity) {
        Int(
          blosc_compress_ctx(
            Int32(level), Int32(shuffle), elementSize, input.count, input.baseAddress, $0, capacity, compressor, 0, 1))
      }
    case .zlib(let level):
      return encoded(Int(compressBound(uLong(input.count)))) {
        var length = compressBound(uLong(input.count))
        let source = input.baseAddress!.assumingMemoryBound(to: UInt8.self)
        let status = compress2(
          $0.assumingMemoryBound(to: UInt8.self), &length, source, uLong(input.count), Int32(level))
        return status == Z_OK ? Int(length) : 0
      }
    case .gzip(let level): return gzipped(input, level)
    case .zstd(let level, let hasChecksum):
      let capacity = ZSTD_compressBound(input.count)
      return encoded(capacity) {
        guard let context = ZSTD_createCCtx() else { return 0 }
        defer { ZSTD_freeCCtx(context) }
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, Int32(level))
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, hasChecksum ? 1 : 0)
        let size = ZSTD_compress2(context, $0, capacity, input.baseAddress, input.count)
        return ZSTD_isError(size) == 0 ? size : 0
      }
    case .lz4:
      guard input.count <= Int(LZ4_MAX_INPUT_SIZE) else { return nil }
      let capacity = 4 + Int(LZ4_compressBound(Int32(input.count)))
      return encoded(capacity) {
        $0.storeBytes(of: UInt32(input.count).littleEndian, as: UInt32.self)
        let size = LZ4_compress_default(
          input.baseAddress?.assumingMemoryBound(to: CChar.self), $0.assumingMemoryBound(to: CChar.self) + 4,
          Int32(input.count), Int32(capacity - 4))
        return size > 0 ? Int(size) + 4 : 0
      }
    case .crc32c:
      var bytes = Array(input)
      withUnsafeBytes(of: CRC32C.checksum(bytes[...]).littleEndian) { bytes += $0 }
      return bytes
    // Read, never written.
    case .checksum, .shuffle, .bzip2, .lzma: return nil
    }
  }

  /// `body` returns how much it filled, nil on failure.
  static func filled(_ capacity: Int, _ body: (UnsafeMutableRawPointer) -> Int?) -> [UInt8]? {
    var count: Int?
    let bytes = [UInt8](unsafeUninitializedCapacity: max(capacity, 1)) { buffer, initialized in
      count = body(buffer.baseAddress!)
      initialized = count ?? 0
    }
    return count == nil ? nil : bytes
  }

  /// `body` returns the encoded size, 0 on failure.
  private func encoded(_ capacity: Int, _ body: (UnsafeMutableRawPointer) -> Int) -> [UInt8]? {
    let bytes = [UInt8](unsafeUninitializedCapacity: max(capacity, 1)) { buffer, initialized in
      initialized = max(0, body(buffer.baseAddress!))
    }
    return bytes.isEmpty ? nil : bytes
  }

  /// zlib or gzip, distinguished by their headers: 15 + 32 is the largest window, header detected.
  private func inflated(_ input: [UInt8], capacity: Int) -> [UInt8]? {
    BytesCodec.inflated(input, capacity: capacity, window: 15 + 32)
  }

  /// - Parameter window: as zlib has it.
  fileprivate static func inflated(_ input: [UInt8], capacity: Int, window: Int32) -> [UInt8]? {
    guard input.count <= Int(UInt32.max), capacity <= Int(UInt32.max) else { return nil }
    return filled(capacity) { out in
      var stream = z_stream()
      guard inflateInit2_(&stream, window, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
        return nil
      }
      defer { inflateEnd(&stream) }
      return input.withUnsafeBufferPointer { source in
        stream.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
        stream.avail_in = UInt32(source.count)
        stream.next_out = out.assumingMemoryBound(to: UInt8.self)
        stream.avail_out = UInt32(capacity)
        return inflate(&stream, Z_FINISH) == Z_STREAM_END ? capacity - Int(stream.avail_out) : nil
      }
    }
  }

  private func gzipped(_ input: UnsafeRawBufferPointer, _ level: Int) -> [UInt8]? {
    guard input.count <= Int(UInt32.max) else { return nil }
    var stream = z_stream()
    // 15 + 16: the largest window, a gzip header.
    let size = Int32(MemoryLayout<z_stream>.size)
    guard deflateInit2_(&stream, Int32(level), Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size) == Z_OK
    else { return nil }
    defer { deflateEnd(&stream) }
    let capacity = Int(deflateBound(&stream, uLong(input.count)))
    return encoded(capacity) {
      stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
      stream.avail_in = UInt32(input.count)
      stream.next_out = $0.assumingMemoryBound(to: UInt8.self)
      stream.avail_out = UInt32(clamping: capacity)
      return deflate(&stream, Z_FINISH) == Z_STREAM_END ? Int(stream.total_out) : 0
    }
  }
}

/// Raw deflate, as in ZIP archives; nil when the input is damaged or of another length.
func inflateRaw(_ input: [UInt8], length: Int) -> [UInt8]? {
  let bytes = BytesCodec.inflated(input, capacity: length, window: -15)
  return bytes?.count == length ? bytes : nil
}

/// The checksum of ZIP archives.
/// - Parameter start: the checksum of what comes before.
func zipChecksum(_ bytes: [UInt8], after start: Int = 0) -> Int { Int(crc32_z(UInt(start), bytes, bytes.count)) }

// Versions of the libraries that are loaded.
public var bloscVersion: String { String(cString: blosc_get_version_string()) }
public var zlibVersionText: String { String(cString: zlibVersion()) }
public var zstdVersion: String { String(cString: ZSTD_versionString()) }
public var lz4Version: String { String(cString: LZ4_versionString()) }
