import Basics
import Stores
import TestSupport
import Testing

/// Zarr stores that are damaged or malicious end in an error that names the file at fault.
@Suite struct DamagedZarrTests {
  static let codecs = [
    "none", "zlib", "gzip", "zstd", "zstd-checksum", "blosc-lz4-shuffle", "blosc-zstd-bitshuffle",
    "blosc-blosclz-plain",
    "blosc-zlib-shuffle", "blosc-lz4hc-bitshuffle",
  ]

  @Test(arguments: codecs) func truncatedGarbageAndOversizedChunksAreNamed(codec: String) throws {
    let folder = try TemporaryFolder()
    let source = Goldens.path("codecs.zarr/\(codec)")
    let whole = try Files.read("\(source)/1.0")
    var numbers = TestNumbers(5)
    let garbage = (0..<whole.count).map { _ in UInt8(truncatingIfNeeded: numbers.next()) }
    let damages: [(String, [UInt8])] = [
      ("half", Array(whole[..<(whole.count / 2)])), ("last byte gone", Array(whole.dropLast())),
      ("empty", []), ("one byte", [2]), ("garbage", garbage.dropLast(1)),
      ("text", Array("<html>404 Not Found</html>".utf8)),
      ("of another size", try Files.read(Goldens.path("layouts.zarr/f8-C-little/0.0"))),
    ]
    for (index, (what, bytes)) in damages.enumerated() {
      let path = "\(folder.path)/\(index).zarr"
      try makeStore(path, metadata: Files.readText("\(source)/.zarray"))
      try Files.writeAtomically(Files.read("\(source)/0.0"), to: "\(path)/a/0.0")
      try Files.writeAtomically(bytes, to: "\(path)/a/1.0")
      let store = try openStore(path)
      #expect(try store.read("a", [0..<8, 0..<40]).count == 320, "the other chunk is still fine")
      let error = #expect(throws: JigsawError.self, "\(what)") { try store.read("a") }
      #expect(error?.place == "\(path)/a/1.0", "\(what)")
      #expect(error?.problem == "is a damaged chunk", "\(what)")
    }
  }

  /// Whatever changes: numbers or an error, never a crash.
  @Test(arguments: codecs) func changedBytesNeverCrash(codec: String) throws {
    let folder = try TemporaryFolder()
    let source = Goldens.path("codecs.zarr/\(codec)")
    let whole = try Files.read("\(source)/0.0")
    let path = "\(folder.path)/a.zarr"
    try makeStore(path, metadata: Files.readText("\(source)/.zarray"))
    let store = try openStore(path)
    for number in 0..<60 {
      var mutator = Mutator(seed: 6, number: number)
      // Headers as often as all else, since most of what can go wrong is there.
      try Files.writeAtomically(mutator.changed(whole, header: 20), to: "\(path)/a/0.0")
      do {
        #expect(try store.read("a", [0..<8, 0..<40]).count == 320)
      } catch let error as JigsawError {
        #expect(error.place == "\(path)/a/0.0")
      }
    }
  }

  @Test func unusableMetadataIsNamed() throws {
    let folder = try TemporaryFolder()
    let fine: [String: String] = [
      "zarr_format": "2", "shape": "[4, 6]", "chunks": "[2, 6]", "dtype": "\"<f4\"", "compressor": "null",
      "fill_value": "0.0", "order": "\"C\"", "filters": "null",
    ]
    let bad: [(key: String, value: String)] = [
      ("zarr_format", "3"), ("shape", "\"wide\""), ("shape", "[-4, 6]"), ("shape", "[4.5, 6]"),
      ("shape", "[9999999999999, 6]"), ("chunks", "[0, 6]"), ("chunks", "[2]"), ("chunks", "[-2, 6]"),
      ("chunks", "[200000000000, 6]"), ("chunks", "[1099511627775, 1099511627775]"), ("order", "\"Z\""),
      ("filters", "[{\"id\": \"delta\", \"dtype\": \"<f8\"}]"), ("compressor", "{\"id\": \"pcodec\"}"),
      ("compressor", "{}"), ("compressor", "7"), ("dimension_separator", "\"/../../../\""),
      ("dimension_separator", "\"\""), ("dimension_separator", "1"), ("fill_value", "\"x\""), ("fill_value", "\"\""),
      ("fill_value", "[]"), ("fill_value", "{}"), ("fill_value", "\"AAAAAA==\""), ("fill_value", "true"),
    ]
    for (index, (key, value)) in bad.enumerated() {
      var document = fine
      document[key] = value
      let text = "{\(document.map { "\"\($0)\": \($1)" }.joined(separator: ", "))}"
      let path = "\(folder.path)/\(index).zarr"
      try makeStore(path, metadata: text)
      let error = #expect(throws: JigsawError.self, "\(key) \(value)") { try openStore(path) }
      #expect(error?.place == "\(path)/a/.zarray: \(key)")
    }
    for (type, fill, isTaken) in [
      ("<f4", "\"1e20\"", true), ("<f4", "\"nan\"", true), ("<f4", "null", true), ("<i2", "-32768", true),
      ("<i2", "40000", false),
      ("|u1", "-1", false), ("<i4", "1.5", false), ("<i8", "-9223372036854775808", true), ("|b1", "false", true),
    ] {
      var document = fine
      (document["dtype"], document["fill_value"]) = ("\"\(type)\"", fill)
      let path = "\(folder.path)/fill.zarr"
      try Files.remove(path)
      try makeStore(path, metadata: "{\(document.map { "\"\($0)\": \($1)" }.joined(separator: ", "))}")
      #expect(((try? openStore(path)) != nil) == isTaken, "\(type) \(fill)")
    }
    // Too large altogether, though each extent is allowed.
    let path = "\(folder.path)/large.zarr"
    var document = fine
    document["shape"] = "[1099511627775, 1099511627775]"
    try makeStore(path, metadata: "{\(document.map { "\"\($0)\": \($1)" }.joined(separator: ", "))}")
    let error = #expect(throws: JigsawError.self) { try openStore(path) }
    #expect(error?.place == "\(path)/a/.zarray: shape")
  }

  static let notJSON = ["", "{", "[1, 2", "\u{0}", "{\"shape\": [4, 6]} trailing", "<html>"]

  @Test(arguments: notJSON) func metadataThatIsNotJSONIsNamed(text: String) throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.zarr"
    try makeStore(path, metadata: text)
    let error = #expect(throws: JigsawError.self) { try openStore(path) }
    #expect(error?.place == "\(path)/a/.zarray")
    try Files.writeAtomically(text, to: "\(path)/.zmetadata")
    let consolidated = #expect(throws: JigsawError.self) { try openStore(path) }
    #expect(consolidated?.place == "\(path)/.zmetadata")
  }

  @Test func keysThatLeadOutOfTheStoreAreRefused() throws {
    let folder = try TemporaryFolder()
    let array = try Files.readText(Goldens.path("codecs.zarr/none/.zarray"))
    // Something to find, if they were followed.
    try Files.createDirectory("\(folder.path)/outside")
    try Files.writeAtomically(Files.read(Goldens.path("codecs.zarr/none/0.0")), to: "\(folder.path)/outside/0.0")
    for (index, key) in ["../outside", "x/../../outside", "\(folder.path)/outside", "..", "x/.."].enumerated() {
      let path = "\(folder.path)/\(index).zarr"
      try Files.createDirectory(path)
      try Files.writeAtomically(
        "{\"zarr_consolidated_format\": 1, \"metadata\": {\"\(key)/.zarray\": \(array), \"fine/.zarray\": \(array)}}",
        to: "\(path)/.zmetadata")
      let error = #expect(throws: JigsawError.self) { try openStore(path) }
      #expect(error?.description.contains(key) == true, "\(key)")
    }
  }

  /// Found by fuzz-stores: the system ends a name at a zero byte, and an array without a name has keys from "/" on.
  @Test(arguments: ["a\\u0000", "", "x\\u0000/../y"]) func namesThatCanNotBeAreRefused(name: String) {
    let array = """
      {"zarr_format": 3, "node_type": "array", "shape": [2], "data_type": "int8", "fill_value": 0, "chunk_grid":
      {"name": "regular", "configuration": {"chunk_shape": [2]}}, "chunk_key_encoding": "default", "codecs": ["bytes"]}
      """
    let group = """
      {"zarr_format": 3, "node_type": "group", "consolidated_metadata": {"metadata": {"\(name)": \(array)}}}
      """
    #expect(throws: JigsawError.self) { try ZarrStore(MemoryStorage(["zarr.json": Array(group.utf8)])) }
  }

  /// Found by fuzz-stores: some hundred bytes of metadata that took gigabytes, or minutes of looking for chunks.
  @Test func coordinatesOfAbsurdSizeAreRefused() throws {
    for (shape, chunks) in [(1 << 30, 1 << 30), (1 << 30, 1 << 10), (1 << 20, 1), (4, 1 << 29)] {
      let array = """
        {"zarr_format": 2, "shape": [\(shape)], "chunks": [\(chunks)], "dtype": "|i1", "compressor": null,
        "fill_value": 0, "order": "C", "filters": null}
        """
      let store = try ZarrStore(
        MemoryStorage([".zgroup": Array("{\"zarr_format\": 2}".utf8), "a/.zarray": Array(array.utf8)]))
      let error = #expect(throws: JigsawError.self, "\(shape) \(chunks)") { try store.readSmall("a", atMost: 1 << 22) }
      #expect(error?.place == "memory: a" && error?.problem == "is too long for a coordinate")
    }
  }

  @Test func foldersThatAreNotStoresAreExplained() throws {
    let folder = try TemporaryFolder()
    try Files.createDirectory("\(folder.path)/empty")
    #expect(throws: JigsawError.self) { try openStore("\(folder.path)/empty") }
    try Files.createDirectory("\(folder.path)/v3.zarr")
    try Files.writeAtomically("{\"zarr_format\": 4, \"node_type\": \"group\"}", to: "\(folder.path)/v3.zarr/zarr.json")
    let error = #expect(throws: JigsawError.self) { try openStore("\(folder.path)/v3.zarr") }
    #expect(error?.description.contains("format 3") == true)
    #expect(throws: JigsawError.self) { try openStore("\(folder.path)/none.zarr") }
    // A chunk that is a folder: the separator in the metadata is another than that of the files.
    let path = "\(folder.path)/separator.zarr"
    try makeStore(path, metadata: Files.readText(Goldens.path("codecs.zarr/none/.zarray")))
    try Files.createDirectory("\(path)/a/0.0")
    let chunk = #expect(throws: JigsawError.self) { try openStore(path).read("a") }
    #expect(chunk?.place == "\(path)/a/0.0")
  }

  @Test func wrongDimensionNamesAreNamed() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.zarr"
    try makeStore(path, metadata: Files.readText(Goldens.path("codecs.zarr/none/.zarray")))
    try Files.writeAtomically("{\"_ARRAY_DIMENSIONS\": [\"time\"]}", to: "\(path)/a/.zattrs")
    let error = #expect(throws: JigsawError.self) { try openStore(path) }
    #expect(error?.place == "\(path)/a")
  }

  /// A group with one array called "a".
  private func makeStore(_ path: String, metadata: String) throws {
    try Files.createDirectory("\(path)/a")
    try Files.writeAtomically("{\"zarr_format\": 2}", to: "\(path)/.zgroup")
    try Files.writeAtomically(metadata, to: "\(path)/a/.zarray")
  }
}
