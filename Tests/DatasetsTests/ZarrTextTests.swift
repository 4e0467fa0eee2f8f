import Basics
import Stores
import TestSupport
import Testing

@testable import Datasets

/// Times of Zarr stores as rows of text, as xarray writes those of WRF.
@Suite struct ZarrTextTests {
  private static let texts = ["2001-02-03_06:00:00", "2001-02-03_12:00:00", "2001-02-03_18:00:00"]

  /// A store of three times without a coordinate of numbers, and the array `Times` by its documents and chunks of two rows.
  private func times(_ path: String, _ files: [String: [UInt8]]) throws -> [Timestamp] {
    var data = SyntheticData()
    (data.times, data.upper, data.chunking) = (3, [], .wholeField)
    try data.write("\(path)/data.nc")
    var store = try EditedStore("\(path)/data.nc")
    store.arrays["time"] = nil
    try store.write("\(path)/data.zarr")
    try Files.createDirectory("\(path)/data.zarr/Times")
    for (name, bytes) in files {
      let file = "\(path)/data.zarr/Times/\(name)"
      try Files.createDirectory(Files.parent(of: file))
      try Files.writeAtomically(bytes, to: file)
    }
    // Consolidated metadata don't know it.
    for name in [".zmetadata"] { try Files.remove("\(path)/data.zarr/\(name)") }
    return try GriddedStore(openStore("\(path)/data.zarr")).times
  }

  private func rows(_ range: Range<Int>, wide: Bool = false) -> [UInt8] {
    // The last chunk is filled up.
    let text = range.map { $0 < 3 ? Self.texts[$0] : String(repeating: "\0", count: 19) }.joined()
    return wide ? text.utf8.flatMap { [0, 0, 0, $0] } : Array(text.utf8)
  }

  @Test func rowsOfCharactersAreRead() throws {
    let expected = [6, 12, 18].map { Timestamp(year: 2001, month: 2, day: 3, hour: $0) }
    for (dtype, wide) in [("|S19", false), (">U19", true)] {
      let folder = try TemporaryFolder()
      let array = """
        {"zarr_format": 2, "shape": [3], "chunks": [2], "dtype": "\(dtype)", "compressor": null, "fill_value": "",
         "filters": null, "order": "C"}
        """
      let found = try times(
        folder.path,
        [
          ".zarray": Array(array.utf8), ".zattrs": Array(#"{"_ARRAY_DIMENSIONS": ["time"]}"#.utf8),
          "0": rows(0..<2, wide: wide), "1": rows(2..<4, wide: wide),
        ])
      #expect(found == expected, "\(dtype)")
    }
  }
}
