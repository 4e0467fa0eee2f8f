import Basics
import Stores
import TestSupport
import Testing

@testable import Datasets

/// Coordinates whose numbers are packed, whose attributes are padded, or whose calendar is another.
@Suite struct StoredCoordinateTests {
  /// `ncpdq -P all_xst` packs coordinates, too.
  @Test func coordinatesMayBePacked() throws {
    // As FP32 has it: 8500 times that is 850.0000127.
    let tenth = Double(Float(0.1))
    func packed(_ texts: [String: String], _ marks: [Double] = [-1]) -> [String: AttributeValue] {
      texts.mapValues { .text($0) }.merging(["scale_factor": .numbers([tenth]), "missing_value": .numbers(marks)]) {
        $1
      }
    }
    var store = MemoryStore(["time": 2, "latitude": 2, "longitude": 4, "level": 2])
    store.add("time", ["time"], [0, 60], attributes: packed(["units": "hours since 2020-01-01"]))
    store.add("latitude", ["latitude"], [450, -450], attributes: packed(["units": "degrees_north"]))
    store.add("longitude", ["longitude"], [0, 900, 1_800, 2_700], attributes: packed(["units": "degrees_east"]))
    store.add("level", ["level"], [8_500, 5_000], attributes: packed(["units": "hPa"]))
    store.add("t", ["time", "level", "latitude", "longitude"], [250], ["units": "K"])
    let gridded = try GriddedStore(store)
    #expect(gridded.grid == LatLonGrid(latitudes: [45, -45], longitudes: [0, 90, 180, 270]))
    #expect(gridded.times == [Timestamp("2020-01-01"), Timestamp("2020-01-01T06")] && gridded.levelsHPa == [850, 500])
    store.add("latitude", ["latitude"], [450, -450], attributes: packed(["units": "degrees_north"], [-450]))
    let error = #expect(throws: JigsawError.self) { try GriddedStore(store) }
    #expect(error?.place == "memory: latitude" && error?.found == "a missing one at index 1")
  }

  /// What becomes of dates that the standard calendar lacks, or has more of, is said.
  @Test(arguments: ["noleap", "360_day", "julian", "all_leap"]) func otherCalendarsAreNoted(calendar: String) throws {
    var store = MemoryStore(["time": 2, "latitude": 2, "longitude": 4])
    store.add("time", ["time"], [0, 6], ["units": "hours since 2020-01-01", "calendar": calendar])
    store.add("latitude", ["latitude"], [45, -45], ["units": "degrees_north"])
    store.add("longitude", ["longitude"], [0, 90, 180, 270], ["units": "degrees_east"])
    store.add("t2m", ["time", "latitude", "longitude"], [280], ["units": "K"])
    #expect(try GriddedStore(store).normalizations.contains { $0.hasPrefix("calendar \(calendar): ") })
  }

  /// Fortran fills texts with blanks.
  @Test(arguments: ["a.nc", "a.zarr"]) func blanksAtTheEndOfAttributesAreNoPartOfThem(name: String) throws {
    let folder = try TemporaryFolder()
    var padded = try EditedStore(Goldens.path("plain.nc"))
    let plain = try GriddedStore(openStore(Goldens.path("plain.nc")))
    for array in padded.arrays.keys {
      for (key, value) in padded.arrays[array]?.attributes ?? [:] {
        if let text = value.text { padded.arrays[array]?.attributes[key] = .text(text + "   ") }
      }
    }
    try padded.write("\(folder.path)/\(name)")
    let found = try GriddedStore(openStore("\(folder.path)/\(name)"))
    #expect(found.grid == plain.grid && found.times == plain.times && found.levelsHPa == plain.levelsHPa)
    #expect(try found.bind("msl")?.storedUnits == plain.bind("msl")?.storedUnits)
  }
}
