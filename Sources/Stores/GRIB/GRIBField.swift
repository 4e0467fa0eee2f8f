import Basics

/// MARS types.
public enum GRIBDataType {
  /// Deviations of an ensemble, probabilities, errors of analyses and forecasts, increments: no values of a variable.
  public static let withoutValues: Set<String> = ["es", "ses", "ep", "pb", "pd", "ea", "ef", "me", "eme", "4i"]
}

/// The kind of a field, apart from its date: read once for all fields whose headers differ in nothing else.
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
  /// Seconds over which it is accumulated, averaged, …
  let spanSeconds: Int64
  /// Seconds from the base time to that of validity.
  let step: Int64
  /// The ensemble's member; nil without one.
  let number: Int?
  let packing: String
  let gridType: String

  /// Whether its number is one of a centre's own tables of edition 1.
  let isOfLocalTable: Bool

  /// The member's number, 0 without one.
  var member: Int { number ?? 0 }

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
  ///
  /// - Parameter base: the field's base time, seconds since 1970.
  /// - Throws: `GRIBUnreadable` for what is no field that can be read.
  init(_ message: GRIBMessage, base: Int64, _ place: String) throws {
    edition = message.integer("edition") ?? 0
    try GRIBProduct.requireKnown(message, edition)
    try GRIBProduct.requireValues(message)
    shortName = GRIBProduct.name(message, edition: edition)
    paramId = message.integer("paramId") ?? 0
    longName = message.text("name") ?? shortName
    units = message.text("units") ?? "unknown"
    standardName = message.text("cfName").flatMap { $0.isEmpty || $0 == "unknown" ? nil : $0 }
    let type = message.text("typeOfLevel") ?? "unknown"
    // Scaled by powers of ten, 0.44 becomes 0.44000000000000006.
    let stored = message.number("level").map { abs($0) < 1e6 ? ($0 * 1e9).rounded() / 1e9 : $0 } ?? 0
    // The library speaks of whole hPa or, below one, of Pa.
    typeOfLevel = type == "isobaricInPa" ? GRIBProduct.pressure : type
    let isPressure = typeOfLevel == GRIBProduct.pressure
    level = isPressure ? GRIBProduct.exactPressure(message) ?? (type == "isobaricInPa" ? stored / 100 : stored) : stored
    stepType = message.text("stepType") ?? "instant"
    number = message.integer("number").flatMap { abs($0) < 1_000_000 ? $0 : nil }
    packing = message.text("packingType") ?? "unknown"
    gridType = message.text("gridType") ?? "unknown"
    isOfLocalTable = edition == 1 && message.integer("table2Version").map { $0 >= 128 } == true
    let period = try GRIBPeriod(message, edition: edition, base: base, place)
    (step, spanSeconds) = (period.step, period.length)
  }

  /// ECMWF's short name, or one made of the numbers that stand for it.
  static func name(_ message: GRIBMessage, edition: Int) -> String {
    let known = message.text("shortName") ?? ""
    if !known.isEmpty && known != "unknown" && known != "~" { return known }
    let keys =
      edition == 1
      ? ["table2Version", "indicatorOfParameter"] : ["discipline", "parameterCategory", "parameterNumber"]
    return "unknown" + keys.map { message.integer($0).map { "_\($0)" } ?? "" }.joined()
  }

  /// Messages that ecCodes has no tables for have no keys either.
  private static func requireKnown(_ message: GRIBMessage, _ edition: Int) throws {
    let gridType = message.text("gridType") ?? ""
    // Representations 50 to 80 of edition 1, for which a header alone has no grid type.
    let isSpectral = edition == 1 && [50, 60, 70, 80].contains(message.integer("dataRepresentationType") ?? 0)
    if isSpectral || gridType.hasSuffix("sh") { throw GRIBUnreadable("spherical harmonics have no grid") }
    for (key, template, what) in [
      ("gridType", "gridDefinitionTemplateNumber", "grid"),
      ("typeOfLevel", "productDefinitionTemplateNumber", "product"),
      ("packingType", "dataRepresentationTemplateNumber", "packing"),
    ] {
      let text = message.text(key) ?? ""
      guard text.isEmpty || key == "packingType" && text == "unknown" else { continue }
      let number = message.integer(template).map { " of template \($0)" } ?? ""
      throw GRIBUnreadable("ecCodes \(ecCodesVersion) knows no \(what)\(number)")
    }
  }

  /// Fields that have the name of a variable and are none of its values: statistics of ensembles other than means, probabilities, percentiles,
  /// differences and deviations over a period, and errors of analyses and forecasts.
  private static func requireValues(_ message: GRIBMessage) throws {
    if let derived = message.integer("derivedForecast"), ![0, 1, 6].contains(derived) {
      throw GRIBUnreadable("a statistic of an ensemble that is no mean (derivedForecast \(derived))")
    }
    if message.integer("probabilityType") != nil { throw GRIBUnreadable("probabilities, not values") }
    if message.integer("percentileValue") != nil { throw GRIBUnreadable("percentiles, not values") }
    let processing = ["diff", "rms", "sd", "cov", "sdiff", "ratio", "stdanom"]
    if let step = message.text("stepType"), processing.contains(step) {
      throw GRIBUnreadable("differences, deviations or ratios over a period (stepType \(step)), not values")
    }
    if let process = message.integer("typeOfGeneratingProcess"), [5, 6, 7, 9].contains(process) {
      throw GRIBUnreadable(
        "errors or probabilities of a forecast or analysis, or a climatology (typeOfGeneratingProcess \(process))")
    }
    if let processing = message.integer("typeOfStatisticalProcessing"), (12...19).contains(processing) {
      throw GRIBUnreadable("a statistic over a period (typeOfStatisticalProcessing \(processing)), not values")
    }
    // MARS: deviations and errors, which edition 1 tells in its local section alone.
    if let type = message.text("type"), GRIBDataType.withoutValues.contains(type) {
      throw GRIBUnreadable("deviations, probabilities, errors or increments (type \(type)), not values")
    }
  }

  /// hPa of a pressure level of edition 2, whose key `level` is cut to whole numbers.
  private static func exactPressure(_ message: GRIBMessage) -> Double? {
    guard message.integer("typeOfFirstFixedSurface") == 100,
      let scale = message.integer("scaleFactorOfFirstFixedSurface"), (-20...20).contains(scale),
      let value = message.integer("scaledValueOfFirstFixedSurface"), (0..<Int(Int32.max)).contains(value)
    else { return nil }
    // Powers of ten are exact, so that one rounding is left.
    let power = (0..<abs(scale)).reduce(1.0) { power, _ in power * 10 }
    return scale < 0 ? Double(value) * power / 100 : Double(value) / (power * 100)
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

  /// Whether seconds to the validity depend on the date: of months, and of periods whose end is given as a date.
  /// - Parameter knowsEnd: whether that end is known as seconds from the base time.
  static func dependsOnDate(_ message: GRIBMessage, knowsEnd: Bool) -> Bool {
    let months = 3...7
    if months.contains(message.integer("indicatorOfUnitOfTimeRange") ?? 1) { return true }
    guard message.integer("numberOfTimeRange") != nil else { return false }
    return !knowsEnd || months.contains(message.integer("indicatorOfUnitForTimeRange") ?? 1)
  }
}

/// The end of the period of a field of edition 2, where the products of most archives have it: six numbers of a date.
enum GRIBPeriodEnd {
  /// Bytes from the beginning of section 4 to the end's year, by the number of the template (WMO Manual on Codes, code table 4.0).
  private static let places = [
    8: 34, 9: 47, 10: 35, 11: 37, 12: 36, 13: 68, 14: 64, 34: 26, 42: 36, 43: 39, 46: 47, 47: 50, 61: 44, 67: 43,
    68: 46, 72: 39, 73: 42, 91: 35,
  ]

  /// Seconds since 1970, and where the date stands; nil where there is none, or none that can be.
  static func read(_ header: [UInt8]) -> (seconds: Int64, bytes: Range<Int>)? {
    func number(_ place: Int, _ width: Int) -> Int { header[place..<place + width].reduce(0) { $0 << 8 | Int($1) } }
    var section = 16
    while section + 9 <= header.count, header[section + 4] != 4 { section += max(5, number(section, 4)) }
    guard section + 9 <= header.count, let place = places[number(section + 7, 2)] else { return nil }
    let range = section + place..<section + place + 7
    guard range.upperBound <= min(header.count, section + number(section, 4)) else { return nil }
    let parts = (2..<7).map { Int(header[range.lowerBound + $0]) }
    guard parts[4] < 60,
      let seconds = GRIBProduct.timestamp(
        date: number(range.lowerBound, 2) * 10_000 + parts[0] * 100 + parts[1], time: parts[2] * 100 + parts[3])
    else { return nil }
    return (seconds + Int64(parts[4]), range)
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
