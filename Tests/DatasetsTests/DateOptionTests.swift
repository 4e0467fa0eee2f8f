import Basics
import Stores
import Testing

@testable import Datasets

/// Dates of views that are made of others', and what datasets say of missing ones.
@Suite struct DateOptionTests {
  /// The first value at each date that is there: 1000 times the date's place where nothing is made of others.
  private func values(_ members: [String: JSONValue], missing: Set<Int> = []) throws -> [Float] {
    var view = NumberedView()
    view.missing = missing
    let made = try ViewOptions(members, key: "open", workers: WorkerPool(threads: 0)).apply(to: view)
    return try made.dates.indices.filter { !made.missing.contains($0) }.map { try made.read(date: $0)[0] }
  }

  @Test func missingDatesAreFilled() throws {
    let closest: [String: JSONValue] = ["fill_missing_dates": .string("closest")]
    #expect(try values(closest, missing: [3, 4]) == [0, 1_000, 2_000, 2_000, 5_000, 5_000, 6_000, 7_000])
    #expect(try values(closest, missing: [3])[3] == 4_000)
    let between = try values(["fill_missing_dates": .string("interpolate")], missing: [3, 4])
    #expect(abs(between[3] - 3_000) < 1e-3 && abs(between[4] - 4_000) < 1e-3)
  }

  @Test func datesAreMadeOfSeveral() throws {
    let finer: [String: JSONValue] = ["interpolate_frequency": .string("3h")]
    #expect(try values(finer) == (0..<15).map { Float($0) * 500 })
    let mean: [String: JSONValue] = ["rolling_average": .array([.integer(-1), .integer(0), .string("freq")])]
    #expect(try values(mean) == (0..<7).map { Float($0) * 1_000 + 500 })
    // Missing values don't count, and missing dates must be filled before.
    let filled = mean.merging(["fill_missing_dates": .string("nans")]) { $1 }
    #expect(try values(filled, missing: [3])[1...4] == [1_500, 2_000, 4_000, 4_500])
    for options in [finer, mean] {
      let error = #expect(throws: JigsawError.self) { try values(options, missing: [3]) }
      #expect(error?.problem == "needs every date, but 1 of numbered are missing")
    }
  }

  @Test func missingDatesAreAListOfTheDatasets() throws {
    var store = MemoryStore(["time": 3, "variable": 1, "ensemble": 1, "cell": 2])
    store.add("data", ["time", "variable", "ensemble", "cell"], [1])
    store.add("dates", ["time"], [0, 6, 12], ["units": "hours since 2020-01-01"])
    store.add("latitudes", ["cell"], [10, 20])
    store.add("longitudes", ["cell"], [30, 40])
    func missing(_ dates: AttributeValue) throws -> Set<Int> {
      store.attributes = ["variables": .texts(["a"]), "missing_dates": dates]
      return try AnemoiDataset(store).missing
    }
    #expect(try missing(.texts(["2020-01-01T06:00:00"])) == [1])
    // The list may be one of a longer period.
    #expect(try missing(.texts(["2020-02-01T06:00:00"])) == [])
    for (dates, problem) in [
      (AttributeValue.text("2020-01-01T06:00:00"), "is no list of dates"),
      (.texts(["soon"]), "has a date that can't be read"),
      (.texts(["2020-01-01T03:00:00"]), "names a date that the dataset has no row for"),
    ] {
      let error = #expect(throws: JigsawError.self) { try missing(dates) }
      #expect(error?.place == "memory: missing_dates" && error?.problem == problem)
    }
  }
}
