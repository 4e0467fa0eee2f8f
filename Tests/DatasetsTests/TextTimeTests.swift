import Basics
import Stores
import TestSupport
import Testing

@testable import Datasets

/// Coordinates of time that are text.
@Suite struct TextTimeTests {
  private func store(_ name: String, _ texts: [String], _ attributes: [String: String] = [:]) -> MemoryStore {
    var store = MemoryStore(["time": texts.count, "lat": 4, "lon": 8, "characters": texts.map(\.utf8.count).max() ?? 1])
    store.add("lat", ["lat"], [67, 22, -22, -67], ["units": "degrees_north"])
    store.add("lon", ["lon"], (0..<8).map { Double($0) * 45 }, ["units": "degrees_east"])
    store.add("t2m", ["time", "lat", "lon"], [280], ["units": "K"])
    store.add(name, ["time", "characters"], texts: texts)
    for (key, text) in attributes { store.set(name, key, text) }
    return store
  }

  @Test func datesOfISO8601AreRead() throws {
    let expected = [0, 6].map { Timestamp(year: 2001, month: 2, day: 3, hour: $0) }
    for texts in [
      ["2001-02-03T00:00:00", "2001-02-03T06:00:00"],
      ["2001-02-03T00:00:00.000000000", "2001-02-03T06:00:00.000000000"],
      ["2001-02-03 00:00Z", "2001-02-03 06:00Z"],
    ] {
      #expect(try GriddedStore(store("time", texts)).times == expected)
      #expect(try GriddedStore(store("valid_time", texts)).times == expected)
      #expect(try GriddedStore(store("when", texts, ["standard_name": "time"])).times == expected)
    }
    let error = #expect(throws: JigsawError.self) { try GriddedStore(store("time", ["3 Feb 2001", "4 Feb 2001"])) }
    #expect(error?.problem == "has a time that can't be read" && error?.found == "'3 Feb 2001'")
    // Text of another meaning is no time.
    #expect(try GriddedStore(store("station", ["2001-02-03", "2001-02-04"])).times.isEmpty)
  }

  /// An array's documents in a Zarr group of either format; chunks are not written.
  private func add(_ name: String, _ shape: [Int], _ dimensions: [String], _ type: String, format: Int, to path: String)
    throws
  {
    try Files.createDirectory("\(path)/\(name)")
    let names = "[\(dimensions.map { "\"\($0)\"" }.joined(separator: ", "))]"
    if format == 2 {
      let filters = type == "|O" ? #"[{"id": "vlen-utf8"}]"# : "null"
      try Files.writeAtomically(
        """
        {"zarr_format": 2, "shape": \(shape), "chunks": \(shape), "dtype": "\(type)", "compressor": null, "fill_value": 0,
         "filters": \(filters), "order": "C"}
        """, to: "\(path)/\(name)/.zarray")
      try Files.writeAtomically(#"{"_ARRAY_DIMENSIONS": \#(names)}"#, to: "\(path)/\(name)/.zattrs")
      return
    }
    let shard = """
      {"name": "sharding_indexed", "configuration": {"chunk_shape": \(shape), "codecs": [{"name": "bytes"}],
       "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}]}}
      """
    let plain = #"{"name": "bytes", "configuration": {"endian": "little"}}"#
    let dataType =
      type == "sharded" ? #"{"name": "fixed_length_utf32", "configuration": {"length_bytes": 76}}"# : "\"\(type)\""
    try Files.writeAtomically(
      """
      {"zarr_format": 3, "node_type": "array", "shape": \(shape), "data_type": \(dataType), "fill_value": 0,
       "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": \(shape)}},
       "chunk_key_encoding": {"name": "default"}, "codecs": [\(type == "sharded" ? shard : plain)],
       "dimension_names": \(names), "attributes": {}}
      """, to: "\(path)/\(name)/zarr.json")
  }

  /// Strings of any length, in both formats of Zarr, and such of a fixed one in shards.
  @Test(arguments: [(2, "|O"), (3, "string"), (3, "sharded")])
  func stringsOfZarrAreRefusedByName(format: Int, type: String) throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.zarr"
    try Files.createDirectory(path)
    try Files.writeAtomically(
      format == 2 ? #"{"zarr_format": 2}"# : #"{"zarr_format": 3, "node_type": "group", "attributes": {}}"#,
      to: "\(path)/\(format == 2 ? ".zgroup" : "zarr.json")")
    let float = format == 2 ? "<f4" : "float32"
    try add("lat", [4], ["lat"], float, format: format, to: path)
    try add("lon", [8], ["lon"], float, format: format, to: path)
    try add("t2m", [3, 4, 8], ["time", "lat", "lon"], float, format: format, to: path)
    try add("time", [3], ["time"], type, format: format, to: path)
    let error = #expect(throws: JigsawError.self) { try GriddedStore(openStore(path)) }
    #expect(error?.place == "\(path): time", "\(String(describing: error))")
    #expect(error?.problem == "holds times as strings of any length, which are not read")
  }

  /// NetCDF-4, as xarray writes NumPy's text (Tests/Goldens/make_store_goldens.py).
  @Test func stringsOfNetCDFAreRefusedByName() throws {
    let path = Goldens.path("strings.nc")
    let error = #expect(throws: JigsawError.self) { try GriddedStore(openStore(path)) }
    #expect(error?.place == "\(path): time" && error?.found == "strings along time")
    #expect(
      error?.remedy
        == "write them as dates before, for example in xarray: ds['time'] = ds['time'].astype('datetime64[ns]')")
  }
}
