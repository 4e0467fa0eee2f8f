import Basics
import Datasets
import Stores

/// One CF NetCDF file for each forecast, of at most four dimensions: time (of validity), level, latitude, longitude. A file is
/// open from a forecast's first field to its last. Several ranks can write, each all fields of its own forecasts.
public final class ForecastFiles: ForecastOutput {
  private let contents: ForecastContents
  private let schema: ForecastSchema
  /// The folder of the files; nil for a single file of its own.
  private let folder: (path: String, temporary: String)?
  private let file: String?
  private var open: [Int: (writer: any ArrayWriter, missing: Int)] = [:]

  /// - Parameters:
  ///   - folder: that gets the files, called after their initial times, once all are complete.
  ///   - joining: where another rank, which has created the folder, writes it; nil: this one creates it.
  public init(folder: String, _ contents: ForecastContents, joining: String? = nil) throws {
    self.contents = contents
    schema = contents.schema
    file = nil
    self.folder = (folder, joining ?? Temporary.name(for: folder))
    if joining == nil { try Files.createNewDirectory(temporary, shownAs: folder) }
  }

  /// A single forecast's file.
  public init(file: String, _ contents: ForecastContents) throws {
    precondition(contents.initialTimes.count == 1, "a file for one forecast")
    self.contents = contents
    schema = contents.schema
    self.file = file
    folder = nil
    // A place that can't be written to is known before anything is computed.
    try create(0)
  }

  /// A file's name tells its initial time: "20020320T000000.nc".
  static func name(_ time: Timestamp) -> String {
    let digits = time.description.filter { $0.isNumber || $0 == "T" }
    return "\(digits).nc"
  }

  public var temporary: String { folder?.temporary ?? "" }

  private func create(_ initial: Int) throws {
    let time = contents.initialTimes[initial]
    let path = file ?? "\(temporary)/\(ForecastFiles.name(time))"
    let writer = try createStore(path, schema.single(time))
    open[initial] = (writer, schema.groups.count * contents.leadHours.count)
    try schema.writeCoordinates(time, to: writer)
  }

  public func write(
    _ unit: FieldGather.Unit, _ values: UnsafeBufferPointer<Float>, initial: Int, lead: Int
  ) throws {
    precondition(unit.rows == 0..<schema.grid.rows, "a file has one writer")
    if open[initial] == nil { try create(initial) }
    guard let (writer, missing) = open[initial] else { return }
    try schema.write(unit, values, at: [lead..<lead + 1], to: writer)
    open[initial] = (writer, missing - 1)
    if missing == 1 && folder != nil { try close(initial) }
  }

  private func close(_ initial: Int) throws {
    try open.removeValue(forKey: initial)?.writer.finish()
  }

  public func finish() throws {
    for initial in open.keys.sorted() { try close(initial) }
    guard let folder else { return }
    try Files.syncDirectory(folder.temporary)
    try Files.replace(folder.path, by: folder.temporary)
  }

  public func abandon() {
    for (writer, _) in open.values { writer.abandon() }
    open = [:]
    if let folder { try? Files.remove(folder.temporary) }
  }
}
