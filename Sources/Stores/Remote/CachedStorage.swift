import Basics
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// Where values of remote stores are kept, and how much of them.
public struct CacheOptions: Sendable, Equatable {
  public var folder: String
  /// Values that were not used for longest go first.
  public var limitBytes: Int

  public init(folder: String, limitBytes: Int = 50 << 30) {
    self.folder = folder
    self.limitBytes = limitBytes
  }

  /// From JIGSAW_CACHE, a folder, and JIGSAW_CACHE_GIB, its limit; nil where there is none.
  public static func fromEnvironment() throws -> CacheOptions? {
    guard let folder = S3Settings.variable("JIGSAW_CACHE") else { return nil }
    var options = CacheOptions(folder: folder)
    if let text = S3Settings.variable("JIGSAW_CACHE_GIB") {
      guard let gib = Double(text), gib > 0, gib < 1e9 else {
        throw JigsawError("JIGSAW_CACHE_GIB", "is not a size", expected: "a number of GiB above 0", found: text)
      }
      options.limitBytes = Int(gib * 0x1p30)
    }
    return options
  }
}

/// A storage whose values and parts of values are kept in files, for this and other processes.
///
/// Metadata documents are always asked for anew, and what is kept is found again only while they are the same: a store that was
/// written again is not mixed up with its former self. A store whose chunks change while no metadata do is not noticed. Each file
/// says what it is, how long and with which checksum; one that doesn't fit is passed over.
public final class CachedStorage: Storage {
  private let inner: any Storage
  private let place: String
  private let options: CacheOptions
  private let state = Mutex(State())
  private let isEvicting = Mutex(false)
  private static let temporaryNames = Atomic<Int>(0)

  private struct State {
    /// The fingerprint of all documents that were read.
    var documents = Fingerprint()
    /// Since the folder was last looked through; at first it is as good as full.
    var written = Int.max / 2
    /// Why nothing more is kept.
    var isBroken = false
  }

  public var location: String { inner.location }
  public var valuesAtOnce: Int { inner.valuesAtOnce }

  /// - Parameter place: that what is kept belongs to; nil: the storage's location. Two services may have buckets of the same name.
  /// - Throws: `JigsawError` if the folder can't be written to.
  public init(_ inner: any Storage, _ options: CacheOptions, place: String? = nil) throws {
    self.inner = inner
    // Kept values say where they are from; passwords are no part of that.
    self.place = withoutUserInformation(place ?? inner.location)
    self.options = options
    // Kept values may be for this user's eyes only.
    try Files.createDirectory(options.folder, isPrivate: true)
    let probe = temporaryPath()
    try OutputFile(creating: probe, shownAs: options.folder).close()
    try Files.remove(probe)
  }

  // MARK: Reading

  public func readDocument(_ key: String) throws -> [UInt8]? {
    let document = try inner.readDocument(key)
    if let document {
      state.withLock {
        $0.documents.add(Array(key.utf8))
        $0.documents.add(document)
      }
    }
    return document
  }

  public func read(_ key: String) throws -> [UInt8]? { try read(key, nil, limit: .max)?.bytes }
  public func read(_ key: String, _ part: ByteRange) throws -> PartOfValue? { try read(key, part, limit: .max) }

  public func read(_ key: String, _ part: ByteRange?, limit: Int) throws -> PartOfValue? {
    let entry = entry(key, part.map { "\($0)" } ?? "all")
    if let kept = kept(entry) { return kept }
    let found = try inner.read(key, part, limit: limit)
    if let found { keep(found, entry) }
    return found
  }

  public func read(_ keys: [String], limit: Int) throws -> [[UInt8]?] {
    let entries = keys.map { entry($0, "all") }
    var values = entries.map { kept($0)?.bytes }
    let missing = keys.indices.filter { values[$0] == nil }
    if missing.isEmpty { return values }
    for (index, value) in zip(missing, try inner.read(missing.map { keys[$0] }, limit: limit)) {
      values[index] = value
      if let value { keep(PartOfValue(bytes: value, length: value.count), entries[index]) }
    }
    return values
  }

  public func list(_ key: String) throws -> [String] { try inner.list(key) }

  // MARK: Files

  private struct Entry {
    /// The place and part that the file holds, in full, since names of files are short.
    let identity: [UInt8]
    let path: String
  }

  private func entry(_ key: String, _ part: String) -> Entry {
    let documents = state.withLock { $0.documents.text }
    let identity = Array("\(place)\n\(documents)\n\(key)\n\(part)".utf8)
    var name = Fingerprint()
    name.add(identity)
    return Entry(identity: identity, path: "\(options.folder)/\(name.text.prefix(2))/\(name.text)")
  }

  private static let magic = Array("JIGSAW.1".utf8)
  private static let headerLength = 32

  /// The magic word, lengths of identity and content, a checksum of all else, length of the whole value, 8 + 4 + 8 + 4 + 8 bytes.
  private func header(_ identity: [UInt8], _ content: PartOfValue) -> [UInt8] {
    var header = CachedStorage.magic
    withUnsafeBytes(of: UInt32(identity.count).littleEndian) { header += $0 }
    withUnsafeBytes(of: UInt64(content.bytes.count).littleEndian) { header += $0 }
    let length = withUnsafeBytes(of: UInt64(content.length).littleEndian) { Array($0) }
    let sum = CRC32C.checksum((identity + length)[...]) ^ CRC32C.checksum(content.bytes[...])
    withUnsafeBytes(of: sum.littleEndian) { header += $0 }
    header += length
    return header
  }

  /// The kept part; nil where it is not there, not whole or not right.
  private func kept(_ entry: Entry) -> PartOfValue? {
    guard let file = (try? Files.readIfPresent(entry.path)) ?? nil else { return nil }
    let start = CachedStorage.headerLength + entry.identity.count
    guard file.count >= start, file[CachedStorage.headerLength..<start] == entry.identity[...] else { return nil }
    let length = file.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 24, as: UInt64.self) }
    let content = Array(file[start...])
    guard length < 1 << 60 else { return nil }
    let part = PartOfValue(bytes: content, length: Int(UInt64(littleEndian: length)))
    guard header(entry.identity, part)[...] == file[..<CachedStorage.headerLength] else { return nil }
    // Used now.
    utimensat(AT_FDCWD, entry.path, nil, 0)
    return part
  }

  /// A disk that is full or gone must not end a training that can do without: from then on nothing is cached.
  private func keep(_ part: PartOfValue, _ entry: Entry) {
    let size = CachedStorage.headerLength + entry.identity.count + part.bytes.count
    guard size <= options.limitBytes / 4, !state.withLock({ $0.isBroken }) else { return }
    let temporary = temporaryPath()
    do {
      try Files.createDirectory(Files.parent(of: entry.path), isPrivate: true)
      let file = try OutputFile(creating: temporary, isPrivate: true)
      try header(entry.identity, part).withUnsafeBytes { try file.write($0) }
      try entry.identity.withUnsafeBytes { try file.write($0) }
      try part.bytes.withUnsafeBytes { try file.write($0) }
      try file.close()
      // Without syncs: what a crash leaves half written does not fit its checksum.
      guard rename(temporary, entry.path) == 0 else { throw JigsawError(entry.path, "can't be written") }
      let isDue = state.withLock {
        $0.written += size
        return $0.written > options.limitBytes / 16
      }
      if isDue { try evict() }
    } catch {
      unlink(temporary)
      state.withLock { $0.isBroken = true }
    }
  }

  private func temporaryPath() -> String {
    let number = CachedStorage.temporaryNames.add(1, ordering: .relaxed).newValue
    return "\(options.folder)/\(getpid()).\(number).\(UInt32.random(in: 0 ... .max)).tmp"
  }

  /// Removes what was not used for longest until nine tenths of the limit are left. Other processes may do the same at the same time.
  private func evict() throws {
    let isFree = isEvicting.withLock { isBusy in
      defer { isBusy = true }
      return !isBusy
    }
    guard isFree else { return }
    defer { isEvicting.withLock { $0 = false } }
    state.withLock { $0.written = 0 }
    var files: [(path: String, size: Int, used: Int)] = []
    for name in try Files.list(options.folder) {
      let path = "\(options.folder)/\(name)"
      // Files that are not ours are left alone.
      let isFolder = name.count == 2 && Files.isDirectory(path)
      for path in isFolder ? try Files.list(path).map({ "\(path)/\($0)" }) : name.hasSuffix(".tmp") ? [path] : [] {
        var info = stat()
        guard stat(path, &info) == 0 else { continue }
        files.append((path, Int(info.st_size), Int(info.st_mtim.tv_sec) * 1_000_000_000 + Int(info.st_mtim.tv_nsec)))
      }
    }
    var total = files.reduce(0) { $0 + $1.size }
    if total <= options.limitBytes { return }
    for file in files.sorted(by: { $0.used < $1.used }) where total > options.limitBytes / 10 * 9 {
      unlink(file.path)
      total -= file.size
    }
  }
}

/// 128 bits of some bytes (twice FNV-1a), for names: what they stand for is checked.
private struct Fingerprint {
  private var first: UInt64 = 0xCBF2_9CE4_8422_2325
  private var second: UInt64 = 0x9E37_79B9_7F4A_7C15

  mutating func add(_ bytes: [UInt8]) {
    for byte in bytes {
      first = (first ^ UInt64(byte)) &* 0x100_0000_01B3
      second = (second ^ UInt64(byte)) &* 0x100_0000_01B3 ^ second >> 29
    }
    // So that "ab", "c" is not "a", "bc".
    first = (first ^ UInt64(bytes.count)) &* 0x100_0000_01B3
  }

  var text: String {
    [first, second].map {
      let digits = String($0, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
  }
}
