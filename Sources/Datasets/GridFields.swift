import Basics
import Stores

/// Fields on one grid at many times, as a dataset takes them from a store or a view.
protocol GridFields: Sendable {
  /// For messages.
  var location: String { get }
  var fieldGrid: FieldGrid { get }
  /// By grid point: whether it belongs to the first of several grids that were combined; nil where there is one.
  var firstGrid: [Bool]? { get }
  /// Ascending, without those that are missing; empty for a store of static fields only.
  var times: [Timestamp] { get }
  /// The levels of all arrays, hPa, in stored order.
  var levelsHPa: [Double] { get }
  /// Names of the available variables, for messages.
  var names: [String] { get }
  /// Sentences on changes that are made in reading.
  var normalizations: [String] { get }
  /// Chunks read so far, and their bytes as stored.
  var reads: ReadCounts { get }

  /// Finds one of our variables; nil when it isn't here.
  ///
  /// - Parameters:
  ///   - rename: our name: the name here, where the user said so.
  ///   - asStatic: takes a field with times for a static one.
  func find(_ name: String, rename: [String: String], asStatic: Bool) throws -> FoundVariable?

  /// Where the data of a level lie; nil for a variable without levels.
  func slot(_ levelHPa: Double?, of found: FoundVariable) throws -> Int

  /// Runs of times that are stored together, and so are best read together.
  func storedTimes(_ found: FoundVariable) -> DateRuns

  /// Times at which the store has no field of a variable, at a level, though it has others.
  func absentTimes(_ found: FoundVariable, slot: Int) -> Set<Timestamp>

  /// Memory that reading fields of one time takes beside that for the fields.
  func bytesOnTheWay(_ fields: [WantedField]) -> Int

  /// Memory that reading fields at a range of times takes beside that for the fields, and what libraries keep of it.
  func readingMemory(_ fields: [WantedField], times: Range<Int>) -> ReadingMemory

  /// The pieces in which wanted fields are stored. What is stored as a whole is cut into `bands` bands of rows.
  func chunks(_ fields: [WantedField], bands: Int) -> [GridChunk]

  /// How many chunks are best asked for at once, whatever the number of threads.
  var readsAtOnce: Int { get }

  /// Reads what is wanted of a chunk at consecutive times. `target` tells where the part of a time, slot and rectangle goes, and
  /// how far its rows lie apart; our order and units, missing values NaN.
  /// - Returns: by time, whether all of it is numbers.
  func read(
    _ chunk: GridChunk, times: Range<Int>, _ scratch: ReadingScratch,
    into target: (_ time: Int, _ slot: Int, _ part: Rectangle) -> (UnsafeMutablePointer<Float>, stride: Int)
  ) throws -> [Bool]

  /// The statistics that the store holds of a field's values and of their change over a step, in our units.
  func statistics(_ field: WantedField, stepHours: Int) -> (values: FieldStatistics, change: FieldStatistics)?

  /// The first of some names that an array has which lies on other places than those that are read; nil where there is none.
  func elsewhere(_ names: [String]) -> ElsewhereArray?

  /// A static field: [rows, columns]; of one that is stored at several times that of a time.
  func readStatic(_ found: FoundVariable, time: Int, into out: UnsafeMutablePointer<Float>) throws
}

/// An array of a store that lies on other places than those that are read.
struct ElsewhereArray: Sendable {
  let location, array: String
  let dimensions, places: [String]
}

extension GridFields {
  var firstGrid: [Bool]? { nil }
  func elsewhere(_ names: [String]) -> ElsewhereArray? { nil }
}

/// A variable of ours where it was found.
struct FoundVariable: Sendable {
  let variable: Variable
  /// The store's name of the field, for messages.
  let storedName: String
  let dimensionNames: [String]
  /// hPa; empty without levels.
  let levelsHPa: [Double]
  /// Whether its level is a coordinate without dimension.
  var hasScalarLevel = false
  /// Vertical coordinate, other than pressure, of a field without levels: its name and its value.
  var otherLevel: (name: String, found: String)?
  let isStatic: Bool
  /// Number of times at which a static field is stored.
  var storedTimeCount = 1
  let storedUnits: String?
  let conversion: UnitConversion
  /// Whether stored rates are added up over the periods that they are means of.
  var isSum = false
  /// Over which it is an amount, a mean or an extreme: one number, or one for each lead of forecasts (0 where nothing is known); empty
  /// where the store doesn't say.
  var periodSeconds: [Int64] = []
  /// The meaning of the values; nil where nothing is known.
  var meaning: FieldMeaning?
  /// Which stored numbers are taken as missing, where that needs saying.
  var remarks: [String] = []
  /// How the view that holds it understood its units, where that needs saying.
  var viewNote: String?
  let handle: Handle

  var hasLevels: Bool { !levelsHPa.isEmpty }

  /// By level, where these are arrays of their own; else the one name.
  var storedNames: [String] {
    if case .bindings(let bindings) = handle { bindings.map(\.array.name) } else { [storedName] }
  }

  func storedName(slot: Int) -> String {
    let names = storedNames
    return names.count > 1 && names.indices.contains(slot) ? names[slot] : storedName
  }

  /// How its values were understood, a sentence each.
  var notes: [String] {
    let remarks = remarks.map { "\(variable.name): \($0)" } + [viewNote].compactMap { $0 }
    guard let storedUnits else {
      return remarks + ["\(variable.name) is assumed to be in \(variable.units): the store gives no units"]
    }
    if conversion == .none { return remarks }
    return remarks + ["\(variable.name) converted from \(storedUnits) to \(variable.units)"]
  }

  func has(_ levelHPa: Double) -> Bool { levelsHPa.contains { abs($0 - levelHPa) < 1e-3 } }

  enum Handle: Sendable {
    /// The array that holds the variable, or several arrays of one level each, in the order of `levelsHPa`.
    case bindings([GriddedStore.Binding])
    /// Variables of a view by level; level 0 for a single one.
    case variables([Double: Int])
  }
}

/// A field of a dataset, where it was found.
struct WantedField: Sendable {
  let channel: Int
  let found: FoundVariable
  /// The place that `slot` names.
  let slot: Int
}

/// A piece of what is stored, as far as it is wanted.
struct GridChunk: Sendable {
  enum Place: Sendable {
    case box(GriddedStore.Binding, GriddedStore.Box)
    /// Points of a view, and to our units for each field.
    case points(Range<Int>, [UnitConversion])
  }

  let place: Place
  let fields: [(channel: Int, slot: Int)]
  /// Where it lies on the grid.
  let parts: [Rectangle]
}
