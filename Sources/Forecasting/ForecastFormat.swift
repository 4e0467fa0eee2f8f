import Basics
import Datasets
import Stores

/// A format of forecasts by its name in `forecast.format`. A new one is a case and its entry: configuration, names of outputs,
/// plans and `--help` follow.
public enum ForecastFormat: String, CaseIterable, Sendable {
  case zarr, zarr3, netcdf, grib2

  /// The properties of a format.
  public struct Entry: Sendable {
    /// The setting's help.
    public let help: String
    public let title: String
    /// Endings of its names, the first of them of the name that a forecast has by default.
    public let endings: [String]
    /// Whether every rank writes its own part of it; otherwise the first rank writes it all.
    public var isShared = false
    /// Bytes that the library of the format takes for itself, where it writes and where it reads.
    public var libraryBytes = (writing: 0, reading: 0)
    /// Bytes that the library keeps of what it wrote or read: of so many open files of one forecast each, or, for nil, of one file of all.
    public var bytesKept: @Sendable (ForecastContents, _ files: Int?) -> Int = { _, _ in 0 }
    /// Throws when a folder of this name must stay; nil for a format that is one file.
    public var requireReplaceable: (@Sendable (_ path: String) throws -> Void)?
    public let make: @Sendable (_ path: String, Request) throws -> any ForecastOutput
  }

  /// Contents and record of the output to be made.
  public struct Request {
    let contents: ForecastContents
    let bands: Int
    let lineage: Lineage
    let joining: String?

    /// - Parameters:
    ///   - bands: of rows, in which a shared format stores fields.
    ///   - joining: where another rank, which has created the output, writes it; nil: this one creates it.
    public init(_ contents: ForecastContents, bands: Int, lineage: Lineage, joining: String?) {
      self.contents = contents
      self.bands = bands
      self.lineage = lineage
      self.joining = joining
    }
  }

  public var entry: Entry {
    switch self {
    case .zarr: .zarr("a Zarr folder as WeatherBench 2 has them", format: 2)
    case .zarr3: .zarr("the same in format 3", format: 3)
    case .netcdf:
      Entry(
        help: "CF NetCDF-4", title: "CF NetCDF", endings: StoreEndings.netCDF,
        bytesKept: { $0.bytesKeptByNetCDF(files: $1) }
      ) { path, request in
        if request.contents.initialTimes.count == 1 { return try ForecastFiles(file: path, request.contents) }
        return try ForecastWriter(path, request.contents)
      }
    case .grib2:
      Entry(
        help: "one file of GRIB messages", title: "GRIB 2", endings: StoreEndings.grib,
        libraryBytes: (GRIBWriter.measuredLibraryBytes, GRIBStore.measuredLibraryBytes)
      ) { try GRIBForecastWriter($0, $1.contents, lineage: $1.lineage) }
    }
  }

  /// The formats whose names end as this one does.
  public static func named(_ path: String) -> [ForecastFormat] { allCases.filter { path.ends(in: $0.entry.endings) } }

  /// Names that forecasts have by default.
  public static var defaultNames: [String] { unique(allCases.map(\.defaultName)) }
  public var defaultName: String { "forecast\(entry.endings[0])" }

  /// Endings of names by default, of all formats or of those that several ranks share.
  public static func endings(shared: Bool = false) -> [String] {
    unique(allCases.filter { !shared || $0.entry.isShared }.map { $0.entry.endings[0] })
  }

  /// For people: which ending means what.
  public static var endingsInWords: String {
    unique(allCases.map { "\($0.entry.title) (\($0.entry.endings.joined(separator: ", ")))" }).joined(separator: "; ")
  }

  private static func unique(_ texts: [String]) -> [String] {
    texts.indices.filter { !texts[..<$0].contains(texts[$0]) }.map { texts[$0] }
  }
}

extension ForecastFormat.Entry {
  fileprivate static func zarr(_ help: String, format: Int) -> Self {
    Self(
      help: help, title: "Zarr folder", endings: StoreEndings.zarr, isShared: true,
      requireReplaceable: { try ZarrStore.requireReplaceable($0) }
    ) {
      try ForecastWriter($0, $1.contents, bands: $1.bands, joining: $1.joining, zarrFormat: format)
    }
  }
}
