import Basics

extension FieldDataset {
  /// Times that some channels have and others lack, so that they are left out, by the names of those that lack them.
  public var leftOutTimes: [(lacking: [String], times: [Timestamp])] {
    let groups = FieldDataset.groups(parts, channels)
    let absent = groups.reduce(into: Set()) { $0.formUnion($1.times) }.subtracting(times)
    let lacking = Dictionary(grouping: absent.sorted()) { time in
      groups.filter { !$0.times.contains(time) }.flatMap(\.names).sorted()
    }
    return lacking.map { (lacking: $0.key, times: $0.value) }.sorted { $0.times[0] < $1.times[0] }
  }

  /// The parts that hold a channel, and the times that each lacks.
  private struct Holders: Hashable {
    let parts: [Int]
    let absentTimes: [Set<Timestamp>]
  }

  /// Channels that are there at the same times, by the names of their variables.
  private static func groups(_ parts: [Part], _ channels: [Channel]) -> [(names: [String], times: Set<Timestamp>)] {
    let members = Dictionary(grouping: channels.indices) { channel in
      let holders = parts.indices.filter { parts[$0].fields.contains { $0.channel == channel } }
      return Holders(parts: holders, absentTimes: holders.map { parts[$0].absentTimes[channel] ?? [] })
    }
    return members.map { holders, members in
      let times = zip(holders.parts, holders.absentTimes).reduce(into: Set<Timestamp>()) { times, holder in
        times.formUnion(Set(parts[holder.0].store.times).subtracting(holder.1))
      }
      return (names(members, channels), times)
    }
  }

  /// "t2m: 2001-01-01 00:00 … 2001-01-31 18:00 and tp: none", for messages.
  static func periods(_ parts: [Part], _ channels: [Channel]) -> String {
    groups(parts, channels).map { names, times in
      let period = times.min().flatMap { first in times.max().map { "\(first.display) … \($0.display)" } }
      return "\(names.joined(separator: ", ")): \(period ?? "none")"
    }.sorted().joined(separator: " and ")
  }

  /// Variables of which all channels are among some, and the other channels.
  private static func names(_ members: [Int], _ channels: [Channel]) -> [String] {
    let own = Set(members)
    let names = members.map { channel in
      let variable = channels[channel].variable
      let isWhole = channels.indices.allSatisfy { channels[$0].variable != variable || own.contains($0) }
      return isWhole ? variable : channels[channel].name
    }
    return Set(names).sorted()
  }
}
