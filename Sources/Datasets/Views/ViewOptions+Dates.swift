import Basics

/// Options that make, choose and combine dates.
extension ViewOptions {
  /// Dates before and after, and values for missing ones: what goes before all else.
  func filled(_ base: any FieldView) throws -> any FieldView {
    var view = try extended(base)
    guard let given = members["fill_missing_dates"] else {
      if members["closest"] != nil {
        throw JigsawError("\(key).closest", "belongs to fill_missing_dates", remedy: "remove it")
      }
      return view
    }
    if members["closest"] != nil {
      throw JigsawError(
        "\(key).closest", "is not supported: anemoi-datasets 0.5.47 refuses it too",
        remedy: "remove it: the later of two dates that are as near is taken")
    }
    if view.dates.count > 1 { _ = try equalInterval(view, key: "\(key).fill_missing_dates") }
    func statistic(_ value: (FieldStatistics) -> Double) throws -> FilledDates.Method {
      .values(
        try view.variables.map { variable in
          guard let statistics = variable.statistics else {
            throw JigsawError(
              "\(key).fill_missing_dates", "needs statistics, and \(view.location) has none of \(variable.name)",
              remedy: "use closest or interpolate")
          }
          return Float(value(statistics))
        })
    }
    let method: FilledDates.Method
    switch given.string ?? "" {
    case "closest": method = .closest
    case "interpolate": method = .interpolate
    case let word where ["nan", "nans"].contains(word.lowercased()): method = .nan
    case "mean": method = try statistic { $0.mean }
    case "minimum": method = try statistic { $0.minimum }
    case "maximum": method = try statistic { $0.maximum }
    default: throw invalid("fill_missing_dates", expected: "closest, interpolate, nans, mean, minimum or maximum")
    }
    if !view.missing.isEmpty { view = FilledDates(view, method) }
    return view
  }

  private func extended(_ view: any FieldView) throws -> any FieldView {
    guard members["extend_start"] != nil || members["extend_end"] != nil else { return view }
    let all = view.dates
    guard all.count > 1, let first = all.first, let last = all.last else {
      throw JigsawError(
        "\(key).\(members["extend_start"] != nil ? "extend_start" : "extend_end")", "needs at least two dates",
        found: "\(all.count) in \(view.location)")
    }
    let step = try equalInterval(view, key: "\(key).extend_start")
    func bound(_ name: String, isLast: Bool) throws -> Timestamp? {
      guard let given = members[name] else { return nil }
      guard let text = given.string ?? given.integer.map(String.init), !text.hasSuffix("%"),
        let bound = DateBound.timestamp(text, isLast: isLast, in: [], stepSeconds: step)
      else { throw invalid(name, expected: "a date, a month or a year: 2020-01-31, 2020-01, 2020") }
      let away = isLast ? bound.seconds - last.seconds : first.seconds - bound.seconds
      guard away >= 0, away % step == 0, away / step <= Int64(ViewOptions.dateLimit) else {
        throw JigsawError(
          "\(key).\(name)", "is not a number of intervals \(isLast ? "after the last" : "before the first") date",
          expected: "\((isLast ? last : first).display) and some times \(step) s", found: bound.display)
      }
      return bound
    }
    return SpreadDates(
      view, from: try bound("extend_start", isLast: false), through: try bound("extend_end", isLast: true), every: step)
  }

  /// More dates than any dataset has.
  static let dateLimit = 10_000_000

  func chosen(_ base: any FieldView) throws -> any FieldView {
    var view = base
    func bound(_ name: String, isLast: Bool) throws -> Timestamp? {
      guard let given = members[name] else { return nil }
      guard let text = given.string ?? given.integer.map(String.init),
        let bound = DateBound.timestamp(text, isLast: isLast, in: view.dates)
      else { throw invalid(name, expected: "a date, a month, a year or a share: 2020-01-31, 2020-01, 2020, 80%") }
      return bound
    }
    let (start, end) = (try bound("start", isLast: false), try bound("end", isLast: true))
    if start != nil || end != nil {
      let all = view.dates
      let indices = all.indices.filter { all[$0] >= start ?? all[$0] && all[$0] <= end ?? all[$0] }
      if indices.isEmpty { throw noDates(view) }
      view = DateSubset(view, indices)
    }
    guard let seconds = try interval("frequency"), !view.dates.isEmpty else { return view }
    if members["interpolate_frequency"] != nil {
      throw JigsawError(key, "frequency and interpolate_frequency exclude each other", remedy: "remove one of them")
    }
    let all = view.dates
    let own = all.count > 1 ? all[1].seconds - all[0].seconds : seconds
    guard seconds % own == 0 else {
      throw JigsawError(
        "\(key).frequency", "is not a multiple of the interval between the dates", expected: "a multiple of \(own) s",
        found: "\(seconds) s", remedy: "interpolate_frequency makes dates between them")
    }
    // By time, not by place: stores other than Anemoi's may have gaps.
    return DateSubset(view, all.indices.filter { (all[$0].seconds - all[0].seconds) % seconds == 0 })
  }

  private func interval(_ name: String) throws -> Int64? {
    guard let given = members[name] else { return nil }
    guard let seconds = (given.string ?? given.integer.map(String.init)).flatMap(Frequency.seconds) else {
      throw invalid(name, expected: "hours, or an interval such as 6h, 1d or PT6H")
    }
    return seconds
  }

  private func noDates(_ view: any FieldView) -> JigsawError {
    JigsawError(
      key, "start and end leave no dates",
      found: view.dates.first.map { "\($0.display) … \(view.dates[view.dates.count - 1].display)" } ?? "no dates")
  }

  /// Dates made of several others: what goes last.
  func combined(_ base: any FieldView) throws -> any FieldView {
    var view = base
    if let seconds = try interval("interpolate_frequency") {
      view = try CombinedDates(view, everySeconds: seconds, key: "\(key).interpolate_frequency")
    }
    if let window = members["rolling_average"] {
      guard let entries = window.array, entries.count == 3, let before = entries[0].integer,
        let after = entries[1].integer, ["freq", "frequency"].contains(entries[2].string ?? ""),
        (-1 << 30...0).contains(before), (0...1 << 30).contains(after)
      else {
        throw invalid(
          "rolling_average", expected: "dates before and after, for example [-1, 0, freq]: the mean of two")
      }
      view = try CombinedDates(view, before: -before, after: after, key: "\(key).rolling_average")
    }
    return view
  }

  /// `max_distance` on a unit sphere.
  func distance() throws -> Double? {
    guard let given = members["max_distance"] else { return nil }
    guard let value = given.double, value.isFinite, value > 0 else {
      throw invalid("max_distance", expected: "a distance on a sphere of radius 1, above 0")
    }
    return value
  }

  func withMissing(_ view: any FieldView, _ given: JSONValue) throws -> any FieldView {
    let dates = view.dates
    // Some of several dates may lie outside, as in Anemoi: the list may belong to a longer period.
    let indices = try (given.array ?? [given]).flatMap { entry -> [Int] in
      if let index = entry.integer, dates.indices.contains(index) { return [index] }
      guard let date = entry.string.flatMap({ Timestamp($0) }) else {
        throw invalid("set_missing_dates", expected: "a list of dates, or of places from 0 to \(dates.count - 1)")
      }
      return dates.firstIndex(of: date).map { [$0] } ?? []
    }
    if indices.isEmpty {
      throw JigsawError(
        "\(key).set_missing_dates", "names no date of \(view.location)",
        expected: dates.first.map { "dates from \($0.display) to \(dates[dates.count - 1].display)" },
        found: try given.text(pretty: false), remedy: "remove it, or name dates that are there")
    }
    return MissingDates(view, Set(indices))
  }
}
