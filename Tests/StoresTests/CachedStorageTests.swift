import Basics
import Synchronization
import TestSupport
import Testing

@testable import Stores

#if canImport(Glibc)
  import Glibc
#endif

/// Values of remote stores on disk: asked for once, never mixed up, never wrong.
@Suite struct CachedStorageTests {
  private let folder: TemporaryFolder
  private let options: CacheOptions

  init() throws {
    folder = try TemporaryFolder()
    options = CacheOptions(folder: "\(folder.path)/cache", limitBytes: 100_000)
  }

  private func values(_ seed: Int = 0) -> [String: [UInt8]] {
    var values = ["zarr.json": Array("{\"version\": \(seed)}".utf8)]
    for i in 0..<20 { values["a/\(i)"] = (0..<1_000).map { UInt8(truncatingIfNeeded: $0 &* (i + 3) &+ seed) } }
    return values
  }

  private func files() throws -> [String] {
    try Files.list(options.folder).flatMap { name in
      try Files.list("\(options.folder)/\(name)").map { "\(options.folder)/\(name)/\($0)" }
    }
  }

  @Test func valuesAreAskedForOnce() throws {
    let inner = CountingStorage(values())
    for round in 0..<2 {
      let storage = try CachedStorage(inner, options)
      #expect(try storage.readDocument("zarr.json") == values()["zarr.json"])
      #expect(try storage.read("a/1") == values()["a/1"])
      #expect(try storage.read("a/1", .range(10..<20))?.bytes == Array(values()["a/1"]![10..<20]))
      #expect(try storage.read("a/1", .last(5))?.length == 1_000)
      #expect(
        try storage.read(["a/2", "none", "a/1", "a/3"], limit: 1_000) == [
          values()["a/2"], nil, values()["a/1"], values()["a/3"],
        ])
      #expect(try storage.read("none") == nil)
      // Documents and what is not there are asked for again.
      let expected = ["zarr.json", "none", "none"] + (round == 0 ? ["a/1", "a/1", "a/1", "a/2", "a/3"] : [])
      #expect(inner.takeAsked().sorted() == expected.sorted())
    }
    #expect(try files().count == 5)
  }

  @Test func anotherStoreIsNotMixedUp() throws {
    let old = try CachedStorage(CountingStorage(values(0)), options)
    _ = try old.readDocument("zarr.json")
    #expect(try old.read("a/1") == values(0)["a/1"])
    // The same place, written anew.
    let new = try CachedStorage(CountingStorage(values(1)), options)
    _ = try new.readDocument("zarr.json")
    #expect(try new.read("a/1") == values(1)["a/1"])
    // Another place.
    let other = try CachedStorage(CountingStorage(values(0), location: "elsewhere"), options)
    _ = try other.readDocument("zarr.json")
    _ = try other.read("a/1")
    #expect(try files().count == 3)
  }

  @Test func filesThatAreDamagedArePassedOver() throws {
    let inner = CountingStorage(values())
    _ = try CachedStorage(inner, options).read("a/1")
    let file = try #require(files().first)
    let whole = try Files.read(file)
    var damaged = [Array(whole[..<10]), Array(whole.dropLast()), whole + [0], []]
    for place in [0, 9, 13, 20, 26, 40, whole.count - 1] {
      var bytes = whole
      bytes[place] ^= 0x10
      damaged.append(bytes)
    }
    for bytes in damaged {
      try Files.writeAtomically(bytes, to: file)
      _ = inner.takeAsked()
      #expect(try CachedStorage(inner, options).read("a/1") == values()["a/1"])
      #expect(inner.takeAsked() == ["a/1"])
      #expect(try Files.read(file) == whole)
    }
  }

  @Test func theLimitIsKeptAndWhatIsUsedStays() throws {
    let inner = CountingStorage(values())
    let small = CacheOptions(folder: options.folder, limitBytes: 8_000)
    let storage = try CachedStorage(inner, small)
    for i in 0..<20 {
      #expect(try storage.read("a/\(i)") == values()["a/\(i)"])
      #expect(try storage.read("a/0") == values()["a/0"])
      #expect(try files().count <= 8)
    }
    #expect(inner.takeAsked().filter { $0 == "a/0" }.count == 1)
    // Too large to be worth it.
    _ = try CachedStorage(inner, CacheOptions(folder: "\(folder.path)/other", limitBytes: 2_000)).read("a/1")
    #expect(try Files.list("\(folder.path)/other") == [])
    try Files.writeAtomically("a file", to: "\(folder.path)/file")
    #expect(throws: JigsawError.self) { try CachedStorage(inner, CacheOptions(folder: "\(folder.path)/file")) }
  }

  /// Values that only this user may ask a server for are for nobody else on this machine either.
  @Test func whatIsKeptIsPrivate() throws {
    func mode(_ path: String) -> UInt32 {
      var info = stat()
      return stat(path, &info) == 0 ? info.st_mode & 0o777 : 0
    }
    let inner = CountingStorage(values())
    let new = CacheOptions(folder: "\(folder.path)/deep/cache")
    _ = try CachedStorage(inner, new).read("a/1")
    let folders = try Files.list(new.folder).map { "\(new.folder)/\($0)" }
    #expect(folders.count == 1 && mode("\(folder.path)/deep") == 0o700 && mode(new.folder) == 0o700)
    for folder in folders {
      #expect(mode(folder) == 0o700)
      #expect(try Files.list(folder).map { mode("\(folder)/\($0)") } == [0o600])
    }
    // A folder that was there stays as it was; what is kept in it is private.
    try Files.createDirectory(options.folder)
    try #require(chmod(options.folder, 0o755) == 0)
    _ = try CachedStorage(inner, options).read("a/1")
    #expect(mode(options.folder) == 0o755)
    #expect(try files().map { mode($0) } == [0o600] && files().map { mode(Files.parent(of: $0)) } == [0o700])
  }

  @Test func severalAtOnceGetTheRightValues() throws {
    let expected = values()
    let storages = try (0..<4).map { _ in
      try CachedStorage(CountingStorage(expected), CacheOptions(folder: options.folder, limitBytes: 10_000))
    }
    let wrong = Atomic<Int>(0)
    WorkerPool(threads: 8).run(400) { task in
      let key = "a/\(task * 7 % 20)"
      let value = try? storages[task % 4].read(key)
      if value != expected[key] { wrong.add(1, ordering: .relaxed) }
    }
    #expect(wrong.load(ordering: .relaxed) == 0)
  }
}

/// Remembers what was asked for.
private final class CountingStorage: Storage {
  private let values: MemoryStorage
  private let asked = Mutex<[String]>([])
  var location: String { values.location }

  init(_ values: [String: [UInt8]], location: String = "memory") {
    self.values = MemoryStorage(values, location: location)
  }

  func takeAsked() -> [String] {
    asked.withLock { asked in
      defer { asked = [] }
      return asked
    }
  }

  func read(_ key: String) -> [UInt8]? {
    asked.withLock { $0.append(key) }
    return values.read(key)
  }

  func read(_ key: String, _ part: ByteRange) -> PartOfValue? {
    asked.withLock { $0.append(key) }
    return values.read(key, part)
  }

  func list(_ key: String) -> [String] { values.list(key) }
}
