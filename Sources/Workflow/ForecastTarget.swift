import Basics
import Communication
import Configuration
import Datasets
import Distribution
import Forecasting
import Stores

/// Where a forecast goes and in which form: one store of a format, or a folder of files of one forecast each.
struct ForecastTarget {
  private enum Form { case store(ForecastFormat), files }

  private let path: String
  private let form: Form

  /// - Parameter count: of initial times.
  /// - Throws: when the configured layout and format don't allow forecasts of this name.
  init(_ path: String, _ section: ForecastSection, count: Int) throws {
    self.path = path
    form =
      switch section.layout {
      case .together: .store(try ForecastTarget.format(path, section.format))
      case .perForecast: try ForecastTarget.formPerForecast(path, section, count: count)
      }
    try requireReplaceable()
  }

  private static func format(_ path: String, _ wanted: ForecastFormat?) throws -> ForecastFormat {
    let named = ForecastFormat.named(path)
    guard let first = named.first else {
      try Replaceable.requireFile(path)
      throw JigsawError(
        path, "has an ending that tells no format", expected: ForecastFormat.endings().joined(separator: ", "),
        remedy: "name another --output")
    }
    guard let wanted else { return first }
    if named.contains(wanted) { return wanted }
    throw JigsawError(
      path, "has the ending of another format than forecast.format says",
      expected: "\(wanted.rawValue): \(wanted.entry.endings.joined(separator: ", "))",
      found: named.map(\.rawValue).joined(separator: ", "),
      remedy: "name another --output, or leave forecast.format out")
  }

  private static func formPerForecast(_ path: String, _ section: ForecastSection, count: Int) throws -> Form {
    let named = ForecastFormat.named(path)
    guard section.storedFormat == .netcdf, named.isEmpty || named.contains(.netcdf) else {
      throw JigsawError(
        "forecast.layout", "is perForecast, of which only NetCDF files are written",
        expected: "forecast.format netcdf or null, and a folder for --output",
        found: "\(section.storedFormat.rawValue), \(path)",
        remedy: "leave forecast.format out, or set forecast.layout to together")
    }
    if !named.isEmpty && count > 1 {
      throw JigsawError(
        path, "is the name of one file, and there are \(count) forecasts", expected: "a folder",
        remedy: "name one for --output, or set forecast.layout to together")
    }
    return named.isEmpty ? .files : .store(.netcdf)
  }

  /// The output's path as it is given, without slashes at its end.
  /// - Throws: for an address.
  static func name(_ output: String) throws -> String {
    if HTTPStorage.isAddress(output) {
      throw JigsawError(
        output, "can't be written to", expected: "a path on this machine", remedy: "write here, then copy")
    }
    let path = output.last == "/" ? String(output.reversed().drop { $0 == "/" }.reversed()) : output
    if path.isEmpty { throw JigsawError("--output '\(output)'", "is no name for a forecast", remedy: "name another") }
    return path
  }

  /// A folder is replaced as a whole: nothing but forecasts may be in it.
  private func requireReplaceable() throws {
    switch form {
    case .store(let format):
      try (format.entry.requireReplaceable ?? Replaceable.requireFile)(path)
      try Replaceable.requireForecast(path, isGRIB: format == .grib2)
    case .files: try Replaceable.requireForecasts(path)
    }
  }

  /// Whether one rank writes all fields of a forecast.
  var hasOneWriterPerForecast: Bool {
    switch form {
    case .store(let format): !format.entry.isShared
    case .files: true
    }
  }

  /// Whether every rank has a writer.
  private var isShared: Bool {
    switch form {
    case .store(let format): format.entry.isShared
    case .files: true
    }
  }

  /// Bands of rows in which fields are stored: in a shared store one for each part of the domain, so that every rank writes some.
  /// - Throws: when model instances would have to share one file.
  func bands(_ mesh: Mesh) throws -> Int {
    if !isShared && mesh.replica > 1 {
      let endings = ForecastFormat.endings(shared: true).joined(separator: " or ")
      throw JigsawError(
        path, "can't be written by \(mesh.replica) model instances at once",
        expected: "a name that ends in \(endings), forecast.layout perForecast, or \(mesh.instance) ranks",
        remedy: "forecast to \(endings), or start \(mesh.instance) ranks")
    }
    return hasOneWriterPerForecast ? 1 : mesh.domain
  }

  /// Creates it, on all ranks together; nil on ranks that write nothing.
  func open(_ contents: ForecastContents, bands: Int, lineage: Lineage, on world: any Communicator) throws
    -> (any ForecastOutput)?
  {
    func output(joining: String?) throws -> any ForecastOutput {
      switch form {
      case .store(let format):
        try format.entry.make(
          path, ForecastFormat.Request(contents, bands: bands, lineage: lineage, joining: joining))
      case .files: try ForecastFiles(folder: path, contents, joining: joining)
      }
    }
    var writer: (any ForecastOutput)?
    try world.together(onlyOn: 0) { writer = try output(joining: nil) }
    let temporary = try world.broadcast(writer?.temporary ?? "", from: 0)
    if isShared && world.rank > 0 { writer = try output(joining: temporary) }
    return writer
  }
}
