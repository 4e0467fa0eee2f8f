import Basics
import Stores

/// What sources hold, field by field, as a dataset made of them would read it.
public struct SourceContents: Sendable {
  public struct Field: Sendable {
    /// As the store calls it.
    public let storedName: String
    /// Ours, or the store's where it isn't known.
    public let name: String
    /// What it is; nil where the name isn't known.
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
    /// Why a dataset can't have it.
    public let problem: JigsawError?
    /// The variable that it may be, where the name isn't known.
    public let suggestion: Variable?
  }

  public let grid: FieldGrid
  /// Those that are known in the order of the lexicon, then others by name.
  public let fields: [Field]
  /// What is changed or left out on the way in.
  public let notes: [String]

  public init(_ opened: OpenedSources) {
    grid = opened.grid
    notes = Set(opened.stores.flatMap(\.store.normalizations)).sorted()
    let known = Lexicon.variables.compactMap { Field($0.name, opened, known: []) }
    let taken = Set(known.map(\.storedName))
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
      self.init(
        storedName: refusing.storedName(of: Lexicon.variable(name)), name: name, variable: variable, levelsHPa: [],
        isStatic: false, storedUnits: nil, isConverted: false, storeCount: 1, times: [], problem: problem,
        suggestion: nil)
      return
    }
    problem = problem ?? found.lazy.compactMap { $0.store.problem(of: $0.found.storedName) }.first
    let levels = Set(found.flatMap(\.found.levelsHPa)).sorted(by: >)
    var times: [Timestamp] = []
    if problem == nil {
      do {
        let dataset = try FieldDataset(
          opened, variables: first.isStatic ? [] : [name], levelsHPa: first.isStatic ? [] : levels,
          staticVariables: first.isStatic ? [name] : [])
        times = first.isStatic ? [] : dataset.times
      } catch { problem = error as? JigsawError }
    }
    self.init(
      storedName: first.storedName, name: name, variable: variable, levelsHPa: levels, isStatic: first.isStatic,
      storedUnits: first.storedUnits, isConverted: first.conversion != .none, storeCount: found.count, times: times,
      problem: problem,
      suggestion: variable == nil
        ? Lexicon.suggestion(for: found[0].store.array(first.storedName)).flatMap { known.contains($0.name) ? nil : $0 }
        : nil)
  }
}

extension GridFields {
  /// Arrays of a store on its grid; the variables of a view.
  fileprivate var fieldNames: [String] {
    guard let gridded = self as? GriddedStore else { return names }
    return gridded.store.arrays.values.filter(gridded.isField).map(\.name)
  }

  fileprivate func problem(of storedName: String) -> JigsawError? {
    (self as? GriddedStore)?.store.problems[storedName]
  }

  /// The array that is taken for a variable.
  fileprivate func storedName(of variable: Variable) -> String {
    ([variable.name] + variable.aliases).first { array($0) != nil } ?? variable.name
  }

  fileprivate func array(_ name: String) -> ArrayInfo? { (self as? GriddedStore)?.store.arrays[name] }
}

extension Lexicon {
  /// The variable that an array whose name isn't known may hold: by its standard name or long name, or a name that differs in case,
  /// signs or a letter. Its unit must fit.
  static func suggestion(for array: ArrayInfo?) -> Variable? {
    guard let array else { return nil }
    func plain(_ text: String) -> String { text.lowercased().filter { $0.isLetter || $0.isNumber } }
    let fitting = variables.filter { variable in
      array.units.map { UnitConversion(from: $0, to: variable.units) != nil } ?? true
    }
    let standard = array.attributes["standard_name"]?.text
    let long = array.attributes["long_name"]?.text.map(plain)
    // Within groups names are paths.
    let name = plain(array.name.split(separator: "/").last.map(String.init) ?? array.name)
    func names(_ variable: Variable) -> [String] { ([variable.name, variable.longName] + variable.aliases).map(plain) }
    if let standard {
      let named = fitting.filter { $0.standardName == standard }
      if named.count == 1 { return named[0] }
    }
    if let found = fitting.first(where: { names($0).contains(name) }) { return found }
    if let long, let found = fitting.first(where: { names($0).contains(long) }) { return found }
    // Short names are too much alike.
    guard name.count > 4, array.units != nil, let near = nearest(to: name, among: fitting.flatMap(names)) else {
      return nil
    }
    return fitting.first { names($0).contains(near) }
  }
}
