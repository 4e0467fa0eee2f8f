import Basics
import Synchronization
import Tensors

/// A dataset: chosen channels on one grid at many times, plus static fields. Reading is safe from several threads.
public final class FieldDataset: Sendable {
  public let grid: FieldGrid
  /// Predicted variables, one per field, in the order of the model.
  public let channels: [Channel]
  public let staticChannels: [Channel]
  /// All times at which every channel has data, ascending.
  public let times: [Timestamp]
  /// Sources, renamings and rows in one line: the same for the same data.
  public let origin: String
  /// The same without paths: what is chosen of the data, wherever they are.
  public let selection: String
  /// Where fields come from, for people.
  public let origins: [FieldOrigin]
  /// Notes for people on what was changed on reading.
  public let normalizations: [String]

  let parts: [Part]
  let statics: [StaticField]
  /// Static fields that may lack values, by their place.
  let imputedStatics: [Int: Imputation]
  /// Channels that may lack values.
  public let imputed: [Int: ImputedField]
  /// By grid point: whether a model reads it but does not predict it; nil for none.
  public let boundary: [Bool]?
  /// By grid point: whether it belongs to the first of several grids that were combined; nil where there is one.
  public let firstGrid: [Bool]?
  private let indexOfTime: [Timestamp: Int]
  /// For each time, which part and which index in it.
  let places: [Place]
  /// The reader of all fields, on one rank.
  var wholeReader: RecordReader {
    whole.withLock { reader in
      if let reader { return reader }
      let made = RecordReader(
        self, tiling: nil, blocks: [FieldBlock(fields: channels.indices, tokens: 0..<0)], rank: 0,
        cacheBytes: cacheBytes, memory: memory)
      reader = made
      return made
    }
  }
  private let whole = Mutex<RecordReader?>(nil)
  let cacheBytes: Int
  /// Threads that read and decode beside the one that asks.
  let workers: WorkerPool
  /// For decoded fields.
  public let memory = BufferPool()

  /// One store, with the channels it gives.
  struct Part: Sendable {
    let series: Int
    let store: any GridFields
    let fields: [WantedField]
    /// Runs of times that are stored together, of the field of which most are.
    let storedTimes: DateRuns
    /// Memory that reading one time takes beside that for its fields.
    let bytesOnTheWay: Int
    /// By channel, times at which the store has others and lacks it.
    let absentTimes: [Int: Set<Timestamp>]

    init(series: Int, store: any GridFields, fields: [WantedField]) {
      self.series = series
      self.store = store
      self.fields = fields
      storedTimes = .coarsest(fields.map { store.storedTimes($0.found) })
      bytesOnTheWay = store.bytesOnTheWay(fields)
      absentTimes = Dictionary(fields.map { ($0.channel, store.absentTimes($0.found, slot: $0.slot)) }) {
        $0.union($1)
      }.filter { !$0.value.isEmpty }
    }
  }

  /// For one time: per series, the part and the time's index in it.
  struct Place: Sendable {
    let entries: [(part: Int, index: Int)]
  }

  /// Opens sources and takes from them what `init(_:variables:…)` says.
  /// - Parameter rows: how many grid rows from the north to use; nil: all.
  public convenience init(
    sources: [SourceDescription], variables: [String], levelsHPa: [Double], staticVariables: [String] = [],
    rows: Int? = nil, impute: [String: Imputation] = [:], cacheBytes: Int = 0, threads: Int = 1
  ) throws {
    try self.init(
      OpenedSources(sources, rows: rows, wanted: Set(variables + staticVariables), threads: threads),
      variables: variables, levelsHPa: levelsHPa,
      staticVariables: staticVariables, impute: impute,
      cacheBytes: cacheBytes, threads: threads)
  }

  /// - Parameters:
  ///   - variables: our names, in order; with levels when the stores hold them on levels.
  ///   - levelsHPa: which levels, in order.
  ///   - staticVariables: fields without time.
  ///   - impute: variables that may lack values, at the same points at all times.
  ///   - cacheBytes: memory for decoded fields; times beyond it are read anew each time.
  ///   - threads: how many threads read and decode.
  public init(
    _ opened: OpenedSources, variables: [String], levelsHPa: [Double], staticVariables: [String] = [],
    impute: [String: Imputation] = [:], cacheBytes: Int = 0, threads: Int = 1
  ) throws {
    workers = WorkerPool(threads: max(1, threads) - 1, isBackground: true)
    for (key, names) in [
      ("data.variables", variables), ("data.levels", levelsHPa.map { Channel.text($0) }),
      ("data.static", staticVariables),
    ] {
      if let twice = names.first(where: { name in names.filter { $0 == name }.count > 1 }) {
        throw JigsawError(key, "names \(twice) twice", remedy: "remove one of them")
      }
    }
    let stores = opened.stores
    grid = opened.grid
    boundary = opened.boundary
    firstGrid = opened.firstGrid
    origin = opened.origin
    selection = opened.selection
    let chosen = try ChannelSelection(opened, variables: variables, levelsHPa: levelsHPa)
    channels = chosen.channels
    parts = zip(stores, chosen.fields).compactMap { opened, fields in
      fields.isEmpty ? nil : Part(series: opened.series, store: opened.store, fields: fields)
    }
    let located = try staticVariables.map { (name: $0, found: try opened.locateStatic($0)) }
    statics = try located.map { try StaticField($0.found.map { (stores[$0.store].store, $0.found) }) }
    origins = FieldOrigin.all(opened, chosen, located)
    staticChannels = staticVariables.map { Channel(variable: $0) }
    (times, places) = try FieldDataset.align(parts)
    if times.isEmpty && !parts.isEmpty {
      throw JigsawError(
        opened.display, "have no time in common",
        found: FieldDataset.periods(parts, channels), remedy: "choose sources for the same period")
    }
    imputed = try FieldDataset.masks(impute, channels, parts, places.first, grid)
    imputedStatics = Dictionary(
      uniqueKeysWithValues: staticVariables.enumerated().compactMap { place, name in impute[name].map { (place, $0) } })
    self.cacheBytes = cacheBytes
    indexOfTime = Dictionary(uniqueKeysWithValues: times.enumerated().map { ($1, $0) })
    var notes = stores.flatMap(\.store.normalizations) + chosen.notes
    for part in parts { notes += part.fields.flatMap(\.found.notes) }
    notes += statics.flatMap { $0.found.notes + [$0.note].compactMap { $0 } }
    for (channel, field) in imputed {
      notes.append("\(channels[channel].name) imputed: \(field.imputation.text) at \(field.missingCount) points")
    }
    if let signature = FieldDataset.signature(ofBoundary: opened.boundary) {
      notes.append("boundary: \(signature) are read but not predicted")
    }
    normalizations = Array(Set(notes)).sorted()
  }

  /// Times that all series have.
  private static func align(_ parts: [Part]) throws -> ([Timestamp], [Place]) {
    var ofSeries: [Int: [Timestamp: (part: Int, index: Int)]] = [:]
    for (number, part) in parts.enumerated() {
      let absent = part.absentTimes.values.reduce(into: Set()) { $0.formUnion($1) }
      for (index, time) in part.store.times.enumerated() where !absent.contains(time) {
        if let other = ofSeries[part.series]?[time] {
          throw JigsawError(
            part.store.location,
            "has the time \(time.display) that is also in "
              + parts[other.part].store.location, remedy: "remove the overlap")
        }
        ofSeries[part.series, default: [:]][time] = (number, index)
      }
    }
    let series = ofSeries.sorted { $0.key < $1.key }.map(\.value)
    guard let first = series.first else { return ([], []) }
    let common = first.keys.filter { time in series.allSatisfy { $0[time] != nil } }.sorted()
    return (common, common.map { time in Place(entries: series.compactMap { $0[time] }) })
  }

  // MARK: Times

  public func index(of time: Timestamp) -> Int? { indexOfTime[time] }

  /// Indices of the times within a period, both ends included.
  public func indices(from start: Timestamp, through end: Timestamp) -> [Int] {
    times.indices.filter { times[$0] >= start && times[$0] <= end }
  }

  /// The unit of a channel or static field: ours, or of variables that the lexicon lacks what the store says.
  public func units(of channel: Channel) -> String {
    if let known = Lexicon[channel.variable] { return known.units }
    let found = parts.flatMap(\.fields).map(\.found) + statics.map(\.found)
    return found.first { $0.variable.name == channel.variable }?.storedUnits ?? Lexicon.variable(channel.variable).units
  }

  /// The stores of a time, for messages.
  public func sources(of time: Int) -> String {
    Set(places[time].entries.map { parts[$0.part].store.location }).sorted().joined(separator: " and ")
      + " at \(times[time].display)"
  }

  /// Where a channel's data are, for messages: store and array.
  public func place(of channel: Int, time: Int) -> String {
    for entry in places[time].entries {
      for field in parts[entry.part].fields where field.channel == channel {
        return "\(parts[entry.part].store.location): \(field.found.storedName(slot: field.slot))"
      }
    }
    return channels[channel].name
  }
}
