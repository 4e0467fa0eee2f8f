import Basics
import Stores
import TestSupport
import Testing

/// Arrays that netCDF4-python and zarr-python wrote read as they read them.
@Suite struct GoldenStoreTests {
  static let stores = [
    "types4.nc", "types3.nc", "types3offset.nc", "types5.nc", "codecs.zarr", "layouts.zarr", "format3.zarr",
  ]

  @Test(arguments: stores) func wholeArraysAreEqual(store: String) throws {
    let opened = try openStore(Goldens.path(store))
    let expected = try Goldens.arrays(store)
    #expect(expected.count > 2)
    #expect(Set(opened.arrays.filter { !$0.value.isText }.keys) == Set(expected.keys))
    for (name, wanted) in expected {
      let info = try opened.info(name)
      #expect(info.type == wanted.type && info.shape == wanted.shape, "\(name)")
      #expect(mismatch(try opened.read(name), wanted.values[...]) == nil, "\(name)")
    }
  }

  @Test(arguments: stores) func randomBoxesAreEqual(store: String) throws {
    let opened = try openStore(Goldens.path(store))
    var numbers = TestNumbers(3)
    for (name, wanted) in try Goldens.arrays(store).sorted(by: { $0.key < $1.key }) where !wanted.shape.contains(0) {
      for _ in 0..<12 {
        let box = wanted.shape.map { extent -> Range<Int> in
          let lower = numbers.integer(in: 0..<extent)
          return lower..<numbers.integer(in: lower + 1..<extent + 1)
        }
        let found = try opened.read(name, box)
        #expect(mismatch(found, part(wanted.values, wanted.shape, box)[...]) == nil, "\(name) \(box)")
      }
    }
  }

  @Test(arguments: stores) func boxesOutsideAreRefused(store: String) throws {
    let opened = try openStore(Goldens.path(store))
    for (name, wanted) in try Goldens.arrays(store) {
      var box = wanted.shape.map { 0..<$0 }
      box.append(0..<1)
      #expect(throws: JigsawError.self) { try opened.read(name, box) }
      if let last = wanted.shape.last {
        box = wanted.shape.map { 0..<$0 }
        box[box.count - 1] = 0..<last + 1
        let error = #expect(throws: JigsawError.self) { try opened.read(name, box) }
        #expect(error?.description.contains(name) == true)
      }
    }
  }

  @Test func emptyBoxesAreEmpty() throws {
    for (store, name) in [("types4.nc", "f4"), ("layouts.zarr", "f4-C-little")] {
      #expect(try openStore(Goldens.path(store)).read(name, [2..<2, 0..<7]).bytes.isEmpty)
    }
  }

  @Test func formatsAndMetadataAreTold() throws {
    let formats = [
      "types4.nc": "NetCDF-4", "types3.nc": "NetCDF classic", "types3offset.nc": "NetCDF 64-bit offset",
      "types5.nc": "NetCDF CDF-5", "codecs.zarr": "Zarr 2 (consolidated)", "layouts.zarr": "Zarr 2",
    ]
    for (store, format) in formats { #expect(try openStore(Goldens.path(store)).format == format) }
    let netCDF = try openStore(Goldens.path("types4.nc"))
    #expect(netCDF.attributes["title"] == .text("every type"))
    #expect(try netCDF.info("i2").attributes["units"] == .text("K"))
    #expect(try netCDF.info("i2").attributes["valid_range"] == .numbers([0, 1]))
    #expect(try netCDF.info("deflated").codec == "deflate(4, shuffle)")
    #expect(try netCDF.info("deflated").chunks == [2, 3])
    #expect(try netCDF.info("i2").dimensionNames == ["x", "y"])
    let zarr = try openStore(Goldens.path("codecs.zarr"))
    #expect(try zarr.info("blosc-zstd-bitshuffle").codec == "blosc(zstd, 5, bitshuffle)")
    #expect(try openStore(Goldens.path("layouts.zarr")).attributes["title"] == .text("every layout"))
    #expect(
      try openStore(Goldens.path("weatherbench.zarr")).info("geopotential").dimensionNames
        == ["time", "level", "longitude", "latitude"])
    #expect(
      try openStore(Goldens.path("layouts.zarr")).info("dates-h").attributes["units"]
        == .text("hours since 1970-01-01"))
  }

  @Test func unknownNamesComeWithTheNearest() throws {
    let error = #expect(throws: JigsawError.self) {
      try openStore(Goldens.path("weatherbench.zarr")).read("geopotentail")
    }
    #expect(error?.description.contains("did you mean 'geopotential'?") == true)
  }

  // MARK: Comparing

  /// The first position that differs. Integers are compared exactly.
  private func mismatch(_ found: RawArray, _ wanted: ArraySlice<JSONValue>) -> Int? {
    guard found.count == wanted.count else { return -1 }
    let (doubles, integers) = (found.doubles, found.integers)
    for (i, value) in wanted.enumerated() {
      let isEqual =
        if case .integer(let integer) = value, found.type != .float32, found.type != .float64 {
          integers[i] == Int64(integer)
        } else if let double = value.double {
          double.isNaN ? doubles[i].isNaN : doubles[i] == double
        } else {
          false
        }
      if !isEqual { return i }
    }
    return nil
  }

  private func part(_ values: [JSONValue], _ shape: [Int], _ box: [Range<Int>]) -> [JSONValue] {
    guard let range = box.first else { return values }
    let stride = shape.dropFirst().reduce(1, *)
    return range.flatMap { i in
      part(Array(values[i * stride..<(i + 1) * stride]), Array(shape.dropFirst()), Array(box.dropFirst()))
    }
  }
}
