/// A digest of texts and numbers, 64 bits (FNV-1a). It tells changes that happen from none; it is no seal against forgery.
public struct Digest: Sendable {
  private var hash: UInt64 = 0xCBF2_9CE4_8422_2325

  public init() {}

  public mutating func add(_ text: String) {
    var text = text
    text.withUTF8 { for byte in $0 { mix(byte) } }
    mix(0)
  }

  public mutating func add(_ number: UInt32) {
    for shift in stride(from: 0, to: 32, by: 8) { mix(UInt8(truncatingIfNeeded: number >> UInt32(shift))) }
  }

  private mutating func mix(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }

  /// 16 hexadecimal digits.
  public var text: String {
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
