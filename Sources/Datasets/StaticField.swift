import Basics

/// A field without time of a dataset: read once, from the first of the stores that hold it, at their first time.
///
/// Other stored copies of it must be the same, within a step of 16-bit packing (2·10⁻⁵ of the field's range): compared are up to 32
/// stores, and of the first one all times, or of many or large ones at least 8, evenly spread with both ends.
struct StaticField: Sendable {
  let store: any GridFields
  let found: FoundVariable
  /// The first of the store's times at which it is there.
  private let time: Int
  /// A sentence on the sources that were compared, for people.
  let note: String?

  private static let comparedStores = 32
  private static let fewestComparedTimes = 8
  private static let mostComparedTimes = 256
  /// Numbers of all compared times.
  private static let comparedNumbers = 1 << 25
  private static let tolerance: Float = 2e-5

  /// - Parameter holders: in order.
  /// - Throws: when they differ, naming both files, or both times of one.
  init(_ holders: [(store: any GridFields, found: FoundVariable)]) throws {
    let first = holders[0]
    (store, found) = first
    let affordable = StaticField.affordable(store.fieldGrid.count)
    let there = try StaticField.times(first)
    time = there[0]
    let times = StaticField.spread(there.count, most: affordable).map { there[$0] }
    let stores = StaticField.spread(holders.count, most: StaticField.comparedStores)
    var notes: [String] = []
    if times.count > 1 {
      notes.append("its first time is taken, the same at \(times.count) of \(there.count) times")
    }
    if stores.count > 1 { notes.append("the same in \(stores.count) of \(holders.count) files") }
    note = notes.isEmpty ? nil : "\(found.variable.name): \(notes.joined(separator: ", "))"
    if notes.isEmpty { return }
    let field = try StaticField.read(first, time: time)
    for time in times.dropFirst() where try StaticField.differ(field, StaticField.read(first, time: time)) {
      throw JigsawError(
        StaticField.place(first), "varies in time, but is among data.static",
        expected: "the same field at \(store.times[0].display) and \(store.times[time].display)",
        remedy: "move it to data.variables, or select one time of it before")
    }
    for other in stores.dropFirst().map({ holders[$0] })
    where try StaticField.differ(field, StaticField.read(other, time: StaticField.times(other)[0])) {
      throw JigsawError(
        StaticField.place(other), "is another static field than that of \(store.location)",
        expected: "the same values in all files of a source",
        remedy: "name the file that is right as a source of its own, and leave the field out of the others")
    }
  }

  /// - Parameter out: [rows, columns].
  func read(into out: UnsafeMutablePointer<Float>) throws { try store.readStatic(found, time: time, into: out) }

  /// The times at which a store has the field; 0 where it has no times.
  private static func times(_ holder: (store: any GridFields, found: FoundVariable)) throws -> [Int] {
    let (store, found) = holder
    let all = Array(0..<max(1, found.storedTimeCount))
    guard all.count > 1 else { return all }
    let absent = store.absentTimes(found, slot: try store.slot(nil, of: found))
    let there = all.filter { !absent.contains(store.times[$0]) }
    return there.isEmpty ? all : there
  }

  var place: String { StaticField.place((store, found)) }

  private static func place(_ holder: (store: any GridFields, found: FoundVariable)) -> String {
    "\(holder.store.location): \(holder.found.storedName)"
  }

  static func read(_ holder: (store: any GridFields, found: FoundVariable), time: Int) throws -> [Float] {
    var values = [Float](repeating: .nan, count: holder.store.fieldGrid.count)
    try values.withUnsafeMutableBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return }
      try holder.store.readStatic(holder.found, time: time, into: start)
    }
    return values
  }

  static func differ(_ first: [Float], _ second: [Float]) -> Bool {
    let numbers = first.filter(\.isFinite)
    let limit = ((numbers.max() ?? 0) - (numbers.min() ?? 0)) * tolerance
    return zip(first, second).contains { a, b in
      a.isNaN || b.isNaN ? a.isNaN != b.isNaN : a != b && abs(a - b) > limit
    }
  }

  /// Times to compare of fields of so many numbers.
  static func affordable(_ numbers: Int) -> Int {
    max(fewestComparedTimes, min(comparedNumbers / max(1, numbers), mostComparedTimes))
  }

  /// Indices evenly spread over 0 ..< count, both ends among them.
  static func spread(_ count: Int, most: Int) -> [Int] {
    count <= most ? Array(0..<count) : (0..<most).map { $0 * (count - 1) / (most - 1) }
  }
}
