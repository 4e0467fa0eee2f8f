/// Reads JSON (RFC 8259), and the bare NaN, Infinity and -Infinity that Python writes.
///
/// Foundation's decoder reads these only as JSON 5, where it ends the program for some damaged documents (swift-foundation
/// 6.3, CodableUtilities.swift:685).
struct JSONParser {
  /// The problem, and after how many bytes it was found.
  struct Failure: Error {
    let problem: String
    let offset: Int
  }

  private let bytes: UnsafeBufferPointer<UInt8>
  private var position = 0
  private var depth = 0
  private var valueCount = 0
  private let valueLimit: Int
  /// Members of the objects that are being read, those of inner ones last: an object is made when their count is known.
  private var members: [(name: String, value: JSONValue)] = []
  private static let deepest = 512
  /// A value takes some hundred bytes of memory however short it is written: 2 million are half a gigabyte.
  static let valueLimit = 2_000_000

  private init(_ bytes: UnsafeBufferPointer<UInt8>, valueLimit: Int) {
    self.bytes = bytes
    self.valueLimit = valueLimit
  }

  static func parse(_ bytes: [UInt8], valueLimit: Int = valueLimit) throws -> JSONValue {
    try bytes.withUnsafeBufferPointer { bytes in
      var parser = JSONParser(bytes, valueLimit: valueLimit)
      if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { parser.position = 3 }
      let value = try parser.value()
      parser.skipSpace()
      guard parser.position == bytes.count else { throw parser.failure("something follows the document") }
      return value
    }
  }

  private func failure(_ problem: String) -> Failure { Failure(problem: problem, offset: position) }

  /// Zero at the end, which no rule of JSON takes.
  private var next: UInt8 { position < bytes.count ? bytes[position] : 0 }

  private mutating func skipSpace() {
    while next == 0x20 || next == 0x0A || next == 0x0D || next == 0x09 { position += 1 }
  }

  private mutating func takes(_ byte: Unicode.Scalar) -> Bool {
    skipSpace()
    guard next == UInt8(ascii: byte) else { return false }
    position += 1
    return true
  }

  private mutating func value() throws -> JSONValue {
    skipSpace()
    valueCount += 1
    guard depth < JSONParser.deepest else { throw failure("values are nested too deeply") }
    guard valueCount <= valueLimit else { throw failure("there are more than \(valueLimit) values") }
    switch next {
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
    case UInt8(ascii: "{"): return try object()
    case UInt8(ascii: "["): return try array()
    case UInt8(ascii: "t") where takes(word: "true"): return .bool(true)
    case UInt8(ascii: "f") where takes(word: "false"): return .bool(false)
    case UInt8(ascii: "n") where takes(word: "null"): return .null
    case UInt8(ascii: "N") where takes(word: "NaN"): return .number(.nan)
    case UInt8(ascii: "I") where takes(word: "Infinity"): return .number(.infinity)
    case UInt8(ascii: "-") where takes(word: "-Infinity"): return .number(-.infinity)
    default: return try number()
    }
  }

  private mutating func takes(word: StaticString) -> Bool {
    guard bytes.count - position >= word.utf8CodeUnitCount else { return false }
    for i in 0..<word.utf8CodeUnitCount where bytes[position + i] != word.utf8Start[i] { return false }
    position += word.utf8CodeUnitCount
    return true
  }

  private mutating func object() throws -> JSONValue {
    position += 1
    if takes("}") { return .object([:]) }
    depth += 1
    let first = members.count
    repeat {
      skipSpace()
      guard next == UInt8(ascii: "\"") else { throw failure("a name is missing") }
      let name = try string()
      guard takes(":") else { throw failure("a colon is missing") }
      members.append((name, try value()))
    } while takes(",")
    guard takes("}") else { throw failure("an object has no end") }
    depth -= 1
    var object = [String: JSONValue](minimumCapacity: members.count - first)
    for (name, value) in members[first...] { object[name] = value }
    members.removeSubrange(first...)
    return .object(object)
  }

  private mutating func array() throws -> JSONValue {
    position += 1
    if takes("]") { return .array([]) }
    depth += 1
    var elements: [JSONValue] = []
    repeat { elements.append(try value()) } while takes(",")
    guard takes("]") else { throw failure("a list has no end") }
    depth -= 1
    return .array(elements)
  }

  private mutating func string() throws -> String {
    position += 1
    // Most texts have no escapes and are taken as they stand.
    let start = position
    while next >= 0x20, next != UInt8(ascii: "\""), next != UInt8(ascii: "\\") { position += 1 }
    let plain = UnsafeBufferPointer(rebasing: bytes[start..<position])
    guard next == UInt8(ascii: "\"") else { return try escapedString(beginning: plain) }
    position += 1
    return try text(plain)
  }

  private func text(_ bytes: UnsafeBufferPointer<UInt8>) throws -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else { throw failure("a text is not UTF-8") }
    return text
  }

  private mutating func escapedString(beginning: UnsafeBufferPointer<UInt8>) throws -> String {
    var text = Array(beginning)
    while position < bytes.count {
      let byte = bytes[position]
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return try text.withUnsafeBufferPointer(self.text)
      case UInt8(ascii: "\\"): try appendEscaped(to: &text)
      case 0..<0x20: throw failure("a text has a control character")
      default: text.append(byte)
      }
    }
    throw failure("a text has no end")
  }

  private mutating func appendEscaped(to text: inout [UInt8]) throws {
    guard position < bytes.count else { throw failure("a text has no end") }
    position += 1
    switch bytes[position - 1] {
    case UInt8(ascii: "\""): text.append(UInt8(ascii: "\""))
    case UInt8(ascii: "\\"): text.append(UInt8(ascii: "\\"))
    case UInt8(ascii: "/"): text.append(UInt8(ascii: "/"))
    case UInt8(ascii: "b"): text.append(8)
    case UInt8(ascii: "f"): text.append(12)
    case UInt8(ascii: "n"): text.append(10)
    case UInt8(ascii: "r"): text.append(13)
    case UInt8(ascii: "t"): text.append(9)
    case UInt8(ascii: "u"): text.append(contentsOf: String(try escapedScalar()).utf8)
    default: throw failure("an escape is unknown")
    }
  }

  /// The character of a \u escape: one UTF-16 code unit, or a pair of surrogates.
  private mutating func escapedScalar() throws -> Unicode.Scalar {
    let unit = try codeUnit()
    if let scalar = Unicode.Scalar(unit) { return scalar }
    if UTF16.isLeadSurrogate(unit), takes(word: "\\u") {
      let trail = try codeUnit()
      if UTF16.isTrailSurrogate(trail),
        let scalar = Unicode.Scalar(0x10000 + (UInt32(unit & 0x3FF) << 10 | UInt32(trail & 0x3FF)))
      {
        return scalar
      }
    }
    throw failure("half a character is escaped")
  }

  private mutating func codeUnit() throws -> UInt16 {
    var unit: UInt16 = 0
    guard position + 4 <= bytes.count else { throw failure("an escape needs four hexadecimal digits") }
    for i in position..<position + 4 {
      switch bytes[i] {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): unit = unit << 4 | UInt16(bytes[i] - UInt8(ascii: "0"))
      case UInt8(ascii: "a")...UInt8(ascii: "f"): unit = unit << 4 | UInt16(bytes[i] - UInt8(ascii: "a") + 10)
      case UInt8(ascii: "A")...UInt8(ascii: "F"): unit = unit << 4 | UInt16(bytes[i] - UInt8(ascii: "A") + 10)
      default: throw failure("an escape needs four hexadecimal digits")
      }
    }
    position += 4
    return unit
  }

  private mutating func number() throws -> JSONValue {
    let start = position
    let isNegative = next == UInt8(ascii: "-")
    if isNegative { position += 1 }
    var mantissa: UInt64 = 0
    let wholeDigitCount = takeDigits(&mantissa)
    guard wholeDigitCount > 0, wholeDigitCount == 1 || bytes[position - wholeDigitCount] != UInt8(ascii: "0") else {
      throw failure("a value is missing")
    }
    var fractionDigitCount = 0
    if next == UInt8(ascii: ".") {
      position += 1
      fractionDigitCount = takeDigits(&mantissa)
      guard fractionDigitCount > 0 else { throw failure("a number has no digits") }
    }
    let hasExponent = next == UInt8(ascii: "e") || next == UInt8(ascii: "E")
    if hasExponent {
      position += 1
      if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
      var exponent: UInt64 = 0
      guard takeDigits(&exponent) > 0 else { throw failure("a number has no digits") }
    }
    if !hasExponent, wholeDigitCount + fractionDigitCount <= 18 {
      if fractionDigitCount == 0, !isNegative || mantissa > 0 {
        return .integer(isNegative ? -Int(mantissa) : Int(mantissa))
      }
      // Both are exact, so that their quotient is the nearest number to the decimal one.
      if mantissa <= 1 << 53 {
        let value = Double(mantissa) / JSONParser.powersOfTen[fractionDigitCount]
        return .number(isNegative ? -value : value)
      }
    }
    let text = String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<position]), as: UTF8.self)
    if !hasExponent, fractionDigitCount == 0, text != "-0", let whole = Int(text) { return .integer(whole) }
    guard let number = Double(text) else { throw failure("a number can't be read") }
    return .number(number)
  }

  private static let powersOfTen = [
    1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
  ]

  /// Takes digits and appends them to `value`, which is right for at most 19 in all.
  /// - Returns: how many there are.
  private mutating func takeDigits(_ value: inout UInt64) -> Int {
    let start = position
    while case UInt8(ascii: "0")...UInt8(ascii: "9") = next {
      value = value &* 10 &+ UInt64(next - UInt8(ascii: "0"))
      position += 1
    }
    return position - start
  }
}
