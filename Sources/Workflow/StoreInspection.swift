import Basics
import Datasets
import Stores
import Verification

/// `jigsaw data inspect`: what stores hold and how they are understood.
public enum StoreInspection {
  /// - Parameter path: of a store, or a pattern whose matches are one view.
  /// - Throws: when there is no such file.
  public static func report(_ path: String) throws -> InspectReport {
    var report = InspectReport(path)
    let files = try expand(path)
    report.files = files.map(withoutUserInformation)
    var arrays: Set<[String]> = []
    var isView = false
    for file in files {
      let store = try openStore(file)
      if arrays.insert(store.arrays.keys.sorted()).inserted { report.stores.append(.init(store)) }
      // Members are chosen, and so are points brought into order, by views.
      isView =
        isView || AnemoiDataset.isOne(store) || (try? PointFields(store)) != nil
        || (try? GriddedStore(store)).map { $0.memberCount > 1 } == true
    }
    do {
      if isView { try describeView(path, &report) } else { try describeGrid(path, &report) }
    } catch {
      report.verdict = "not usable as fields: \(error)"
    }
    if !report.isUsable, let forecast = try? ForecastReader(path) { describe(forecast, &report) }
    return report
  }

  // MARK: Forecasts

  private static func describe(_ forecast: ForecastReader, _ report: inout InspectReport) {
    report.isUsable = true
    report.kind = .forecast
    report.verdict =
      "usable as a forecast: 'jigsaw evaluate RUN --forecast \(report.path)' scores it"
    report.grid = .init(forecast.grid)
    report.times = .init(forecast.initialTimes)
    report.understood = [
      line(forecast.grid), "initial times: \(forecast.initialTimes.count)",
      "leads: \(forecast.leadHours.map(String.init).joined(separator: ", ")) h",
      "fields: \(forecast.channels.map(\.name).joined(separator: ", "))",
    ]
  }

  // MARK: Grids

  private static func describeGrid(_ path: String, _ report: inout InspectReport) throws {
    let contents = SourceContents(try OpenedSources([SourceDescription(path: path)]))
    report.grid = .init(contents.grid)
    report.notes = contents.notes
    report.fields = contents.fields.map(field)
    let usable = contents.fields.filter { $0.problem == nil }
    let times = Set(usable.flatMap(\.times)).sorted()
    report.times = .init(times)
    report.levelsHPa = Set(usable.flatMap(\.levelsHPa)).sorted(by: >)
    judge(&report, kind: .grid)
    var lines = [line(contents.grid)]
    if let times = report.times { lines.append(times.line) }
    if !report.levelsHPa.isEmpty {
      lines.append("levels: \(report.levelsHPa.map { Channel.text($0) }.joined(separator: ", ")) hPa")
    }
    lines += report.fields.map { line($0, of: report) }
    let known = usable.filter { $0.variable != nil && !$0.isStatic }.reduce(0) { $0 + max(1, $1.levelsHPa.count) }
    if known > 0 { lines.append(sample(known, contents.grid.count, "known fields")) }
    report.understood = lines
  }

  private static func field(_ content: SourceContents.Field) -> InspectReport.Field {
    var field = InspectReport.Field(storedName: content.storedName)
    field.readAs = content.variable?.name
    field.longName = content.variable?.longName
    field.units = content.variable?.units ?? content.storedUnits
    field.storedUnits = content.storedUnits
    field.isConverted = content.isConverted
    field.isStatic = content.isStatic
    field.levelsHPa = content.levelsHPa
    field.files = content.storeCount
    field.times = .init(content.times)
    field.problem = content.problem.map { "\($0)" }
    if content.variable == nil { field.names = names(content.storedName, content.suggestion) }
    return field
  }

  /// The line that maps a name of the store, to a variable that it may be or one of the user's choice.
  private static func names(_ storedName: String, _ suggestion: Variable?) -> String {
    "names: {\(suggestion?.name ?? "NAME"): \(storedName)}"
  }

  private static func line(_ field: InspectReport.Field, of report: InspectReport) -> String {
    var text: String
    if let known = field.readAs {
      text = "\(known) = \(field.storedName): \(field.longName ?? known), \(field.units ?? "1")"
      if field.isConverted { text += ", converted from \(field.storedUnits ?? "?")" }
      if field.storedUnits == nil && field.problem == nil { text += " (assumed: the store gives no units)" }
    } else {
      text = "\(field.storedName): not recognised, \(field.storedUnits ?? "no units")"
      text += "; '\(field.names ?? "")' under data.sources maps it, else it is called by its own name"
    }
    if field.isStatic { text += ", static" }
    if let problem = field.problem { return "\(text); not usable: \(problem)" }
    if !field.levelsHPa.isEmpty { text += ", \(counted(field.levelsHPa.count, "level"))" }
    if report.files.count == 1, let times = field.times, times.count != report.times?.count {
      text += ", \(counted(times.count, "time")) from \(times.period)"
    }
    if report.files.count > 1 {
      text += ", in \(field.files) of \(report.files.count) files"
      if let times = field.times { text += ", \(counted(times.count, "time")) from \(times.period)" }
    }
    return text
  }

  private static func line(_ grid: FieldGrid) -> String {
    "grid: \(grid.summary)\(grid.isGlobal ? ", global" : ", limited area")"
  }

  /// A state of so many fields in memory.
  private static func sample(_ fields: Int, _ points: Int, _ what: String) -> String {
    "sample: \(fields) \(what) of \(points) points, \(InspectWorkflow.size(fields * points * 4)) in FP32"
  }

  // MARK: The verdict

  private static func judge(_ report: inout InspectReport, kind: InspectReport.Kind) {
    let usable = report.fields.filter { $0.problem == nil }
    guard !usable.isEmpty else {
      report.verdict =
        report.fields.first?.problem.map { "not usable as fields: \($0)" }
        ?? "not usable as fields: it has no array on its \(kind == .grid ? "grid" : "points")"
      return
    }
    report.isUsable = true
    report.kind = kind
    let known = usable.filter { $0.readAs != nil }.count
    let all = report.fields.filter { !$0.remarks.contains("computed") }.count
    var text = "usable: \(known) of \(all) variables recognised"
    if report.files.count > 1 { text += ", \(report.files.count) files as one" }
    if kind == .points && report.grid == nil { text += "; for models on a raster after 'regrid'" }
    if report.members > 1 {
      text += "; one of \(report.members) members, with open: {dataset: \(report.path), member: 0}"
    }
    let refused = report.fields.filter { $0.problem != nil }.map(\.storedName)
    if !refused.isEmpty { text += "; not usable: \(refused.joined(separator: ", "))" }
    report.verdict = text
  }

  // MARK: Views

  private static func describeView(_ path: String, _ report: inout InspectReport) throws {
    let view = try SourceDescription(path: path).openView(key: "data inspect")
    let reading = ViewReading(view)
    report.points = view.points.count
    report.members = view.memberCount
    report.times = .init(view.dates)
    report.missingDates = view.missing.sorted().map { view.dates[$0].description }
    report.notes = view.notes + reading.notes
    let problems = view.variables.compactMap(\.problem)
    report.notes += Set(problems).subtracting(report.notes).sorted()
    report.fields = zip(view.variables, reading.fields).map { field($0, $1) }
    if let grid = view.points.regular()?.grid { report.grid = .init(.raster(grid)) }
    for (index, variable) in view.variables.enumerated() {
      let times = view.dates.filter { !variable.absentTimes.contains($0) }
      report.fields[index].times = report.fields[index].isStatic ? nil : .init(times)
      if times.count < view.dates.count {
        report.fields[index].remarks.append("\(times.count) of \(view.dates.count) times")
      }
      report.fields[index].files = report.files.count
    }
    judge(&report, kind: .points)
    var lines = ["points: \(view.points.summary); \(view.memberCount) member(s)"]
    lines.append(
      view.points.regular().map { line(.raster($0.grid)) }
        ?? "grid: none; models on points take it as it is (docs/data.md)")
    lines.append(report.times?.line ?? "times: none")
    let missing = view.missing.sorted().map { view.dates[$0].display }
    if !missing.isEmpty {
      lines.append(
        "missing dates: \(missing.count): \(missing.prefix(10).joined(separator: ", "))\(missing.count > 10 ? ", …" : "")"
      )
    }
    lines += InspectWorkflow.table(rows(report.fields)).split(separator: "\n").map(String.init)
    lines.append(sample(view.variables.count, view.points.count * view.memberCount, "variables"))
    report.understood = lines
  }

  private static func field(_ variable: ViewVariable, _ reading: ViewReading.Field?) -> InspectReport.Field {
    var field = InspectReport.Field(storedName: variable.name)
    field.readAs = reading?.name
    field.longName = reading.flatMap { reading in
      (Lexicon[reading.name] ?? Lexicon[reading.name.split(separator: "_").dropLast().joined(separator: "_")])?.longName
    }
    field.units = variable.units
    field.storedUnits = variable.storedUnits ?? variable.units
    field.isConverted = reading?.conversion != nil
    field.isStatic = variable.isConstantInTime
    field.levelsHPa = [variable.levelHPa].compactMap { $0 }
    field.statistics = variable.statistics.map {
      InspectReport.Statistics(
        mean: $0.mean, deviation: $0.deviation, minimum: $0.minimum, maximum: $0.maximum,
        tendencyHours: variable.tendencies.keys.sorted())
    }
    if variable.isComputedForcing {
      field.remarks.append("computed")
    } else if field.isStatic {
      field.remarks.append("constant")
    }
    if let conversion = reading?.conversion {
      field.remarks.append("converted from \(conversion.from) to \(conversion.to)")
    }
    if variable.hasAssumedUnits { field.remarks.append("units assumed: the store gives none") }
    if let problem = variable.problem {
      field.problem = problem
      field.remarks.append("unusable")
    } else if reading?.hasWrongUnits == true {
      field.problem = "\(variable.name) has a unit that doesn't fit: \(variable.units ?? "none")"
      field.remarks.append("unusable: its unit doesn't fit")
    }
    if reading == nil && !variable.isComputedForcing { field.names = names(variable.name, nil) }
    return field
  }

  private static func rows(_ fields: [InspectReport.Field]) -> [[String]] {
    [["variable", "read as", "unit", "mean", "stdev", "minimum", "maximum", "changes over", ""]]
      + fields.map { field in
        let s = field.statistics
        return [field.storedName, field.readAs ?? "–", field.units ?? "?"]
          + [s?.mean, s?.deviation, s?.minimum, s?.maximum].map { $0.map { significant($0) } ?? "–" }
          + [(s?.tendencyHours ?? []).map { "\($0) h" }.joined(separator: ", ")]
          + [(field.remarks + [field.names].compactMap { $0 }).joined(separator: ", ")]
      }
  }
}

extension InspectReport.Times {
  /// "2001-01-01 00:00 to 2001-01-15 18:00".
  var period: String {
    func text(_ time: String) -> String { String(time.prefix(16)).replacing("T", with: " ") }
    return "\(text(first)) to \(text(last))"
  }

  var line: String {
    func duration(_ minutes: Int) -> String { minutes % 60 == 0 ? "\(minutes / 60) h" : "\(minutes) min" }
    let every =
      intervalMinutes.count <= 1
      ? "every \(duration(intervalMinutes.first ?? 0))"
      : "steps of \(intervalMinutes.map(duration).joined(separator: ", ")) (gaps)"
    return "times: \(count) from \(period), \(every)"
  }
}

extension InspectReport.Grid {
  init(_ grid: FieldGrid) {
    self.init(summary: grid.summary, rows: grid.rows, columns: grid.columns, isGlobal: grid.isGlobal)
  }
}
