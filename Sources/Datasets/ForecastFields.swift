import Basics
import Stores

/// A store of forecasts, by whatever tool: fields by initial time and lead, in our order and units.
public struct ForecastFields: Sendable {
  public let grid: FieldGrid
  public let initialTimes: [Timestamp]
  public let leadHours: [Int]
  public let channels: [Channel]
  /// By channels of variables that are there and can't be read: why.
  public let refusals: [Channel: JigsawError]
  public let attributes: [String: AttributeValue]
  private let fields: any GridFields
  private let sources: [Channel: WantedField]

  /// - Throws: when the store isn't one of forecasts.
  public init(_ store: any ArrayStore) throws {
    let axes = try ForecastAxes(store)
    attributes = store.attributes
    (initialTimes, leadHours) = (axes.initialTimes, axes.leadHours)
    let slices = try ForecastSlices(store, axes)
    let isVarying = (axes.initialDimension ?? axes.leadDimension) != nil
    let (fields, names) = try ForecastFields.open(slices, isVarying: isVarying)
    self.fields = fields
    grid = fields.fieldGrid
    var channels: [Channel] = []
    var sources: [Channel: WantedField] = [:]
    var refusals: [Channel: JigsawError] = [:]
    for stored in names {
      let (name, level) = ForecastFields.variable(stored)
      do {
        let ofView = (fields as? GriddedView)?.variables.first { $0.stemAndLevel.stem == stored }?.storedName
        if let problem = store.problems[ofView ?? stored] { throw problem }
        if let count = slices.arrays[stored].flatMap(slices.memberCount) {
          throw ForecastFields.members(count, "\(store.location): \(stored)")
        }
        guard let found = try fields.find(name, rename: [name: stored], asStatic: false) else { continue }
        if found.isStatic && isVarying { continue }
        if let array = slices.arrays[stored],
          let other = Lexicon.contradiction(of: array, to: found.variable, .unsaid, in: store)
        {
          throw Lexicon.contradicts(
            array, found.variable, other, store.location, remedy: "correct it, or leave it out")
        }
        for levelHPa in found.hasLevels ? found.levelsHPa.map(Optional.some) : [level] {
          let channel = Channel(variable: name, levelHPa: levelHPa)
          if sources[channel] != nil { continue }
          let slot = try fields.slot(found.hasLevels ? levelHPa : nil, of: found)
          channels.append(channel)
          sources[channel] = WantedField(channel: 0, found: found, slot: slot)
        }
      } catch let error as JigsawError {
        for levelHPa in fields.levelsHPa.map(Optional.some) + [level] {
          refusals[Channel(variable: name, levelHPa: levelHPa)] = error
        }
      }
    }
    if channels.isEmpty {
      throw refusals.min { $0.key.name < $1.key.name }?.value
        ?? JigsawError(
          store.location, "holds no forecasts",
          expected: "variables by initial time, lead, (level,) latitude and longitude",
          found: store.arrays.keys.sorted().joined(separator: ", "), remedy: "use a store written by 'jigsaw forecast'")
    }
    self.channels = channels
    self.sources = sources
    self.refusals = refusals
  }

  /// How the values of channels were understood, a sentence each.
  public func notes(_ channels: [Channel]) -> [String] { channels.flatMap { sources[$0]?.found.notes ?? [] } }

  /// Over which periods a channel is an amount, a mean or an extreme: one number, or one for each lead (0 where nothing is known, below
  /// 0 where starts differ); empty where the store doesn't say.
  public func periodSeconds(of channel: Channel) -> [Int64] { sources[channel]?.found.periodSeconds ?? [] }

  /// The unit that the store says.
  public func storedUnits(of channel: Channel) -> String? { sources[channel]?.found.storedUnits }

  private static func members(_ count: Int, _ place: String) -> JigsawError {
    JigsawError(
      place, "has \(count) ensemble members", expected: "one", remedy: "select one of them, or their mean, before")
  }

  /// Slices as fields, and the names of what is in them.
  /// - Parameter isVarying: whether there are several slices, so that what has none is no forecast.
  private static func open(_ slices: ForecastSlices, isVarying: Bool) throws
    -> (fields: any GridFields, names: [String])
  {
    guard let view = try PointFields(slices) else {
      let gridded = try GriddedStore(slices)
      let arrays = StoreAxes.fields(slices).filter { array in
        gridded.isField(array) || array.dimensionNames.contains(ForecastSlices.axis)
      }
      return (gridded, arrays.map(\.name))
    }
    if view.memberCount > 1 { throw members(view.memberCount, slices.location) }
    // Levels of one variable are variables of their own.
    var names: [String] = []
    for variable in view.variables where !(variable.isConstantInTime && isVarying) {
      let name = variable.stemAndLevel.stem
      if !names.contains(name) { names.append(name) }
    }
    return (try GriddedView(view), names)
  }

  /// Our name of what an array holds, and the level that its name tells: `t_850` is the temperature at 850 hPa, as Anemoi
  /// names variables.
  private static func variable(_ stored: String) -> (name: String, levelHPa: Double?) {
    if let known = Lexicon.find(stored) { return (known.name, nil) }
    if let (stem, number) = LevelNames.split(stored), let known = Lexicon.find(stem),
      Lexicon.isOnLevels(known.name),
      number > 0, number <= 1_100
    {
      return (known.name, number)
    }
    return (stored, nil)
  }

  /// Reads one lead of one forecast: [channel, row, column], missing values NaN. What is stored together is decoded once.
  /// - Parameter workers: threads that read and decode.
  /// - Throws: when the store can't be read. Every channel must be one of `channels`.
  public func read(
    _ wanted: [Channel], initial: Int, lead: Int, workers: WorkerPool, into planes: inout [Float]
  ) throws {
    precondition(planes.count == wanted.count * grid.count)
    let found = wanted.enumerated().map { place, channel -> WantedField in
      guard let source = sources[channel] else { preconditionFailure("no channel \(channel.name) in the forecast") }
      return WantedField(channel: place, found: source.found, slot: source.slot)
    }
    let chunks = fields.chunks(found, bands: 1)
    let slice = initial * leadHours.count + lead
    try planes.withUnsafeMutableBufferPointer { planes in
      planes.update(repeating: .nan)
      guard let start = planes.baseAddress else { return }
      let target = Target(start: start, rows: grid.rows, columns: grid.columns)
      try workers.tryRun(chunks.count) { [fields] index in
        let chunk = chunks[index]
        _ = try fields.read(chunk, times: slice..<slice + 1, ReadingScratch()) { _, slot, part in
          guard let field = chunk.fields.first(where: { $0.slot == slot }) else {
            preconditionFailure("a chunk gives a field that is not among its own")
          }
          return (target.start(field.channel, part), target.columns)
        }
      }
    }
  }

  /// Where fields go; each chunk has parts of its own.
  private struct Target: @unchecked Sendable {
    let start: UnsafeMutablePointer<Float>
    let rows, columns: Int

    func start(_ channel: Int, _ part: Rectangle) -> UnsafeMutablePointer<Float> {
      start + (channel * rows + part.rows.lowerBound) * columns + part.columns.lowerBound
    }
  }
}

/// A store of forecasts as one of fields: in place of initial times and leads it has one dimension, along which lie all leads
/// of the first forecast, then all of the next.
struct ForecastSlices: ArrayStore {
  /// The dimension, and its coordinate.
  static let axis = "forecast and lead"

  private let store: any ArrayStore
  private let initialDimension, leadDimension: String?
  private let leadCount, count: Int
  let arrays: [String: ArrayInfo]

  /// - Throws: when bounds of times can't be read.
  init(_ store: any ArrayStore, _ axes: ForecastAxes) throws {
    self.store = store
    (initialDimension, leadDimension) = (axes.initialDimension, axes.leadDimension)
    leadCount = axes.leadHours.count
    count = axes.initialTimes.count * leadCount
    let folded = Set([initialDimension, leadDimension].compactMap { $0 })
    var arrays = store.arrays.filter { _, array in
      !StoreAxes.isReference(array) && !StoreAxes.namesLead(array) && !StoreAxes.isTime(array)
    }
    let axis = ArrayInfo.Dimension(name: ForecastSlices.axis, size: count)
    let periods = try ForecastPeriods.seconds(store, axes)
    for (name, array) in arrays where !folded.isDisjoint(with: array.dimensionNames) {
      let kept = array.dimensions.indices.filter { !folded.contains(array.dimensions[$0].name) }
      var attributes = array.attributes
      if let periods, attributes[FieldSpan.attribute] == nil,
        FieldPeriod.isOverPeriod(array, named: Lexicon.find(name)?.name ?? name, along: Array(folded))
      {
        attributes[FieldSpan.attribute] = .numbers(periods.map(Double.init))
      }
      arrays[name] = ArrayInfo(
        name: name, type: array.type, dimensions: [axis] + kept.map { array.dimensions[$0] },
        chunks: array.chunks.map { chunks in [1] + kept.map { chunks[$0] } }, codec: array.codec,
        attributes: attributes, realAttributes: array.realAttributes)
    }
    arrays[ForecastSlices.axis] = ArrayInfo(
      name: ForecastSlices.axis, type: .int64, dimensions: [axis], chunks: nil, codec: "",
      attributes: ["standard_name": .text("time"), "units": .text("seconds since 1970-01-01")])
    self.arrays = arrays
  }

  /// The number of ensemble members of an array that has several; nil for others.
  func memberCount(_ array: ArrayInfo) -> Int? {
    guard let axis = GriddedStore.memberAxis(self) else { return nil }
    return array.dimensions.first { $0.name == axis && $0.size > 1 }?.size
  }

  var location: String { store.location }
  var format: String { store.format }
  var attributes: [String: AttributeValue] { store.attributes }
  var reads: ReadCounter { store.reads }
  var readsAtOnce: Int { store.readsAtOnce }

  func read(_ name: String, _ box: [Range<Int>]) throws -> RawArray {
    if name == ForecastSlices.axis {
      let numbers = box[0].map { Int64($0) }
      return RawArray(type: .int64, bytes: numbers.withUnsafeBytes { Array($0) })
    }
    guard arrays[name]?.dimensionNames.first == ForecastSlices.axis else { return try store.read(name, box) }
    // One slice after the other: those of a range need not lie side by side.
    var type = try store.info(name).type
    var bytes: [UInt8] = []
    for slice in box[0] {
      let raw = try store.read(name, storedBox(try store.info(name), slice, Array(box.dropFirst())))
      type = raw.type
      bytes += raw.bytes
    }
    return RawArray(type: type, bytes: bytes)
  }

  func read(_ name: String, _ part: ArrayPart, _ scratch: ReadingScratch, _ take: (StoredPiece) -> Void) throws {
    guard name != ForecastSlices.axis else {
      let raw = try read(name, part.box)
      return raw.bytes.withUnsafeBytes { bytes in
        guard let start = bytes.baseAddress else { return }
        take(StoredPiece(type: raw.type, box: part.box, start: start, strides: [1]))
      }
    }
    guard arrays[name]?.dimensionNames.first == ForecastSlices.axis else {
      return try store.read(name, part, scratch, take)
    }
    let stored = try store.info(name)
    let kept = stored.dimensions.indices.filter { !isFolded(stored.dimensions[$0].name) }
    let only = part.only.map { ArrayPart.Only(dimension: kept[$0.dimension - 1], indices: $0.indices) }
    for slice in part.box[0] {
      let box = storedBox(stored, slice, Array(part.box.dropFirst()))
      try store.read(name, ArrayPart(box, only: only), scratch) { piece in
        var start = piece.start
        for dimension in box.indices where !kept.contains(dimension) {
          guard let place = piece.box[dimension].firstIndex(of: box[dimension].lowerBound) else { return }
          start += (place - piece.box[dimension].lowerBound) * piece.strides[dimension] * piece.type.byteCount
        }
        take(
          StoredPiece(
            type: piece.type, box: [slice..<slice + 1] + kept.map { piece.box[$0] }, start: start,
            strides: [0] + kept.map { piece.strides[$0] }))
      }
    }
  }

  private func isFolded(_ dimension: String) -> Bool { dimension == initialDimension || dimension == leadDimension }

  /// The box of one slice in an array of the store.
  private func storedBox(_ stored: ArrayInfo, _ slice: Int, _ rest: [Range<Int>]) -> [Range<Int>] {
    var rest = rest[...]
    return stored.dimensions.map { dimension in
      switch dimension.name {
      case initialDimension: slice / leadCount..<slice / leadCount + 1
      case leadDimension: slice % leadCount..<slice % leadCount + 1
      default: rest.removeFirst()
      }
    }
  }
}
