import Basics
import CBlosc
import CZlib
import CZstd

/// The compressor of a Zarr array: pure functions from bytes to bytes.
enum ZarrCodec: Sendable, Equatable {
  case none
  /// c-blosc 1: a container with its own header, whichever compressor and shuffle were used.
  case blosc(compressor: String, level: Int, shuffle: Int)
  case zlib(level: Int)
  case gzip(level: Int)
  case zstd(level: Int)

  /// What we write: as xarray's and WeatherBench 2's default.
  static let standard = ZarrCodec.blosc(compressor: "lz4", level: 5, shuffle: 1)

  init(_ json: JSONValue, place: String) throws {
    guard json != .null else {
      self = .none
      return
    }
    let level = json["level"]?.integer ?? json["clevel"]?.integer ?? 1
    switch json["id"]?.string {
    case "blosc":
      let shuffle = json["shuffle"]?.integer ?? 1
      self = .blosc(compressor: json["cname"]?.string ?? "lz4", level: level, shuffle: shuffle)
    case "zlib": self = .zlib(level: level)
    case "gzip": self = .gzip(level: level)
    case "zstd": self = .zstd(level: level)
    case let id:
      throw JigsawError(
        "\(place): compressor", "is not supported", expected: "blosc, zlib, gzip, zstd or none",
        found: id ?? "none given",
        remedy: "rewrite the store with one of these")
    }
  }

  var json: JSONValue {
    switch self {
    case .none: .null
    case .blosc(let compressor, let level, let shuffle):
      .object([
        "id": .string("blosc"), "cname": .string(compressor), "clevel": .integer(level), "shuffle": .integer(shuffle),
        "blocksize": .integer(0),
      ])
    case .zlib(let level): .object(["id": .string("zlib"), "level": .integer(level)])
    case .gzip(let level): .object(["id": .string("gzip"), "level": .integer(level)])
    case .zstd(let level): .object(["id": .string("zstd"), "level": .integer(level)])
    }
  }

  /// For people.
  var description: String {
    switch self {
    case .none: "none"
    case .blosc(let compressor, let level, let shuffle):
      "blosc(\(compressor), \(level), \(["no shuffle", "shuffle", "bitshuffle"][min(max(shuffle, 0), 2)]))"
    case .zlib(let level): "zlib(\(level))"
    case .gzip(let level): "gzip(\(level))"
    case .zstd(let level): "zstd(\(level))"
    }
  }

  /// Decodes to exactly `byteCount` bytes; nil when the input is damaged or has another size.
  func decode(_ input: [UInt8], byteCount: Int) -> [UInt8]? {
    switch self {
    case .none: return input.count == byteCount ? input : nil
    case .blosc:
      var length = 0
      guard blosc_cbuffer_validate(input, input.count, &length) == 0, length == byteCount else { return nil }
      return filled(byteCount) { blosc_decompress_ctx(input, $0, byteCount, 1) == Int32(clamping: byteCount) }
    case .zlib, .gzip: return inflated(input, byteCount: byteCount)
    case .zstd:
      return filled(byteCount) { ZSTD_decompress($0, byteCount, input, input.count) == byteCount }
    }
  }

  /// Encodes; nil when the library fails.
  func encode(_ input: UnsafeRawBufferPointer, elementSize: Int) -> [UInt8]? {
    switch self {
    case .none: return Array(input)
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
    case .zstd(let level):
      let capacity = ZSTD_compressBound(input.count)
      return encoded(capacity) {
        let size = ZSTD_compress($0, capacity, input.baseAddress, input.count, Int32(level))
        return ZSTD_isError(size) == 0 ? size : 0
      }
    case .gzip: return nil
    }
  }

  private func filled(_ count: Int, _ body: (UnsafeMutableRawPointer) -> Bool) -> [UInt8]? {
    var succeeded = false
    let bytes = [UInt8](unsafeUninitializedCapacity: max(count, 1)) { buffer, initialized in
      succeeded = body(buffer.baseAddress!)
      initialized = succeeded ? count : 0
    }
    return succeeded ? bytes : nil
  }

  /// `body` returns the encoded size, 0 on failure.
  private func encoded(_ capacity: Int, _ body: (UnsafeMutableRawPointer) -> Int) -> [UInt8]? {
    let bytes = [UInt8](unsafeUninitializedCapacity: max(capacity, 1)) { buffer, initialized in
      initialized = max(0, body(buffer.baseAddress!))
    }
    return bytes.isEmpty ? nil : bytes
  }

  /// zlib or gzip, told apart by their headers.
  private func inflated(_ input: [UInt8], byteCount: Int) -> [UInt8]? {
    filled(byteCount) { out in
      var stream = z_stream()
      // 15 + 32: the largest window, header detected.
      guard inflateInit2_(&stream, 15 + 32, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
        return false
      }
      defer { inflateEnd(&stream) }
      guard input.count <= Int(UInt32.max), byteCount <= Int(UInt32.max) else { return false }
      return input.withUnsafeBufferPointer { source in
        stream.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
        stream.avail_in = UInt32(source.count)
        stream.next_out = out.assumingMemoryBound(to: UInt8.self)
        stream.avail_out = UInt32(byteCount)
        return inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_out == 0
      }
    }
  }
}

// Versions of the libraries that are loaded.
public var bloscVersion: String { String(cString: blosc_get_version_string()) }
public var zlibVersionText: String { String(cString: zlibVersion()) }
public var zstdVersion: String { String(cString: ZSTD_versionString()) }
