import Basics

/// Where a variable of a dataset, or some levels of it, or a static field comes from, for people.
public struct FieldOrigin: Sendable, Equatable {
  public let variable: String
  /// hPa; empty without levels.
  public internal(set) var levelsHPa: [Double]
  public let isStatic: Bool
  /// The source as the configuration names it: a path, a pattern or a composed view, without user information.
  public let source: String
  /// The name there; of a variable whose levels are arrays of their own, all names.
  public let storedName: String
  /// Stores that hold it: files of a pattern.
  public let storeCount: Int
  /// Times at which these have it, at all of its levels, ascending; empty for a static field.
  public internal(set) var times: [Timestamp]

  /// "t (850, 500 hPa): ta of data/t*.nc, 2 files, 56 times from 2001-01-01 00:00 to 2001-01-14 18:00".
  public var sentence: String {
    let levels = levelsHPa.isEmpty ? "" : " (\(levelsHPa.map { Channel.text($0) }.joined(separator: ", ")) hPa)"
    let files = storeCount == 1 ? "" : ", \(storeCount) files"
    let period = times.first.flatMap { first in
      times.last.map { ", \(counted(times.count, "time")) from \(first.display) to \($0.display)" }
    }
    return "\(variable)\(levels): \(storedName) of \(source)\(files)\(period ?? "")"
  }
}

extension FieldOrigin {
  /// Origins of all channels and static fields, in their order.
  static func all(
    _ opened: OpenedSources, _ chosen: ChannelSelection, _ statics: [(name: String, found: [OpenedSources.Found])]
  ) -> [FieldOrigin] {
    var origins: [FieldOrigin] = []
    var places: [String: Int] = [:]
    for (channel, described) in chosen.channels.enumerated() {
      let fields = chosen.fields.indices.compactMap { store in
        chosen.fields[store].first { $0.channel == channel }.map { (store: store, field: $0) }
      }
      guard let first = fields.first else { continue }
      let held = fields.flatMap { times(of: $0.field, in: opened.stores[$0.store].store) }.sorted()
      let level = [described.levelHPa].compactMap { $0 }
      let key = "\(described.variable) \(opened.stores[first.store].series)"
      if let place = places[key] {
        origins[place].levelsHPa += level
        if origins[place].times != held {
          origins[place].times = Set(held).intersection(origins[place].times).sorted()
        }
      } else {
        places[key] = origins.count
        let holders = fields.map { (store: $0.store, found: $0.field.found) }
        origins.append(FieldOrigin(described.variable, level, times: held, holders, opened))
      }
    }
    return origins + statics.map { FieldOrigin($0.name, [], times: nil, $0.found, opened) }
  }

  /// Times at which a store has a field.
  private static func times(of field: WantedField, in store: any GridFields) -> [Timestamp] {
    let absent = store.absentTimes(field.found, slot: field.slot)
    return absent.isEmpty ? store.times : store.times.filter { !absent.contains($0) }
  }

  /// - Parameter times: nil for a static field.
  private init(
    _ variable: String, _ levelsHPa: [Double], times: [Timestamp]?, _ holders: [OpenedSources.Found],
    _ opened: OpenedSources
  ) {
    let stores = holders.map { opened.stores[$0.store] }
    (self.variable, self.levelsHPa, self.isStatic) = (variable, levelsHPa, times == nil)
    source = stores.first.map { opened.display(of: $0.source) } ?? ""
    storedName = holders.first?.found.storedNames.joined(separator: ", ") ?? variable
    storeCount = stores.count
    self.times = times ?? []
  }
}
