import Basics

/// Changes JSON documents in their structure: other types, absurd numbers, names that lead elsewhere, nesting, members twice.
extension Mutator {
  public mutating func changed(_ document: JSONValue) -> [UInt8] {
    var document = document
    for _ in 0..<1 + integer(below: 3) {
      var place = integer(below: Mutator.nodeCount(document))
      document = replaced(document, &place)
    }
    var bytes: [UInt8] = []
    Mutator.write(document, into: &bytes)
    return isOne(in: 12) ? changed(bytes, header: bytes.count) : bytes
  }

  private static func nodeCount(_ json: JSONValue) -> Int {
    switch json {
    case .array(let elements): 1 + elements.reduce(0) { $0 + nodeCount($1) }
    case .object(let members): 1 + members.values.reduce(0) { $0 + nodeCount($1) }
    default: 1
    }
  }

  /// Changes the node at `place`, counted in the order of sorted names, so that it is the same in every run.
  private mutating func replaced(_ json: JSONValue, _ place: inout Int) -> JSONValue {
    if place == 0 {
      place = -1
      return change(json)
    }
    place -= 1
    switch json {
    case .array(var elements):
      for i in elements.indices where place >= 0 { elements[i] = replaced(elements[i], &place) }
      return .array(elements)
    case .object(var members):
      for name in members.keys.sorted() where place >= 0 {
        if let value = members[name] { members[name] = replaced(value, &place) }
      }
      return .object(members)
    default: return json
    }
  }

  private mutating func change(_ json: JSONValue) -> JSONValue {
    switch json {
    case .array(var elements):
      switch integer(below: 7) {
      case 0 where !elements.isEmpty: elements.remove(at: integer(below: elements.count))
      case 1 where !elements.isEmpty: elements.insert(pick(elements), at: integer(below: elements.count + 1))
      case 2: elements.reverse()
      case 3 where !elements.isEmpty: elements = Array(repeating: pick(elements), count: integer(below: 40))
      case 4: elements.append(value())
      case 5: elements = []
      default: return value()
      }
      return .array(elements)
    case .object(var members):
      let names = members.keys.sorted()
      switch integer(below: 7) {
      case 0 where !names.isEmpty: members[pick(names)] = nil
      case 1, 2:
        guard !names.isEmpty else { return value() }
        let name = pick(names)
        let other = isOne(in: 3) ? pick(names) : self.name(like: name)
        members[other] = members[name]
        if isOne(in: 2) { members[name] = nil }
      case 3 where !names.isEmpty: members[pick(names)] = value()
      case 4: members[text()] = value()
      // One member twice, with another value.
      case 5 where !names.isEmpty: members[pick(names) + Mutator.again] = value()
      default: return value()
      }
      return .object(members)
    case .integer(let number):
      switch integer(below: 5) {
      case 0: return .integer(number &+ 1)
      case 1: return .integer(0 &- number)
      case 2: return .integer(number &* (1 << integer(below: 63)))
      case 3: return .integer(1 << integer(below: 63))
      default: return value()
      }
    case .string(let text): return isOne(in: 2) ? .string(name(like: text)) : value()
    default: return value()
    }
  }

  private mutating func value() -> JSONValue {
    switch integer(below: 10) {
    case 0: return .null
    case 1: return .bool(isOne(in: 2))
    case 2: return .integer(pick([0, 1, -1, 2, 255, 1 << 31, 1 << 32, 1 << 40, 1 << 62, .max, .min]))
    case 3: return .number(pick([0.5, -1.5, 1e300, -1e300, .leastNonzeroMagnitude, .nan, .infinity]))
    case 4:
      return .string(
        Mutator.raw + pick(["1e400", "-0", "9223372036854775808", "-9223372036854775809", "1E-400", "01", "1.", "+1"]))
    case 5: return .string(text())
    case 6: return .array((0..<integer(below: 5)).map { _ in .integer(integer(below: 100)) })
    case 7: return .object([text(): .integer(integer(below: 9))])
    case 8:
      return .string(Mutator.raw + pick(Mutator.nested))
    default: return .array([])
    }
  }

  private static let nested = [3, 40, 511, 513, 5_000].flatMap { depth in
    [("[", "]"), ("{\"a\":", "}")].map { open, close in
      String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth)
    }
  }
  private static let long = String(repeating: "x", count: 70_000)

  private mutating func text() -> String {
    pick([
      "", ".", "..", "../x", "/etc/passwd", "x/../../y", "a\u{0}b", "\u{0}", "..\u{0}", "\u{301}", "e\u{301}", "a//b",
      "\\..\\x", "NaN", "Infinity", "NaT", "<f4", ">f8", "<M8[ns]", "<M8[", "<m8[25s]", "|b1", "float16", "int64",
      "bool",
      "numpy.datetime64", "0x7fc00000", "0xffffffffffffffffff", "AAAAAAAA8H8=", "hours since 1-1-1",
      "nanoseconds since 99999-12-31", "2001-01-31T06", "9999999999h", "zstd", "blosc", "bz2", "lzma", "lz4", "crc32c",
      "numcodecs.lzma", "numcodecs.packbits", "packbits", "delta", "astype", "quantize", "sharding_indexed",
      "transpose",
      "F", "/", "start", Mutator.long,
    ])
  }

  private mutating func name(like name: String) -> String {
    switch integer(below: 6) {
    case 0: return "../" + name
    case 1: return "/" + name
    case 2: return name + "\u{0}"
    case 3: return String(name.reversed())
    case 4: return "x/../../" + name
    default: return text()
    }
  }

  // MARK: Writing, also what no JSON document may have

  /// A string that begins so is written as it is; a name that ends so is written without it.
  private static let raw = "\u{1}raw:"
  private static let again = "\u{1}again"

  private static func write(_ json: JSONValue, into out: inout [UInt8]) {
    switch json {
    case .null: out += Array("null".utf8)
    case .bool(let value): out += Array((value ? "true" : "false").utf8)
    case .integer(let value): out += Array("\(value)".utf8)
    case .number(let value):
      out += Array((value.isNaN ? "NaN" : value.isInfinite ? (value < 0 ? "-Infinity" : "Infinity") : "\(value)").utf8)
    case .string(let text):
      if text.hasPrefix(raw) { out += text.utf8.dropFirst(raw.utf8.count) } else { write(text, into: &out) }
    case .array(let elements):
      out.append(UInt8(ascii: "["))
      for (i, element) in elements.enumerated() {
        if i > 0 { out.append(UInt8(ascii: ",")) }
        write(element, into: &out)
      }
      out.append(UInt8(ascii: "]"))
    case .object(let members):
      out.append(UInt8(ascii: "{"))
      for (i, name) in members.keys.sorted().enumerated() {
        if i > 0 { out.append(UInt8(ascii: ",")) }
        write(name.hasSuffix(again) ? String(name.dropLast(again.count)) : name, into: &out)
        out.append(UInt8(ascii: ":"))
        write(members[name] ?? .null, into: &out)
      }
      out.append(UInt8(ascii: "}"))
    }
  }

  private static func write(_ text: String, into out: inout [UInt8]) {
    out.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): out += [UInt8(ascii: "\\"), byte]
      case 0..<0x20: out += Array("\\u00\(byte < 16 ? "0" : "")\(String(byte, radix: 16))".utf8)
      default: out.append(byte)
      }
    }
    out.append(UInt8(ascii: "\""))
  }
}
