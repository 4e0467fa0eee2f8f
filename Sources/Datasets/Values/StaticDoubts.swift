import Basics

extension FieldDataset {
  /// Static fields that can't be right, and those that are one value everywhere, a sentence each.
  ///
  /// - Throws: when they can't be read, or lack values.
  public func staticDoubts() throws -> (problems: [String], notes: [String]) {
    let values = try readStatics()
    var (problems, notes): ([String], [String]) = ([], [])
    for (index, channel) in staticChannels.enumerated() {
      let field = values[index * grid.count..<(index + 1) * grid.count]
      guard let low = field.min(), let high = field.max() else { continue }
      let place = "\(channel.name) (\(statics[index].place))"
      if low == high {
        notes.append("\(place) is \(significant(Double(low))) everywhere")
      } else if let text = Lexicon[channel.variable]?.implausible(from: Double(low), to: Double(high)) {
        problems.append("\(place) goes \(text); a fill value that no attribute names, or other units?")
      } else if Lexicon[channel.variable]?.plausible == nil, let mark = FieldDataset.farMark(field) {
        problems.append("\(place) has values of \(significant(Double(mark))) far from all others; a fill value?")
      }
    }
    return (problems, notes)
  }

  /// A number that marks missing values elsewhere, farther from all others than these from each other, by far.
  private static func farMark(_ field: ArraySlice<Float>) -> Float? {
    let others = field.filter { !PlausibleValues.marks.contains($0) }
    guard others.count < field.count, let low = others.min(), let high = others.max() else { return nil }
    let room = 10 * (high - low)
    return field.first { PlausibleValues.marks.contains($0) && ($0 < low - room || $0 > high + room) }
  }
}
