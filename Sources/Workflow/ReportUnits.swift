import Datasets
import Reporting

/// The units of variables that the lexicon lacks, as the parts of a run say them.
struct ReportUnits {
  private var found: [String: [(units: String, part: String)]] = [:]

  /// - Parameter part: of the run, for people.
  mutating func add(_ channel: Channel, _ units: String?, of part: String) {
    guard Lexicon[channel.variable] == nil, let units, !units.isEmpty else { return }
    found[channel.name, default: []].append((units, part))
  }

  /// By channel, where all parts agree.
  var units: [String: String] { found.filter { difference($0.value) == nil }.compactMapValues { $0.first?.units } }

  /// Sentences on channels of which parts have different units.
  var hints: [ReportContents.Hint] {
    found.sorted { $0.key < $1.key }.compactMap { name, all in
      difference(all).map { first, other in
        .init(
          "\(name) is in '\(first.units)' in the \(first.part) and in '\(other.units)' in the \(other.part), so it is shown without a "
            + "unit. Make them anew from the same data.")
      }
    }
  }

  private typealias Entry = (units: String, part: String)

  private func difference(_ all: [Entry]) -> (Entry, Entry)? {
    guard let first = all.first,
      let other = all.first(where: {
        $0.units != first.units && UnitConversion(from: $0.units, to: first.units) != UnitConversion.none
      })
    else { return nil }
    return (first, other)
  }
}
