import Basics

@testable import Datasets

/// A store with unambiguous coordinates, to which tests add ambiguous ones.
enum PlainStore {
  static let north = ["units": "degrees_north"]
  static let hours = ["units": "hours since 2020-01-01"]
  static let latitudes = [67.5, 22.5, -22.5, -67.5]

  /// t2m [time, latitude, longitude] on 4 × 8 points at 2 times.
  static func made() -> MemoryStore {
    var store = MemoryStore(["time": 2, "latitude": 4, "longitude": 8, "record": 2])
    store.add("time", ["time"], [0, 6], hours)
    store.add("latitude", ["latitude"], latitudes, north)
    store.add("longitude", ["longitude"], (0..<8).map { Double($0) * 45 }, ["units": "degrees_east"])
    store.add("t2m", ["time", "latitude", "longitude"], [280], ["units": "K"])
    return store
  }

  /// The error of a call in words; "none" where it returns.
  static func problem(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "none"
    } catch { return "\(error)" }
  }
}
