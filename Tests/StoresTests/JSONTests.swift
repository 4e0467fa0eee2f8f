import Basics
import Testing

@Suite struct JSONTests {
  private func parse(_ text: String) throws -> JSONValue { try JSONValue(parsing: Array(text.utf8), place: "test") }

  @Test func pythonsNumbersAreRead() throws {
    let value = try parse("{\"a\": NaN, \"b\": [Infinity, -Infinity, 1e300, -0.5, 3], \"c\": \"NaN\"}")
    #expect(value["a"]?.double?.isNaN == true)
    #expect(value["b"]?.array?.map(\.double) == [.infinity, -.infinity, 1e300, -0.5, 3])
    #expect(value["c"]?.double?.isNaN == true && value["c"]?.string == "NaN")
    #expect(try parse("3").integer == 3 && parse("-9223372036854775808").integer == Int.min)
    #expect(try parse("9007199254740993").integer == 9_007_199_254_740_993)
    #expect(try parse("18446744073709551615").double == 0x1p64)
    #expect(try parse("[true, false, null]") == .array([.bool(true), .bool(false), .null]))
  }

  @Test func textSurvives() throws {
    let value = JSONValue.object([
      "ключ \"x\"": .string("Zürich\n\t\\/\u{1F30D}\u{1}"), "n": .array([.integer(1), .number(0.1), .null]),
    ])
    #expect(try parse(value.text()) == value)
    #expect(try parse(value.text(pretty: false)) == value)
    #expect(try JSONValue.object(["b": .integer(1), "a": .integer(2)]).text(pretty: false) == "{\"a\":2,\"b\":1}")
    #expect(try parse("\"\\u00e9\\ud83c\\udf0d\"").string == "é🌍")
    #expect(try JSONValue.number(.nan).text() == "\"NaN\"")
    #expect(try parse(value.line) == value && !value.line.contains("\n"))
    let plain = JSONValue.object(["b": .array([.integer(1), .number(-0.5), .bool(true)]), "a/c": .object([:])])
    #expect(try plain.line == plain.text(pretty: false) && plain.line == "{\"a/c\":{},\"b\":[1,-0.5,true]}")
    let numbers = [JSONValue.number(.nan), .number(-.infinity), .number(.infinity), .number(2)]
    #expect(JSONValue.array(numbers).line == "[\"NaN\",\"-Infinity\",\"Infinity\",2.0]")
  }

  @Test(arguments: [
    "", " ", "{", "[1 2]", "{\"a\" 1}", "nul", "[1] [2]", "\"\\x\"", "\"open", "{1: 2}", "01", "1.", "-", "+1", ".5",
    "[1,]", "{\"a\": 1,}", "\"\\ud800\"", "1e", "// x\n1", "'a'", "0x10",
    "Inf",
  ])
  func whatIsNotJSONIsRefused(text: String) {
    let error = #expect(throws: JigsawError.self) { try parse(text) }
    #expect(error?.place == "test")
  }

  /// Each refusal says what is wrong, and after how many bytes.
  @Test(arguments: [
    ("[1 2]", "a list has no end after 3 bytes"), ("{\"a\": 1 \"b\"", "an object has no end after 8 bytes"),
    ("{\"a\" 1}", "a colon is missing after 5 bytes"), ("{1: 2}", "a name is missing after 1 bytes"),
    ("[nul]", "a value is missing after 1 bytes"), ("-Infinit", "a value is missing after 1 bytes"),
    ("01", "a value is missing after 2 bytes"), ("1.e3", "a number has no digits after 2 bytes"),
    ("1e+", "a number has no digits after 3 bytes"), ("\"open\\", "a text has no end after 6 bytes"),
    ("\"a\n\"", "a text has a control character after 3 bytes"), ("\"\\x\"", "an escape is unknown after 3 bytes"),
    ("\"\\u12g4\"", "an escape needs four hexadecimal digits after 3 bytes"),
    ("\"\\ud83cx\"", "half a character is escaped after 7 bytes"),
    ("\"\\udf0d\"", "half a character is escaped after 7 bytes"),
    ("1 2", "something follows the document after 2 bytes"),
  ])
  func refusalsSayWhere(text: String, found: String) {
    let error = #expect(throws: JigsawError.self) { try parse(text) }
    #expect(error?.found == found)
  }

  /// Numbers are the nearest to what is written, as the system's own function reads them.
  @Test func numbersAreTheNearest() throws {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<2_000 {
      let (whole, digits) = (UInt64.random(in: 0..<1 << 60, using: &random), Int.random(in: 1...25, using: &random))
      let fraction = String(String(whole, radix: 10).prefix(digits))
      for text in [
        "\(whole % 1000).\(fraction)", "-0.\(fraction)", "\(whole).\(fraction)e\(digits - 12)", "-\(whole % 7).0",
      ] {
        #expect(try parse(text).double?.bitPattern == Double(text)?.bitPattern, "\(text)")
      }
      for text in ["\(whole)", "-\(whole)"] { #expect(try parse(text).integer == Int(text)) }
    }
    #expect(
      try parse("-0").double?.sign == .minus && parse("-0.0").double?.sign == .minus
        && parse("1e400").double == .infinity)
    #expect(try parse("999999999999999999").integer == 999_999_999_999_999_999)
    #expect(try parse("9223372036854775808").double == 0x1p63)
  }

  @Test func ofMembersWithOneNameTheLastCounts() throws {
    #expect(
      try parse("{\"a\": {\"a\": 1, \"b\": 2}, \"a\": {\"c\": [{\"a\": 3}, {}]}}")
        == .object([
          "a": .object(["c": .array([.object(["a": .integer(3)]), .object([:])])])
        ]))
  }

  @Test func bytesThatAreNotTextAreRefused() {
    for bytes: [UInt8] in [[0xFF, 0xFE, 0x00], [0x22, 0xC3, 0x28, 0x22], [0, 1, 2, 3]] {
      #expect(throws: JigsawError.self) { try JSONValue(parsing: bytes, place: "test") }
    }
  }

  @Test func deepNestingIsRefusedRatherThanFatal() {
    // Some megabytes of stack, were each value read within the one around it.
    let text = String(repeating: "[", count: 20_000) + String(repeating: "]", count: 20_000)
    #expect(throws: JigsawError.self) { try parse(text) }
    let allowed = String(repeating: "[", count: 512) + String(repeating: "]", count: 512)
    #expect(throws: Never.self) { try parse(allowed) }
    #expect(throws: JigsawError.self) { try parse("[\(allowed)]") }
  }
}
