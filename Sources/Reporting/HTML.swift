import Basics

/// A block of data for the scripts of the page. `<` only occurs within JSON strings, where it may be written as an escape;
/// then no text can end the block or open a comment.
func jsonBlock(_ id: String, _ value: JSONValue) throws -> String {
  let text = try value.text(pretty: false).replacing("<", with: "\\u003c")
  return "<script type=\"application/json\" id=\"\(id)\">\(text)</script>\n"
}

/// A number with six significant digits, which is what a chart can show; null when not finite.
func json(_ value: Double) -> JSONValue {
  guard value.isFinite else { return .null }
  if value == 0 { return .integer(0) }
  var digits = significant(value, 6)
  if digits.contains(".") && !digits.contains("e") {
    while digits.hasSuffix("0") { digits.removeLast() }
  }
  return Double(digits).map { .number($0) } ?? .number(value)
}

func json(_ values: [Double]) -> JSONValue { .array(values.map { json($0) }) }
func json(_ values: [Int]) -> JSONValue { .array(values.map { .integer($0) }) }

/// The four bytes of a float as scripts read them.
func littleEndianBytes(_ value: Float) -> [UInt8] { littleEndianBytes(value.bitPattern) }
func littleEndianBytes(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(value >> (8 * $0) & 255) } }

/// RFC 4648 with padding.
func base64(_ bytes: [UInt8]) -> String {
  let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  var result: [UInt8] = []
  result.reserveCapacity((bytes.count + 2) / 3 * 4)
  for start in stride(from: 0, to: bytes.count, by: 3) {
    let count = min(3, bytes.count - start)
    var word = 0
    for i in 0..<3 { word = word << 8 | (i < count ? Int(bytes[start + i]) : 0) }
    for i in 0..<4 { result.append(i <= count ? alphabet[word >> (18 - 6 * i) & 63] : 61) }
  }
  return String(decoding: result, as: UTF8.self)
}
