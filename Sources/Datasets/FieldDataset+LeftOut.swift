import Basics

extension FieldDataset {
  /// Times that some channels have and others lack, so that they are left out, by the names of those that lack them.
  public var leftOutTimes: [(lacking: [String], times: [Timestamp])] {
    // Channels of the same stores have the same times.
    var channelsOfStores: [[Int]: [Int]] = [:]
    for channel in channels.indices {
      let holders = parts.indices.filter { parts[$0].fields.contains { $0.channel == channel } }
      channelsOfStores[holders, default: []].append(channel)
    }
    let groups = channelsOfStores.map { holders, members in
      (names: names(members), times: Set(holders.flatMap { parts[$0].store.times }))
    }
    let absent = groups.reduce(into: Set()) { $0.formUnion($1.times) }.subtracting(times)
    let lacking = Dictionary(grouping: absent.sorted()) { time in
      groups.filter { !$0.times.contains(time) }.flatMap(\.names).sorted()
    }
    return lacking.map { (lacking: $0.key, times: $0.value) }.sorted { $0.times[0] < $1.times[0] }
  }

  /// Variables of which all channels are among some, and the other channels.
  private func names(_ members: [Int]) -> [String] {
    let own = Set(members)
    let names = members.map { channel in
      let variable = channels[channel].variable
      let isWhole = channels.indices.allSatisfy { channels[$0].variable != variable || own.contains($0) }
      return isWhole ? variable : channels[channel].name
    }
    return Set(names).sorted()
  }
}
