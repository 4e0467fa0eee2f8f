import Basics

#if canImport(Glibc)
  import Glibc
#endif

/// The points of a grid, and how numbers in a message are brought into their order.
///
/// Regular grids are rows from north to south, columns eastwards, whatever the message's scanning mode. Others are lists of
/// points in the order of the message.
struct GRIBGrid: Sendable, Equatable {
  enum Shape: Sendable, Equatable {
    /// Latitudes north to south; longitudes ascending, up to 360.
    case regular(latitudes: [Double], longitudes: [Double])
    /// Degrees north and east of each point.
    case points(latitudes: [Double], longitudes: [Double])
  }

  let shape: Shape
  /// For people: "regular_ll 721 × 1440".
  let summary: String
  /// Set if numbers are not stored in our order.
  let scanning: Scanning?
  /// How the axes of a rotated or projected grid lie, by ecCodes' keys, and whether vectors are given along them; empty for
  /// others.
  let directions: Directions
  /// How far places may be rounded: thousandths of a degree in edition 1, millionths in edition 2.
  let edition: Int

  struct Directions: Sendable, Equatable {
    var gridType = ""
    /// Nil where the message doesn't say.
    var windsAlongGrid: Bool?
    var numbers: [String: Double] = [:]
  }

  var count: Int {
    switch shape {
    case .regular(let latitudes, let longitudes): latitudes.count * longitudes.count
    case .points(let latitudes, _): latitudes.count
    }
  }

  /// How a regular grid is run through (Manual on Codes, flag table 3.4 of edition 2, 8 of edition 1).
  struct Scanning: Sendable, Equatable {
    let rows, columns: Int
    let westwards, northwards, byColumns, alternating: Bool

    var isPlain: Bool { !westwards && !northwards && !byColumns && !alternating }

    /// Where the number of our row and column stands.
    func index(_ row: Int, _ column: Int) -> Int {
      let j = northwards ? rows - 1 - row : row
      let i = westwards ? columns - 1 - column : column
      if byColumns { return i * rows + (alternating && i % 2 == 1 ? rows - 1 - j : j) }
      return j * columns + (alternating && j % 2 == 1 ? columns - 1 - i : i)
    }
  }

  /// Reads the grid of a message.
  /// - Throws: `GRIBUnreadable` for grids without geographic points; for damage, a sentence that says so.
  init(_ message: GRIBMessage, edition: Int, _ place: String) throws {
    let type = message.text("gridType") ?? "unknown"
    switch type {
    case "regular_ll", "regular_gg": try self.init(regular: type, message, edition, place)
    default: try self.init(points: type, message, edition, place)
    }
  }

  // MARK: Regular

  private init(regular type: String, _ message: GRIBMessage, _ edition: Int, _ place: String) throws {
    self.edition = edition
    guard let rows = message.integer("Nj"), let columns = message.integer("Ni"), rows > 0, columns > 0,
      rows <= GRIBFraming.pointLimit, columns <= GRIBFraming.pointLimit / rows
    else {
      throw JigsawError(
        place, "has a grid that can't be", expected: "at most \(GRIBFraming.pointLimit) points",
        found: "\(message.integer("Ni") ?? 0) columns, \(message.integer("Nj") ?? 0) rows")
    }
    let points = message.integer("numberOfDataPoints") ?? 0
    guard points == rows * columns else {
      throw JigsawError(
        place, "has numbers that don't fit its grid", expected: "\(rows) × \(columns)", found: "\(points)",
        remedy: "the file is damaged; copy it again")
    }
    let westwards = message.integer("iScansNegatively") == 1
    let northwards = message.integer("jScansPositively") == 1
    func corner(_ which: String, _ axis: String) throws -> Double {
      guard let value = message.number("\(axis)Of\(which)GridPointInDegrees"), abs(value) <= 720 else {
        throw JigsawError(place, "has a grid without corners", remedy: "the file is damaged; copy it again")
      }
      return value
    }
    let edges = [try corner("First", "latitude"), try corner("Last", "latitude")]
    let (north, south) = northwards ? (edges[1], edges[0]) : (edges[0], edges[1])
    guard rows == 1 || (north > south && north <= 90.001 && south >= -90.001) else {
      throw JigsawError(
        place, "has latitudes that can't be", found: "\(rows) rows from \(north)° to \(south)°",
        remedy: "the file is damaged; copy it again")
    }
    let sides = [try corner("First", "longitude"), try corner("Last", "longitude")]
    var (west, east) = westwards ? (sides[1], sides[0]) : (sides[0], sides[1])
    if columns > 1 && east <= west { east += 360 }
    if columns > 1 && east <= west {
      throw JigsawError(
        place, "has longitudes that can't be", found: "\(columns) columns from \(west)° to \(east)°",
        remedy: "the file is damaged; copy it again")
    }
    if east >= 360 && west >= 180 { (west, east) = (west - 360, east - 360) }
    shape = .regular(
      latitudes: type == "regular_gg"
        ? try GRIBGrid.gaussian(message, rows, north: north, south: south, place)
        : GRIBGrid.even(rows, from: north, to: south), longitudes: GRIBGrid.even(columns, from: west, to: east))
    summary = "\(type) \(rows) × \(columns)"
    let scanning = Scanning(
      rows: rows, columns: columns, westwards: westwards, northwards: northwards,
      byColumns: message.integer("jPointsAreConsecutive") == 1,
      alternating: message.integer("alternativeRowScanning") == 1)
    self.scanning = scanning.isPlain ? nil : scanning
    directions = Directions()
  }

  /// Corners are stored as whole micro- or millidegrees, and so are increments: between the corners errors don't add up.
  private static func even(_ count: Int, from first: Double, to last: Double) -> [Double] {
    (0..<count).map { count == 1 ? first : first + Double($0) * (last - first) / Double(count - 1) }
  }

  /// The latitudes of a Gaussian grid that lie between the first and the last.
  private static func gaussian(
    _ message: GRIBMessage, _ rows: Int, north: Double, south: Double, _ place: String
  ) throws -> [Double] {
    guard let number = message.integer("N"), (1...GRIBGrid.gaussianLimit).contains(number), rows <= 2 * number else {
      throw JigsawError(
        place, "has a Gaussian grid that can't be", found: "number \(message.integer("N") ?? 0), \(rows) rows",
        remedy: "the file is damaged; copy it again")
    }
    let all = try message.gaussianLatitudes(number, place)
    let first = all.indices.min { abs(all[$0] - north) < abs(all[$1] - north) } ?? 0
    guard first + rows <= all.count, rows == 1 || abs(all[first + rows - 1] - south) < 0.01 else {
      throw JigsawError(
        place, "has rows that are not those of its Gaussian grid", found: "\(rows) rows from \(north)° to \(south)°",
        remedy: "the file is damaged; copy it again")
    }
    return Array(all[first..<first + rows])
  }

  /// Three times that of the finest model. The effort for the latitudes grows with its square.
  private static let gaussianLimit = 8_000

  // MARK: Points

  private init(points type: String, _ message: GRIBMessage, _ edition: Int, _ place: String) throws {
    self.edition = edition
    let count = message.integer("numberOfDataPoints") ?? 0
    if type.hasPrefix("unknown") { throw GRIBUnreadable("ecCodes \(ecCodesVersion) knows no grid of its kind") }
    // Whatever calls itself Gaussian in any way is placed by its number.
    if let number = message.integer("N"), !(1...GRIBGrid.gaussianLimit).contains(number) {
      throw JigsawError(
        place, "has a grid that can't be", found: "\(type), number \(number)",
        remedy: "the file is damaged; copy it again")
    }
    try GRIBGrid.requireExtents(message, type, count, place)
    guard type.hasPrefix("unstructured") || GRIBGrid.placedTypes.contains(type) else {
      throw GRIBUnreadable("a grid of type \(type) is not read; \(GRIBGrid.interpolate)")
    }
    guard let placed = message.count("latitudes"), placed > 0 else {
      throw GRIBUnreadable("a grid of type \(type) has no places on the globe; \(GRIBGrid.interpolate)")
    }
    guard count > 0, count <= GRIBFraming.pointLimit, placed == count else {
      throw JigsawError(
        place, "has a grid whose points are not in the message (\(type))",
        expected: "a latitude–longitude or Gaussian grid, or another that ecCodes can place on the globe",
        found: "\(placed) places for \(count) numbers",
        remedy: GRIBGrid.interpolate)
    }
    // Places come in the order of the numbers only if those are not run through in an unusual way.
    if message.integer("jPointsAreConsecutive") == 1 || message.integer("alternativeRowScanning") == 1 {
      throw GRIBUnreadable("the order of points on a grid of type \(type) is not read")
    }
    func places(_ key: String) throws -> [Double] {
      var values = [Double](repeating: 0, count: count)
      do { try values.withUnsafeMutableBufferPointer { try message.numbers(key, into: $0, place) } } catch {
        throw GRIBUnreadable("ecCodes \(ecCodesVersion) can't place the points of a grid of type \(type)")
      }
      return values
    }
    let (latitudes, longitudes) = (try places("latitudes"), try places("longitudes"))
    if GRIBGrid.projectedTypes.contains(type) {
      try GRIBGrid.requireFirst(message, type, latitude: latitudes[0], longitude: longitudes[0])
    }
    shape = .points(latitudes: latitudes, longitudes: longitudes)
    summary = "\(type), \(count) points"
    scanning = nil
    directions = GRIBGrid.directions(type, message)
  }

  /// Grids on a plane: messages have the place of the first point.
  private static let projectedTypes: Set = [
    "lambert", "polar_stereographic", "mercator", "lambert_azimuthal_equal_area", "albers",
  ]
  /// Other grids that ecCodes places on the globe. Of rotated and stretched Gaussian grids, and of stretched ones of latitudes and
  /// longitudes, it gives the places before they are turned and stretched.
  private static let placedTypes = projectedTypes.union(["reduced_gg", "reduced_ll", "rotated_ll", "healpix"])
  private static let interpolate = "interpolate it, for example with 'cdo remapcon' or MARS' 'grid'"

  /// ecCodes 2.28 places Lambert grids of the southern hemisphere on a sphere in the north.
  private static func requireFirst(_ message: GRIBMessage, _ type: String, latitude: Double, longitude: Double) throws {
    guard let north = message.number("latitudeOfFirstGridPointInDegrees"),
      let east = message.number("longitudeOfFirstGridPointInDegrees")
    else { return }
    let turn = (longitude - east).remainder(dividingBy: 360) * cos(north * .pi / 180)
    guard abs(latitude - north) < 0.01, abs(turn) < 0.01 else {
      func text(_ value: Double) -> String { "\((value * 1_000).rounded() / 1_000)°" }
      throw GRIBUnreadable(
        "ecCodes \(ecCodesVersion) places the first point of a grid of type \(type) at \(text(latitude)) N \(text(longitude)) E,"
          + " where its message says \(text(north)) N \(text(east)) E; a newer ecCodes may place it right")
    }
  }

  private static func directions(_ type: String, _ message: GRIBMessage) -> Directions {
    guard type == "rotated_ll" || projectedTypes.contains(type) else { return Directions() }
    let keys = [
      "latitudeOfSouthernPoleInDegrees", "longitudeOfSouthernPoleInDegrees", "Latin1InDegrees", "Latin2InDegrees",
      "LoVInDegrees", "LaDInDegrees", "orientationOfTheGridInDegrees",
      "projectionCentreFlag", "earthMajorAxisInMetres", "earthMinorAxisInMetres",
    ]
    // ecCodes names the bit on some grids only (flag table 3.3 of edition 2, 7 of edition 1).
    let bit = message.integer("resolutionAndComponentFlags").map { $0 >> 3 & 1 }
    return Directions(
      gridType: type, windsAlongGrid: (message.integer("uvRelativeToGrid") ?? bit).map { $0 == 1 },
      numbers: Dictionary(
        uniqueKeysWithValues: keys.compactMap { key in message.number(key).map { (key, $0) } }))
  }

  /// Rows and columns that some numbers can fill. ecCodes makes as many latitudes and longitudes as the message says, before it
  /// compares them with the numbers.
  private static func requireExtents(_ message: GRIBMessage, _ type: String, _ count: Int, _ place: String) throws {
    for key in ["Ni", "Nj", "Nx", "Ny"] {
      if let extent = message.integer(key), !(0...max(0, count)).contains(extent) {
        throw misfit("\(type), \(key) \(extent)", count, place)
      }
    }
    if type.hasPrefix("reduced") { try requireRows(message, type, count, place) }
  }

  /// The list of rows of a reduced grid. ecCodes takes it as it is: it reads latitudes of a Gaussian grid from beyond its list, and
  /// writes points beyond those that the message has.
  private static func requireRows(_ message: GRIBMessage, _ type: String, _ count: Int, _ place: String) throws {
    // Not before this one is sound can the list be read.
    let width = message.integer("numberOfOctectsForNumberOfPoints") ?? 2
    guard (1...4).contains(width), let rows = message.count("pl"), rows <= 2 * gaussianLimit else {
      throw misfit("\(type) without a list of rows", count, place)
    }
    if let number = message.integer("N"), rows > 2 * number {
      throw misfit("\(type) of number \(number), \(rows) rows", count, place)
    }
    if type == "reduced_ll" {
      var lengths = [Double](repeating: 0, count: rows)
      try lengths.withUnsafeMutableBufferPointer { try message.numbers("pl", into: $0, place) }
      let points = lengths.reduce(0, +)
      guard lengths.allSatisfy({ $0 >= 0 }), points == Double(count) else {
        throw misfit("\(type), \(rows) rows of \(Int(points)) points in all", count, place)
      }
    }
  }

  private static func misfit(_ found: String, _ count: Int, _ place: String) -> JigsawError {
    JigsawError(
      place, "has a grid that can't be", expected: "rows and columns of \(count) points in all", found: found,
      remedy: "the file is damaged; copy it again")
  }

  /// Whether two grids have the same points, whatever the order of their numbers, and as far as their editions can tell.
  func isSame(as other: GRIBGrid) -> Bool {
    let tolerance = edition == other.edition ? 1e-6 : 1e-3
    func near(_ a: [Double], _ b: [Double]) -> Bool {
      a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) < tolerance }
    }
    switch (shape, other.shape) {
    case (.regular(let a, let b), .regular(let c, let d)), (.points(let a, let b), .points(let c, let d)):
      return near(a, c) && near(b, d)
    default: return false
    }
  }
}
