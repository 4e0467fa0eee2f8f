import Basics
import Stores

/// Which coordinate says when fields are valid.
extension StoreAxes {
  private static let leadNames: Set<String> = [
    "step", "lead_time", "leadtime", "lead", "lead_hours", "lead_hour", "prediction_timedelta", "forecast_period",
    "forecast_hour", "forecast_lead", "forecast_lead_time", "forecast_step", "fhour", "fcst_hour",
  ]
  /// Names that lead times have, and other things as well.
  private static let ambiguousLeadNames: Set<String> = ["tau", "forecast_time", "ftime"]
  private static let leadWords = [
    "lead time", "leadtime", "forecast lead", "forecast hour", "forecast period", "forecast step",
  ]

  private static func standardName(_ array: ArrayInfo) -> String { array.attributes["standard_name"]?.text ?? "" }

  /// Whether an array holds the times at which forecasts start.
  static func isReference(_ array: ArrayInfo) -> Bool {
    let longName = array.attributes["long_name"]?.text?.lowercased() ?? ""
    let names = [
      "forecast_reference_time", "reftime", "reference_time", "initial_time", "init_time", "initialization_time",
      "base_time", "run_time", "time_run", "cycle", "cycle_time",
    ]
    return standardName(array) == "forecast_reference_time"
      || standardName(array).isEmpty
        && (names.contains(array.name) || longName.contains("reference time") || longName.contains("initial time")
          || longName.contains("initialization time"))
  }

  static func isLead(_ array: ArrayInfo) -> Bool {
    standardName(array) == "forecast_period"
      || CFTime.seconds(unitOfLead: array.attributes["units"]?.text ?? "") != nil
        && (namesLead(array) || standardName(array).isEmpty && ambiguousLeadNames.contains(array.name.lowercased()))
  }

  /// Whether an array is meant to hold lead times, readable or not.
  static func namesLead(_ array: ArrayInfo) -> Bool {
    if !standardName(array).isEmpty { return standardName(array) == "forecast_period" }
    let units = array.attributes["units"]?.text ?? ""
    if CFTime.isTime(units: units) && CFTime.seconds(unitOfLead: units) == nil { return false }
    let longName = array.attributes["long_name"]?.text?.lowercased() ?? ""
    return leadNames.contains(array.name.lowercased()) || leadWords.contains(where: longName.contains)
  }

  /// Whether an array holds times that may be those of validity.
  static func isTime(_ array: ArrayInfo) -> Bool { !namesLead(array) && rank(array) != nil }

  /// Whether an array says that it holds times of validity.
  static func isValidity(_ array: ArrayInfo) -> Bool { standardName(array) == "time" || array.name == "valid_time" }

  /// How well an array says the times of validity, the least best; nil for what does not.
  private static func rank(_ array: ArrayInfo) -> Int? {
    if isReference(array) || isLead(array) { return nil }
    let isOwnDimension = array.dimensionNames == [array.name]
    if standardName(array) == "time" { return isOwnDimension ? 0 : 1 }
    if !standardName(array).isEmpty { return nil }
    if array.name == "valid_time" { return 2 }
    if isOwnDimension, array.name == "time" || array.attributes["axis"]?.text == "T" { return 3 }
    return CFTime.isTime(units: array.attributes["units"]?.text ?? "") ? 4 : nil
  }

  /// The coordinate without a dimension that says when all fields are valid; nil without one, or where two say it equally well.
  static func singleTime(_ store: any ArrayStore) -> ArrayInfo? {
    let found = store.arrays.values.filter { array in
      array.shape.isEmpty && isTime(array) && CFTime.isTime(units: array.attributes["units"]?.text ?? "")
    }
    func order(_ array: ArrayInfo) -> (Int, Int) { (rank(array) ?? 9, array.name == "time" ? 0 : 1) }
    guard let best = found.min(by: { order($0) < order($1) }) else { return nil }
    return found.count { order($0) == order(best) } == 1 ? best : nil
  }

  /// - Parameter used: dimensions of fields beside those of the grid.
  static func findTime(_ store: any ArrayStore, used: Set<String>) throws -> Time? {
    let vectors = store.arrays.values.filter { $0.dimensions.count == 1 }.sorted { $0.name < $1.name }
    func onFields(_ arrays: [ArrayInfo]) -> [ArrayInfo] {
      let there = arrays.filter { used.contains($0.dimensionNames[0]) }
      return there.isEmpty ? arrays.filter { $0.dimensionNames == [$0.name] } : there
    }
    let all = onFields(vectors.filter { rank($0) != nil }).sorted {
      (rank($0) ?? 9, $0.name) < (rank($1) ?? 9, $1.name)
    }
    let valid = all.first
    if let valid, let other = all.dropFirst().first, rank(other) == rank(valid), other.dimensions == valid.dimensions {
      throw JigsawError(
        "\(store.location): \(valid.name) and \(other.name)", "are both times of '\(valid.dimensionNames[0])'",
        expected: "one that says that it is the time of validity",
        remedy: "give it standard_name 'time', or leave the other out")
    }
    let reference = onFields(vectors.filter(isReference)).first
    let leads = store.arrays.values.filter { (isLead($0) || namesLead($0)) && $0.dimensions.count <= 1 }
      .sorted { (isLead($0) ? 0 : 1, $0.name) < (isLead($1) ? 0 : 1, $1.name) }
    if let valid {
      try refuseOtherValidity(valid, all, store)
      // Beside a dimension of lead times, or cfgrib's scalar `step`, a time without a standard name is that of the start.
      let lead = leads.first { lead in
        lead.dimensions.isEmpty ? lead.name != "forecast_period" : used.contains(lead.dimensionNames[0])
      }
      guard let lead, rank(valid) == 3, valid.dimensionNames != lead.dimensionNames else {
        return Time(coordinate: Coordinate(variable: valid.name, dimension: valid.dimensionNames[0]), lead: nil)
      }
      return try afterReference(valid, [lead], store)
    }
    if let reference { return try afterReference(reference, leads, store) }
    let texts = store.arrays.values.filter { isTextTime($0) && used.contains($0.dimensionNames[0]) }
    if texts.isEmpty { try refuseStrings(store, used: used) }
    return texts.min { $0.name < $1.name }.map {
      Time(coordinate: Coordinate(variable: $0.name, dimension: $0.dimensionNames[0]), lead: nil)
    }
  }

  /// - Throws: when times that say they are those of validity differ from an array with that name.
  private static func refuseOtherValidity(_ valid: ArrayInfo, _ all: [ArrayInfo], _ store: any ArrayStore) throws {
    guard let named = all.first(where: { $0.name == "valid_time" && $0.dimensions == valid.dimensions }),
      named.name != valid.name
    else { return }
    let (own, other) = try (GriddedStore.readTimes(store, valid.name), GriddedStore.readTimes(store, named.name))
    guard let index = own.indices.first(where: { own[$0] != other[$0] }) else { return }
    throw JigsawError(
      "\(store.location): \(valid.name) and \(named.name)", "both claim to be the times of validity, and differ",
      expected: "one of them", found: "\(own[index].display) and \(other[index].display)",
      remedy: "give the times of the start the standard_name 'forecast_reference_time', or leave one of the two out")
  }

  /// Whether an array holds times as text, a row for each: as WRF and MPAS write them, or a coordinate of dates of ISO 8601.
  private static func isTextTime(_ array: ArrayInfo) -> Bool {
    array.isText && array.dimensions.count == 2 && namesTime(array.name, array.attributes)
  }

  /// Whether text that is called so is meant for times.
  private static func namesTime(_ name: String, _ attributes: [String: AttributeValue]) -> Bool {
    let standard = attributes["standard_name"]?.text ?? ""
    return standard == "time"
      || standard.isEmpty && ["time", "times", "xtime", "valid_time", "date", "dates"].contains(name.lowercased())
  }

  /// - Throws: when times are there as strings that are not read.
  private static func refuseStrings(_ store: any ArrayStore, used: Set<String>) throws {
    for (name, text) in store.strings.sorted(by: { $0.key < $1.key }) {
      guard namesTime(name, text.attributes), let dimension = text.dimensionNames.first, used.contains(dimension) else {
        continue
      }
      throw JigsawError(
        "\(store.location): \(name)", "holds times as strings of any length, which are not read",
        expected: "numbers with units such as 'hours since 2000-01-01', or rows of characters",
        found: "strings along \(dimension)",
        remedy:
          "write them as dates before, for example in xarray: ds['\(name)'] = ds['\(name)'].astype('datetime64[ns]')")
    }
  }

  /// Times of rows such as "2000-01-24_12:00:00".
  private static func textTimes(_ array: ArrayInfo, _ store: any ArrayStore) throws -> [Timestamp] {
    let width = array.shape[1]
    let characters = try store.readSmall(array.name, atMost: GriddedStore.coordinateLimit).integers
    return try (0..<array.shape[0]).map { row in
      let bytes = characters[row * width..<(row + 1) * width].map { UInt8(truncatingIfNeeded: $0) }
      let text = String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self).split(separator: " ").joined(separator: " ")
      if let time = Timestamp(text.replacing("_", with: "T")) { return time }
      throw JigsawError(
        "\(store.location): \(array.name)", "has a time that can't be read",
        expected: "for example '2000-01-24T12:00:00'",
        found: "'\(text)'", remedy: "correct it, or add a coordinate of time with units")
    }
  }

  /// Times of reference, to which a lead time is to be added.
  private static func afterReference(_ reference: ArrayInfo, _ leads: [ArrayInfo], _ store: any ArrayStore) throws
    -> Time
  {
    let place = "\(store.location): \(reference.name)"
    guard let lead = leads.first else {
      if let seconds = leadOfFields(reference, store) {
        return Time(
          coordinate: Coordinate(variable: reference.name, dimension: reference.dimensionNames[0]), lead: nil,
          leadSeconds: seconds)
      }
      throw JigsawError(
        place, "holds times at which forecasts start, and nothing says when they are valid",
        expected: "a coordinate with standard_name 'time', or one lead time (standard_name 'forecast_period')",
        remedy: "add the times of validity, for example as 'valid_time'")
    }
    guard lead.count == 1 else {
      throw JigsawError(
        place, "holds times at which forecasts start, with several lead times", expected: "one lead time",
        found: "\(lead.name) of \(lead.count)", remedy: "select one entry of \(lead.name) before")
    }
    return Time(
      coordinate: Coordinate(variable: reference.name, dimension: reference.dimensionNames[0]), lead: lead.name)
  }

  /// The lead that all fields with a time have as attributes, as NCL writes them; nil where they don't, or differ.
  private static func leadOfFields(_ reference: ArrayInfo, _ store: any ArrayStore) -> Int64? {
    let fields = fields(store).filter {
      $0.dimensions.count > 2 && $0.dimensionNames.contains(reference.dimensionNames[0])
    }
    let leads = fields.map { field -> Int64? in
      guard let number = field.attributes["forecast_time"]?.number,
        let perUnit = CFTime.seconds(unit: field.attributes["forecast_time_units"]?.text ?? "hours")
      else { return nil }
      return Int64(saturating: (number * perUnit).rounded())
    }
    guard let first = leads.first, let lead = first, leads.allSatisfy({ $0 == lead }), lead.magnitude < 10_000_000_000
    else { return nil }
    return lead
  }

  /// Times of validity, ascending.
  static func readTimes(_ time: Time, _ store: any ArrayStore, _ notes: inout [String]) throws -> [Timestamp] {
    let name = time.coordinate.variable
    let info = try store.info(name)
    if let bounds = info.attributes["climatology"]?.text {
      throw JigsawError(
        "\(store.location): \(name)",
        "holds times of a climatology: fields are statistics over several years (CF 1.11, 7.4)",
        expected: "fields of single times, whose time has no attribute climatology", found: "climatology '\(bounds)'",
        remedy: "name the data from which it was made")
    }
    if isTextTime(info) { return try GriddedStore.requireAscending(textTimes(info, store), store, name) }
    let times = try GriddedStore.readTimes(store, name)
    let calendar = info.attributes["calendar"]?.text
    if let note = calendar.flatMap({ CFCalendar($0)?.note }) { notes.append(note) }
    if time.leadSeconds != 0 {
      notes.append("\(name) holds times of the start: forecast_time of \(time.leadSeconds / 3_600) h was added")
      return times.map { Timestamp(seconds: $0.seconds + time.leadSeconds) }
    }
    guard let lead = time.lead else {
      if name != "time", store.arrays["time"] != nil { notes.append("times of validity are those of \(name)") }
      return times
    }
    let seconds = try leadSeconds(lead, store)
    if seconds != 0 { notes.append("\(name) holds times of the start: \(lead) of \(seconds / 3_600) h was added") }
    return times.map { Timestamp(seconds: $0.seconds + seconds) }
  }

  /// Seconds of the one lead time of all fields, of a coordinate with a single value; nil without one that can be read.
  static func singleLead(_ store: any ArrayStore) -> Int64? {
    let leads = store.arrays.values.filter { isLead($0) && $0.count == 1 }.sorted { $0.name < $1.name }
    return leads.lazy.compactMap { lead in
      do { return try leadSeconds(lead.name, store) } catch { return nil }
    }.first
  }

  /// The one time at which the forecast of all fields starts, of a coordinate with a single value; nil without one that can be read.
  static func singleStart(_ store: any ArrayStore) -> Timestamp? {
    let starts = store.arrays.values.filter { isReference($0) && $0.count == 1 }.sorted { $0.name < $1.name }
    return starts.lazy.compactMap { start in
      do { return try GriddedStore.readTimes(store, start.name).first } catch { return nil }
    }.first
  }

  private static func leadSeconds(_ name: String, _ store: any ArrayStore) throws -> Int64 {
    let info = try store.info(name)
    let units = info.attributes["units"]?.text ?? ""
    let value = try GriddedStore.coordinate(store, name).doubles.first ?? 0
    guard let perUnit = value == 0 ? 1 : CFTime.seconds(unitOfLead: units) else {
      throw JigsawError(
        "\(store.location): \(name)", "has units that are no lead time's", expected: "for example 'hours'",
        found: units.isEmpty ? "none" : "'\(units)'",
        remedy: "give \(name) its units; where times are those of validity, give them the standard_name 'time'")
    }
    let seconds = (value * perUnit).rounded()
    guard seconds.magnitude < 1e10 else {
      throw JigsawError("\(store.location): \(name)", "has a lead time that can't be", found: "\(seconds) s")
    }
    return Int64(saturating: seconds)
  }
}
