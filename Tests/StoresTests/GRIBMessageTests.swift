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
    #expect(error.problem == "is there twice" && error.found == "another at byte 430: of other values")
    #expect(error.remedy == "keep one of them, for example with 'grib_copy -w offset!=430 \(path) new.grib'")
    #expect(store.notes == ["\(error)"])
  }

  /// Two forecasts meet: they are told apart by their date.
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
    #expect(try store.info("tp").dimensionNames == ["time", "latitude", "longitude"])
    #expect(try store.read("tp").doubles.allSatisfy { $0.isFinite })
  }

  @Test func spansOfAnyUnitAreToldApart() throws {
    let store = try openStore(GRIBGoldens.path("spans"))
    #expect(Set(store.arrays.keys).isSuperset(of: ["tp_30min", "tp_1h", "tp_3h"]))
    #expect(try store.read("time").integers == [Timestamp(year: 2001, month: 1, day: 31, hour: 3).seconds])
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
