import Basics

/// Which stored fields the channels of a dataset are.
struct ChannelSelection {
  private(set) var channels: [Channel] = []
  /// The wanted fields of each opened store.
  private(set) var fields: [[WantedField]]
  /// Sentences on fields that several series hold.
  private(set) var notes: [String] = []
  private let opened: OpenedSources

  /// - Throws: when a variable or level is not there, or in several series.
  init(_ opened: OpenedSources, variables: [String], levelsHPa: [Double]) throws {
    self.opened = opened
    fields = [[WantedField]](repeating: [], count: opened.stores.count)
    for name in variables {
      let series = try opened.locate(name)
      for level in try levels(of: name, series, wanted: levelsHPa) {
        for entry in try level.map({ try holders(of: name, $0, series) }) ?? holders(of: name, series) {
          let slot = try opened.stores[entry.store].store.slot(level, of: entry.found)
          fields[entry.store].append(WantedField(channel: channels.count, found: entry.found, slot: slot))
        }
        channels.append(Channel(variable: name, levelHPa: level))
      }
    }
    try refuseTwice()
    try refuseOneName()
  }

  /// - Throws: when two channels would have one name: z at 500 hPa, and an array called z_500.
  private func refuseOneName() throws {
    var known: [String: Channel] = [:]
    for channel in channels {
      guard let other = known.updateValue(channel, forKey: channel.name) else { continue }
      func text(_ channel: Channel) -> String {
        channel.levelHPa.map { "\(channel.variable) at \(Channel.text($0)) hPa" } ?? channel.variable
      }
      throw JigsawError(
        "data.variables", "gives two fields the name \(channel.name)", expected: "a name of its own for each",
        found: "\(text(other)) and \(text(channel))", remedy: "map one of them with data.sources.names")
    }
  }

  /// The levels to take of a variable; [nil] for one that has none.
  private func levels(
    of name: String, _ series: [[OpenedSources.Found]], wanted: [Double]
  ) throws -> [Double?] {
    let first = series[0][0]
    let all = series.flatMap { $0 }
    if let other = all.first(where: { $0.found.hasLevels != first.found.hasLevels }) {
      let isOfOne = opened.stores[other.store].source == opened.stores[first.store].source
      if !isOfOne { throw opened.ambiguity(name, first, other, wantsTime: true) }
      throw JigsawError(
        "\(location(other)): \(other.found.storedName)",
        "has \(first.found.hasLevels ? "no " : "")levels, unlike in \(location(first))",
        remedy: "give both files the same dimensions")
    }
    try checkUnits(of: name, all)
    try checkPeriods(all)
    try checkMeaning(all)
    let isUnknownScalar = Lexicon[name] == nil && all.allSatisfy(\.found.hasScalarLevel) && series.count == 1
    guard first.found.hasLevels, !(wanted.isEmpty && isUnknownScalar) else {
      try checkThatNoneIsWanted(of: name, all, wanted)
      return [nil]
    }
    if wanted.isEmpty {
      throw JigsawError(
        "data.levels", "is empty, but \(name) is stored on levels", found: text(of: all),
        remedy: "choose some of these")
    }
    return wanted.map { $0 }
  }

  /// - Throws: when stores have a variable that the lexicon lacks in several units: to one of ours it is not converted.
  private func checkUnits(of name: String, _ all: [OpenedSources.Found]) throws {
    if Lexicon[name] != nil { return }
    func units(_ entry: OpenedSources.Found) -> String { entry.found.storedUnits ?? "none" }
    guard
      let other = all.first(where: { entry in
        units(entry) != units(all[0]) && UnitConversion(from: units(entry), to: units(all[0])) != UnitConversion.none
      })
    else { return }
    throw JigsawError(
      "\(location(other)): \(other.found.storedName)", "has other units than in \(location(all[0]))",
      expected: "'\(units(all[0]))'", found: "'\(units(other))'", remedy: "convert one of them before")
  }

  /// - Throws: when stores have amounts, means or extremes over different periods.
  private func checkPeriods(_ all: [OpenedSources.Found]) throws {
    let known = all.filter { !$0.found.periodSeconds.isEmpty }
    guard let first = known.first,
      let other = known.first(where: { $0.found.periodSeconds != first.found.periodSeconds })
    else { return }
    throw FieldPeriod.differs(
      "\(location(other)): \(other.found.storedName)", than: location(first), first.found.periodSeconds,
      other.found.periodSeconds)
  }

  /// - Throws: when stores say of a variable that it is different quantities, or of other members, leads or calendars.
  private func checkMeaning(_ all: [OpenedSources.Found]) throws {
    let known = all.compactMap { entry in entry.found.meaning.map { (entry, $0) } }
    for index in known.indices.dropFirst() {
      let (entry, meaning) = known[index]
      // Two that agree with the first may differ: in one the start of the forecast is the same, in the other the lead.
      for (other, expected) in [known[0], known[index - 1]] {
        guard let difference = expected.difference(from: meaning) else { continue }
        throw JigsawError(
          "\(location(entry)): \(entry.found.storedName)", difference.problem(location(other)),
          expected: difference.own, found: difference.other, remedy: difference.remedy)
      }
    }
  }

  /// - Throws: when levels are wanted of a variable of the upper air that has none, or one that is no pressure.
  private func checkThatNoneIsWanted(of name: String, _ all: [OpenedSources.Found], _ wanted: [Double]) throws {
    if wanted.isEmpty { return }
    let levels = wanted.map { Channel.text($0) }.joined(separator: ", ")
    for entry in all {
      let place = "\(location(entry)): \(entry.found.storedName)"
      if let (coordinate, text) = entry.found.otherLevel {
        throw JigsawError(
          place,
          "lies on the single level of '\(coordinate)', which nothing says is a pressure, but data.levels asks for some",
          expected: "a level in hPa (\(levels))", found: text,
          remedy: "give '\(coordinate)' units of pressure, or leave \(name) or data.levels out")
      }
      if Lexicon.isOnLevels(name) {
        throw JigsawError(
          place, "has no levels, but data.levels asks for some of \(name)",
          expected: "a dimension of pressure levels with \(levels) hPa",
          found: entry.found.dimensionNames.joined(separator: ", "),
          remedy: "give the field its level, or leave \(name) or data.levels out")
      }
    }
  }

  /// The stores of the one series that has a level.
  private func holders(of name: String, _ level: Double, _ series: [[OpenedSources.Found]]) throws
    -> [OpenedSources.Found]
  {
    let having = series.filter { $0.contains { $0.found.has(level) } }
    if having.count > 1 { throw opened.ambiguity(name, having[0][0], having[1][0], wantsTime: true) }
    if let one = having.first ?? (series.count == 1 ? series[0] : nil) { return one }
    throw JigsawError(
      "\(opened.display): \(name)", "has no level \(Channel.text(level)) hPa", found: text(of: series.flatMap { $0 }),
      remedy: "choose data.levels among these")
  }

  /// The stores of the one series that has a variable without levels, or of one of those that have the same.
  private mutating func holders(of name: String, _ series: [[OpenedSources.Found]]) throws -> [OpenedSources.Found] {
    if series.count == 1 { return series[0] }
    guard let repeated = try RepeatedField(opened, series) else {
      throw opened.ambiguity(name, series[0][0], series[1][0], wantsTime: true)
    }
    notes.append(repeated.note)
    return repeated.holders
  }

  private func location(_ entry: OpenedSources.Found) -> String { opened.stores[entry.store].store.location }

  private func text(of found: [OpenedSources.Found]) -> String {
    var levels: [Double] = []
    for level in found.flatMap(\.found.levelsHPa) where !levels.contains(level) { levels.append(level) }
    return levels.map { Channel.text($0) }.joined(separator: ", ")
  }

  /// - Throws: when two channels are one stored field.
  private func refuseTwice() throws {
    for fields in fields {
      var seen: [String: Int] = [:]
      for field in fields {
        guard let other = seen.updateValue(field.channel, forKey: "\(field.found.storedName) \(field.slot)") else {
          continue
        }
        throw JigsawError(
          "data.variables", "names one stored field twice",
          found: "\(channels[other].name) and \(channels[field.channel].name) are \(field.found.storedName)",
          remedy: "remove one of them")
      }
    }
  }
}
