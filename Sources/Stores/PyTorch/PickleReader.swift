import Basics

/// Reads pickles of protocols 2 to 5 (Python's pickletools describes them). Nothing is imported, called or built: classes are
/// names, and a class or function whose name is not on a list is refused.
struct PickleReader {
  /// Values beyond which a file is refused: some hundred megabytes of memory.
  private static let valueLimit = 4_000_000
  /// Bytes that calls may copy out of values that are known already, all together.
  private static let copyLimit = 64 << 20

  private let bytes: [UInt8]
  private let place: String
  private let isAllowed: (_ module: String, _ name: String) -> Bool
  private var position = 0
  private var document = PickleDocument()
  private var stack: [PickleDocument.ID] = []
  /// Heights of the stack.
  private var marks: [Int] = []
  private var memo: [Int: PickleDocument.ID] = [:]
  private var copied = 0
  /// Elements and pairs that steps have added to containers, which get them when they are read, or at the end.
  private var addedElements: [PickleDocument.ID: [PickleDocument.ID]] = [:]
  private var addedPairs: [PickleDocument.ID: [PickleDocument.Pair]] = [:]

  /// - Parameter isAllowed: whether a class or function may be named.
  /// - Throws: naming the byte, when the pickle is damaged, or when it names what it may not.
  static func read(
    _ bytes: [UInt8], place: String, isAllowed: @escaping (_ module: String, _ name: String) -> Bool
  ) throws -> PickleDocument {
    var reader = PickleReader(bytes: bytes, place: place, isAllowed: isAllowed)
    while try reader.step() {}
    for id in Set(reader.addedElements.keys).union(reader.addedPairs.keys) { reader.settle(id) }
    return reader.document
  }

  private init(bytes: [UInt8], place: String, isAllowed: @escaping (String, String) -> Bool) {
    self.bytes = bytes
    self.place = place
    self.isAllowed = isAllowed
  }

  private func damaged(_ found: String) -> JigsawError {
    JigsawError(
      place, "is not a usable pickle", found: "\(found) at byte \(position)",
      remedy: "copy the checkpoint again from where it was written")
  }

  // MARK: Bytes

  private mutating func take(_ count: Int) throws -> ArraySlice<UInt8> {
    guard count >= 0, count <= bytes.count - position else { throw damaged("an end in the middle of a value") }
    defer { position += count }
    return bytes[position..<position + count]
  }

  /// Little-endian, without sign.
  private mutating func number(_ width: Int) throws -> Int {
    let value = try take(width).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard value <= UInt64(Int.max) else { throw damaged("a length of \(value)") }
    return Int(value)
  }

  private mutating func text(_ count: Int) throws -> String {
    let bytes = try take(count)
    // Python writes lone surrogates as they are; such texts are of no use here.
    return String(decoding: bytes, as: UTF8.self)
  }

  private mutating func line() throws -> String {
    guard let end = bytes[position...].firstIndex(of: UInt8(ascii: "\n")) else { throw damaged("a line without end") }
    let text = try text(end - position)
    position += 1
    return text
  }

  // MARK: Values

  private mutating func push(_ value: PickleDocument.Value) throws {
    guard document.values.count < Self.valueLimit else { throw tooLarge() }
    try push(id: document.values.count)
    document.values.append(value)
  }

  private mutating func push(id: PickleDocument.ID) throws {
    guard stack.count < Self.valueLimit else { throw tooLarge() }
    stack.append(id)
  }

  private func tooLarge() -> JigsawError {
    JigsawError(place, "holds more values than a model's description needs", expected: "at most \(Self.valueLimit)")
  }

  /// One value, asked for again and again, must not fill the memory with its copies.
  private mutating func charge(bytes: Int) throws {
    copied += bytes
    guard copied <= Self.copyLimit else { throw tooLarge() }
  }

  private mutating func pop() throws -> PickleDocument.ID {
    guard stack.count > (marks.last ?? 0), let id = stack.popLast() else { throw damaged("a value that is missing") }
    return id
  }

  private func top() throws -> PickleDocument.ID {
    guard stack.count > (marks.last ?? 0), let id = stack.last else { throw damaged("a value that is missing") }
    return id
  }

  /// The values above the last mark.
  private mutating func popMark() throws -> [PickleDocument.ID] {
    guard let mark = marks.popLast() else { throw damaged("a mark that is missing") }
    defer { stack.removeSubrange(mark...) }
    return Array(stack[mark...])
  }

  private mutating func pop(_ count: Int) throws -> [PickleDocument.ID] {
    var ids: [PickleDocument.ID] = []
    for _ in 0..<count { ids.append(try pop()) }
    return ids.reversed()
  }

  private mutating func pushGlobal(_ module: String, _ name: String) throws {
    guard isAllowed(module, name) else {
      throw JigsawError(
        place, "names '\("\(module).\(name)".prefix(200))', which no model checkpoint needs",
        remedy: "don't load this file anywhere if you don't know who made it; nothing of it was executed")
    }
    try push(.global("\(module) \(name)"))
  }

  /// A call: what is called, its arguments.
  private mutating func call() throws {
    let parts = try pop(2)
    guard case .global(let name) = document.values[parts[0]] else {
      // Such as a generic type with its arguments: opaque too.
      return try push(.object(.init(callee: parts[0], arguments: parts[1])))
    }
    switch name {
    case "__builtin__ dict", "builtins dict", "collections OrderedDict", "collections defaultdict":
      // Filled by later steps, in protocols before 2 by its arguments; these are kept as pairs.
      try push(.dictionary(try pairs(ofItems: parts[1])))
    case "__builtin__ list", "builtins list", "__builtin__ set", "builtins set", "__builtin__ frozenset",
      "builtins frozenset":
      try push(.list(try firstArgument(parts[1]).flatMap { document.elements($0) } ?? []))
    case "_codecs encode":
      // Python 2's way to write bytes: text of which each character is a byte.
      let text = document.elements(parts[1])?.first.flatMap { document.string($0) }
      try charge(bytes: text?.utf8.count ?? 0)
      try push(.bytes(text.map { $0.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) } } ?? []))
    default: try push(.object(.init(callee: parts[0], arguments: parts[1])))
    }
  }

  /// Pairs of the first argument, where it is a list of pairs.
  private mutating func pairs(ofItems arguments: PickleDocument.ID) throws -> [PickleDocument.Pair] {
    guard let items = try firstArgument(arguments), let elements = document.elements(items) else { return [] }
    try charge(bytes: 8 * elements.count)
    return elements.compactMap { item in
      guard let pair = document.elements(item), pair.count == 2 else { return nil }
      return PickleDocument.Pair(key: pair[0], value: pair[1])
    }
  }

  private mutating func append(_ ids: [PickleDocument.ID]) throws {
    let target = try top()
    switch document.values[target] {
    case .list, .object: addedElements[target, default: []] += ids
    default: throw damaged("elements for what is no list")
    }
  }

  private mutating func set(_ ids: [PickleDocument.ID]) throws {
    guard ids.count % 2 == 0 else { throw damaged("a key without a value") }
    let target = try top()
    switch document.values[target] {
    case .dictionary, .object:
      for index in stride(from: 0, to: ids.count, by: 2) {
        addedPairs[target, default: []].append(PickleDocument.Pair(key: ids[index], value: ids[index + 1]))
      }
    default: throw damaged("pairs for what is no dictionary")
    }
  }

  /// Gives a container what has been added to it.
  private mutating func settle(_ id: PickleDocument.ID) {
    let (elements, pairs) = (addedElements.removeValue(forKey: id), addedPairs.removeValue(forKey: id))
    if elements == nil && pairs == nil { return }
    switch document.values[id] {
    case .list(let known): document.values[id] = .list(known + (elements ?? []))
    case .dictionary(let known): document.values[id] = .dictionary(known + (pairs ?? []))
    case .object(var object):
      object.elements += elements ?? []
      object.pairs += pairs ?? []
      document.values[id] = .object(object)
    default: break
    }
  }

  /// The first argument of a call, with all that has been added to it and its elements.
  private mutating func firstArgument(_ arguments: PickleDocument.ID) throws -> PickleDocument.ID? {
    guard let first = document.elements(arguments)?.first else { return nil }
    settle(first)
    let elements = document.elements(first) ?? []
    try charge(bytes: 8 * elements.count)
    for element in elements { settle(element) }
    return first
  }

  /// Gives an object its attributes. Those of a dictionary, which Python allows, are of no use here.
  private mutating func build() throws {
    let state = try pop()
    let target = try top()
    switch document.values[target] {
    case .object(var object):
      object.state = state
      document.values[target] = .object(object)
    case .dictionary, .list: break
    default: throw damaged("attributes for what is no object")
    }
  }

  private mutating func memoise(_ index: Int) throws { memo[index] = try top() }

  private mutating func recall(_ index: Int) throws {
    guard let id = memo[index] else { throw damaged("the value \(index), which is not known") }
    try push(id: id)
  }
}

extension PickleReader {
  /// One instruction; false after the last.
  private mutating func step() throws -> Bool {
    let code = try take(1).first ?? 0
    if try scalar(code) { return true }
    switch code {
    case UInt8(ascii: "."):
      document.root = try pop()
      return false
    case 0x80:
      let version = try number(1)
      guard (2...5).contains(version) else { throw damaged("protocol \(version)") }
    case 0x95: _ = try number(8)  // FRAME
    case UInt8(ascii: "("): marks.append(stack.count)
    case UInt8(ascii: "0"): _ = try pop()
    case UInt8(ascii: "1"): _ = try popMark()
    case UInt8(ascii: "2"): try push(id: try top())
    case UInt8(ascii: "q"): try memoise(try number(1))
    case UInt8(ascii: "r"): try memoise(try number(4))
    case 0x94: try memoise(memo.count)
    case UInt8(ascii: "h"): try recall(try number(1))
    case UInt8(ascii: "j"): try recall(try number(4))
    case UInt8(ascii: "c"):
      let module = try line()
      try pushGlobal(module, try line())
    case 0x93:
      let names = try pop(2).map { document.string($0) }
      guard let module = names[0], let name = names[1] else { throw damaged("a class without a name") }
      try pushGlobal(module, name)
    case UInt8(ascii: "R"), 0x81: try call()
    case 0x92:  // NEWOBJ_EX: the class, its arguments, its named arguments
      _ = try pop()
      try call()
    case UInt8(ascii: "b"): try build()
    case UInt8(ascii: "Q"): try push(.persistent(try pop()))
    default: try container(code)
    }
    return true
  }

  /// Numbers and texts.
  private mutating func scalar(_ code: UInt8) throws -> Bool {
    switch code {
    case UInt8(ascii: "N"): try push(.none)
    case 0x88: try push(.bool(true))
    case 0x89: try push(.bool(false))
    case UInt8(ascii: "K"): try push(.integer(try number(1)))
    case UInt8(ascii: "M"): try push(.integer(try number(2)))
    case UInt8(ascii: "J"): try push(.integer(Int(Int32(truncatingIfNeeded: try number(4)))))
    case 0x8A: try push(try long(try number(1)))
    case 0x8B: try push(try long(try number(4)))
    case UInt8(ascii: "G"):
      try push(.float(Double(bitPattern: try take(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) })))
    case 0x8C: try push(.string(try text(try number(1))))
    case UInt8(ascii: "X"): try push(.string(try text(try number(4))))
    case 0x8D: try push(.string(try text(try number(8))))
    case UInt8(ascii: "U"), UInt8(ascii: "C"): try push(.bytes(Array(try take(try number(1)))))
    case UInt8(ascii: "T"), UInt8(ascii: "B"): try push(.bytes(Array(try take(try number(4)))))
    case 0x8E: try push(.bytes(Array(try take(try number(8)))))
    default: return false
    }
    return true
  }

  /// A whole number of any width, in two's complement; of those that don't fit the nearest value is of no use here.
  private mutating func long(_ count: Int) throws -> PickleDocument.Value {
    let bytes = try take(count)
    guard count <= 8 else { return .bytes(Array(bytes)) }
    let isNegative = (bytes.last ?? 0) & 0x80 != 0
    return .integer(Int(truncatingIfNeeded: bytes.reversed().reduce(isNegative ? -1 : 0) { $0 << 8 | Int64($1) }))
  }

  private mutating func container(_ code: UInt8) throws {
    switch code {
    case UInt8(ascii: ")"): try push(.tuple([]))
    case 0x85, 0x86, 0x87: try push(.tuple(try pop(Int(code) - 0x84)))
    case UInt8(ascii: "t"): try push(.tuple(try popMark()))
    case UInt8(ascii: "]"), 0x8F: try push(.list([]))
    case UInt8(ascii: "l"), 0x91: try push(.list(try popMark()))
    case UInt8(ascii: "a"): try append([try pop()])
    case UInt8(ascii: "e"), 0x90: try append(try popMark())
    case UInt8(ascii: "}"): try push(.dictionary([]))
    case UInt8(ascii: "d"):
      let ids = try popMark()
      try push(.dictionary([]))
      try set(ids)
    case UInt8(ascii: "s"): try set(try pop(2))
    case UInt8(ascii: "u"): try set(try popMark())
    default: throw damaged("the instruction 0x\(String(code, radix: 16))")
    }
  }
}
