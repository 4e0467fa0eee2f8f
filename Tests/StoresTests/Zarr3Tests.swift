import Basics
import TestSupport
import Testing

@testable import Stores

/// Zarr format 3: names, shards, damage. That values are right is in GoldenStoreTests and Tests/Interop.
@Suite struct Zarr3Tests {
  static let path = Goldens.path("format3.zarr")

  @Test func namesAttributesAndChunksAreTold() throws {
    let store = try openStore(Self.path)
    #expect(store.format == "Zarr 3")
    #expect(store.attributes["title"] == .text("format 3"))
    let named = try store.info("named")
    #expect(named.dimensionNames == ["latitude", "longitude"])
    #expect(named.attributes["units"] == .text("K"))
    #expect(try store.info("dates").attributes["units"] == .text("nanoseconds since 1970-01-01"))
    #expect(try store.info("shards-in-shards").chunks == [3, 5], "the smallest piece that is decoded alone")
    #expect(try store.info("shards-end").codec == "shards of zstd(0)")
    #expect(try store.info("turned").codec == "transpose")
    #expect(try store.info("text").isText && store.info("text").shape == [2, 2])
    #expect(try store.info("inner/x").shape == [4])
  }

  /// Of a shard only the index and the inner chunks that are needed are read, of an uncompressed chunk only what is needed.
  @Test func onlyWhatIsNeededIsRead() throws {
    let shards = try openStore(Self.path)
    _ = try shards.read("shards-end", [0..<2, 0..<5])
    #expect(shards.reads.chunks == 1)
    let whole = try Files.read("\(Self.path)/shards-end/c/0/0").count
    #expect(shards.reads.bytes < whole / 2)
    let plain = try openStore(Self.path)
    _ = try plain.read("codec-none", [2..<3, 10..<20])
    #expect(plain.reads.bytes == 40)
  }

  /// A fill value that is none would make zeros of chunks that were never written.
  @Test func fillValuesAreValuesOfTheType() throws {
    func fill(_ value: String, _ type: ScalarType) throws -> [UInt8] {
      let json = try JSONValue(parsing: Array("{\"zarr_format\": 3, \"fill_value\": \(value)}".utf8), place: "a")
      return try ZarrMetadata.fill(ZarrMetadata.Document(json: json, place: "a"), type).bytes
    }
    #expect(try fill("\"0x7fc00000\"", .float32) == [0, 0, 0xC0, 0x7F] && fill("\"NaN\"", .float16).count == 2)
    #expect(try fill("1.5", .float64).count == 8 && fill("-1", .int16) == [255, 255] && fill("true", .uint8) == [1])
    for (value, type) in [
      ("\"0x7fc0000\"", ScalarType.float32), ("\"0X7FC00000\"", .float32), ("\"x\"", .float32), ("[]", .float32),
      ("{}", .float32), ("null", .float32), ("\"1e20\"", .float32), ("1.5", .int8), ("300", .uint8), ("true", .int16),
    ] {
      let error = #expect(throws: JigsawError.self, "\(value)") { try fill(value, type) }
      #expect(error?.place == "a: fill_value")
    }
  }

  @Test func whatCannotBeReadIsExplained() throws {
    let array = try Files.readText("\(Self.path)/named/zarr.json")
    func open(_ change: (inout String) -> Void) throws -> any ArrayStore {
      var text = array
      change(&text)
      let group = "{\"zarr_format\": 3, \"node_type\": \"group\", \"attributes\": {}}"
      return try ZarrStore(MemoryStorage(["zarr.json": Array(group.utf8), "a/zarr.json": Array(text.utf8)]))
    }
    #expect(try open { _ in }.info("a").shape == [3, 4])
    let changes = [
      ("\"regular\"", "\"rectilinear\"", "chunk_grid"), ("\"bytes\"", "\"packbits\"", "codecs"),
      ("\"little\"", "\"middle\"", "codecs"), ("\"default\"", "\"other\"", "chunk_key_encoding"),
      ("\"separator\": \"/\"", "\"separator\": \"/../\"", "chunk_key_encoding"),
      ("\"storage_transformers\": []", "\"storage_transformers\": [{\"name\": \"x\"}]", "storage_transformers"),
      ("\"storage_transformers\": []", "\"foo\": {\"must_understand\": true}", "foo"),
    ]
    for (from, to, key) in changes {
      #expect(array.contains(from), "\(from)")
      let error = #expect(throws: JigsawError.self) {
        try open { $0 = String($0.split(separator: from, omittingEmptySubsequences: false).joined(separator: to)) }
      }
      #expect(error?.place.hasSuffix("/a/zarr.json: \(key)") == true, "\(error.map(\.description) ?? "")")
    }
    let alone = #expect(throws: JigsawError.self) { try openStore("\(Self.path)/named") }
    #expect(alone?.description.contains("group that holds this array") == true)
  }

  /// xarray writes the fill value of floating-point arrays as base64 of its bits.
  @Test func fillValuesMayBeBase64() throws {
    let array = try Files.readText("\(Self.path)/named/zarr.json")
    for (text, marks) in [("AAAAAAA4j8A=", [-999.0]), ("AAAAAAAA+H8=", [])] {
      let named = array.replacing("\"units\": \"K\"", with: "\"_FillValue\": \"\(text)\"")
      let group = "{\"zarr_format\": 3, \"node_type\": \"group\"}"
      let store = try ZarrStore(MemoryStorage(["zarr.json": Array(group.utf8), "a/zarr.json": Array(named.utf8)]))
      #expect(try store.packing(of: store.info("a")).missing == marks)
    }
  }

  static let damaged = [
    "codec-none", "codec-gzip", "codec-zstd-crc32c", "codec-blosc", "codec-crc32c", "shards-start", "shards-end",
    "shards-in-shards", "turned",
  ]

  @Test(arguments: damaged) func truncatedChunksAreNamed(name: String) throws {
    let (documents, key, chunk) = try Self.oneChunk(name)
    for length in [0, 1, 3, chunk.count / 2, chunk.count - 1] {
      var values = documents
      values[key] = Array(chunk[..<length])
      let store = try ZarrStore(MemoryStorage(values))
      let error = #expect(throws: JigsawError.self, "\(length) of \(chunk.count)") { try store.read(name) }
      #expect(error?.place == "memory/\(key)" && error?.problem == "is a damaged chunk")
    }
  }

  /// Whatever bytes change in a chunk: numbers or an error that names it, never a crash.
  @Test(arguments: damaged) func changedChunksNeverCrash(name: String) throws {
    let (documents, key, chunk) = try Self.oneChunk(name)
    for number in 0..<300 {
      var mutator = Mutator(seed: 8, number: number)
      var values = documents
      // Headers are at the beginning, indices at either end.
      values[key] =
        number % 2 == 0
        ? mutator.changed(chunk, header: 200) : mutator.changed(chunk.reversed(), header: 200).reversed()
      do {
        let store = try ZarrStore(MemoryStorage(values))
        #expect(try store.read(name).count == store.info(name).count)
      } catch let error as JigsawError {
        #expect(error.place == "memory/\(key)")
      }
    }
  }

  /// Metadata with anything changed: a store or an error, never a crash; nothing is read but what lies below the array.
  @Test func changedMetadataNeverCrash() throws {
    for name in ["shards-end", "shards-in-shards", "turned", "codec-blosc", "points", "dates"] {
      let (documents, _, _) = try Self.oneChunk(name)
      let text = documents["\(name)/zarr.json"] ?? []
      let document = try JSONValue(parsing: text, place: name)
      for number in 0..<400 {
        var mutator = Mutator(seed: 9, number: number)
        var values = documents
        values["\(name)/zarr.json"] =
          number % 2 == 0 ? mutator.changed(document) : mutator.changed(text, header: 4_096)
        let storage = WatchedStorage(MemoryStorage(values))
        do {
          let store = try ZarrStore(storage)
          guard let info = store.arrays[name], !info.shape.contains(0) else { continue }
          // One element, so that an enormous array is not asked for.
          _ = try store.read(name, info.shape.map { $0 - 1..<$0 })
        } catch is JigsawError {
        }
        #expect(storage.keys.allSatisfy { !$0.split(separator: "/").contains("..") }, "\(name) \(number)")
      }
    }
  }

  /// The documents of one array and its first chunk.
  static func oneChunk(_ name: String) throws -> (values: [String: [UInt8]], key: String, chunk: [UInt8]) {
    let array = try openStore(path).info(name)
    let key = name == "points" ? "\(name)/0.0" : ([name, "c"] + array.shape.map { _ in "0" }).joined(separator: "/")
    let chunk = try Files.read("\(path)/\(key)")
    return (
      [
        "zarr.json": try Files.read("\(path)/zarr.json"),
        "\(name)/zarr.json": try Files.read("\(path)/\(name)/zarr.json"),
        key: chunk,
      ], key, chunk
    )
  }
}

/// Remembers what was asked for.
private final class WatchedStorage: Storage, @unchecked Sendable {
  let storage: MemoryStorage
  private(set) var keys: [String] = []
  var location: String { storage.location }

  init(_ storage: MemoryStorage) { self.storage = storage }

  func read(_ key: String) -> [UInt8]? {
    keys.append(key)
    return storage.read(key)
  }

  func read(_ key: String, _ part: ByteRange) -> PartOfValue? {
    keys.append(key)
    return storage.read(key, part)
  }

  func list(_ key: String) -> [String] { storage.list(key) }
}
