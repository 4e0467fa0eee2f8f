import Basics

/// Fields that are to be stored anew: what a dataset has, or a view on any points.
public struct ConversionInput {
  /// One field of a date.
  struct Field {
    let channel: Channel
    let units: String
    let isConstant: Bool
    let isComputedForcing: Bool
  }

  let fields: [Field]
  /// Whether the fields are stored in this order, not sorted by name.
  private(set) var keepsOrder = false
  /// At one interval, but for those that were left out (`withoutMissingDates`).
  let dates: [Timestamp]
  /// Indices of dates that the source lacks.
  let missing: Set<Int>
  /// Dates that are stored without values of some variables, by the names of these: the source has no field of them.
  public private(set) var partialDates: [(lacking: [String], dates: [Timestamp])] = []
  let points: PointGrid
  /// The grid, where points are one, row after row.
  let grid: LatLonGrid?
  /// The same for the same fields.
  let origin: String
  /// Whether a date lies in another stored chunk than an earlier one; neither is missing.
  let startsChunk: (_ date: Int, _ after: Int) -> Bool
  /// Fills [fields, points] of a date that isn't missing; dates are best read in ascending order.
  let read: (_ date: Int, UnsafeMutablePointer<Float>) throws -> Void

  /// The first and the last date.
  public var period: (first: Timestamp, last: Timestamp) { (dates[0], dates[dates.count - 1]) }

  /// Dates between the first and the last that the source lacks.
  public var missingDates: [Timestamp] { missing.sorted().map { dates[$0] } }

  var intervalSeconds: Int64 { zip(dates, dates.dropFirst()).map { $1.seconds - $0.seconds }.min() ?? 6 * 3_600 }

  /// The same without the dates that the source lacks.
  func withoutMissingDates() -> ConversionInput {
    if missing.isEmpty { return self }
    let kept = dates.indices.filter { !missing.contains($0) }
    return ConversionInput(keeping: kept, of: self)
  }

  private init(keeping kept: [Int], of all: ConversionInput) {
    fields = all.fields
    keepsOrder = all.keepsOrder
    partialDates = all.partialDates
    dates = kept.map { all.dates[$0] }
    missing = []
    points = all.points
    grid = all.grid
    origin = all.origin
    startsChunk = { all.startsChunk(kept[$0], kept[$1]) }
    read = { try all.read(kept[$0], $1) }
  }

  /// The channels and static fields of a dataset, between two dates.
  ///
  /// - Parameter windowBytes: memory for the times that are stored together; nil: a little.
  /// - Throws: when there are no dates.
  public init(
    _ dataset: FieldDataset, from start: Timestamp?, through end: Timestamp?, windowBytes: Int? = nil
  ) throws {
    let there = dataset.times.filter { $0 >= start ?? $0 && $0 <= end ?? $0 }
    (dates, missing) = try ConversionInput.regular(there, dataset.origin)
    let statics = try dataset.readStatics()
    fields =
      dataset.channels.map { channel in
        Field(
          channel: channel, units: dataset.units(of: channel), isConstant: false, isComputedForcing: false)
      }
      + dataset.staticChannels.map { channel in
        Field(
          channel: channel, units: dataset.units(of: channel), isConstant: true, isComputedForcing: false)
      }
    grid = dataset.grid.raster
    points = dataset.grid.points
    origin = dataset.origin
    let (all, varying) = (dates, dataset.channels.count * dataset.grid.count)
    func index(_ date: Int) -> Int {
      guard let index = dataset.index(of: all[date]) else { preconditionFailure("a missing date") }
      return index
    }
    startsChunk = { dataset.startsChunk(index($0), after: index($1)) }
    let window = FieldWindow(byteLimit: windowBytes)
    read = { date, planes in
      try dataset.read(index(date), isChecked: false, window: window, into: planes)
      statics.withUnsafeBufferPointer { statics in
        if let base = statics.baseAddress { (planes + varying).update(from: base, count: statics.count) }
      }
    }
  }

  /// All variables of a view, between two dates.
  ///
  /// - Parameters:
  ///   - origin: says all that was done to the view.
  ///   - keepsOrder: whether its variables are stored in their order, not sorted by name.
  ///   - windowBytes: memory for the dates that are stored together; nil: a little.
  /// - Throws: when there are several members, no dates, variables or points.
  public init(
    _ view: any FieldView, origin: String, keepsOrder: Bool = false, from start: Timestamp?, through end: Timestamp?,
    windowBytes: Int? = nil
  ) throws {
    self.keepsOrder = keepsOrder
    guard view.memberCount == 1 else {
      throw JigsawError(
        view.location, "has \(view.memberCount) ensemble members", expected: "one",
        remedy: "choose one with open: {dataset: …, member: 0}")
    }
    if view.variables.isEmpty || view.points.count == 0 {
      throw JigsawError(view.location, "has no fields to convert", found: view.points.summary)
    }
    let (stored, absent) = (view.dates, view.missing)
    let chosen = stored.indices.filter {
      !absent.contains($0) && stored[$0] >= start ?? stored[$0] && stored[$0] <= end ?? stored[$0]
    }
    (dates, missing) = try ConversionInput.regular(chosen.map { stored[$0] }, view.location)
    let chosenDates = Set(chosen.map { stored[$0] })
    partialDates = Dictionary(grouping: view.variables) { $0.absentTimes.intersection(chosenDates) }
      .filter { !$0.key.isEmpty }.map { ($0.value.map(\.name), $0.key.sorted()) }.sorted {
        $0.lacking[0] < $1.lacking[0]
      }
    let index = Dictionary(chosen.map { (stored[$0], $0) }, uniquingKeysWith: { first, _ in first })
    fields = view.variables.map { variable in
      let (stem, level) = variable.stemAndLevel
      return Field(
        channel: Channel(variable: stem, levelHPa: level), units: variable.units ?? "unknown",
        isConstant: variable.isConstantInTime, isComputedForcing: variable.isComputedForcing)
    }
    points = view.points
    grid = nil
    self.origin = origin
    let all = dates
    func place(_ date: Int) -> Int {
      guard let place = index[all[date]] else { preconditionFailure("a missing date") }
      return place
    }
    startsChunk = { !view.storedDates.run(of: place($0)).contains(place($1)) }
    let window = ViewWindow(view, of: Set(chosen), bytes: windowBytes)
    read = { date, planes in try window.read(place(date), into: planes) }
  }

  /// Dates at their smallest interval, and which of them are missing.
  private static func regular(_ dates: [Timestamp], _ place: String) throws -> ([Timestamp], Set<Int>) {
    guard let first = dates.first, let last = dates.last else {
      throw JigsawError(place, "has no dates to convert", remedy: "choose a period within the data")
    }
    let step = zip(dates, dates.dropFirst()).map { $1.seconds - $0.seconds }.min() ?? 1
    let count = (last.seconds - first.seconds) / max(1, step)
    guard step > 0, count < 1 << 24 else {
      throw JigsawError(
        place, "has dates that are not at one interval", found: "the smallest is \(step) s",
        remedy: "choose some with open: {dataset: …, frequency: …}")
    }
    let there = Set(dates)
    let all = stride(from: first.seconds, through: last.seconds, by: Int(step)).map(Timestamp.init(seconds:))
    guard there.isSubset(of: all) else {
      throw JigsawError(
        place, "has dates that are not at one interval", found: "the smallest is \(step / 60) min",
        remedy: "choose some with open: {dataset: …, frequency: …}")
    }
    return (all, Set(all.indices.filter { !there.contains(all[$0]) }))
  }
}
