import Basics
import Stores

/// Fields at dates, of variables, of ensemble members, at points: what a stored dataset is, and what is made of some by
/// selecting, joining and cutting. The counterpart of a dataset in Anemoi, whose names and rules it follows.
/// Reading is safe from several threads.
public protocol FieldView: Sendable {
  /// Where the data come from, for messages.
  var location: String { get }
  /// Ascending.
  var dates: [Timestamp] { get }
  var variables: [ViewVariable] { get }
  var memberCount: Int { get }
  var points: PointGrid { get }
  /// Point counts of the grids that a view joins one after the other.
  var gridSizes: [Int] { get }
  /// Indices of dates that are there in name only.
  var missing: Set<Int> { get }
  /// Runs of points that are stored together.
  var storedRuns: [Range<Int>] { get }
  /// Runs of points of one variable, which may be stored in larger ones.
  func storedRuns(of variable: Int) -> [Range<Int>]
  /// Runs of dates that are stored together.
  var storedDates: DateRuns { get }
  /// How many points of each wanted field of all points lie in memory while it is read, beside those that are asked for.
  var pointsOnTheWay: Int { get }
  /// Chunks read so far, and their bytes as stored.
  var reads: ReadCounts { get }
  /// How many reads gain from waiting side by side, whatever the number of processors.
  var readsAtOnce: Int { get }
  /// Bytes of decoded chunks that the library of a file format keeps once variables were read at a range of dates.
  func bytesKept(afterReading variables: [Int], dates: Range<Int>) -> Int
  /// Bytes that libraries of file formats take for themselves (`ArrayStore.libraryBytes`).
  var libraryBytes: Int { get }
  /// For people: what was changed on the way in, or left out.
  var notes: [String] { get }
  /// The members' own numbers, as their coordinate has them; nil where there is none.
  var memberNumbers: [Int]? { get }

  /// Reads some fields, missing values NaN; what is stored together is decoded once. `target` tells where the points of a field
  /// go, by the places of its date and its variable among those that are asked for.
  func read(_ wanted: WantedPart, into target: (_ date: Int, _ variable: Int) -> UnsafeMutablePointer<Float>) throws
}

/// Which part of a view is to be read.
public struct WantedPart: Sendable {
  /// Ascending.
  public var dates: [Int]
  /// Each once, in any order.
  public var variables: [Int]
  public var member: Int
  public var points: Range<Int>

  public init(dates: [Int], variables: [Int], member: Int, points: Range<Int>) {
    self.dates = dates
    self.variables = variables
    self.member = member
    self.points = points
  }
}

/// The properties of a view's variable.
public struct ViewVariable: Sendable, Equatable {
  /// Anemoi's name of it: `2t`, `z_500`.
  public var name: String
  public var units: String?
  /// The name of the store's array that holds it, where there is one.
  public var storedName: String?
  /// The store's units, where values were converted from these.
  public var storedUnits: String?
  /// Whether the store gives no units, so that those above are taken to be its own.
  public var hasAssumedUnits = false
  /// ECMWF's short name, where the store says it.
  public var parameter: String?
  /// The pressure level, where the store or the name says it (`LevelNames`).
  public var levelHPa: Double?
  public var isConstantInTime = false
  /// Over which it is an amount, a mean or an extreme: one number, or one for each lead of forecasts; empty where that isn't known.
  public var periodSeconds: [Int64] = []
  /// Dates of the view at which the store has no field of it, though it has others.
  public var absentTimes: Set<Timestamp> = []
  /// Why it can't be read, or not at all dates, where its store knows that without reading.
  public var problem: String?
  /// The meaning of its values; nil where nothing is known.
  var meaning: FieldMeaning?
  /// Known for any time and place, as the position of the sun is.
  public var isComputedForcing = false
  public var statistics: FieldStatistics?
  /// Statistics of the change over so many hours.
  public var tendencies: [Int: FieldStatistics] = [:]

  public init(name: String, units: String? = nil) {
    self.name = name
    self.units = units
  }
}

extension ViewVariable {
  /// The variables of views that have the same ones, with the dates at which any of the views lacks them.
  static func common(of parts: [any FieldView]) -> [ViewVariable] {
    let all = parts.map(\.variables)
    return all[0].enumerated().map { index, variable in
      var common = variable
      for variables in all.dropFirst() { common.absentTimes.formUnion(variables[index].absentTimes) }
      return common
    }
  }

  /// The same variables at other dates, each made of some of a view's, which must all have them.
  ///
  /// - Parameter sources: the dates that a new one is made of.
  static func made(of base: any FieldView, at dates: [Timestamp], _ sources: (Int) -> [Int]) -> [ViewVariable] {
    let own = base.dates
    return base.variables.map { variable in
      guard !variable.absentTimes.isEmpty else { return variable }
      var made = variable
      made.absentTimes = Set(
        dates.indices.filter { date in sources(date).contains { variable.absentTimes.contains(own[$0]) } }
          .map { dates[$0] })
      return made
    }
  }
}

/// The statistics of a variable's values that a store holds.
public struct FieldStatistics: Sendable, Equatable {
  public var mean, deviation, minimum, maximum: Double

  public init(mean: Double, deviation: Double, minimum: Double, maximum: Double) {
    self.mean = mean
    self.deviation = deviation
    self.minimum = minimum
    self.maximum = maximum
  }
}

extension FieldView {
  public var gridSizes: [Int] { [points.count] }

  public func storedRuns(of variable: Int) -> [Range<Int>] { storedRuns }
  public var notes: [String] { [] }
  public func bytesKept(afterReading variables: [Int], dates: Range<Int>) -> Int { 0 }
  public var memberNumbers: [Int]? { nil }
  public var libraryBytes: Int { 0 }

  /// Reads some variables of one member at one date, at some points: [variables, points], missing values NaN.
  public func read(
    date: Int, variables: [Int], member: Int, points: Range<Int>, into out: UnsafeMutablePointer<Float>
  ) throws {
    try read(WantedPart(dates: [date], variables: variables, member: member, points: points)) {
      out + $1 * points.count
    }
  }

  /// Reads all points of all variables of one member: [variables, points].
  public func read(date: Int, member: Int = 0) throws -> [Float] {
    var values = [Float](repeating: .nan, count: variables.count * points.count)
    try values.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      try read(date: date, variables: Array(variables.indices), member: member, points: 0..<points.count, into: base)
    }
    return values
  }

  /// Hours between the dates; nil when there are fewer than two.
  public var frequencyHours: Double? {
    dates.count > 1 ? Double(dates[1].seconds - dates[0].seconds) / 3_600 : nil
  }

  /// - Throws: when there is no such variable, naming the nearest.
  func index(of name: String, key: String) throws -> Int {
    if let index = variables.firstIndex(where: { $0.name == name }) { return index }
    let names = variables.map(\.name)
    throw JigsawError(
      "\(location): \(key)", "no variable '\(name)'", found: names.joined(separator: ", "),
      remedy: nearest(to: name, among: names).map { "did you mean '\($0)'?" })
  }
}

/// A view that differs from another one in some respect.
protocol DerivedView: FieldView {
  var base: any FieldView { get }
}

extension DerivedView {
  var location: String { base.location }
  var dates: [Timestamp] { base.dates }
  var variables: [ViewVariable] { base.variables }
  var memberCount: Int { base.memberCount }
  var memberNumbers: [Int]? { base.memberNumbers }
  var points: PointGrid { base.points }
  var gridSizes: [Int] { base.points.count == points.count ? base.gridSizes : [points.count] }
  var missing: Set<Int> { base.missing }
  var storedRuns: [Range<Int>] { base.storedRuns }
  var reads: ReadCounts { base.reads }
  var readsAtOnce: Int { base.readsAtOnce }
  var libraryBytes: Int { base.libraryBytes }
  var notes: [String] { base.notes }
  var storedDates: DateRuns { base.storedDates }
  var pointsOnTheWay: Int { base.pointsOnTheWay }

  func read(_ wanted: WantedPart, into target: (_ date: Int, _ variable: Int) -> UnsafeMutablePointer<Float>) throws {
    try base.read(wanted, into: target)
  }
}
