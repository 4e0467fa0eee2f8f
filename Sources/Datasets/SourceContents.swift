import Basics
import Stores

/// The contents of sources, field by field, as a dataset made of them would read it.
public struct SourceContents: Sendable {
  public struct Field: Sendable {
    /// The array's name in the store; the first array's where each level has its own.
    public let storedName: String
    /// All of these, in the order in which the stores have them; files of a pattern may differ.
    public let storedNames: [String]
    /// Ours, or the store's where it isn't known.
    public let name: String
    /// Its variable; nil where the name isn't known.
    public let variable: Variable?
    /// hPa; empty without levels.
    public let levelsHPa: [Double]
    public let isStatic: Bool
    public let storedUnits: String?
    /// Whether values are converted to our unit.
    public let isConverted: Bool
    /// Stores that hold it: files of a pattern.
    public let storeCount: Int
    /// Ascending; empty for a static field.
    public let times: [Timestamp]
    /// Whether it is made of rates that are listed too.
    let isSum: Bool
    /// Why a dataset can't have it.
    public let problem: JigsawError?
    /// The variable that it may be, where the name isn't known.
    public let suggestion: Variable?
  }

  public let grid: FieldGrid
  /// Known fields in the order of the lexicon, then others by name.
  public let fields: [Field]
  /// Sentences on values that are changed or left out in reading.
  public let notes: [String]

  public init(_ opened: OpenedSources) {
    grid = opened.grid
    let found = Lexicon.variables.compactMap { Field($0.name, opened, known: []) }
    // Rates that may be added up are listed as what they are.
    let sums = found.filter(\.isSum).map { "\($0.storedName) can be read as \($0.name) too" }
    let known = found.filter { !$0.isSum }
    notes = Set(opened.stores.flatMap(\.store.normalizations) + sums).sorted()
    let taken = Set(known.flatMap(\.storedNames))
    let names = Set(known.map(\.name))
    let others = Set(opened.stores.flatMap(\.store.fieldNames)).subtracting(taken).sorted()
    fields = known + others.compactMap { Field($0, opened, known: names) }
  }
}

extension SourceContents.Field {
  /// Nil where no store has it.
  /// - Parameter known: variables that are there under names of their own.
  fileprivate init?(_ name: String, _ opened: OpenedSources, known: Set<String>) {
    var found: [(store: any GridFields, found: FoundVariable)] = []
    var problem: JigsawError?
    var refusing: (any GridFields)?
    for opened in opened.stores {
      do {
        guard let one = try opened.store.find(name, rename: [:], asStatic: false) else { continue }
        found.append((opened.store, one))
      } catch {
        problem = problem ?? error as? JigsawError
        refusing = refusing ?? opened.store
      }
    }
    let variable = Lexicon[name]
    guard let first = found.first?.found else {
      guard let problem, let refusing else { return nil }
      let storedName = refusing.storedName(of: Lexicon.variable(name))
      self.init(
        storedName: storedName, storedNames: [storedName], name: name, variable: variable, levelsHPa: [],
        isStatic: false, storedUnits: nil, isConverted: false, storeCount: 1, times: [], isSum: false, problem: problem,
        suggestion: nil)
      return
    }
    problem =
      problem
      ?? found.lazy.compactMap { entry in
        entry.found.storedNames.lazy.compactMap(entry.store.problem).first
      }.first
    let levels = Set(found.flatMap(\.found.levelsHPa)).sorted(by: >)
    let storedNames = found.reduce(into: [String]()) { names, entry in
      names += entry.found.storedNames.filter { !names.contains($0) }
    }
    var times: [Timestamp] = []
    if problem == nil, variable == nil, opened.stores.count == 1 {
      let store = found[0].store
      let ofField: [Double?] = first.hasLevels ? first.levelsHPa : [nil]
      let slots = ofField.compactMap { try? store.slot($0, of: first) }
      let absent = slots.reduce(into: Set()) { $0.formUnion(store.absentTimes(first, slot: $1)) }
      times = first.isStatic ? [] : store.times.filter { !absent.contains($0) }
    } else if problem == nil {
      do {
        let dataset = try FieldDataset(
          opened, variables: first.isStatic ? [] : [name], levelsHPa: first.isStatic ? [] : levels,
          staticVariables: first.isStatic ? [name] : [])
        times = first.isStatic ? [] : dataset.times
      } catch { problem = error as? JigsawError }
    }
    self.init(
      storedName: first.storedName, storedNames: storedNames, name: name, variable: variable, levelsHPa: levels,
      isStatic: first.isStatic,
      storedUnits: first.storedUnits, isConverted: first.conversion != .none, storeCount: found.count, times: times,
      isSum: first.isSum, problem: problem,
      suggestion: variable == nil ? found[0].store.suggestion(for: first.storedName, known: known) : nil)
  }
}

extension GridFields {
  /// Arrays of a store on its grid, also those with other dimensions; the variables of a view.
  fileprivate var fieldNames: [String] {
    guard let gridded = self as? GriddedStore else { return names }
    let onGrid: Set<String> = [gridded.axes.latitude, gridded.axes.longitude]
    return StoreAxes.fields(gridded.store).filter { onGrid.isSubset(of: $0.dimensionNames) }.map(\.name)
  }

  fileprivate func problem(of storedName: String) -> JigsawError? {
    (self as? GriddedStore)?.store.problems[storedName]
  }

  /// The array that is taken for a variable.
  fileprivate func storedName(of variable: Variable) -> String {
    ([variable.name] + variable.aliases).first { array($0) != nil } ?? variable.name
  }

  /// The variable that an array may hold, where it can be read as that: not on levels of a model, for example.
  fileprivate func suggestion(for storedName: String, known: Set<String>) -> Variable? {
    guard let variable = Lexicon.suggestion(for: array(storedName)), !known.contains(variable.name),
      !isElsewhere(storedName, than: variable),
      (try? find(variable.name, rename: [variable.name: storedName], asStatic: false)) != nil
    else { return nil }
    return variable
  }

  /// Whether an array says of itself that it is another variable, or this one at a height that it doesn't have.
  private func isElsewhere(_ storedName: String, than variable: Variable) -> Bool {
    guard let gridded = self as? GriddedStore, let array = array(storedName) else { return false }
    return Lexicon.contradiction(of: array, to: variable, gridded.place(of: array), in: gridded.store) != nil
  }

  fileprivate func array(_ name: String) -> ArrayInfo? { (self as? GriddedStore)?.store.arrays[name] }
}

extension Lexicon {
  /// The variable that an array whose name isn't known may hold: by its standard name or long name, or a name that differs in case,
  /// signs or a letter. Its unit must fit.
  static func suggestion(for array: ArrayInfo?) -> Variable? {
    guard let array else { return nil }
    let standard = array.attributes["standard_name"]?.text
    let long = array.attributes["long_name"]?.text.map(plain)
    // Within groups names are paths.
    let name = plain(array.name.split(separator: "/").last.map(String.init) ?? array.name)
    func fits(_ variable: Variable) -> Bool {
      array.units.map { UnitConversion(from: $0, to: variable.units) != nil } ?? true
    }
    if let standard {
      let named = variables.filter { $0.standardName == standard && fits($0) }
      if named.count == 1 { return named[0] }
    }
    for text in [name, long].compactMap({ $0 }) {
      if let found = plainNames.first(where: { $0.names.contains(text) && fits($0.variable) }) { return found.variable }
    }
    // Short names are too much alike, and those of GRIB files come from tables: nobody mistypes them.
    guard name.count > 4, array.units != nil, array.attributes["GRIB_shortName"] == nil else { return nil }
    let fitting = plainNames.filter { fits($0.variable) }
    guard let near = nearest(to: name, among: fitting.flatMap(\.names)) else { return nil }
    return fitting.first { $0.names.contains(near) }?.variable
  }

  private static let plainNames = variables.map { variable in
    (variable: variable, names: ([variable.name, variable.longName] + variable.aliases).map(plain))
  }
}
