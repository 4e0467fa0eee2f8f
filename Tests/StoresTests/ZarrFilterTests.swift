import Basics
import TestSupport
import Testing

@testable import Stores

/// Filters and rarer codecs. That values are right is in Tests/Interop; here is what is damaged or makes no sense.
@Suite struct ZarrFilterTests {
  /// Twelve uint16 from 100 on, by Python's bz2 and lzma.
  static let bzip2: [UInt8] = [
    66, 90, 104, 57, 49, 65, 89, 38, 83, 89, 202, 51, 180, 120, 0, 0, 6, 65, 0, 64, 0, 7, 255, 160, 0, 34, 0, 3, 66, 1,
    160, 0, 172, 241, 53, 121, 188, 1, 17, 248, 187, 146, 41, 194, 132, 134, 81, 157, 163, 192,
  ]
  static let xz: [UInt8] = [
    253, 55, 122, 88, 90, 0, 0, 4, 230, 214, 180, 70, 2, 0, 33, 1, 12, 0, 0, 0, 143, 152, 65, 156, 1, 0, 23, 100, 0,
    101, 0, 102, 0, 103, 0, 104, 0, 105, 0, 106, 0, 107, 0, 108, 0, 109, 0, 110, 0, 111, 0, 0, 90, 201, 27, 137, 6, 106,
    11, 135, 0, 1, 48, 24, 142, 27, 172, 236, 31, 182, 243, 125, 1, 0, 0, 0, 0, 4, 89, 90,
  ]

  private func store(_ changes: [String: String], _ chunk: [UInt8], attributes: String = "{}") throws -> ZarrStore {
    var document = [
      "zarr_format": "2", "shape": "[12]", "chunks": "[12]", "dtype": "\"<u2\"", "compressor": "null",
      "fill_value": "7", "order": "\"C\"", "filters": "null",
    ]
    document.merge(changes) { $1 }
    let text = "{\(document.map { "\"\($0)\": \($1)" }.joined(separator: ", "))}"
    return try ZarrStore(
      MemoryStorage([
        ".zgroup": Array("{\"zarr_format\": 2}".utf8), "a/.zarray": Array(text.utf8),
        "a/.zattrs": Array(attributes.utf8), "a/0": chunk,
      ]))
  }

  private static let numbers: [UInt8] = (100..<112 as Range<UInt8>).map { [$0, 0] }.reduce([], +)

  /// Name, changes of the document, a sound chunk.
  static let sound: [(String, [String: String], [UInt8])] = [
    ("bz2", ["compressor": "{\"id\": \"bz2\"}"], bzip2), ("lzma", ["compressor": "{\"id\": \"lzma\"}"], xz),
    (
      "delta", ["filters": "[{\"id\": \"delta\", \"dtype\": \"<u2\", \"astype\": \"|i1\"}]"],
      [100] + Array(repeating: 1, count: 11)
    ),
    (
      "fixedscaleoffset",
      [
        "filters":
          "[{\"id\": \"fixedscaleoffset\", \"dtype\": \"<u2\", \"astype\": \"|u1\", \"scale\": 2, \"offset\": 100}]"
      ],
      (0..<12).map { 2 * $0 }
    ),
    (
      "shuffle", ["filters": "[{\"id\": \"shuffle\", \"elementsize\": 2}]"],
      Array(100..<112) + Array(repeating: 0, count: 12)
    ),
  ]

  @Test func chunksAreDecodedAndDamageIsNamed() throws {
    for (name, changes, chunk) in Self.sound {
      #expect(try store(changes, chunk).read("a").bytes == Self.numbers, "\(name)")
      for length in [0, 1, chunk.count / 2, chunk.count - 1] {
        let error = #expect(throws: JigsawError.self, "\(name) \(length)") {
          try store(changes, Array(chunk[..<length])).read("a")
        }
        #expect(error?.place == "memory/a/0" && error?.problem == "is a damaged chunk")
      }
      for number in 0..<200 {
        var mutator = Mutator(seed: 3, number: number)
        do { #expect(try store(changes, mutator.changed(chunk)).read("a").count == 12) } catch is JigsawError {}
      }
    }
  }

  /// Sums as numcodecs makes them of these bytes.
  @Test func checksumsAreVerified() throws {
    let content = Self.numbers
    for (name, sum, isFirst) in [
      ("crc32", 0x3F5EFEEF, true), ("adler32", 0x3F4404F3, true), ("fletcher32", 0x961FF204, false),
    ] as [(String, UInt32, Bool)] {
      let tail = withUnsafeBytes(of: sum.littleEndian) { Array($0) }
      let changes = ["filters": "[{\"id\": \"\(name)\"}]"]
      var chunk = isFirst ? tail + content : content + tail
      #expect(try store(changes, chunk).read("a").bytes == content, "\(name)")
      chunk[10] ^= 1
      #expect(throws: JigsawError.self, "\(name)") { try store(changes, chunk).read("a") }
    }
  }

  @Test func filtersThatMakeChunksTooLongAreNamed() throws {
    let wide = "[{\"id\": \"astype\", \"decode_dtype\": \"|u1\", \"encode_dtype\": \"<f8\"}]"
    let size = "[1073741824]"
    let document = ["dtype": "\"|u1\"", "shape": size, "chunks": size]
    #expect(try store(document, []).info("a").count == 1 << 30)
    #expect(throws: JigsawError.self) { try store(document.merging(["filters": wide]) { $1 }, []) }
  }

  @Test func filtersThatMakeNoSenseAreNamed() throws {
    let bad = [
      "7", "{}", "[7]", "[{}]", "[{\"id\": \"categorize\"}]", "[{\"id\": \"delta\", \"dtype\": \"<f4\"}]",
      "[{\"id\": \"delta\", \"dtype\": \"<u2\", \"astype\": \"|S3\"}]",
      "[{\"id\": \"fixedscaleoffset\", \"dtype\": \"<u2\"}]",
      "[{\"id\": \"packbits\"}]", "[{\"id\": \"astype\", \"decode_dtype\": \"<f8\", \"encode_dtype\": \"<f4\"}]",
      "[{\"id\": \"crc32\"}, {\"id\": \"delta\", \"dtype\": \"<u2\"}]",
      "[{\"id\": \"crc32\", \"location\": \"middle\"}]",
      "[{\"id\": \"shuffle\", \"elementsize\": -1}]",
      // Found by fuzz-stores: fewer numbers come out of packbits than the next filter expects.
      "[{\"id\": \"astype\", \"decode_dtype\": \"<u2\", \"encode_dtype\": \"|u1\"}, {\"id\": \"packbits\"}, {\"id\": \"delta\", \"dtype\": \"|u1\"}]",
      "[\(Array(repeating: "{\"id\": \"crc32\"}", count: 17).joined(separator: ","))]",
    ]
    for filters in bad {
      let error = #expect(throws: JigsawError.self, "\(filters)") { try store(["filters": filters], []) }
      #expect(error?.place == "memory/a/.zarray: filters", "\(filters)")
    }
  }

  /// As xarray reads format 2: the array's fill value marks missing values, whatever an attribute says besides.
  @Test func fillValueAndAttributeBothMark() throws {
    func marks(_ type: String, _ fill: String, _ attributes: String) throws -> [Double]? {
      let document = ["dtype": "\"\(type)\"", "fill_value": fill]
      let store = try store(document, Self.numbers, attributes: attributes)
      return try store.packing(of: store.info("a")).missing
    }
    #expect(try marks("<f4", "-999", #"{"_FillValue": "NaN"}"#) == [-999])
    #expect(try marks("<f4", "-999", #"{"_FillValue": 1e20}"#) == [1e20, -999])
    #expect(try marks("<i2", "0", #"{"_FillValue": -1, "scale_factor": 0.5}"#) == [-1, 0])
    #expect(try marks("<f4", "0", #"{"_FillValue": -1}"#) == [-1])
  }
}
