import Basics
import CKernels

/// The checksum of Castagnoli's polynomial (RFC 3720, appendix B.4).
public enum CRC32C {
  public static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    guard let start = bytes.baseAddress else { return 0 }
    return ~jk_crc32c(.max, start, bytes.count)
  }

  public static func checksum(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { checksum($0) } }

  static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 { bytes.withUnsafeBytes { checksum($0) } }

  /// Bytes of a file that are read at a time.
  private static let pieceBytes = 1 << 20

  /// The checksum of a whole file, a piece of which is in memory at a time; nil where there is none.
  public static func checksum(ofFile path: String) throws -> UInt32? {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: pieceBytes, alignment: 64)
    defer { memory.deallocate() }
    var (state, position) = (UInt32.max, 0)
    while true {
      let found = try Files.readIfPresent(path, part: { _ in position..<position + pieceBytes }, into: { _ in memory })
      guard let found else { return nil }
      if found.read == 0 { return ~state }
      state = jk_crc32c(state, memory, found.read)
      position += found.read
    }
  }

  /// The checksum of a whole of `byteCount` bytes with this remainder (`PartialChecksum`).
  public static func checksum(remainder: UInt32, byteCount: Int) -> UInt32 {
    ~(remainder ^ jk_crc32c_multiply(.max, jk_crc32c_shift(UInt64(byteCount))))
  }
}

/// The checksum of bytes that come in parts, in any order, on several ranks: remainders of the parts, moved to their places in the
/// whole, are added.
public struct PartialChecksum: Sendable {
  private let byteCount: Int
  private var total: UInt32 = 0
  /// The remainder of what was added last, as far as it reached in ascending order.
  private var current: UInt32 = 0
  private var end = 0
  /// The last gap that was bridged, and its factor: gaps between columns are alike.
  private var gap: (bytes: Int, factor: UInt32) = (0, 0)

  /// - Parameter byteCount: of the whole.
  public init(byteCount: Int) { self.byteCount = byteCount }

  /// Adds the bytes that lie at an offset of the whole; each byte of it is to be added once.
  public mutating func add(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
    precondition(offset >= 0 && offset + bytes.count <= byteCount)
    guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
    if offset < end { flush() }
    if offset > end && current != 0 {
      if offset - end != gap.bytes { gap = (offset - end, jk_crc32c_shift(UInt64(offset - end))) }
      current = jk_crc32c_multiply(current, gap.factor)
    }
    current = jk_crc32c(current, start, bytes.count)
    end = offset + bytes.count
  }

  private mutating func flush() {
    total ^= jk_crc32c_multiply(current, jk_crc32c_shift(UInt64(byteCount - end)))
    (current, end) = (0, 0)
  }

  /// This one's part of the whole's checksum; those of several ranks are added by exclusive or.
  public var remainder: UInt32 {
    var copy = self
    copy.flush()
    return copy.total
  }
}
