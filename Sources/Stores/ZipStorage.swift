import Basics
import Synchronization

/// Values as entries of a ZIP archive (APPNOTE 6.3; ZIP64 too), stored or deflated, as zarr-python's ZipStore writes it.
public struct ZipStorage: Storage {
  public let location: String
  private let entries: [String: Entry]
  private let checked = CheckedEntries()

  private final class CheckedEntries: Sendable {
    /// Stored entries that have been compared with their checksums, so that parts of them may be read.
    let keys = Mutex<Set<String>>([])
    private let sorted = Mutex<SortedKeys?>(nil)

    /// Sorted when they are first listed.
    func names(of entries: some Sequence<String>) -> SortedKeys {
      sorted.withLock { sorted in
        if let sorted { return sorted }
        let made = SortedKeys(entries)
        sorted = made
        return made
      }
    }
  }

  private struct Entry {
    let isDeflated: Bool
    let storedLength, length: Int
    /// The place of the entry's own header.
    let offset: Int
    let checksum: Int
  }

  /// The largest directory that is read, and the largest value.
  private static let directoryLimit = 1 << 30
  private static let valueLimit = 5 << 30

  public init(_ path: String) throws {
    location = path
    entries = try ZipStorage.directory(path)
  }

  // MARK: Reading

  public func read(_ key: String) throws -> [UInt8]? {
    guard let entry = entries[key] else { return nil }
    let stored = try bytes(entry, key, 0..<entry.storedLength)
    guard let value = entry.isDeflated ? inflateRaw(stored, length: entry.length) : stored,
      zipChecksum(value) == entry.checksum
    else { throw damaged(key) }
    return value
  }

  public func read(_ key: String, _ part: ByteRange) throws -> PartOfValue? {
    guard let entry = entries[key] else { return nil }
    guard entry.isDeflated else {
      try check(entry, key)
      return PartOfValue(bytes: try bytes(entry, key, part.range(entry.length)), length: entry.length)
    }
    return try read(key).map { PartOfValue($0, part) }
  }

  public func read(_ key: String, _ part: ByteRange?, limit: Int) throws -> PartOfValue? {
    guard let entry = entries[key] else { return nil }
    // Deflated entries are inflated as a whole.
    if part == nil || entry.isDeflated { try requireLength(entry.length, limit, key) }
    return try part.map { try read(key, $0) } ?? read(key).map { PartOfValue(bytes: $0, length: $0.count) }
  }

  public func list(_ key: String) -> [String] { checked.names(of: entries.keys).below(key) }

  /// Compares a stored entry with its checksum before a first part of it is read.
  private func check(_ entry: Entry, _ key: String) throws {
    if checked.keys.withLock({ $0.contains(key) }) { return }
    let step = 1 << 20
    var checksum = 0
    for start in stride(from: 0, to: entry.length, by: step) {
      checksum = zipChecksum(try bytes(entry, key, start..<min(start + step, entry.length)), after: checksum)
    }
    guard checksum == entry.checksum else { throw damaged(key) }
    checked.keys.withLock { _ = $0.insert(key) }
  }

  /// Some of the stored bytes of an entry.
  private func bytes(_ entry: Entry, _ key: String, _ range: Range<Int>) throws -> [UInt8] {
    let header = try Files.readIfPresent(location) { _ in entry.offset..<entry.offset + 30 }?.bytes ?? []
    let fields = LittleEndian(header)
    // The entry's own name and extra fields may be of other lengths than the directory's.
    guard fields.uint32(0) == 0x0403_4B50, let name = fields.uint16(26), let extra = fields.uint16(28) else {
      throw damaged(key)
    }
    let start = entry.offset + 30 + name + extra
    let found = try Files.readIfPresent(location) { _ in start + range.lowerBound..<start + range.upperBound }?.bytes
    guard let found, found.count == range.count else { throw damaged(key) }
    return found
  }

  private func damaged(_ key: String) -> JigsawError {
    JigsawError(
      place(key), "is a damaged entry of the archive", remedy: "check it with 'unzip -t', and copy it again")
  }

  // MARK: The directory

  private static func invalid(_ path: String, _ found: String) -> JigsawError {
    JigsawError(path, "is not a usable ZIP archive", found: found, remedy: "check it with 'unzip -t'")
  }

  /// The records of all entries one after the other, and how many there should be.
  private static func directoryBytes(_ path: String) throws -> (bytes: [UInt8], count: Int) {
    // The end record is the last thing, but for a comment of at most 64 KiB.
    guard let tail = try Files.readIfPresent(path, part: { max(0, $0 - 65_577)..<$0 }) else {
      throw invalid(path, "no file")
    }
    let last = LittleEndian(tail.bytes)
    guard let end = (0..<max(0, tail.bytes.count - 21)).last(where: { last.uint32($0) == 0x0605_4B50 }),
      var count = last.uint16(end + 10), var size = last.uint32(end + 12), var start = last.uint32(end + 16)
    else { throw invalid(path, "no end of the directory") }
    // All ones mean ZIP64, unless an archive has just so many entries.
    let isLong = last.uint32(end - 20) == 0x0706_4B50
    if isLong || size == 0xFFFF_FFFF || start == 0xFFFF_FFFF {
      guard isLong, let place = last.uint64(end - 12),
        let record = try Files.readIfPresent(path, part: { _ in place..<place + 56 })?.bytes
      else { throw invalid(path, "no end of the ZIP64 directory") }
      let fields = LittleEndian(record)
      guard fields.uint32(0) == 0x0606_4B50, let count64 = fields.uint64(32), let size64 = fields.uint64(40),
        let start64 = fields.uint64(48)
      else { throw invalid(path, "no ZIP64 directory") }
      (count, size, start) = (count64, size64, start64)
    }
    guard size <= directoryLimit else { throw invalid(path, "a directory of \(size) bytes") }
    guard let bytes = try Files.readIfPresent(path, part: { _ in start..<start + size })?.bytes, bytes.count == size
    else { throw invalid(path, "a directory that ends early") }
    return (bytes, count)
  }

  private static func directory(_ path: String) throws -> [String: Entry] {
    let (bytes, count) = try directoryBytes(path)
    var entries: [String: Entry] = [:]
    let fields = LittleEndian(bytes)
    var position = 0
    for _ in 0..<min(count, bytes.count / 46 + 1) {
      guard fields.uint32(position) == 0x0201_4B50, let flags = fields.uint16(position + 8),
        let method = fields.uint16(position + 10), let checksum = fields.uint32(position + 16),
        var stored = fields.uint32(position + 20), var length = fields.uint32(position + 24),
        let nameLength = fields.uint16(position + 28), let extraLength = fields.uint16(position + 30),
        let commentLength = fields.uint16(position + 32), var offset = fields.uint32(position + 42),
        position + 46 + nameLength + extraLength <= bytes.count
      else { throw invalid(path, "a directory with a damaged entry") }
      let name = String(decoding: bytes[position + 46..<position + 46 + nameLength], as: UTF8.self)
      let extra = position + 46 + nameLength..<position + 46 + nameLength + extraLength
      longNumbers(fields, extra, &length, &stored, &offset)
      position = extra.upperBound + commentLength
      if name.hasSuffix("/") { continue }
      guard flags & 1 == 0, method == 0 || method == 8 else {
        throw JigsawError(
          "\(path)/\(name)", "can't be read", expected: "an entry that is stored or deflated, not encrypted",
          found: flags & 1 == 1 ? "an encrypted one" : "compression method \(method)")
      }
      // Deflate shrinks to no less than a 1032nd.
      guard length <= valueLimit, stored <= valueLimit, method == 8 ? length / 1_040 <= stored : stored == length else {
        throw invalid(path, "the entry \(name) of \(length) bytes")
      }
      // The last of several entries with one name counts, as in zipfile.
      entries[name] = Entry(
        isDeflated: method == 8, storedLength: stored, length: length, offset: offset, checksum: checksum)
    }
    guard position == bytes.count else {
      throw invalid(path, "a directory with another number of entries than it says")
    }
    return entries
  }

  /// ZIP64: 64-bit numbers in place of those that are all ones, in this order.
  /// - Parameter extra: the extra fields of a record.
  private static func longNumbers(
    _ fields: LittleEndian, _ extra: Range<Int>, _ length: inout Int, _ stored: inout Int, _ offset: inout Int
  ) {
    var position = extra.lowerBound
    while position + 4 <= extra.upperBound, let kind = fields.uint16(position), let size = fields.uint16(position + 2) {
      if kind == 1 {
        var place = position + 4
        func take(_ value: inout Int) {
          guard value == 0xFFFF_FFFF, place + 8 <= extra.upperBound, let long = fields.uint64(place) else { return }
          value = long
          place += 8
        }
        take(&length)
        take(&stored)
        take(&offset)
      }
      position += 4 + size
    }
  }
}

/// Unsigned numbers at places of some bytes; nil beyond their end or where a number does not fit.
private struct LittleEndian {
  private let bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  private func number(_ position: Int, _ width: Int) -> Int? {
    guard position >= 0, position <= bytes.count - width else { return nil }
    var value: UInt64 = 0
    for i in 0..<width { value |= UInt64(bytes[position + i]) << (8 * UInt64(i)) }
    // Far more than any file holds, far less than overflows.
    return value < 1 << 60 ? Int(value) : nil
  }

  func uint16(_ position: Int) -> Int? { number(position, 2) }
  func uint32(_ position: Int) -> Int? { number(position, 4) }
  func uint64(_ position: Int) -> Int? { number(position, 8) }
}
