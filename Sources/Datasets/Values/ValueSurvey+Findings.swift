import Basics

extension ValueSurvey {
  /// The findings of a pass, in sentences.
  public struct Findings: Sendable {
    /// Findings that make fields unusable.
    public var problems: [String] = []
    /// Findings that may be intended.
    public var notes: [String] = []
  }

  /// - Parameters:
  ///   - timeCount: times that were read.
  ///   - needsChange: whether fields are to be normalised by what they are, so that they must vary.
  ///   - period: the name of the times over which they are, where that are not all.
  ///   - absent: arrays, named with their store, of which chunks were never written.
  public func findings(
    _ dataset: FieldDataset, timeCount: Int, needsChange: Bool, period: String? = nil, absent: Set<String> = []
  ) -> Findings {
    var findings = Findings()
    for (channel, row) in rows.enumerated() {
      let named = NamedRow(dataset, channel, row, timeCount)
      findings.problems += [named.missing, named.odd].compactMap { $0 }
      if let constant = named.constant(period) {
        if needsChange { findings.problems.append(constant) } else { findings.notes.append(constant) }
      } else if let flat = named.flat {
        if named.isFlatWhere(absent) {
          findings.problems.append("\(flat); chunks of it were never written")
        } else {
          findings.notes.append(flat)
        }
      }
    }
    return findings
  }
}

/// The findings on one channel, with its name, unit and place.
private struct NamedRow {
  let dataset: FieldDataset
  let row: ValueSurvey.Row
  let timeCount: Int
  private let channel: Int
  private let name, unit: String
  private let plausible: ClosedRange<Double>?

  init(_ dataset: FieldDataset, _ channel: Int, _ row: ValueSurvey.Row, _ timeCount: Int) {
    (self.dataset, self.channel, self.row, self.timeCount) = (dataset, channel, row, timeCount)
    name = dataset.channels[channel].name
    let known = Lexicon[dataset.channels[channel].variable]
    unit = known.map { $0.units == "1" ? "" : " \($0.units)" } ?? ""
    plausible = known?.plausible
  }

  private func at(_ time: Int) -> String {
    "\(dataset.times[time].display) (\(dataset.place(of: channel, time: time)))"
  }

  private func text(_ value: Double) -> String { "\(significant(value))\(unit)" }

  var missing: String? {
    row.missing.map {
      "\(name) has \($0.values) missing values in \($0.times) of \(timeCount) times, first at \(at($0.firstTime))"
    }
  }

  var odd: String? {
    guard let odd = row.odd, let (low, high) = extremes else { return nil }
    let values = "\(name) has \(counted(odd.values, "value")) in \(odd.times) of \(counted(timeCount, "time"))"
    let first = "first at \(at(odd.firstTime))"
    var found: [String] = []
    if let plausible {
      if low.value < plausible.lowerBound { found.append("\(text(low.value)) at \(dataset.times[low.time].display)") }
      if high.value > plausible.upperBound {
        found.append("\(text(high.value)) at \(dataset.times[high.time].display)")
      }
      let range = "\(significant(plausible.lowerBound)) … \(significant(plausible.upperBound))\(unit)"
      return "\(values) that can't be, \(first); expected \(range), found \(found.joined(separator: ", "))\(advice)"
    }
    let extremes = row.mark.map(text) ?? "\(text(low.value)), \(text(high.value))"
    return "\(values) far from all others, \(first); found \(extremes)\(advice)"
  }

  private var extremes: (ValueSurvey.Extreme, ValueSurvey.Extreme)? {
    row.minimum.flatMap { low in row.maximum.map { (low, $0) } }
  }

  private var advice: String {
    guard let mark = row.mark else { return "; correct the units or the data" }
    if mark == 0 { return "; chunks that were never written read as zero" }
    return "; a fill value that no attribute names? Set missing_value, or correct the data"
  }

  /// - Parameter period: the name of the times over which fields are normalised, where that are not all.
  func constant(_ period: String?) -> String? {
    guard row.normalisedTimes > 1 else { return nil }
    let times = "at all \(row.normalisedTimes) times\(period.map { " of \($0)" } ?? "")"
    if let value = row.constant {
      return "\(name) is \(text(value)) everywhere \(times), and can't be normalised; leave it out"
    }
    guard row.isUnchanging else { return nil }
    let isSameElsewhere = row.normalisedTimes == timeCount
    return "\(name) is the same \(times); "
      + (isSameElsewhere ? "move it to data.static, or leave it out" : "choose another period, or leave it out")
  }

  /// Whether the array that holds the first time at which all values are one lacks chunks.
  func isFlatWhere(_ absent: Set<String>) -> Bool {
    row.firstFlat.map { absent.contains(dataset.place(of: channel, time: $0.time)) } ?? false
  }

  /// Nothing is said of fields that are zero where there is no rain, cloud, ice or sun.
  var flat: String? {
    guard let first = row.firstFlat else { return nil }
    let mayBeZero = plausible.map { (-1...0).contains($0.lowerBound) } ?? true
    if first.value == 0, mayBeZero || unit == " W m-2" || unit == " J m-2" { return nil }
    return "\(name) is \(first.value.isNaN ? "one value" : text(first.value)) everywhere at \(row.flatTimes) of "
      + "\(timeCount) times, first at \(at(first.time))"
  }
}

extension DatasetStatistics {
  /// Channels whose extremes can't be, a sentence each: what is normalised with them is worth nothing.
  public var implausible: [String] {
    channels.sorted { $0.key < $1.key }.compactMap { name, row in
      let variable = Lexicon[name] ?? LevelNames.split(name).flatMap { Lexicon[$0.stem] }
      return variable?.implausible(from: row.minimum, to: row.maximum).map {
        "\(name) goes \($0); 'jigsaw data check' says where"
      }
    }
  }
}

extension Variable {
  /// "from … to …, outside …" of values, in `units`, that can't be; nil: nothing is known against them.
  public func implausible(from low: Double, to high: Double) -> String? {
    guard let range = plausible, low < range.lowerBound || high > range.upperBound else { return nil }
    return "from \(significant(low)) to \(significant(high)) \(units), outside "
      + "\(significant(range.lowerBound)) … \(significant(range.upperBound))"
  }
}
