import Basics
import Communication
import Configuration
import Datasets
import Distribution
import Forecasting
import Stores

/// Where a forecast goes and in which form: a Zarr store, a NetCDF file of all forecasts or of one, a folder of such files, GRIB.
struct ForecastTarget {
  private enum Form { case zarr(format: Int), netCDF, file, files, grib }

  private let path: String
  private let form: Form

  /// - Parameter count: of initial times.
  /// - Throws: when the forecasts can't have this name in the layout that is asked for.
  init(_ path: String, _ section: ForecastSection, count: Int) throws {
    self.path = path
    let (isZarr, isGRIB) = (path.hasSuffix(".zarr"), RunFolder.isGRIB(path))
    switch section.layout {
    case .together:
      form = isZarr ? .zarr(format: section.format == .zarr3 ? 3 : 2) : isGRIB ? .grib : count == 1 ? .file : .netCDF
    case .perForecast:
      if section.storedFormat != .netcdf || isZarr || isGRIB {
        throw JigsawError(
          "forecast.layout", "is perForecast, of which only NetCDF files are written",
          expected: "forecast.format netcdf or null, and a folder for --output",
          found: "\(section.storedFormat.rawValue), \(path)",
          remedy: "leave forecast.format out, or set forecast.layout to together")
      }
      if path.hasSuffix(".nc") && count > 1 {
        throw JigsawError(
          path, "is the name of one file, and there are \(count) forecasts", expected: "a folder",
          remedy: "name one for --output, or set forecast.layout to together")
      }
      form = path.hasSuffix(".nc") ? .file : .files
    }
    try requireReplaceable(section)
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
  private func requireReplaceable(_ section: ForecastSection) throws {
    switch form {
    case .zarr: try ZarrStore.requireReplaceable(path)
    case .files: try Replaceable.requireForecasts(path)
    case .netCDF, .file, .grib:
      try Replaceable.requireFile(path)
      guard !isGRIB, !ForecastTarget.netCDFEndings.contains(where: path.lowercased().hasSuffix) else { return }
      throw JigsawError(
        path, "has an ending that tells no format",
        expected: ".zarr, .nc, .grib2\(section.layout == .perForecast ? ", or a folder" : "")",
        remedy: "name another --output")
    }
  }

  private static let netCDFEndings = [".nc", ".nc4", ".netcdf"]
  private var isGRIB: Bool { if case .grib = form { true } else { false } }

  /// Whether one rank writes all fields of a forecast.
  var hasOneWriterPerForecast: Bool { if case .zarr = form { false } else { true } }

  /// Whether every rank has a writer.
  private var isShared: Bool {
    switch form {
    case .zarr, .files: true
    case .netCDF, .file, .grib: false
    }
  }

  /// Bands of rows in which fields are stored: in a Zarr store one for each part of the domain, so that every rank writes some.
  /// - Throws: when model instances would have to share one file.
  func bands(_ mesh: Mesh) throws -> Int {
    if !isShared && mesh.replica > 1 {
      throw JigsawError(
        path, "can't be written by \(mesh.replica) model instances at once",
        expected: "a name that ends in .zarr, forecast.layout perForecast, or \(mesh.instance) ranks",
        remedy: "forecast to Zarr, or start \(mesh.instance) ranks")
    }
    return hasOneWriterPerForecast ? 1 : mesh.domain
  }

  /// Creates it, on all ranks together; nil on ranks that write nothing.
  func open(_ contents: ForecastContents, bands: Int, lineage: Lineage, on world: any Communicator) throws
    -> (any ForecastOutput)?
  {
    var writer: (any ForecastOutput)?
    try world.together(onlyOn: 0) { writer = try output(contents, bands, lineage, joining: nil) }
    let temporary = try world.broadcast(writer?.temporary ?? "", from: 0)
    if isShared && world.rank > 0 { writer = try output(contents, bands, lineage, joining: temporary) }
    return writer
  }

  private func output(_ contents: ForecastContents, _ bands: Int, _ lineage: Lineage, joining: String?) throws
    -> any ForecastOutput
  {
    switch form {
    case .zarr(let format): try ForecastWriter(path, contents, bands: bands, joining: joining, zarrFormat: format)
    case .netCDF: try ForecastWriter(path, contents)
    case .file: try ForecastFiles(file: path, contents)
    case .files: try ForecastFiles(folder: path, contents, joining: joining)
    case .grib: try GRIBForecastWriter(path, contents, lineage: lineage)
    }
  }
}
