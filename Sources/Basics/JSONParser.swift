/// Reads JSON (RFC 8259), and the bare NaN, Infinity and -Infinity that Python writes.
///
/// Foundation's decoder reads these only as JSON 5, where it ends the program for some damaged documents (swift-foundation
/// 6.3, CodableUtilities.swift:685).
struct JSONParser {
  /// What is wrong, and after how many bytes.
  struct Failure: Error {
    let problem: String
    let offset: Int
  }

  private let bytes: UnsafeBufferPointer<UInt8>
  private var position = 0
  private var depth = 0
  private var valueCount = 0
  private let valueLimit: Int
  private static let deepest = 512
  /// A value takes some hundred bytes of memory however short it is written.
  static let valueLimit = 20_000_000

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

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  private mutating func takes(_ byte: Unicode.Scalar) -> Bool {
    skipSpace()
    guard next == UInt8(ascii: byte) else { return false }
    position += 1
    return true
  }

  private mutating func value() throws -> JSONValue {
    skipSpace()
    depth += 1
    defer { depth -= 1 }
    guard depth <= JSONParser.deepest else { throw failure("values are nested too deeply") }
    valueCount += 1
    guard valueCount <= valueLimit else { throw failure("there are more than \(valueLimit) values") }
    switch next {
    case UInt8(ascii: "{"): return try object()
    case UInt8(ascii: "["): return try array()
    case UInt8(ascii: "\""): return .string(try string())
    case .some(UInt8(ascii: "0")...UInt8(ascii: "9")): return try number()
    default: break
    }
    for (word, value) in JSONParser.words where bytes[position...].starts(with: word) {
      position += word.count
      return value
    }
    return try number()
  }

  private static let words: [([UInt8], JSONValue)] = [
    (Array("true".utf8), .bool(true)), (Array("false".utf8), .bool(false)), (Array("null".utf8), .null),
    (Array("NaN".utf8), .number(.nan)), (Array("Infinity".utf8), .number(.infinity)),
    (Array("-Infinity".utf8), .number(-.infinity)),
  ]

  private mutating func object() throws -> JSONValue {
    var members: [String: JSONValue] = [:]
    position += 1
    if takes("}") { return .object(members) }
    repeat {
      skipSpace()
      guard next == UInt8(ascii: "\"") else { throw failure("a name is missing") }
      let name = try string()
      guard takes(":") else { throw failure("a colon is missing") }
      members[name] = try value()
    } while takes(",")
    guard takes("}") else { throw failure("an object has no end") }
    return .object(members)
  }

  private mutating func array() throws -> JSONValue {
    var elements: [JSONValue] = []
    position += 1
    if takes("]") { return .array(elements) }
    repeat { elements.append(try value()) } while takes(",")
    guard takes("]") else { throw failure("a list has no end") }
    return .array(elements)
  }

  private mutating func string() throws -> String {
    position += 1
    // Most texts have no escapes and are taken as they stand.
    let start = position
    while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { position += 1 }
    let plain = UnsafeBufferPointer(rebasing: bytes[start..<position])
    if next == UInt8(ascii: "\"") {
      position += 1
      guard let result = String(validating: plain, as: UTF8.self) else { throw failure("a text is not UTF-8") }
      return result
    }
    var text = Array(plain)
    while let byte = next {
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let result = String(validating: text, as: UTF8.self) else { throw failure("a text is not UTF-8") }
        return result
      case UInt8(ascii: "\\"): text += try escaped()
      case 0..<0x20: throw failure("a text has a control character")
      default: text.append(byte)
      }
    }
    throw failure("a text has no end")
  }

  private mutating func escaped() throws -> [UInt8] {
    guard let byte = next else { throw failure("a text has no end") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
    case UInt8(ascii: "b"): return [8]
    case UInt8(ascii: "f"): return [12]
    case UInt8(ascii: "n"): return [10]
    case UInt8(ascii: "r"): return [13]
    case UInt8(ascii: "t"): return [9]
    case UInt8(ascii: "u"):
      var units = [try codeUnit()]
      if UTF16.isLeadSurrogate(units[0]), bytes[position...].starts(with: Array("\\u".utf8)) {
        position += 2
        units.append(try codeUnit())
      }
      guard let text = String(validating: units, as: UTF16.self) else { throw failure("half a character is escaped") }
      return Array(text.utf8)
    default: throw failure("an escape is unknown")
    }
  }

  private mutating func codeUnit() throws -> UInt16 {
    guard position + 4 <= bytes.count,
      bytes[position..<position + 4].allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }),
      let unit = UInt16(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
    else { throw failure("an escape needs four hexadecimal digits") }
    position += 4
    return unit
  }

  private mutating func number() throws -> JSONValue {
    let start = position
    var isWhole = true
    if next == UInt8(ascii: "-") { position += 1 }
    let firstDigit = position
    skipDigits()
    guard position > firstDigit, bytes[firstDigit] != UInt8(ascii: "0") || position == firstDigit + 1 else {
      throw failure("a value is missing")
    }
    if next == UInt8(ascii: ".") {
      isWhole = false
      position += 1
      let first = position
      skipDigits()
      guard position > first else { throw failure("a number has no digits") }
    }
    if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
      isWhole = false
      position += 1
      if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
      let first = position
      skipDigits()
      guard position > first else { throw failure("a number has no digits") }
    }
    let digits = UnsafeBufferPointer(rebasing: bytes[start..<position])
    if isWhole, let whole = JSONParser.short(digits) { return .integer(whole) }
    let text = String(decoding: digits, as: UTF8.self)
    if isWhole, text != "-0", let whole = Int(text) { return .integer(whole) }
    guard let number = Double(text) else { throw failure("a number can't be read") }
    return .number(number)
  }

  /// A whole number of at most 18 digits; nil for others and for -0, which is not a whole number's.
  private static func short(_ text: UnsafeBufferPointer<UInt8>) -> Int? {
    let isNegative = text.first == UInt8(ascii: "-")
    guard text.count <= 18 else { return nil }
    var value = 0
    for digit in isNegative ? text.dropFirst() : text[...] { value = 10 * value + Int(digit - UInt8(ascii: "0")) }
    return isNegative ? (value == 0 ? nil : -value) : value
  }

  private mutating func skipDigits() {
    while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
  }
}
