import Basics
import Stores
import TestSupport
import Testing

@testable import Datasets

/// Members, lead times and calendars of files that follow each other in time.
@Suite struct SeriesMeaningTests {
  /// Writes two files of 4 times each, the second after the first, with fields on a raster or on points.
  private func write(_ folder: String, onPoints: Bool, _ change: (inout MemoryStore, Int) -> Void) throws {
    for number in 0..<2 {
      var store = MemoryStore(["time": 4, "lat": 4, "lon": 8, "values": 5])
      store.add("time", ["time"], (0..<4).map { Double(24 * number + 6 * $0) }, ["units": "hours since 2000-01-01"])
      store.add("lat", onPoints ? ["values"] : ["lat"], [67, 22, -22, -67], ["units": "degrees_north"])
      store.add("lon", onPoints ? ["values"] : ["lon"], (0..<8).map { Double($0) * 45 }, ["units": "degrees_east"])
      store.add("dust", onPoints ? ["time", "values"] : ["time", "lat", "lon"], [1], ["units": "kg"])
      change(&store, number)
      try EditedStore(store).write("\(folder)/\(number).nc")
    }
  }

  /// Why the files are not joined: as a pattern, and as views one after the other.
  private func refusals(onPoints: Bool, _ change: (inout MemoryStore, Int) -> Void) throws -> [JigsawError?] {
    let folder = try TemporaryFolder()
    try write(folder.path, onPoints: onPoints, change)
    let pattern = SourceDescription(path: "\(folder.path)/*.nc")
    let row = SourceDescription(path: "", open: .array((0..<2).map { .string("\(folder.path)/\($0).nc") }))
    return try [pattern, row].map { source in
      do {
        _ = try FieldDataset(sources: [source], variables: ["dust"], levelsHPa: [])
        return nil
      } catch let error as JigsawError { return error }
    }
  }

  @Test(arguments: [false, true]) func membersLeadsAndCalendarsMustAgree(onPoints: Bool) throws {
    let cases: [(problem: String, found: [String], change: (inout MemoryStore, Int) -> Void)] = [
      (
        "is another member of an ensemble", ["member 0", "member 1"],
        { $0.add("number", [], [Double($1)]) }
      ),
      (
        "is another member of an ensemble", ["member 3", "member 4"],
        { $0.add("run", [], [Double(3 + $1)], ["standard_name": "realization"]) }
      ),
      (
        // GRIB's messages say it one by one.
        "is another member of an ensemble", ["member 1", "member 2"],
        {
          $0.add(
            "dust", onPoints ? ["time", "values"] : ["time", "lat", "lon"], [1],
            attributes: ["units": .text("kg"), "GRIB_number": .numbers([Double(1 + $1)])])
        }
      ),
      (
        "has another lead time", ["6 h", "12 h"],
        { $0.add("forecast_period", [], [Double(6 + 6 * $1)], ["standard_name": "forecast_period", "units": "hours"]) }
      ),
      (
        "has times of another calendar", ["standard", "noleap"],
        { $0.set("time", "calendar", $1 == 0 ? "gregorian" : "365_day") }
      ),
      (
        // CF's default is the standard calendar.
        "has times of another calendar", ["standard", "360_day"],
        { if $1 == 1 { $0.set("time", "calendar", "360_day") } }
      ),
    ]
    for one in cases {
      for error in try refusals(onPoints: onPoints, one.change) {
        let text = error?.description ?? "nothing"
        #expect(text.contains("1.nc: dust") && text.contains(one.problem) && text.contains("0.nc"), "\(text)")
        #expect([error?.expected, error?.found] == one.found)
      }
    }
  }

  /// What is the same in other words, or not said, contradicts nothing.
  @Test(arguments: [false, true]) func whatIsTheSameIsJoined(onPoints: Bool) throws {
    let cases: [(inout MemoryStore, Int) -> Void] = [
      { if $1 == 1 { $0.add("number", [], [7]) } },
      { $0.add("step", [], [$1 == 0 ? 6 : 360], ["units": $1 == 0 ? "hours" : "minutes"]) },
      { $0.set("time", "calendar", $1 == 0 ? "proleptic_gregorian" : "standard") },
      { _, _ in },
    ]
    for change in cases { #expect(try refusals(onPoints: onPoints, change) == [nil, nil]) }
  }
}
