/// Changes bytes as damage and malice do. The same seed and number give the same changes.
public struct Mutator {
  public var numbers: TestNumbers

  public init(seed: UInt64, number: Int) {
    var mixed = TestNumbers(seed)
    numbers = TestNumbers(mixed.next() ^ UInt64(truncatingIfNeeded: number) &* 0xD134_2543_DE82_EF95)
  }

  public mutating func integer(below bound: Int) -> Int { numbers.integer(in: 0..<max(1, bound)) }
  public mutating func isOne(in count: Int) -> Bool { integer(below: count) == 0 }

  public mutating func pick<T>(_ values: [T]) -> T { values[integer(below: values.count)] }

  /// One to four changes.
  /// - Parameter header: bytes at the beginning that are changed as often as all others.
  public mutating func changed(_ bytes: [UInt8], header: Int = 64) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<1 + integer(below: 4) { change(&bytes, header) }
    return bytes
  }

  private mutating func place(_ count: Int, _ header: Int) -> Int {
    integer(below: isOne(in: 2) ? min(header, count) : count)
  }

  private mutating func change(_ bytes: inout [UInt8], _ header: Int) {
    guard !bytes.isEmpty else { return bytes.append(UInt8(truncatingIfNeeded: numbers.next())) }
    let place = place(bytes.count, header)
    switch integer(below: 12) {
    case 0, 1: bytes[place] ^= 1 << UInt8(integer(below: 8))
    case 2, 3: bytes[place] = UInt8(truncatingIfNeeded: numbers.next())
    case 4, 5, 6: putNumber(&bytes, place)
    case 7: bytes.removeLast(integer(below: bytes.count))
    case 8: bytes.removeSubrange(place..<min(bytes.count, place + 1 + integer(below: 16)))
    case 9:
      let run = Array(bytes[place..<min(bytes.count, place + 1 + integer(below: 32))])
      bytes.insert(contentsOf: run, at: integer(below: bytes.count))
    case 10:
      for i in place..<min(bytes.count, place + 1 + integer(below: 16)) { bytes[i] = isOne(in: 2) ? 0 : 0xFF }
    default:
      let from = integer(below: bytes.count)
      for i in 0..<min(16, bytes.count - max(place, from)) { bytes[place + i] = bytes[from + i] }
    }
  }

  /// Numbers at which sizes and offsets go wrong, of one to eight bytes, either order.
  private mutating func putNumber(_ bytes: inout [UInt8], _ place: Int) {
    let value: UInt64 = pick([
      0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x1_0000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF,
      0x1_0000_0000, 0x0FFF_FFFF_FFFF_FFFF, 0x7FFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0000, .max, .max - 15,
      UInt64(bytes.count), UInt64(bytes.count) + 1, numbers.next(),
    ])
    let width = pick([1, 2, 4, 8])
    let isBig = isOne(in: 2)
    for i in 0..<width where place + i < bytes.count {
      bytes[place + i] = UInt8(truncatingIfNeeded: value >> UInt64(8 * (isBig ? width - 1 - i : i)))
    }
  }
}
