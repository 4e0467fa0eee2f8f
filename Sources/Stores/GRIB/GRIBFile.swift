import Basics

#if canImport(Glibc)
  import Glibc
#endif

/// A file open for reading at any place, from several threads.
final class GRIBFile: Sendable {
  let path: String
  let size: Int
  private let descriptor: Int32

  init(_ path: String) throws {
    self.path = path
    (descriptor, size) = try Files.openToRead(path)
  }

  deinit { close(descriptor) }

  /// - Throws: also when the file ends before.
  func read(_ range: Range<Int>) throws -> [UInt8] {
    try [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
      while count < range.count {
        let n = pread(descriptor, buffer.baseAddress! + count, range.count - count, off_t(range.lowerBound + count))
        if n < 0 && errno == EINTR { continue }
        if n < 0 { throw JigsawError(path, "can't read this file (\(Files.reason()))") }
        if n == 0 {
          throw JigsawError(
            path, "was cut short", expected: "\(range.upperBound) bytes", found: "\(range.lowerBound + count)",
            remedy: "copy the file again")
        }
        count += n
      }
    }
  }

  /// Whether a file holds GRIB messages, also after something else such as a bulletin's heading.
  static func isGRIB(_ path: String) throws -> Bool {
    let bytes = try Files.read(path, atMost: 1 << 16)
    // NetCDF files begin with one of two marks: classic, HDF5.
    if bytes.starts(with: Array("CDF".utf8)) || bytes.starts(with: [0x89] + Array("HDF".utf8)) { return false }
    var place = 0
    while let start = GRIBFile.find(bytes, from: place) {
      if start + 7 < bytes.count, bytes[start + 7] == 1 || bytes[start + 7] == 2 { return true }
      place = start + 4
    }
    return false
  }

  /// Where "GRIB" stands next.
  static func find(_ bytes: [UInt8], from start: Int) -> Int? {
    guard bytes.count >= 4, start <= bytes.count - 4 else { return nil }
    return bytes.withUnsafeBufferPointer { bytes in
      (start...bytes.count - 4).first {
        bytes[$0] == 0x47 && bytes[$0 + 1] == 0x52 && bytes[$0 + 2] == 0x49 && bytes[$0 + 3] == 0x42
      }
    }
  }
}
