import Basics
import Stores

/// The meaning of an array's values, by its attributes and by coordinates without a dimension: files of one series must agree on it.
struct FieldMeaning: Sendable, Equatable {
  private let values: [String: String]
  /// When the forecast starts; nil where that isn't known.
  private let start: Timestamp?
  /// Whether values are over a period whose length is known.
  private let hasPeriod: Bool

  /// - Parameters:
  ///   - shared: the meaning of all fields of the store.
  ///   - periodSeconds: over which the values are amounts, means or extremes; empty where that isn't known.
  init(_ array: ArrayInfo, _ shared: SharedMeaning, over periodSeconds: [Int64]) {
    func text(_ key: String) -> String? { array.attributes[key]?.text }
    var values: [String: String] = [:]
    values["standard_name"] = text("standard_name")
    // Editions of GRIB differ in what they call an instant, and in their names for the ground.
    values["GRIB_stepType"] = text("GRIB_stepType").flatMap { $0 == "instant" ? nil : $0 }
    values["GRIB_typeOfLevel"] = text("GRIB_typeOfLevel").flatMap { $0 == "surface" ? nil : $0 }
    if values["GRIB_typeOfLevel"] != nil, let level = array.attributes["GRIB_level"]?.number {
      values["GRIB_level"] = String(level)
    }
    if let member = array.attributes["GRIB_number"]?.number {
      values[SharedMeaning.member] = "member \(Channel.text(member))"
    }
    values["cell_methods"] = text("cell_methods").map { CellMethods($0).summary }
    self.values = values.filter { !$0.value.isEmpty && $0.value != "unknown" }.merging(shared.values) { $1 }
    start = shared.start
    hasPeriod = !periodSeconds.isEmpty && periodSeconds.allSatisfy { $0 > 0 }
  }

  /// The first respect in which two that both say it differ.
  struct Difference {
    fileprivate let key: String
    let own, other: String

    /// - Parameter location: of the store that it differs from.
    func problem(_ location: String) -> String {
      switch key {
      case SharedMeaning.member: "is another member of an ensemble than in \(location)"
      case SharedMeaning.lead: "has another lead time than in \(location)"
      case SharedMeaning.calendar: "has times of another calendar than in \(location)"
      default: "is another quantity than in \(location), by its \(key)"
      }
    }

    var remedy: String {
      switch key {
      case SharedMeaning.member: "name files of one member"
      case SharedMeaning.lead: "name files of one lead time, or of one forecast"
      case SharedMeaning.calendar: "name files of one calendar, or correct the attribute"
      default: "name files of one quantity, or correct the attribute"
      }
    }
  }

  func difference(from other: FieldMeaning) -> Difference? {
    for (key, own) in values.sorted(by: { $0.key < $1.key }) {
      guard let found = other.values[key], found != own, !means(key, own, theSameAs: found, of: other) else { continue }
      return Difference(key: key, own: own, other: found)
    }
    return nil
  }

  /// Whether what is said in other words is the same for a series.
  private func means(_ key: String, _ own: String, theSameAs found: String, of other: FieldMeaning) -> Bool {
    switch key {
    case "standard_name": Lexicon.areOfOneVariable(own, found)
    // Leads grow along one forecast. Amounts over a period follow each other from the forecasts of an analysis, as ERA5's do.
    case SharedMeaning.lead: start != nil && start == other.start || hasPeriod && other.hasPeriod
    default: false
    }
  }
}

/// The one member and the one lead time of all fields of a store, and the calendar of their times.
struct SharedMeaning: Sendable {
  fileprivate static let member = "number"
  fileprivate static let lead = "forecast_period"
  fileprivate static let calendar = "calendar"
  fileprivate var values: [String: String] = [:]
  /// When the one forecast starts that all fields are of; nil where nothing says it.
  fileprivate var start: Timestamp?

  /// - Parameter times: of validity.
  /// - Throws: when the members' numbers can't be read.
  init(_ store: any ArrayStore, _ axes: StoreAxes, _ times: [Timestamp]) throws {
    if let numbers = try GriddedStore.memberNumbers(store, axes.member), numbers.count == 1 {
      values[SharedMeaning.member] = "member \(numbers[0])"
    }
    if let lead = StoreAxes.singleLead(store) {
      values[SharedMeaning.lead] = "\(Channel.text(Double(lead) / 3_600)) h"
      start =
        StoreAxes.singleStart(store) ?? (times.count == 1 ? Timestamp(seconds: times[0].seconds - lead) : nil)
    }
    if let time = axes.time.flatMap({ store.arrays[$0.coordinate.variable] }), !time.isText {
      // CF's default (CF 1.11, 4.4.1). Dates of today are the same in both of these.
      let calendar = CFCalendar(time.attributes["calendar"]?.text ?? "standard")
      values[SharedMeaning.calendar] = calendar.map { $0 == .proleptic ? CFCalendar.standard.rawValue : $0.rawValue }
    }
  }
}
