import Basics

/// Some bytes of a value.
public enum ByteRange: Sendable, Hashable {
  case range(Range<Int>)
  /// The last so many.
  case last(Int)

  /// In a value of `length` bytes, cut off at its ends.
  func range(_ length: Int) -> Range<Int> {
    switch self {
    case .range(let range): range.clamped(to: 0..<length)
    case .last(let count): max(0, length - count)..<length
    }
  }
}

/// The part of a value that was read.
public struct PartOfValue: Sendable {
  public let bytes: [UInt8]
  /// The length of the whole value.
  public let length: Int

  public init(bytes: [UInt8], length: Int) {
    self.bytes = bytes
    self.length = length
  }

  public init(_ value: [UInt8], _ part: ByteRange) {
    bytes = Array(value[part.range(value.count)])
    length = value.count
  }
}

/// The part of a value that was read into memory that is used again.
public struct StoredBytes {
  /// Valid until the memory is used for something else.
  public let bytes: UnsafeRawBufferPointer
  /// The length of the whole value.
  public let length: Int

  public init(bytes: UnsafeRawBufferPointer, length: Int) {
    self.bytes = bytes
    self.length = length
  }

  /// Copied into the memory.
  init(_ found: [UInt8], length: Int, _ memory: RawBytes) {
    let start = memory.reserve(max(1, found.count))
    found.withUnsafeBytes { if let from = $0.baseAddress { start.copyMemory(from: from, byteCount: $0.count) } }
    self.init(bytes: UnsafeRawBufferPointer(start: start, count: found.count), length: length)
  }

  init(_ value: [UInt8], _ part: ByteRange, _ memory: RawBytes) {
    self.init(Array(value[part.range(value.count)]), length: value.count, memory)
  }
}

/// Where a store's bytes are: keys, paths of names with "/" between them, to values. Safe from several threads.
public protocol Storage: Sendable {
  /// The path or address, for messages.
  var location: String { get }

  /// A value, nil if there is none under this key.
  func read(_ key: String) throws -> [UInt8]?

  /// A metadata document, of at most `documentLimit` bytes; nil if there is none, or if it is refused by a server that does not say
  /// whether there is one.
  func readDocument(_ key: String) throws -> [UInt8]?

  /// Some bytes of a value; nil if there is no such key. Where the value is shorter, what there is of it.
  func read(_ key: String, _ part: ByteRange) throws -> PartOfValue?

  /// Some bytes of a value, or all of them (nil), where neither may be more than a limit: what another sends is bounded by what
  /// it can mean.
  func read(_ key: String, _ part: ByteRange?, limit: Int) throws -> PartOfValue?

  /// The same into memory.
  func read(_ key: String, _ part: ByteRange?, limit: Int, into memory: RawBytes) throws -> StoredBytes?

  /// A value to be read here and there, which may not be longer than a limit; nil where there is none under this key, or where reading
  /// all of it at once costs less (`canOpen`).
  func open(_ key: String, limit: Int) throws -> (any ValueBytes)?

  /// Whether values can be opened to be read here and there.
  var canOpen: Bool { get }

  /// Values that may be asked for at once; 1 where that gains nothing.
  var valuesAtOnce: Int { get }

  /// Several values, in the order of their keys, each of at most so many bytes.
  func read(_ keys: [String], limit: Int) throws -> [[UInt8]?]

  /// Names one level below a key ("" for the top), sorted.
  func list(_ key: String) throws -> [String]

  /// Whether two keys lead to one folder, by links.
  func isSameFolder(_ key: String, _ other: String) -> Bool
}

/// The longest metadata document that is read.
let documentLimit = 256 << 20

/// Keys in the order of their bytes, so that all below one lie together.
struct SortedKeys: Sendable {
  private let keys: [[UInt8]]

  init(_ keys: some Sequence<String>) {
    self.keys = keys.map { Array($0.utf8) }.sorted { $0.lexicographicallyPrecedes($1) }
  }

  /// Names one level below a key, sorted. What lies below a name is jumped over.
  func below(_ key: String) -> [String] {
    let prefix = key.isEmpty ? [] : Array(key.utf8) + [UInt8(ascii: "/")]
    var names: [String] = []
    var index = first(from: prefix)
    while index < keys.count, keys[index].starts(with: prefix) {
      let name = keys[index].dropFirst(prefix.count).prefix { $0 != UInt8(ascii: "/") }
      if !name.isEmpty { names.append(String(decoding: name, as: UTF8.self)) }
      index =
        keys[index].count == prefix.count + name.count
        ? index + 1 : first(from: prefix + name + [UInt8(ascii: "/") + 1])
    }
    return Set(names).sorted()
  }

  /// The index of the first key that doesn't come before some bytes.
  private func first(from bytes: [UInt8]) -> Int {
    var (low, high) = (0, keys.count)
    while low < high {
      let middle = (low + high) / 2
      if keys[middle].lexicographicallyPrecedes(bytes) { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

extension Storage {
  public var valuesAtOnce: Int { 1 }

  public var canOpen: Bool { false }
  public func open(_ key: String, limit: Int) throws -> (any ValueBytes)? { nil }

  public func isSameFolder(_ key: String, _ other: String) -> Bool { false }

  public func read(_ keys: [String], limit: Int) throws -> [[UInt8]?] {
    try keys.map { try read($0, nil, limit: limit)?.bytes }
  }

  public func read(_ key: String, _ part: ByteRange?, limit: Int) throws -> PartOfValue? {
    let found = try part.map { try read(key, $0) } ?? read(key).map { PartOfValue(bytes: $0, length: $0.count) }
    if let found { try requireLength(found.bytes.count, limit, key) }
    return found
  }

  /// - Throws: naming the value, when it is longer than it can be.
  func requireLength(_ length: Int, _ limit: Int, _ key: String) throws {
    if length <= limit { return }
    throw JigsawError(
      place(key), "is too long", expected: "at most \(limit) bytes", found: "\(length) bytes",
      remedy: "copy the store again, or correct its metadata")
  }

  public func readDocument(_ key: String) throws -> [UInt8]? {
    guard let document = try read(key, .range(0..<documentLimit)) else { return nil }
    try requireLength(document.length, documentLimit, key)
    return document.bytes
  }

  public func read(_ key: String, _ part: ByteRange?, limit: Int, into memory: RawBytes) throws -> StoredBytes? {
    try read(key, part, limit: limit).map { StoredBytes($0.bytes, length: $0.length, memory) }
  }

  func place(_ key: String) -> String { key.isEmpty ? location : "\(location)/\(key)" }
}

/// Values as files of a folder.
public struct FolderStorage: Storage {
  public let location: String

  public init(_ path: String) { location = path }

  public func read(_ key: String) throws -> [UInt8]? { try Files.readIfPresent(place(key)) }

  public func read(_ key: String, _ part: ByteRange) throws -> PartOfValue? {
    try Files.readIfPresent(place(key)) { part.range($0) }.map { PartOfValue(bytes: $0.bytes, length: $0.length) }
  }

  public func read(_ key: String, _ part: ByteRange?, limit: Int, into memory: RawBytes) throws -> StoredBytes? {
    var count = 0
    let found = try Files.readIfPresent(
      place(key),
      part: {
        let wanted = part?.range($0) ?? 0..<$0
        count = wanted.count
        // A file that is too long is not read at all.
        return count > limit ? 0..<0 : wanted
      }, into: { memory.reserve(max(1, $0)) })
    guard let found else { return nil }
    try requireLength(count, limit, key)
    return StoredBytes(bytes: UnsafeRawBufferPointer(start: memory.pointer, count: found.read), length: found.length)
  }

  public var canOpen: Bool { true }

  public func open(_ key: String, limit: Int) throws -> (any ValueBytes)? {
    guard let file = try FileBytes(place(key)) else { return nil }
    try requireLength(file.length, limit, key)
    return file
  }

  public func list(_ key: String) throws -> [String] { try Files.list(place(key)) }

  public func isSameFolder(_ key: String, _ other: String) -> Bool { Files.isSame(place(key), place(other)) }
}

/// Values in memory.
public struct MemoryStorage: Storage {
  public let location: String
  private let values: [String: [UInt8]]
  private let keys: SortedKeys

  public init(_ values: [String: [UInt8]], location: String = "memory") {
    self.values = values
    keys = SortedKeys(values.keys)
    self.location = location
  }

  public func read(_ key: String) -> [UInt8]? { values[key] }

  public func read(_ key: String, _ part: ByteRange) -> PartOfValue? { values[key].map { PartOfValue($0, part) } }

  public func list(_ key: String) -> [String] { keys.below(key) }
}
