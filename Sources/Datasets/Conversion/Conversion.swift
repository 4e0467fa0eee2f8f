import Basics
import Communication
import Stores

/// How converted fields are laid out.
public enum ConversionLayout: String, Sendable, CaseIterable {
  /// A CF Zarr group: variables [time, level, latitude, longitude], one time per chunk.
  case fields
  /// An Anemoi dataset: data [dates, variables, ensembles, values] with statistics.
  case anemoi
}

/// Stores fields anew, by several ranks, in several goes if it must be: what was written before an interruption stays.
public struct Conversion {
  public struct Options: Sendable {
    public var layout = ConversionLayout.fields
    public var zarrFormat = 2
    public var compression = Compression.standard
    /// Parts in which a date is stored: of rows or points, and of levels.
    public var bands = 1
    public var levelParts = 1
    /// Attributes that say where the data come from and under which conditions they may be used.
    public var attributes: [String: String] = [:]
    /// Identifies the data: an interrupted conversion is resumed only on the same data.
    public var dataKey = ""

    public init() {}
  }

  private let input: ConversionInput
  private let layout: any StoredLayout
  private let path: String
  private let options: Options

  /// - Throws: when the layout can't hold the fields.
  public init(_ input: ConversionInput, to path: String, _ options: Options) throws {
    // In variables of their own, dates that are not there need no place; Anemoi names them instead.
    let input = options.layout == .fields ? input.withoutMissingDates() : input
    self.input = input
    self.path = path
    self.options = options
    layout =
      switch options.layout {
      case .fields: try CFLayout(input, options)
      case .anemoi: AnemoiLayout(input, options)
      }
  }

  /// Runs on all ranks together. `progress` is called with (done, all) dates.
  public func run(on world: any Communicator, progress: (Int, Int) -> Void) throws {
    let dates = input.dates.indices.filter { !input.missing.contains($0) }
    let points = input.points.count
    let parts = path + ".parts"
    var created: (any ArrayWriter)?
    var temporary: String?
    func create() throws {
      created = try createStore(
        path, layout.definition, joins: world.rank > 0, resuming: true, temporary: temporary,
        zarrFormat: options.zarrFormat)
    }
    try world.together(onlyOn: 0) {
      try Files.createDirectory(Files.parent(of: path))
      temporary = try earlier(parts) ?? Temporary.name(for: path)
      try create()
      try Files.writeAtomically(markText(of: temporary ?? ""), to: path + Conversion.mark)
      if let created { try layout.writeCoordinates(created) }
    }
    temporary = try world.broadcast(temporary ?? "", from: 0)
    try world.together { if world.rank > 0 { try create() } }
    guard let writer = created else { preconditionFailure("no writer") }
    let counted = dates.prefix { $0 < layout.statisticsDates }.count
    let pass = DatePass(
      dates: dates.map { input.dates[$0] }, variables: layout.order.count, points: points,
      stepSeconds: input.intervalSeconds, countedDates: counted,
      key: identity
    ) { input.startsChunk(dates[$0], dates[$0 - 1]) }
    let order = layout.order
    let totals = try pass.run(on: world, parts: parts, progress: progress) { number, isAgain, planes in
      let date = dates[number]
      if order == Array(order.indices) {
        try input.read(date, planes)
      } else {
        try withTemporary(order.count * points) { values in
          try input.read(date, values)
          for (line, field) in order.enumerated() {
            (planes + line * points).update(from: values + field * points, count: points)
          }
        }
      }
      if !isAgain { try layout.write(UnsafePointer(planes), date: date, isFirst: number == 0, writer) }
    }
    try world.barrier()
    try world.together(onlyOn: 0) {
      try layout.writeStatistics(totals, writer)
      try writer.finish()
      try Files.remove(path + Conversion.mark)
    }
  }

  // MARK: Interruptions

  /// Beside the unfinished store: which conversion it is of.
  private static let mark = ".conversion"

  /// Also the folder itself: once a conversion has replaced an older store, that has the folder's name until it is removed.
  private func markText(of folder: String) -> String {
    "\(identity)\n\(folder)\n\(Files.inode(folder).map { "\($0)" } ?? "none")"
  }

  /// The same for conversions that write the same.
  private var identity: String {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for value in input.points.latitudes + input.points.longitudes {
      hash = (hash ^ value.bitPattern) &* 0x100_0000_01B3
    }
    let facts = [
      input.origin, "\(options)", "\(input.points.count) points \(hash)",
      "\(input.missing.sorted().map { input.dates[$0].description })",
    ]
    return (facts + layout.order.map { input.fields[$0].channel.name } + input.dates.map(\.description))
      .joined(separator: "\n")
  }

  /// Where an interrupted conversion of the same wrote: its chunks and results of blocks belong together. What others left goes.
  private func earlier(_ parts: String) throws -> String? {
    let mark = try Files.readIfPresent(path + Conversion.mark).map { String(decoding: $0, as: UTF8.self) }
    let found = try Temporary.abandoned(of: path)
    let own = found.first { Files.isFolderItself($0) && mark == markText(of: $0) }
    for other in found where other != own { try Files.remove(other) }
    if own == nil { try Files.remove(parts) }
    return own
  }
}

/// A layout of stored fields.
protocol StoredLayout {
  var definition: StoreDefinition { get }
  /// The input's fields in the order in which they are stored.
  var order: [Int] { get }
  /// Statistics are of the first so many dates.
  var statisticsDates: Int { get }
  func writeCoordinates(_ writer: any ArrayWriter) throws
  /// Writes the fields of a date, [fields in order, points], as far as they are not there. Constant fields are those of the
  /// first.
  func write(_ planes: UnsafePointer<Float>, date: Int, isFirst: Bool, _ writer: any ArrayWriter) throws
  func writeStatistics(_ totals: DatePass.Totals, _ writer: any ArrayWriter) throws
}
