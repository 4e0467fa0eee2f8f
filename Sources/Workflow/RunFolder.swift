import Basics
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

  /// The forecast store that `forecast` writes by default.
  public func forecast(_ isZarr: Bool) -> String { "\(path)/forecast.\(isZarr ? "zarr" : "nc")" }

  /// The forecast that is there, if any.
  public var existingForecast: String? { [forecast(true), forecast(false)].first(where: Files.exists) }
}
