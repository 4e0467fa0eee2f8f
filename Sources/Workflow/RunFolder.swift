import Basics
import Configuration
import Training

/// Where things are in the folder of a run.
public struct RunFolder: Sendable {
  public let path: String

  public init(_ path: String) { self.path = path.hasSuffix("/") && path.count > 1 ? String(path.dropLast()) : path }

  public var configuration: String { "\(path)/config.yaml" }
  public var provenance: String { "\(path)/provenance.json" }
  public var statistics: String { "\(path)/statistics.json" }
  public var metrics: String { "\(path)/metrics.csv" }
  public var validation: String { "\(path)/validation.csv" }
  public var log: String { "\(path)/train.log" }
  public var tensorBoard: String { "\(path)/tensorboard" }
  public var evaluation: String { "\(path)/evaluation" }
  public var scores: String { "\(evaluation)/scores.csv" }
  public var spectra: String { "\(evaluation)/spectra.csv" }
  public var report: String { "\(path)/report.html" }

  public func checkpoints(keep: Int = 2) -> CheckpointFolder { CheckpointFolder("\(path)/checkpoints", keep: keep) }

  /// The forecast that `forecast` writes by default.
  public func forecast(_ format: ForecastSection.Format) -> String {
    switch format {
    case .zarr, .zarr3: "\(path)/forecast.zarr"
    case .netcdf: "\(path)/forecast.nc"
    case .grib2: "\(path)/forecast.grib2"
    }
  }

  /// Whether a forecast of this name is written as GRIB.
  static func isGRIB(_ output: String) -> Bool {
    [".grib2", ".grib", ".grb2", ".grb"].contains { output.hasSuffix($0) }
  }

  /// The forecast that is there, if any.
  public var existingForecast: String? {
    [.zarr, .netcdf, .grib2].map { forecast($0) }.first(where: Files.exists)
  }
}
