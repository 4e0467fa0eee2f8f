import Basics
import Stores
import Testing

@testable import Datasets

#if canImport(Glibc)
  import Glibc
#endif

/// Components along the axes of a grid become eastward and northward ones, or are refused.
@Suite struct GridComponentTests {
  private func store(
    _ mapping: [String: AttributeValue]?, _ x: [String: String], _ y: [String: String]?,
    names: (String, String) = ("u10", "v10")
  ) -> MemoryStore {
    var store = MemoryStore(["time": 1, "y": 2, "x": 2])
    store.add("time", ["time"], [0], ["units": "hours since 2020-01-01"])
    store.add("lat", ["y", "x"], [50, 52, 61, 63], ["units": "degrees_north"])
    store.add("lon", ["y", "x"], [1, 15, 2, 18], ["units": "degrees_east"])
    if let mapping { store.add("crs", [], [0], attributes: mapping) }
    let wind = ["units": "m s-1", "grid_mapping": "crs"]
    store.add(names.0, ["time", "y", "x"], [3], wind.merging(x) { $1 })
    if let y { store.add(names.1, ["time", "y", "x"], [4], wind.merging(y) { $1 }) }
    return store
  }

  private let rotatedPole: [String: AttributeValue] = [
    "grid_mapping_name": .text("rotated_latitude_longitude"), "grid_north_pole_latitude": .numbers([39.25]),
    "grid_north_pole_longitude": .numbers([-162]),
  ]
  private let lambert: [String: AttributeValue] = [
    "grid_mapping_name": .text("lambert_conformal_conic"), "standard_parallel": .numbers([63.3]),
    "longitude_of_central_meridian": .numbers([15]),
  ]

  private func winds(_ store: MemoryStore) throws -> [Float] {
    try #require(try PointFields(store)).read(date: 0)
  }

  private func problem(_ store: MemoryStore) -> String {
    do { return "\(try winds(store))" } catch { return "\(error)" }
  }

  @Test(arguments: [
    ("x_wind", "y_wind"), ("grid_eastward_wind", "grid_northward_wind"),
    ("surface_downward_x_stress", "surface_downward_y_stress"),
  ]) func componentsAlongTheGridAreTurned(x: String, y: String) throws {
    // On the central meridian of a conic nothing turns; elsewhere as meridians lean.
    let names = x.hasSuffix("stress") ? ("taux", "tauy") : ("u10", "v10")
    let values = try winds(store(lambert, ["standard_name": x], ["standard_name": y], names: names))
    let angle = sin(63.3 * Double.pi / 180) * (1 - 15) * Double.pi / 180
    #expect(abs(values[1] - 3) < 1e-5 && abs(values[5] - 4) < 1e-5)
    #expect(abs(Double(values[0]) - (3 * cos(angle) + 4 * sin(angle))) < 1e-5)
    #expect(abs(Double(values[4]) - (4 * cos(angle) - 3 * sin(angle))) < 1e-5)
    let rotated = try winds(store(rotatedPole, ["standard_name": x], ["standard_name": y], names: names))
    for point in 0..<4 { #expect(abs(hypot(rotated[point], rotated[point + 4]) - 5) < 1e-5) }
    #expect(abs(rotated[0] - 3) > 0.1)
  }

  /// A rotated component is made of both, so that it isn't there where either is missing.
  @Test func componentsLackWhatEitherLacks() throws {
    var store = store(rotatedPole, ["standard_name": "x_wind"], ["standard_name": "y_wind"])
    store.gaps["v10"] = [0]
    let view = try #require(try PointFields(store))
    #expect(view.variables.allSatisfy { $0.absentTimes == Set(view.dates) })
  }

  /// One component alone reads both.
  @Test func oneComponentIsEnoughToAskFor() throws {
    let points = try #require(
      try PointFields(store(rotatedPole, ["standard_name": "x_wind"], ["standard_name": "y_wind"])))
    var alone = [Float](repeating: 0, count: 2)
    try alone.withUnsafeMutableBufferPointer {
      try points.read(date: 0, variables: [1], member: 0, points: 1..<3, into: $0.baseAddress!)
    }
    #expect(try points.read(date: 0)[5..<7].elementsEqual(alone))
  }

  @Test func componentsToTheEastAreLeftAlone() throws {
    for mapping in [rotatedPole, lambert, nil] {
      let values = try winds(
        store(mapping, ["standard_name": "eastward_wind"], ["standard_name": "northward_wind"]))
      #expect(values == [3, 3, 3, 3, 4, 4, 4, 4])
    }
    #expect(try winds(store(["grid_mapping_name": .text("mercator")], [:], [:])) == [3, 3, 3, 3, 4, 4, 4, 4])
  }

  @Test func unclearComponentsAreRefused() {
    #expect(problem(store(rotatedPole, [:], [:])).contains("may be a component along the grid's axes or to the east"))
    #expect(problem(store(nil, [:], [:])).contains("may be a component"))
    let (x, y) = (["standard_name": "x_wind"], ["standard_name": "y_wind"])
    #expect(problem(store(nil, x, y)).contains("whose directions are not known"))
    #expect(problem(store(["grid_mapping_name": .text("geostationary")], x, y)).contains("directions are not known"))
    #expect(problem(store(rotatedPole, x, nil)).contains("without the other one"))
    let unlike = problem(store(rotatedPole, x, ["standard_name": "y_wind", "units": "knots"]))
    #expect(unlike.contains("stored otherwise than the other one") && unlike.contains("v10(time, y, x) in knots"))
  }

  /// WRF stores the angle's cosine and sine.
  @Test func windsOfWRFAreTurned() throws {
    var wrf = store(nil, ["description": "U at 10 M"], ["description": "V at 10 M"], names: ("U10", "V10"))
    wrf.add("COSALPHA", ["time", "y", "x"], [0.8], ["description": "Local cosine of map rotation"])
    wrf.add("SINALPHA", ["time", "y", "x"], [0.6], ["description": "Local sine of map rotation"])
    let points = try #require(try PointFields(wrf))
    let (u, v) = try (points.index(of: "U10", key: "test"), points.index(of: "V10", key: "test"))
    let values = try points.read(date: 0)
    #expect(abs(values[u * 4] - (3 * 0.8 - 4 * 0.6)) < 1e-6 && abs(values[v * 4] - (4 * 0.8 + 3 * 0.6)) < 1e-6)
  }

  /// As cfgrib writes it, though it calls the wind eastward.
  @Test func theFlagOfGRIBCounts() throws {
    var grib = store(nil, ["standard_name": "eastward_wind"], ["standard_name": "northward_wind"])
    func flagged(_ flag: [Double]) {
      for (name, value) in [("u10", 3.0), ("v10", 4.0)] {
        grib.add(
          name, ["time", "y", "x"], [value],
          attributes: [
            "units": .text("m s-1"), "standard_name": .text(name == "u10" ? "eastward_wind" : "northward_wind"),
            "GRIB_gridType": .text("lambert"), "GRIB_uvRelativeToGrid": .numbers(flag),
            "GRIB_LoVInDegrees": .numbers([15]),
            "GRIB_Latin1InDegrees": .numbers([63.3]), "GRIB_Latin2InDegrees": .numbers([63.3]),
          ])
      }
    }
    flagged([0])
    #expect(try winds(grib)[0] == 3)
    flagged([1])
    let cf = try winds(store(lambert, ["standard_name": "x_wind"], ["standard_name": "y_wind"]))
    #expect(try winds(grib) == cf)
    flagged([0, 1])
    #expect(problem(grib).contains("may be a component"))
  }

  /// The other component must be given in the same directions.
  @Test func componentsOfOtherDirectionsAreRefused() {
    var grib = store(nil, [:], [:])
    for (name, flag) in [("u10", 1.0), ("v10", 0)] {
      grib.add(
        name, ["time", "y", "x"], [3],
        attributes: [
          "units": .text("m s-1"), "standard_name": .text(name == "u10" ? "eastward_wind" : "northward_wind"),
          "GRIB_gridType": .text("lambert"), "GRIB_uvRelativeToGrid": .numbers([flag]),
          "GRIB_LoVInDegrees": .numbers([15]), "GRIB_Latin1InDegrees": .numbers([63.3]),
        ])
    }
    let found = problem(grib)
    #expect(
      found.contains("u10: is a component along the grid's axes, stored otherwise than the other one"), "\(found)")
    #expect(found.contains("v10(time, y, x) in m s-1, uvRelativeToGrid 0"), "\(found)")
  }

  /// Vectors that are no speeds turn like those.
  @Test(arguments: [
    ("sozotaux", "sometauy", "Wind Stress along i-axis", "Wind Stress along j-axis"),
    ("sozotaux", "sometauy", "", ""), ("utau", "vtau", "", ""), ("ustress", "vstress", "x stress", "y stress"),
    ("iicevelu", "iicevelv", "Ice transport along i-axis", "Ice transport along j-axis"),
  ]) func otherVectorsAlongTheGridAreNoneToTheEast(x: String, y: String, xName: String, yName: String) throws {
    let (first, second) = (["units": "N/m2", "long_name": xName], ["units": "N/m2", "long_name": yName])
    let found = problem(store(nil, first, second, names: (x, y)))
    #expect(found.contains("component along the grid's axes"), "\(found)")
    // Where words say the axis and a grid mapping its directions, they are turned.
    guard xName.contains("i-axis") else { return }
    let turned = try winds(store(rotatedPole, first, second, names: (x, y)))
    let same = try winds(store(rotatedPole, ["standard_name": "x_wind"], ["standard_name": "y_wind"]))
    #expect(Set(turned) == Set(same) && turned[0] != 3)
    for magnitude in ["taum", "stress"] {
      #expect(try winds(store(nil, ["units": "N/m2"], nil, names: (magnitude, "none")))[0] == 3)
    }
  }

  /// The cone between two parallels depends on the ellipsoid.
  @Test func ellipsoidsAreKnownByName() throws {
    func cone(_ more: [String: AttributeValue]) -> GridProjection? {
      let mapping: [String: AttributeValue] = [
        "grid_mapping_name": .text("lambert_conformal_conic"), "standard_parallel": .numbers([30, 60]),
        "longitude_of_central_meridian": .numbers([10]),
      ]
      return GridProjection(cf: mapping.merging(more) { $1 })
    }
    let exact = cone(["inverse_flattening": .numbers([298.257222101])])
    let sphere = cone(["earth_radius": .numbers([6_371_229])])
    #expect(exact != sphere && sphere == cone([:]))
    #expect(cone(["reference_ellipsoid_name": .text("GRS 1980")]) == exact)
    #expect(cone(["reference_ellipsoid_name": .text("sphere")]) == sphere)
    #expect(
      cone([
        "crs_wkt": .text("PROJCRS[\"a\",BASEGEOGCRS[\"b\",DATUM[\"c\",ELLIPSOID[\"GRS 80\", 6378137, 298.257222101]]]]")
      ])
        == exact)
    #expect(cone(["reference_ellipsoid_name": .text("Everest 1830")]) == nil)
    // A cone through one parallel has the same constant on every ellipsoid.
    #expect(
      cone(["reference_ellipsoid_name": .text("Everest 1830"), "standard_parallel": .numbers([60])])
        == cone(["standard_parallel": .numbers([60])]))
    func grib(_ axes: [String: Double]) -> GridProjection? {
      let numbers = ["LoVInDegrees": 10, "Latin1InDegrees": 30, "Latin2InDegrees": 60].merging(axes) { $1 }
      return GridProjection(
        grib: Dictionary(uniqueKeysWithValues: numbers.map { ("GRIB_\($0)", .numbers([$1])) })
          .merging(["GRIB_gridType": .text("lambert")]) { $1 })
    }
    #expect(grib([:]) == sphere)
    guard
      case .conic(let found, 10)? = grib(["earthMajorAxisInMetres": 6_378_137, "earthMinorAxisInMetres": 6_356_752.314]),
      case .conic(let wanted, 10)? = exact, case .conic(let round, 10)? = sphere
    else {
      Issue.record("no cone")
      return
    }
    #expect(abs(found - wanted) < 1e-9 && abs(round - wanted) > 1e-4)
  }

  /// Speeds along u and v of rows and columns that are no latitudes and longitudes, whatever they are called.
  @Test(arguments: [("U10", "V10"), ("UGRD", "VGRD"), ("uwind", "vwind"), ("wind_u", "wind_v")])
  func componentsThatNothingDescribesAreRefused(x: String, y: String) {
    #expect(problem(store(nil, [:], [:], names: (x, y))).contains("\(x): may be a component"))
    #expect(problem(store(lambert, [:], [:], names: (x, y))).contains("\(x): may be a component"))
    #expect(problem(store(nil, ["description": "U at 10 M"], [:], names: (x, y))).contains("may be a component"))
  }

  @Test func whatTheUserCallsAWindIsOne() throws {
    let unnamed = store(nil, [:], [:], names: ("first", "second"))
    #expect(try winds(unnamed)[0] == 3)
    let points = try #require(try PointFields(unnamed, meanings: ["first": "u10", "second": "v10"]))
    #expect(throws: JigsawError.self) { try points.read(date: 0) }
  }

  @Test func otherSpeedsAreReadAsTheyAre() throws {
    for (name, words) in [
      ("wspd", [:]), ("ustar", [:]), ("UST", ["description": "U* IN SIMILARITY THEORY"]),
      ("vvel", ["long_name": "vertical velocity"]),
      ("u_max", ["long_name": "wind speed"]),
    ] as [(String, [String: String])] {
      #expect(try winds(store(nil, words, nil, names: (name, "none")))[0] == 3, "\(name)")
    }
  }
}
