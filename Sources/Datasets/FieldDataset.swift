import Basics
import Synchronization
import Tensors

/// A dataset: chosen channels on one grid at many times, plus static fields. Reading is safe from several threads.
public final class FieldDataset: Sendable {
  public let grid: LatLonGrid
  /// Predicted variables, one per field, in the order of the model.
  public let channels: [Channel]
  public let staticChannels: [Channel]
  /// All times for which every channel is there, ascending.
  public let times: [Timestamp]
  /// Sources, renamings and rows in one line: the same for the same data.
  public let origin: String
  /// The same without paths: what is chosen of the data, wherever they are.
  public let selection: String
  /// Notes for people on what was changed on reading.
  public let normalizations: [String]

  let parts: [Part]
  let statics: [(store: any GridFields, found: FoundVariable)]
  /// Static fields that may lack values, by their place.
  let imputedStatics: [Int: Imputation]
  /// Channels that may lack values.
  public let imputed: [Int: ImputedField]
  private let indexOfTime: [Timestamp: Int]
  /// For each time, which part and which index in it.
  let places: [Place]
  /// Of all fields, on one rank.
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
  private let cacheBytes: Int
  /// Threads that read and decode beside the one that asks.
  let workers: WorkerPool
  /// For decoded fields.
  public let memory = BufferPool()

  /// One store of a source, with the channels it gives.
  struct Part: Sendable {
    let source: Int
    let store: any GridFields
    let fields: [WantedField]
    /// Runs of times that are stored together, of the field of which most are.
    let storedTimes: DateRuns
    /// Memory that reading one time takes beside that for its fields.
    let bytesOnTheWay: Int

    init(source: Int, store: any GridFields, fields: [WantedField]) {
      self.source = source
      self.store = store
      self.fields = fields
      storedTimes = .coarsest(fields.map { store.storedTimes($0.found) })
      bytesOnTheWay = store.bytesOnTheWay(fields)
    }
  }

  /// For one time: per source, the part and the time's index in it.
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
      OpenedSources(sources, rows: rows, threads: threads), variables: variables, levelsHPa: levelsHPa,
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
    origin = opened.origin
    selection = opened.selection
    // Which source gives which variable; each of its stores must have it.
    var channels: [Channel] = []
    var fieldsOfStore = [[WantedField]](repeating: [], count: stores.count)
    for name in variables {
      let found = try opened.locate(name, wantsTime: true)
      let first = found[0].found
      let levels: [Double?] = first.hasLevels ? levelsHPa.map { $0 } : [nil]
      if first.hasLevels && levelsHPa.isEmpty {
        throw JigsawError(
          "data.levels", "is empty, but \(name) is stored on levels",
          found: stores[found[0].store].store.levelsHPa.map { Channel.text($0) }.joined(separator: ", "),
          remedy: "choose some of these")
      }
      if !first.hasLevels, !levelsHPa.isEmpty, Lexicon.isOnLevels(Lexicon.variable(name).name) {
        throw JigsawError(
          "\(stores[found[0].store].store.location): \(first.storedName)",
          "has no levels, but data.levels asks for some of \(name)",
          expected:
            "a dimension of pressure levels with \(levelsHPa.map { Channel.text($0) }.joined(separator: ", ")) hPa",
          found: first.dimensionNames.joined(separator: ", "),
          remedy: "give the field its level, or leave \(name) or data.levels out")
      }
      for level in levels {
        let channel = channels.count
        channels.append(Channel(variable: name, levelHPa: level))
        for entry in found {
          let store = stores[entry.store].store
          guard entry.found.hasLevels == first.hasLevels else {
            throw JigsawError(
              "\(store.location): \(entry.found.storedName)",
              "has \(first.hasLevels ? "no " : "")levels, unlike in \(stores[found[0].store].store.location)",
              remedy: "give both files the same dimensions")
          }
          fieldsOfStore[entry.store].append(
            WantedField(channel: channel, found: entry.found, slot: try store.slot(level, of: entry.found)))
        }
      }
    }
    for fields in fieldsOfStore {
      var seen: [String: Int] = [:]
      for field in fields {
        let place = "\(field.found.storedName) \(field.slot)"
        if let other = seen.updateValue(field.channel, forKey: place) {
          throw JigsawError(
            "data.variables", "names one stored field twice",
            found: "\(channels[other].name) and \(channels[field.channel].name) are \(field.found.storedName)",
            remedy: "remove one of them")
        }
      }
    }
    self.channels = channels
    parts = stores.indices.compactMap { index in
      fieldsOfStore[index].isEmpty
        ? nil : Part(source: stores[index].source, store: stores[index].store, fields: fieldsOfStore[index])
    }
    statics = try staticVariables.map { name in
      let entry = try opened.locate(name, wantsTime: false)[0]
      guard !entry.found.hasLevels else {
        throw JigsawError(
          "\(stores[entry.store].store.location): \(entry.found.storedName)", "has levels",
          expected: "a static field [latitude, longitude]", remedy: "select one level of it before")
      }
      return (stores[entry.store].store, entry.found)
    }
    staticChannels = staticVariables.map { Channel(variable: $0) }
    (times, places) = try FieldDataset.align(parts)
    if times.isEmpty && !parts.isEmpty {
      throw JigsawError(
        opened.display, "have no time in common",
        found: parts.map { part in
          part.store.times.first.map { "\($0.display) … \(part.store.times[part.store.times.count - 1].display)" }
            ?? "none"
        }.joined(separator: " and "), remedy: "choose sources for the same period")
    }
    imputed = try FieldDataset.masks(impute, channels, parts, places.first, grid)
    imputedStatics = Dictionary(
      uniqueKeysWithValues: staticVariables.enumerated().compactMap { place, name in impute[name].map { (place, $0) } })
    self.cacheBytes = cacheBytes
    indexOfTime = Dictionary(uniqueKeysWithValues: times.enumerated().map { ($1, $0) })
    var notes = stores.flatMap(\.store.normalizations)
    for part in parts {
      for field in part.fields {
        let variable = field.found.variable
        notes += field.found.remarks.map { "\(variable.name): \($0)" }
        if let units = field.found.storedUnits, field.found.conversion != .none {
          notes.append("\(variable.name) converted from \(units) to \(variable.units)")
        } else if field.found.storedUnits == nil {
          notes.append("\(variable.name) is assumed to be in \(variable.units): the store gives no units")
        }
      }
    }
    for (channel, field) in imputed {
      notes.append("\(channels[channel].name) imputed: \(field.imputation.text) at \(field.missingCount) points")
    }
    normalizations = Array(Set(notes)).sorted()
  }

  /// Times that all sources have.
  private static func align(_ parts: [Part]) throws -> ([Timestamp], [Place]) {
    var perSource: [Int: [Timestamp: (part: Int, index: Int)]] = [:]
    for (number, part) in parts.enumerated() {
      for (index, time) in part.store.times.enumerated() {
        if let other = perSource[part.source]?[time] {
          throw JigsawError(
            part.store.location,
            "has the time \(time.display) that is also in "
              + parts[other.part].store.location, remedy: "remove the overlap")
        }
        perSource[part.source, default: [:]][time] = (number, index)
      }
    }
    let sources = perSource.keys.sorted()
    guard let first = sources.first else { return ([], []) }
    let common = perSource[first]!.keys.filter { time in sources.allSatisfy { perSource[$0]![time] != nil } }.sorted()
    let places = common.map { time in Place(entries: sources.map { perSource[$0]![time]! }) }
    return (common, places)
  }

  // MARK: Times

  public func index(of time: Timestamp) -> Int? { indexOfTime[time] }

  /// Indices of the times within a period, both ends included.
  public func indices(from start: Timestamp, through end: Timestamp) -> [Int] {
    times.indices.filter { times[$0] >= start && times[$0] <= end }
  }

  /// Where a channel's data are, for messages: store and array.
  public func place(of channel: Int, time: Int) -> String {
    for entry in places[time].entries {
      for field in parts[entry.part].fields where field.channel == channel {
        return "\(parts[entry.part].store.location): \(field.found.storedName)"
      }
    }
    return channels[channel].name
  }
}
