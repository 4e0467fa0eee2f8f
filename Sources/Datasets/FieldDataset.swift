import Basics
import Stores
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
  /// Notes for people on what was changed on reading.
  public let normalizations: [String]

  let parts: [Part]
  private let statics: [(store: any GridFields, found: FoundVariable)]
  private let indexOfTime: [Timestamp: Int]
  /// For each time, which part and which index in it.
  private let places: [Place]
  /// Of all fields, on one rank.
  private var wholeReader: RecordReader {
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
  }

  /// For one time: per source, the part and the time's index in it.
  private struct Place: Sendable {
    let entries: [(part: Int, index: Int)]
  }

  /// - Parameters:
  ///   - variables: our names, in order; with levels when the stores hold them on levels.
  ///   - levelsHPa: which levels, in order.
  ///   - staticVariables: fields without time.
  ///   - rows: how many grid rows from the north to use; nil: all.
  ///   - cacheBytes: memory for decoded fields; times beyond it are read anew each time.
  ///   - threads: how many threads read and decode.
  public init(
    sources: [SourceDescription], variables: [String], levelsHPa: [Double], staticVariables: [String] = [],
    rows: Int? = nil, cacheBytes: Int = 0, threads: Int = 1
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
    let paths = sources.map { source in
      ([source.display] + source.names.sorted { $0.key < $1.key }.map { "\($0.key) as \($0.value)" })
        .joined(separator: ", ")
    }
    origin = (paths + (rows.map { ["\($0) rows"] } ?? [])).joined(separator: "; ")
    var stores: [(source: Int, store: any GridFields)] = []
    for (index, source) in sources.enumerated() {
      for store in try source.openStores(key: "data.sources[\(index)]", rows: rows, workers: workers) {
        stores.append((index, store))
      }
    }
    guard let first = stores.first?.store else {
      throw JigsawError("data.sources", "is empty", remedy: "name at least one NetCDF file or Zarr folder")
    }
    grid = first.grid
    for (_, store) in stores where !store.grid.matches(first.grid) {
      throw JigsawError(
        store.location, "has another grid than \(first.location)", expected: first.grid.summary,
        found: store.grid.summary, remedy: "regrid one of them")
    }

    // Which source gives which variable; each of its stores must have it.
    var channels: [Channel] = []
    var fieldsOfStore = [[WantedField]](repeating: [], count: stores.count)
    for name in variables {
      let found = try FieldDataset.locate(name, stores, sources, wantsTime: true)
      let first = found[0].found
      let levels: [Double?] = first.hasLevels ? levelsHPa.map { $0 } : [nil]
      if first.hasLevels && levelsHPa.isEmpty {
        throw JigsawError(
          "data.levels", "is empty, but \(name) is stored on levels",
          found: stores[found[0].store].store.levelsHPa.map { Channel.text($0) }.joined(separator: ", "),
          remedy: "choose some of these")
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
      let entry = try FieldDataset.locate(name, stores, sources, wantsTime: false)[0]
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
        sources.map(\.display).joined(separator: ", "), "have no time in common",
        found: parts.map { part in
          part.store.times.first.map { "\($0.display) … \(part.store.times[part.store.times.count - 1].display)" }
            ?? "none"
        }.joined(separator: " and "), remedy: "choose sources for the same period")
    }
    self.cacheBytes = cacheBytes
    indexOfTime = Dictionary(uniqueKeysWithValues: times.enumerated().map { ($1, $0) })
    var notes = stores.flatMap(\.store.normalizations)
    for part in parts {
      for field in part.fields {
        let variable = field.found.variable
        if let units = field.found.storedUnits, field.found.conversion != .none {
          notes.append("\(variable.name) converted from \(units) to \(variable.units)")
        } else if field.found.storedUnits == nil {
          notes.append("\(variable.name) is assumed to be in \(variable.units): the store gives no units")
        }
      }
    }
    normalizations = Array(Set(notes)).sorted()
  }

  /// The stores of the one source that has `name`.
  private static func locate(
    _ name: String, _ stores: [(source: Int, store: any GridFields)], _ sources: [SourceDescription], wantsTime: Bool
  ) throws -> [(store: Int, found: FoundVariable)] {
    for source in sources.indices {
      let ofSource = stores.indices.filter { stores[$0].source == source }
      let found = try ofSource.compactMap { index -> (store: Int, found: FoundVariable)? in
        guard
          let found = try stores[index].store.find(
            name, rename: sources[source].names, asStatic: !wantsTime),
          found.isStatic != wantsTime
        else { return nil }
        return (index, found)
      }
      if found.isEmpty { continue }
      if wantsTime && found.count < ofSource.count {
        let without = ofSource.first { index in !found.contains { $0.store == index } } ?? 0
        throw JigsawError(
          stores[without].store.location, "lacks the variable '\(name)' that other files of the source have",
          remedy: "complete the file or narrow data.sources.path")
      }
      return found
    }
    // It may be there, but of the other kind.
    for (source, store) in stores {
      guard let found = try store.find(name, rename: sources[source].names, asStatic: !wantsTime) else { continue }
      throw JigsawError(
        "\(store.location): \(found.storedName)",
        wantsTime ? "has no times, but is among data.variables" : "varies in time, but is among data.static",
        expected: wantsTime ? "dimensions time, latitude, longitude" : "dimensions latitude, longitude",
        found: found.dimensionNames.joined(separator: ", "),
        remedy: wantsTime ? "move it to data.static" : "move it to data.variables, or select one time of it before")
    }
    let names = Set(stores.flatMap(\.store.names)).sorted()
    let aliases = Lexicon.variable(name).aliases
    let kind = wantsTime ? "variable" : "static field"
    throw JigsawError(
      sources.map(\.display).joined(separator: ", "), "no \(kind) '\(name)' in this data",
      expected: "an array called \(([name] + aliases).map { "'\($0)'" }.joined(separator: " or "))",
      found: names.joined(separator: ", "),
      remedy: "correct \(wantsTime ? "data.variables" : "data.static"), or map the name under data.sources.names")
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

  // MARK: Reading

  /// All channels at one time into [channel, row, column], north to south, in our units. Missing values are NaN.
  public func read(time: Int, into planes: UnsafeMutablePointer<Float>) throws {
    try read(time, isChecked: false, into: planes)
  }

  /// As `read`, and every value must be a number.
  /// - Throws: also when values are missing (NaN), naming file, variable, time.
  public func readChecked(time: Int, into planes: UnsafeMutablePointer<Float>) throws {
    try read(time, isChecked: true, into: planes)
  }

  private func read(_ time: Int, isChecked: Bool, into planes: UnsafeMutablePointer<Float>) throws {
    try wholeReader.read(time, isChecked: isChecked, into: planes)
  }

  /// All channels at one time [channel, row, column], every value a number; not to be written to.
  func checkedPlanes(time: Int) throws -> Tensor { try wholeReader.record(time, isChecked: true) }

  // MARK: Chunks

  /// Stored chunks that were read and decoded so far, and their bytes as stored.
  public var reads: (chunks: Int, bytes: Int) {
    sum(parts.map(\.store.reads))
  }

  /// A chunk of a part (all times of it), as far as it is wanted.
  struct StoredChunk: Sendable {
    let part: Int
    let chunk: GridChunk

    var fields: [(channel: Int, slot: Int)] { chunk.fields }
    var parts: [Rectangle] { chunk.parts }
    /// Wanted numbers at one time.
    var count: Int { fields.count * parts.reduce(0) { $0 + $1.count } }
  }

  /// The parts that hold a time.
  func parts(of time: Int) -> [Int] { places[time].entries.map(\.part) }

  /// The chunks of a part in which wanted fields are stored.
  func storedChunks(part number: Int, bands: Int) -> [StoredChunk] {
    parts[number].store.chunks(parts[number].fields, bands: bands).map { StoredChunk(part: number, chunk: $0) }
  }

  /// Reads what is wanted of a chunk at consecutive times. `target` tells where the part of a time, slot and rectangle
  /// goes, and how far its rows lie apart.
  /// - Returns: by time, whether all of it is numbers.
  func read(
    _ chunk: StoredChunk, times: Range<Int>, _ scratch: ReadingScratch,
    into target: (_ time: Int, _ slot: Int, _ part: Rectangle) -> (UnsafeMutablePointer<Float>, stride: Int)
  ) throws -> [Bool] {
    try parts[chunk.part].store.read(chunk.chunk, times: times, scratch, into: target)
  }

  /// How many chunks of a part are best asked for at once, whatever the number of threads.
  func readsAtOnce(part: Int) -> Int { parts[part].store.readsAtOnce }

  /// Static fields [field, row, column].
  public func readStatics() throws -> [Float] {
    var fields = [Float](repeating: 0, count: statics.count * grid.count)
    try fields.withUnsafeMutableBufferPointer { fields in
      for (index, entry) in statics.enumerated() {
        let target = fields.baseAddress! + index * grid.count
        try entry.store.readStatic(entry.found, into: target)
        if UnsafeBufferPointer(start: target, count: grid.count).contains(where: { !$0.isFinite }) {
          throw JigsawError(
            "\(entry.store.location): \(entry.found.storedName)", "has missing values (NaN)",
            expected: "a number at every grid point", remedy: "fill them or leave this static field out")
        }
      }
    }
    return fields
  }

  /// The run of times around `time` that lie in one chunk of all arrays of its parts.
  func chunkBlock(around time: Int) -> Range<Int> {
    var lower = time
    var upper = time + 1
    for entry in places[time].entries {
      let part = parts[entry.part]
      let chunk = part.fields.map { part.store.timesPerChunk($0.found) }.max() ?? 1
      let start = entry.index / chunk * chunk
      let end = min(start + chunk, part.store.times.count)
      while lower > 0, isIn(lower - 1, entry.part, start..<end) { lower -= 1 }
      while upper < times.count, isIn(upper, entry.part, start..<end) { upper += 1 }
    }
    return lower..<upper
  }

  private func isIn(_ time: Int, _ part: Int, _ range: Range<Int>) -> Bool {
    places[time].entries.contains { $0.part == part && range.contains($0.index) }
  }

  /// The pieces of a block of times that are consecutive in a part: first index here, indices there.
  func runs(of part: Int, in block: Range<Int>) -> [(first: Int, stored: Range<Int>)] {
    var runs: [(first: Int, stored: Range<Int>)] = []
    for time in block {
      guard let index = places[time].entries.first(where: { $0.part == part })?.index else { continue }
      if let last = runs.last, last.stored.upperBound == index, last.first + last.stored.count == time {
        runs[runs.count - 1].stored = last.stored.lowerBound..<index + 1
      } else {
        runs.append((time, index..<index + 1))
      }
    }
    return runs
  }
}
