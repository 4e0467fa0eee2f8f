import Basics
import Stores
import Testing

@testable import Datasets

/// The choice among several sets of coordinates, and of members, by what is requested.
@Suite struct RequestedPlacesTests {
  /// Stations with more variables, or another raster with more fields, beside the requested fields.
  @Test func placesOfRequestedFieldsCount() throws {
    var store = PlainStore.made()
    store.resize("station", 3)
    store.add("lat_station", ["station"], [10, 20, 30], PlainStore.north)
    store.add("lon_station", ["station"], [10, 20, 30], ["units": "degrees_east"])
    for name in ["obs_p", "obs_q", "obs_t"] { store.add(name, ["time", "station"], [1], ["units": "K"]) }
    #expect(try GriddedStore(store, wanted: ["t2m"]).grid.latitudes == PlainStore.latitudes)
    #expect(try PointFields(store, wanted: ["obs_q"])?.points.count == 3)
    let stations = try #require(try PointFields(store))
    #expect(try GriddedView(stations).elsewhere(["2t", "t2m"])?.places == ["station"])
    // Fine and coarse.
    var grids = PlainStore.made()
    grids.resize("lat_hr", 2)
    grids.resize("lon_hr", 2)
    grids.add("lat_hr", ["lat_hr"], [1, 0], PlainStore.north)
    grids.add("lon_hr", ["lon_hr"], [5, 6], ["units": "degrees_east"])
    for name in ["a", "b"] { grids.add(name, ["time", "lat_hr", "lon_hr"], [1]) }
    #expect(try GriddedStore(grids).grid.latitudes == [1, 0])
    #expect(try GriddedStore(grids, wanted: ["t2m"]).grid.latitudes == PlainStore.latitudes)
  }

  @Test func placesAlongTimesAreATrack() {
    var store = MemoryStore(["time": 3])
    store.add("time", ["time"], [0, 6, 12], PlainStore.hours)
    store.add("lat", ["time"], [1, 2, 3], PlainStore.north)
    store.add("lon", ["time"], [1, 2, 3], ["units": "degrees_east"])
    store.add("t2m", ["time"], [280], ["units": "K"])
    #expect(PlainStore.problem { _ = try PointFields(store) }.contains("those of a track"))
  }

  /// cfgrib counts members from 0, the control; others have any numbers.
  @Test func membersHaveTheNumbersOfTheirCoordinate() throws {
    var store = PlainStore.made()
    store.resize("number", 2)
    store.add("t2m", ["time", "number", "latitude", "longitude"], [280], ["units": "K"])
    #expect(try StoreFields(GriddedStore(store)).memberNumbers == nil)
    store.add("number", ["number"], [0, 10], ["standard_name": "realization"])
    #expect(try StoreFields(GriddedStore(store)).memberNumbers == [0, 10])
    store.add("number", ["number"], [0.5, 10], ["standard_name": "realization"])
    #expect(try StoreFields(GriddedStore(store)).memberNumbers == nil)
  }
}
