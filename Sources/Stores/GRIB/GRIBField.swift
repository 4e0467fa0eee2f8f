import Basics

/// What a field is, apart from its date: read once for all fields whose headers differ in nothing else.
struct GRIBProduct: Sendable, Hashable {
  let edition: Int
  /// ECMWF's short name; made of its numbers where the tables have none.
  let shortName: String
  let paramId: Int
  let longName: String
  let units: String
  let standardName: String?
  let typeOfLevel: String
  /// hPa on pressure levels.
  let level: Double
  /// "instant", "accum", "avg", …
  let stepType: String
  /// Hours over which it is accumulated, averaged, …
  let span: Int
  /// Seconds from the base time to that of validity.
  let step: Int64
  /// The ensemble's member; 0 without one.
  let member: Int
  let packing: String
  let gridType: String

  static let pressure = "isobaricInhPa"
  var isOnPressureLevel: Bool { typeOfLevel == GRIBProduct.pressure }
}

/// One field of a file, as the index keeps it.
struct GRIBField: Sendable {
  let offset, part: Int
  let pieces: [Range<Int>]
  /// Indices among the file's products and grids.
  let product, grid: Int
  /// Seconds since 1970.
  let baseTime: Int64
}

extension GRIBProduct {
  /// Reads the header of a field.
  init(_ message: GRIBMessage, _ place: String) throws {
    func date(_ dateKey: String, _ timeKey: String) throws -> Int64 {
      guard let date = message.integer(dateKey), let time = message.integer(timeKey),
        let timestamp = GRIBProduct.timestamp(date: date, time: time)
      else { throw JigsawError(place, "has no date that can be", remedy: "the file is damaged; copy it again") }
      return timestamp
    }
    edition = message.integer("edition") ?? 0
    let known = message.text("shortName") ?? ""
    if known.isEmpty || known == "unknown" || known == "~" {
      let keys =
        edition == 1
        ? ["table2Version", "indicatorOfParameter"] : ["discipline", "parameterCategory", "parameterNumber"]
      shortName = "unknown" + keys.map { "_\(message.integer($0) ?? 0)" }.joined()
    } else {
      shortName = known
    }
    paramId = message.integer("paramId") ?? 0
    longName = message.text("name") ?? shortName
    units = message.text("units") ?? "unknown"
    standardName = message.text("cfName").flatMap { $0.isEmpty || $0 == "unknown" ? nil : $0 }
    let type = message.text("typeOfLevel") ?? "unknown"
    let stored = message.number("level") ?? 0
    // The library speaks of whole hPa or, where that doesn't do, of Pa.
    typeOfLevel = type == "isobaricInPa" ? GRIBProduct.pressure : type
    level = type == "isobaricInPa" ? stored / 100 : stored
    stepType = message.text("stepType") ?? "instant"
    try GRIBProduct.requireTimeUnits(message, edition, place)
    let (first, last) = (message.integer("startStep") ?? 0, message.integer("endStep") ?? 0)
    let forecast = message.integer("forecastTime") ?? 0
    // The library counts the days to the validity one by one.
    guard max(first.magnitude, last.magnitude) <= GRIBProduct.stepLimit,
      forecast.magnitude <= 100 * GRIBProduct.stepLimit
    else {
      throw JigsawError(
        place, "has a step that can't be", expected: "at most \(GRIBProduct.stepLimit) hours",
        found: "\(first) to \(last), forecast time \(forecast)", remedy: "the file is damaged; copy it again")
    }
    span = last - first
    step = try date("validityDate", "validityTime") - date("dataDate", "dataTime")
    member = message.integer("number").flatMap { abs($0) < 1_000_000 ? $0 : nil } ?? 0
    packing = message.text("packingType") ?? "unknown"
    gridType = message.text("gridType") ?? "unknown"
  }

  /// Hours from the base time to that of validity: a thousand years.
  private static let stepLimit: UInt = 10_000_000

  /// Code table 4.4 of edition 2, 4 of edition 1. Beyond its own tables ecCodes takes units from whatever lies in memory there.
  private static func requireTimeUnits(_ message: GRIBMessage, _ edition: Int, _ place: String) throws {
    for key in ["indicatorOfUnitOfTimeRange", "indicatorOfUnitForTimeRange"] {
      guard let unit = message.integer(key) else { continue }
      guard (0...7).contains(unit) || (10...14).contains(unit) || edition == 1 && unit == 254 else {
        throw JigsawError(
          place, "has an unknown unit of time", expected: "0 to 7 or 10 to 14 in \(key)", found: "\(unit)",
          remedy: "the file is damaged; copy it again")
      }
    }
  }

  /// Seconds since 1970 of 20010131 and 1830; nil for what is no date.
  static func timestamp(date: Int, time: Int) -> Int64? {
    let (year, month, day) = (date / 10_000, date / 100 % 100, date % 100)
    let (hour, minute) = (time / 100, time % 100)
    guard (0...9_999).contains(year), (1...12).contains(month), (1...31).contains(day), (0...24).contains(hour),
      (0..<60).contains(minute)
    else { return nil }
    return Timestamp(year: year, month: month, day: day, hour: hour, minute: minute).seconds
  }

  /// Whether validity may be months away, so that seconds depend on the date.
  static func dependsOnDate(_ message: GRIBMessage) -> Bool {
    (3...7).contains(message.integer("indicatorOfUnitOfTimeRange") ?? 1)
  }
}

/// The base time within the first bytes of a message, and those bytes without it.
enum GRIBDate {
  /// Seconds since 1970, and where the date stands; nil for what is no date.
  static func read(_ header: [UInt8], edition: Int) -> (seconds: Int64, bytes: Range<Int>)? {
    let start = edition == 1 ? 8 + 12 : 16 + 12
    guard header.count > 16 + 20 else { return nil }
    let b = header.map(Int.init)
    let year, rest: Int
    let range: Range<Int>
    if edition == 1 {
      // Year of the century and, four bytes past the date, the century.
      year = (b[8 + 24] - 1) * 100 + b[start]
      rest = start + 1
      range = start..<start + 5
    } else {
      year = b[start] << 8 | b[start + 1]
      rest = start + 2
      range = start..<start + 7
    }
    let second = edition == 1 ? 0 : b[rest + 4]
    guard
      let seconds = GRIBProduct.timestamp(
        date: year * 10_000 + b[rest] * 100 + b[rest + 1], time: b[rest + 2] * 100 + b[rest + 3]), second < 60
    else { return nil }
    return (seconds + Int64(second), range)
  }
}
