import Basics
import Stores
import TestSupport
import Testing

@testable import Datasets
@testable import Verification

/// Sums, means and units of forecasts and truth are those of the same quantity.
@Suite struct PeriodTests {
  private typealias Attributes = [String: AttributeValue]

  /// Fields of one variable at 40 times every 6 h on 6 × 8 points; bounds of times, hours before their ends, or none.
  private func truth(_ path: String, _ name: String, units: String, boundHours: Double?) throws {
    var data = SyntheticData()
    (data.rows, data.columns, data.times, data.upper, data.surface) = (6, 8, 40, [], [name])
    try data.write(path)
    var store = try EditedStore(path)
    store.arrays[name]?.attributes["units"] = .text(units)
    if let boundHours, let times = store.arrays["time"]?.values {
      store.sizes.append(("pair", 2))
      store.arrays["time"]?.attributes["bounds"] = .text("time_bounds")
      store.arrays["time_bounds"] = .init(
        type: .float64, dimensions: ["time", "pair"], attributes: [:], values: times.flatMap { [$0 - boundHours, $0] })
    }
    try Files.remove(path)
    try store.write(path)
  }

  /// Forecasts from two times with leads of 6, 12 and 24 h, of ones; bounds of leads, hours before their ends, or none.
  private func forecast(_ path: String, _ name: String, units: String, boundHours: [Double]?) throws {
    let leads = [6.0, 12, 24]
    func array(_ name: String, _ dimensions: [String], _ attributes: [String: String]) -> ArrayDefinition {
      ArrayDefinition(
        name: name, type: .float64, dimensions: dimensions, attributes: attributes.mapValues { .text($0) })
    }
    let grid = LatLonGrid.global(rows: 6, columns: 8)
    var arrays = [
      array("time", ["time"], ["units": "hours since 2001-01-01", "standard_name": "forecast_reference_time"]),
      array(
        "step", ["step"],
        ["units": "hours", "standard_name": "forecast_period"].merging(
          boundHours == nil ? [:] : ["bounds": "step_bounds"]
        ) { $1 }),
      array("latitude", ["latitude"], ["units": "degrees_north"]),
      array("longitude", ["longitude"], ["units": "degrees_east"]),
      array(name, ["time", "step", "latitude", "longitude"], ["units": units]),
    ]
    if boundHours != nil { arrays.append(array("step_bounds", ["step", "pair"], [:])) }
    let writer = try createStore(
      path,
      StoreDefinition(
        dimensions: [("time", 2), ("step", 3), ("latitude", 6), ("longitude", 8), ("pair", 2)].map {
          .init(name: $0.0, size: $0.1)
        }, arrays: arrays))
    try writer.write("time", [48, 72])
    try writer.write("step", leads)
    try writer.write("latitude", grid.latitudes)
    try writer.write("longitude", grid.longitudes)
    try writer.write(name, [Double](repeating: 1, count: 2 * 3 * 48))
    if let boundHours {
      try writer.write("step_bounds", zip(leads, boundHours).flatMap { [$0 - $1, $0] })
    }
    try writer.finish()
  }

  private func evaluate(_ folder: String, _ name: String) throws -> Evaluation {
    let truth = try FieldDataset(
      sources: [SourceDescription(path: "\(folder)/truth.nc")], variables: [name], levelsHPa: [])
    var options = Evaluation.Options(
      trainingStart: truth.times[0], trainingEnd: truth.times[truth.times.count - 1], stepHours: 6)
    options.usesSpectra = false
    return try Evaluation(ForecastReader("\(folder)/forecast.nc"), truth: truth, options: options)
  }

  @Test(
    arguments: [
      ([6.0, 6, 6], 6.0, "none", 0), ([6, 12, 24], 6, "at the lead of 12 h", 0), ([24, 24, 24], nil, "24 h", 0),
      ([6, 6, 6], nil, "none", 1), (nil, 6, "none", 1), ([6, 6, 6], 3, "expected 3 h", 0), (nil, nil, "none", 0),
    ] as [([Double]?, Double?, String, Int)])
  func amountsOverOtherPeriodsAreRefused(_ ofLeads: [Double]?, _ ofTimes: Double?, _ problem: String, _ notes: Int)
    throws
  {
    let folder = try TemporaryFolder()
    try truth("\(folder.path)/truth.nc", "tp", units: "m", boundHours: ofTimes)
    try forecast("\(folder.path)/forecast.nc", "tp", units: "m", boundHours: ofLeads)
    guard problem != "none" else {
      #expect(try evaluate(folder.path, "tp").notes.count == notes)
      return
    }
    let error = #expect(throws: JigsawError.self) { try evaluate(folder.path, "tp") }
    #expect(error?.problem == "is over another period than the truth")
    #expect(error?.description.contains(problem) == true, "\(String(describing: error))")
  }

  /// Nothing is known of them but what their stores say.
  @Test func unitsOfUnknownVariablesAreThoseOfTheTruth() throws {
    let folder = try TemporaryFolder()
    try truth("\(folder.path)/truth.nc", "dust", units: "g kg-1", boundHours: nil)
    var errors: [Double] = []
    for units in ["g kg-1", "kg kg-1", "K"] {
      try Files.remove("\(folder.path)/forecast.nc")
      try forecast("\(folder.path)/forecast.nc", "dust", units: units, boundHours: nil)
      if units == "K" {
        let error = #expect(throws: JigsawError.self) { try evaluate(folder.path, "dust") }
        #expect(error?.problem == "has units that don't fit the truth's")
        continue
      }
      let evaluation = try evaluate(folder.path, "dust")
      #expect(evaluation.units == ["g kg-1"])
      errors.append(try #require(evaluation[.model, "dust", 6, evaluation.regions[0]].map(Bias.value)))
    }
    // Ones in kg kg-1 are a thousand g kg-1.
    #expect(abs(errors[1] - errors[0] - 999) < 1e-2, "\(errors)")
  }

  /// Each message of GRIB says its own.
  @Test func messagesSayTheirPeriods() throws {
    let folder = Goldens.folder.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" } + "/grib"
    func spans(_ name: String, _ times: GRIBTimes) throws -> [String: [Double]] {
      try openStore("\(folder)/\(name).grib", gribTimes: times).arrays.compactMapValues { array in
        if case .numbers(let numbers)? = array.attributes[FieldSpan.attribute] { numbers } else { nil }
      }
    }
    #expect(try spans("spans", .validity) == ["tp_30min": [1_800], "tp_1h": [3_600], "tp_3h": [10_800]])
    #expect(try spans("forecasts", .forecasts).isEmpty)
    // 0–12 h and 6–12 h end at one time.
    #expect(Set(try spans("names", .forecasts).values.map { $0.filter { $0 != 0 } }) == [[43_200], [21_600]])
  }
}
