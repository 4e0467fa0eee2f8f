import Basics
import Stores
import TestSupport
import Testing

/// What messages say of themselves: their edition, period and kind, and that they are there again
/// (files of Tests/Goldens/make_grib_goldens.py).
@Suite struct GRIBMessageTests {
  /// "surface" of edition 1 and the levels of edition 2 are one series; `GRIBTests` compares the values.
  @Test func editionsByTurnsAreOneSeries() throws {
    let store = try openStore(GRIBGoldens.path("editions"))
    #expect(store.format == "GRIB 1 and 2")
    #expect(try store.info("2t").attributes["GRIB_typeOfLevel"] == .text("heightAboveGround"))
    #expect(store.notes.isEmpty)
  }

  @Test func bytesThatAreThereAgainAreTakenOnce() throws {
    let store = try openStore(GRIBGoldens.path("twice"))
    #expect(try store.read("t").doubles == openStore(GRIBGoldens.path("names")).read("t").doubles.prefix(12).map { $0 })
    #expect(store.notes == ["messages with the same bytes as another are left out: 1"])
  }

  @Test func otherValuesForOnePlaceAreNamed() throws {
    let path = GRIBGoldens.path("rivals")
    let store = try openStore(path)
    #expect(try store.read("t_surface").count == 12)
    let error = try #require(throws: JigsawError.self) { try store.read("t") }
    #expect(error.place == "\(path): t at 500 hPa of 2007-03-23 12:00, message at byte 0")
    #expect(error.problem == "is stored twice" && error.found == "another at byte 430: of other values")
    #expect(error.remedy == "keep one of them, for example with 'grib_copy -w offset!=430 \(path) new.grib'")
    #expect(store.notes == ["\(error)"])
  }

  /// Two forecasts meet: they are distinguished by their date.
  @Test func keysByWhichRivalsDifferAreNamed() throws {
    let path = GRIBGoldens.path("forecasts")
    let error = #expect(throws: JigsawError.self) { try openStore(path).read("t") }
    #expect(error?.found?.hasSuffix("dataDate 20010102 instead of 20010101, stepRange 24 instead of 48") == true)
    #expect(error?.remedy == "keep one of them, for example with 'grib_copy -w dataDate=20010101 \(path) new.grib'")
  }

  @Test func periodsEndByTheirOwnUnits() throws {
    let store = try openStore(GRIBGoldens.path("periods"))
    let base = Timestamp(year: 2001, month: 1, day: 31).seconds
    let minutes: [Int64] = [20, 30, 40, 50, 60, 120, 180, 240, 360, 540, 720, 1_080, 1_440, 2_160, 2_880]
    let days: [Int64] = [28, 59, 365]
    #expect(
      try store.read("time").integers == ([100] + minutes.map { 60 * $0 } + days.map { 86_400 * $0 }).map { base + $0 })
    // Sums over several lengths are no series, each length is one; months are of one length.
    let sums = store.arrays.keys.filter { $0.hasPrefix("tp_") }
    #expect(!store.arrays.keys.contains("tp") && Set(sums).isSuperset(of: ["tp_20min", "tp_6h", "tp_12h"]))
    let finite = try sums.reduce(0) { try $0 + store.read($1).doubles.count(where: \.isFinite) }
    let (times, points) = (try store.info("time").count, try store.info(sums[0]).shape.dropFirst().reduce(1, *))
    #expect(finite == times * points)
  }

  /// Fields whose headers differ in dates alone are read once: by what lies between their dates, and each where that is months.
  @Test(arguments: [8, 11]) func sumsThatDifferInDatesAlone(template: Int) throws {
    let store = try openStore(GRIBGoldens.path("accumulations\(template)"))
    func time(_ year: Int, _ month: Int, _ day: Int, _ hour: Int = 0) -> Int64 {
      Timestamp(year: year, month: month, day: day, hour: hour).seconds
    }
    #expect(
      try store.read("time").integers == [
        time(2000, 2, 29), time(2000, 3, 1), time(2001, 1, 1), time(2001, 3, 1), time(2001, 3, 3, 6), time(2001, 6, 1),
        time(2001, 7, 1),
      ])
    #expect(store.notes.isEmpty && store.arrays.keys.contains { $0.hasPrefix("tp") })
  }

  /// Edition 1 calls a sum an instant: then it runs from the start, as that of edition 2 does. An extreme has the period that its
  /// parameter has by definition.
  @Test func sumsOfBothEditionsAreOneSeries() throws {
    let store = try openStore(GRIBGoldens.path("sums"))
    #expect(
      Set(store.arrays.keys) == ["time", "latitude", "longitude", "tp", "mx2t6"], "\(store.arrays.keys.sorted())")
    for name in ["tp", "mx2t6"] {
      let found = try store.read(name).doubles
      #expect(found.count == 72 && found.allSatisfy(\.isFinite), "\(name)")
      #expect(try store.info(name).attributes[FieldSpan.attribute] == .numbers([21_600]))
    }
    #expect(try store.info("tp").attributes["GRIB_stepType"] == .text("accum"))
  }

  /// ECMWF's cloud cover and snow depth have other numbers and units in edition 2: one series, in the units of the new ones.
  @Test func parametersThatChangeTheirNumbersAreOne() throws {
    let store = try openStore(GRIBGoldens.path("numbers"))
    for (name, units, factor) in [("tcc", "%", 100.0), ("sd", "kg m**-2", 1_000)] {
      let array = try #require(store.arrays.values.first { $0.name.hasPrefix(name) })
      #expect(array.units == units && array.shape == [4, 3, 6])
      #expect(store.arrays.keys.filter { $0.hasPrefix(name) }.count == 1)
      let found = try store.read(array.name).doubles
      let expected: [Double] = (0..<72).map { place in
        let (time, point) = (Double(place / 18), Double(place % 18))
        return (point / 32 + time / 8) * factor
      }
      #expect(zip(found, expected).allSatisfy { pair in abs(pair.0 - pair.1) < 1e-5 * factor })
    }
  }

  @Test func spansOfAnyUnitAreToldApart() throws {
    let store = try openStore(GRIBGoldens.path("spans"))
    #expect(Set(store.arrays.keys).isSuperset(of: ["tp_30min", "tp_1h", "tp_3h"]))
    #expect(try store.read("time").integers == [Timestamp(year: 2001, month: 1, day: 31, hour: 3).seconds])
  }

  /// Spread, probabilities, percentiles, differences and errors have the name of the variable.
  @Test func statisticsAreNotTakenForValues() throws {
    let store = try openStore(GRIBGoldens.path("statistics"))
    #expect(try store.info("2t").count == 12 && store.read("2t").doubles.allSatisfy(\.isFinite))
    #expect(store.arrays.keys.filter { $0.contains("t") }.sorted() == ["2t", "latitude", "longitude", "time"])
    for reason in [
      "derivedForecast 2", "derivedForecast 4", "probabilities", "percentiles", "stepType diff", "stepType sd",
      "typeOfGeneratingProcess 7", "typeOfGeneratingProcess 9", "typeOfStatisticalProcessing 12",
    ] {
      #expect(store.notes.contains { $0.contains("2t left out: ") && $0.contains(reason) }, "\(store.notes)")
    }
    #expect(try openStore(GRIBGoldens.path("mean")).info("2t").count == 12)
    // Edition 1, where ECMWF's local section alone tells it.
    let old = try openStore(GRIBGoldens.path("statistics1"))
    #expect(try old.info("2t").count == 21)
    for type in ["es", "ea", "4i"] {
      #expect(old.notes.contains { $0.contains("(type \(type)), not values") }, "\(old.notes)")
    }
  }

  /// The library's key `level` is cut to whole hPa.
  @Test func levelsBetweenWholeHectopascalsAreExact() throws {
    let store = try openStore(GRIBGoldens.path("levels"))
    #expect(try store.read("level").doubles == [0.5, 7.5, 70, 70.5, 850.25, 1_000])
    #expect(store.notes.isEmpty)
  }

  @Test func whatIsNoFieldOnAGridIsLeftOutByName() throws {
    let store = try openStore(GRIBGoldens.path("kinds"))
    #expect(try store.read("t").doubles.allSatisfy { $0.isFinite } && store.info("t").count == 12)
    #expect(store.notes.count == 6)
    for part in [
      "2 fields of t left out: spherical harmonics", "1 field of t left out: a grid of type cross_section",
      "knows no grid of template 999", "knows no product of template 3000",
      "1 field of t left out: ecCodes \(ecCodesVersion) knows no packing of template 300",
      "1 field of t left out: unit of time 9 of edition 2 is not known",
    ] {
      #expect(store.notes.contains { $0.contains(part) }, "\(part): \(store.notes)")
    }
  }
}
