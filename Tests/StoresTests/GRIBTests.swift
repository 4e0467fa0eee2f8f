import Basics
import TestSupport
import Testing

@testable import Stores

/// Files that ecCodes for Python wrote (Tests/Goldens/make_grib_goldens.py), read as it reads them.
enum GRIBGoldens {
  static let folder = Goldens.folder.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" } + "/grib"

  static func path(_ name: String) -> String { "\(folder)/\(name).grib" }

  /// Arrays of a file by name.
  static func arrays(_ name: String) throws -> [String: (shape: [Int], values: [Double])] {
    let document = try JSONValue(parsing: Files.read("\(folder)/expected.json"), place: "expected.json")
    return (document["\(name).grib"]?.object ?? [:]).compactMapValues { array in
      guard let shape = array["shape"]?.integers, let values = array["values"]?.array else { return nil }
      return (shape, values.compactMap(\.double))
    }
  }
}

@Suite struct GRIBTests {
  static let files = [
    "scanning1", "scanning2", "ensemble", "several", "packings", "reduced", "editions", "lambert", "polar",
  ]

  @Test(arguments: files) func arraysAreEqual(name: String) throws {
    let store = try openStore(GRIBGoldens.path(name))
    let expected = try GRIBGoldens.arrays(name)
    #expect(Set(store.arrays.keys) == Set(expected.keys) && expected.count > 3)
    for (array, wanted) in expected {
      #expect(try store.info(array).shape == wanted.shape, "\(array)")
      let found = try store.read(array).doubles
      #expect(found.count == wanted.values.count)
      // Coordinates may differ in their last digits.
      let isField = try store.info(array).type == .float32
      for (a, b) in zip(found, wanted.values) where !(a.isNaN && b.isNaN) {
        #expect(isField ? a == b : abs(a - b) < 1e-9, "\(array)")
      }
    }
  }

  @Test(arguments: files) func partsAreEqual(name: String) throws {
    let store = try openStore(GRIBGoldens.path(name))
    var numbers = TestNumbers(4)
    for (array, info) in store.arrays {
      let whole = try store.read(array).doubles
      for _ in 0..<5 {
        let box = info.shape.map { extent -> Range<Int> in
          let lower = numbers.integer(in: 0..<extent)
          return lower..<numbers.integer(in: lower + 1..<extent + 1)
        }
        var wanted = [0]
        for (dimension, range) in box.enumerated() {
          wanted = wanted.flatMap { row in range.map { row * info.shape[dimension] + $0 } }
        }
        let found = try store.read(array, box).doubles
        #expect(zip(found, wanted).allSatisfy { $0 == whole[$1] || ($0.isNaN && whole[$1].isNaN) }, "\(array) \(box)")
      }
    }
  }

  @Test func everyScanningModeGivesTheSameField() throws {
    for (name, modes) in [("scanning1", 8), ("scanning2", 16)] {
      let store = try openStore(GRIBGoldens.path(name))
      let first = try store.read("t", [0..<1, 0..<1, 0..<3, 0..<6]).doubles
      for mode in 0..<modes { #expect(try store.read("t", [0..<1, mode..<mode + 1, 0..<3, 0..<6]).doubles == first) }
    }
  }

  /// Only what is wanted is read, each message once.
  @Test func messagesAreReadOnce() throws {
    let store = try openStore(GRIBGoldens.path("ensemble"))
    #expect(store.reads.chunks == 0)
    _ = try store.read("time")
    _ = try store.read("z", [0..<1, 0..<2, 1..<2, 1..<2, 0..<3])
    #expect(store.reads.chunks == 2)
    #expect(store.reads.bytes == 2 * 162)
    _ = try store.read("z", [0..<0, 0..<2, 0..<2, 0..<3, 0..<6])
    #expect(store.reads.chunks == 2)
  }

  @Test func metadataAreThoseOfTheTables() throws {
    let store = try openStore(GRIBGoldens.path("ensemble"))
    #expect(store.format == "GRIB 1")
    #expect(store.attributes["GRIB_grid"] == .text("regular_ll 3 × 6"))
    let z = try store.info("z")
    #expect(z.dimensionNames == ["time", "number", "level", "latitude", "longitude"])
    #expect(z.chunks == [1, 1, 1, 3, 6] && z.codec == "grid_simple" && z.type == .float32)
    #expect(z.attributes["units"] == .text("m**2 s**-2") && z.attributes["standard_name"] == .text("geopotential"))
    #expect(z.attributes["GRIB_paramId"] == .numbers([129]))
    // In a file of several times, what has one only is constant.
    #expect(try store.info("lsm").dimensionNames == ["latitude", "longitude"])
    #expect(try store.info("time").attributes["units"] == .text("seconds since 1970-01-01"))
    #expect(try openStore(GRIBGoldens.path("reduced")).info("t").dimensionNames == ["time", "level", "values"])
    #expect(try openStore(GRIBGoldens.path("reduced")).info("latitude").dimensionNames == ["values"])
  }

  @Test func namesTellKindsOfLevelsAndSpansApart() throws {
    let store = try openStore(GRIBGoldens.path("names"))
    let fields = store.arrays.values.filter { $0.dimensionNames.contains("longitude") && $0.name != "longitude" }
    #expect(
      fields.map(\.name).sorted() == [
        "t", "t_heightAboveGround_120", "t_heightAboveGround_80", "t_surface", "t_tropopause", "tp_12h", "tp_6h",
        "unknown_0_200_7",
      ])
    #expect(try store.info("t").dimensionNames == ["time", "level", "latitude", "longitude"])
    #expect(try store.info("t_surface").attributes["GRIB_level"] == .numbers([0]))
    // Accumulations are valid at the end of their span.
    let times = try store.read("time").integers
    #expect(times.count == 2 && times[1] - times[0] == 12 * 3_600)
  }

  /// A parameter that may lie at any height is called by its level, whether there is one or several; one whose name has the height is not.
  @Test(arguments: [
    ("t", 130, "heightAboveGround", [80.0], ["t_heightAboveGround_80"]),
    ("t", 130, "heightAboveGround", [80, 100], ["t_heightAboveGround_80", "t_heightAboveGround_100"]),
    ("t", 130, "hybrid", [137], ["t_hybrid_137"]), ("t", 130, "tropopause", [0], ["t_tropopause"]),
    ("t", 130, "surface", [0], ["t"]), ("wz", 260_238, "heightAboveGround", [50], ["wz_heightAboveGround_50"]),
    ("2t", 167, "heightAboveGround", [2], ["2t"]), ("mx2t", 201, "heightAboveGround", [2], ["mx2t"]),
    ("100u", 228_246, "heightAboveGround", [100], ["100u"]), ("lnsp", 152, "hybrid", [1], ["lnsp"]),
    ("soilw", 260_185, "depthBelowLandLayer", [10], ["soilw"]), ("lcc", 186, "lowCloudLayer", [0], ["lcc"]),
  ])
  func namesSayAnyHeight(
    shortName: String, paramId: Int, typeOfLevel: String, levels: [Double], expected: [String]
  ) {
    let variants = levels.map { level in
      GRIBVariant(
        GRIBProduct(
          edition: 2, shortName: shortName, paramId: paramId, longName: "", units: "", standardName: nil,
          typeOfLevel: typeOfLevel, level: level, stepType: "instant", spanSeconds: 0, step: 0, number: nil,
          packing: "",
          gridType: "", isOfLocalTable: false))
    }
    let names = GRIBNames.names(variants, taken: [])
    #expect(variants.map { names[$0] } == expected)
  }

  /// Where edition 1 calls an instant what is none, a sum runs from the start to its step. From when on an extreme is taken is known of
  /// parameters that say it; others are told apart by name.
  @Test func periodsThatEditionOneDoesNotSay() {
    func variant(_ stepType: String, _ product: GRIBProduct) -> GRIBVariant {
      var variant = GRIBVariant(product)
      variant.stepType = stepType
      return variant
    }
    func product(_ paramId: Int, step: Int64, said: Int64 = 0) -> GRIBProduct {
      GRIBProduct(
        edition: 1, shortName: "mx2t", paramId: paramId, longName: "", units: "", standardName: nil,
        typeOfLevel: "surface", level: 0, stepType: said == 0 ? "instant" : "accum", spanSeconds: said, step: step,
        number: nil, packing: "", gridType: "", isOfLocalTable: true)
    }
    for (paramId, stepType, step, said, span) in [
      (228, "accum", 21_600, 0, 21_600), (228, "accum", 0, 0, 0), (228, "accum", 43_200, 21_600, 21_600),
      (121, "max", 43_200, 0, 21_600), (228_026, "max", 43_200, 0, 10_800), (201, "max", 21_600, 0, nil),
      (235_055, "avg", 21_600, 0, nil),
    ] as [(Int, String, Int64, Int64, Int64?)] {
      let product = product(paramId, step: step, said: said)
      #expect(variant(stepType, product).span(product) == span, "\(paramId)")
    }
    var (one, other) = (
      variant("max", product(201, step: 21_600)), variant("max", product(201, step: 21_600))
    )
    (one.spanSeconds, other.spanSeconds) = (GRIBVariant.unknownSpan, 21_600)
    let names = GRIBNames.names([one, other], taken: [])
    #expect(names[one] == "mx2t_unknownPeriod" && names[other] == "mx2t_6h")
  }

  /// Where a file has one member, its fields say which.
  @Test func oneMemberIsNamed() throws {
    #expect(try openStore(GRIBGoldens.path("ensemble")).info("z").attributes["GRIB_number"] == nil)
    #expect(try openStore(GRIBGoldens.path("names")).info("t").attributes["GRIB_number"] == nil)
    let folder = try TemporaryFolder()
    let file = "\(folder.path)/one.grib"
    let bytes = try Files.read(GRIBGoldens.path("ensemble"))
    // The first message follows a heading.
    let start = try #require(
      (0..<bytes.count).first { bytes[$0..<min(bytes.count, $0 + 4)].elementsEqual("GRIB".utf8) })
    let length = bytes[(start + 4)..<(start + 7)].reduce(0) { $0 << 8 | Int($1) }
    try Files.writeAtomically(Array(bytes[start..<start + length]), to: file)
    #expect(try openStore(file).info("z").attributes["GRIB_number"] == .numbers([1]))
  }

  @Test func forecastsAreReadByStartIfAsked() throws {
    let path = GRIBGoldens.path("forecasts")
    // By validity, two forecasts meet on the second day.
    #expect(throws: JigsawError.self) { try openStore(path).read("t") }
    let store = try GRIBStore(path, times: .forecasts)
    #expect(
      try store.info("t").dimensionNames == ["time", "prediction_timedelta", "level", "latitude", "longitude"])
    #expect(try store.read("prediction_timedelta").integers == [24, 48])
    #expect(try store.read("time").integers == [978_350_400, 978_436_800])
    let firsts = try (0..<4).map { i in
      try store.read("t", [i / 2..<i / 2 + 1, i % 2..<i % 2 + 1, 0..<1, 0..<1, 0..<1]).doubles[0]
    }
    #expect(zip(firsts, [25, 49, 26, 50]).allSatisfy { abs($0 - firsts[0] - ($1 - 25)) < 0.1 })
  }

  @Test func severalGridsAreRefused() throws {
    let path = GRIBGoldens.path("grids")
    let error = #expect(throws: JigsawError.self) { try openStore(path) }
    #expect(error?.place == path && error?.found == "regular_ll 3 × 4, regular_ll 5 × 4")
  }

  @Test func readingIsSafeFromSeveralThreads() throws {
    let store = try openStore(GRIBGoldens.path("packings"))
    let wanted = ["t": try store.read("t").bytes, "q": try store.read("q").bytes, "r": try store.read("r").bytes]
    let pool = WorkerPool(threads: 4)
    let failures = Failures()
    pool.run(60) { i in
      let name = ["t", "q", "r"][i % 3]
      if (try? store.read(name))?.bytes != wanted[name] { failures.add() }
    }
    #expect(failures.count == 0)
  }
}
