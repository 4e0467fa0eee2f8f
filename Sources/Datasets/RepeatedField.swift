import Basics

/// A field without levels that several series of one pattern hold: files of a level each bring what lies at the surface along.
///
/// It is taken from one series, and must be the same in the others, within a step of 16-bit packing, at the times that they share:
/// compared are all of these, or of many or large fields at least 8, evenly spread with both ends.
struct RepeatedField {
  typealias Found = OpenedSources.Found

  /// The stores to read it from: those of the series with most times.
  let holders: [Found]
  /// A sentence on what was compared, for people.
  let note: String

  /// A stored copy of it at a time.
  private typealias Copy = (holder: Found, time: Int)

  /// Nil where the series are of several sources, or have no time in common.
  ///
  /// - Parameter series: more than one.
  /// - Throws: when they differ, naming both files and the time.
  init?(_ opened: OpenedSources, _ series: [[Found]]) throws {
    let stores = opened.stores
    guard Set(series.joined().map { stores[$0.store].source }).count == 1 else { return nil }
    let copies = try series.map { try RepeatedField.copies($0, stores) }
    guard let taken = copies.indices.max(by: { (copies[$0].count, $1) < (copies[$1].count, $0) }) else { return nil }
    holders = series[taken]
    let affordable = StaticField.affordable(stores[holders[0].store].store.fieldGrid.count * series.count)
    var counts: [(compared: Int, all: Int)] = []
    for index in copies.indices where index != taken {
      let common = copies[index].keys.filter { copies[taken][$0] != nil }.sorted()
      if common.isEmpty { return nil }
      let times = StaticField.spread(common.count, most: affordable).map { common[$0] }
      for time in times {
        guard let own = copies[taken][time], let other = copies[index][time] else { continue }
        try RepeatedField.compare(own, other, at: time, stores)
      }
      counts.append((times.count, common.count))
    }
    let (compared, all) = (counts.map(\.compared).reduce(0, +), counts.map(\.all).reduce(0, +))
    note =
      "\(holders[0].found.variable.name): taken once, the same in files of other levels at \(compared) of \(all) times"
  }

  /// By time, where a series has the field.
  private static func copies(_ series: [Found], _ stores: [OpenedSources.Opened]) throws -> [Timestamp: Copy] {
    var copies: [Timestamp: Copy] = [:]
    for holder in series {
      let store = stores[holder.store].store
      let absent = store.absentTimes(holder.found, slot: try store.slot(nil, of: holder.found))
      for (index, time) in store.times.enumerated() where !absent.contains(time) { copies[time] = (holder, index) }
    }
    return copies
  }

  private static func compare(
    _ own: Copy, _ other: Copy, at time: Timestamp, _ stores: [OpenedSources.Opened]
  ) throws {
    func read(_ copy: Copy) throws -> [Float] {
      try StaticField.read((stores[copy.holder.store].store, copy.holder.found), time: copy.time)
    }
    guard try StaticField.differ(read(own), read(other)) else { return }
    func place(_ copy: Copy) -> String {
      "\(stores[copy.holder.store].store.location): \(copy.holder.found.storedName)"
    }
    throw JigsawError(
      place(other), "is another field than that of files of another level",
      expected: "the values of \(place(own)) at \(time.display)", found: "others",
      remedy: "keep the field in the files that are right, and leave it out of the others")
  }
}
