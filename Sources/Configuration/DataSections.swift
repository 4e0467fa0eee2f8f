import Basics
import Datasets
import Settings

/// A span of time, both ends included.
public struct PeriodSection: Section {
  public var start: Timestamp?
  public var end: Timestamp?

  public init() {}

  public static let fields: [Field<PeriodSection>] = [
    .date("start", \.start, "First time, UTC, for example 2001-01-01 or 2001-01-01T06:00."),
    .date("end", \.end, "Last time, included."),
  ]

  /// Both ends, or an error that names the missing one.
  public func range(_ key: String) throws -> (start: Timestamp, end: Timestamp) {
    guard let start, let end else {
      throw JigsawError(key, "needs a start and an end", remedy: "set \(key).start and \(key).end")
    }
    guard start <= end else {
      throw JigsawError(key, "ends before it starts", found: "\(start.display) … \(end.display)")
    }
    return (start, end)
  }
}

public struct SourceSection: Section {
  public var path: String?
  public var open: JSONValue?
  public var names: [String: String] = [:]

  public init() {}

  public static let fields: [Field<SourceSection>] = [
    .text(
      "path", \.path,
      "A NetCDF file, a Zarr folder, an Anemoi dataset, or a pattern such as data/era5-*.nc (files in order of time)."),
    .nested(
      "open", \.open,
      "In place of path: datasets opened, cut and combined as by Anemoi's open_dataset, with its names (docs/data.md), "
        + "for example {dataset: a.zarr, area: [70, -20, 30, 40]}."),
    .textMap(
      "names", \.names, "Our name: the name in this store, where it isn't a common one, for example {msl: slp}."),
  ]
}

public struct DataSection: Section {
  public var sources: [SourceSection] = []
  public var variables: [String] = []
  public var levels: [Double] = []
  public var rows: Int?
  public var staticFields: [String] = []
  public var impute: [String: Imputation] = [:]
  public var forcings: [String] = []
  public var diagnostic: [String] = []
  public var boundary = Boundary.none
  public var stepHours = 6
  public var inputSteps = [0]
  public var train = PeriodSection()
  public var validation = PeriodSection()
  public var test = PeriodSection()
  public var statistics: String?
  public var cacheGiB: Double?
  public var notice: String?

  public init() {}

  public static let fields: [Field<DataSection>] = [
    .sections("sources", \.sources, "Stores of fields on one regular latitude-longitude grid; several add variables."),
    .texts(
      "variables", \.variables, "Predicted variables (z, t, u, v, q, msl, t2m, u10, v10, …), in the model's order."),
    .numbers("levels", \.levels, minimum: 0, "Pressure levels in hPa for those variables that have levels."),
    .integer(
      "rows", \.rows, 2...100_000, "Use only so many grid rows from the north, for example 720 of 721; null: all."),
    .texts("static", \.staticFields, "Input fields without time, for example [lsm, orog]."),
    .imputations(
      "impute", \.impute,
      "Variables that never have values at some points, and what the model gets there: {sst: mean, swh: 0, ci: nearest}. "
        + "These points are no part of loss, scores and statistics; forecasts have none there."),
    .texts(
      "forcings", \.forcings,
      "Input fields that are not predicted. Computed: cos_julian_day, sin_julian_day, cos_local_time, sin_local_time, "
        + "insolation, cos_latitude, sin_latitude, cos_longitude, sin_longitude; any other name is a variable of the sources, "
        + "read at every input time, also in forecasts, for example sst."),
    .texts(
      "diagnostic", \.diagnostic,
      "Those of the variables that are predicted but never given to the model, for example [tp]."),
    .choice(
      "boundary", \.boundary,
      "Points that are read but not predicted: none; cutout: all but those of a cutout's first dataset. At every step they "
        + "have the values of the data, in forecasts too."),
    .integer("stepHours", \.stepHours, 1...8_760, "Hours that one step of the model covers."),
    .integers(
      "inputSteps", \.inputSteps, in: -8_760...0,
      "Hours of the states that the model reads, before the start of a step, which is 0: multiples of stepHours, for example [-6, 0]."
    ),
    .section("train", \.train, "Period to train on; statistics and climatology come from it too."),
    .section("validation", \.validation, "Period watched during training; leave empty for none."),
    .section("test", \.test, "Period that forecasts start from by default."),
    .text(
      "statistics", \.statistics,
      "File with statistics from 'jigsaw data stats'; 'dataset': those that Anemoi datasets bring; null: computed when "
        + "training starts."),
    .number(
      "cacheGiB", \.cacheGiB, 0...1_000_000,
      "Memory of each rank for decoded fields, so that each is read from disk once; null: a quarter of the free memory, shared."
    ),
    .text(
      "notice", \.notice,
      "What readers of a report must know of these data, for example \"simulated, not observed\"; null: nothing."),
  ]
}

extension DataSection {
  /// The forcings that are computed.
  public var computedForcings: [Forcing] { forcings.compactMap(Forcing.init(rawValue:)) }

  /// The forcings that are read from the sources.
  public var readForcings: [String] { forcings.filter { Forcing(rawValue: $0) == nil } }

  /// Input times in steps before the start, ascending to 0.
  /// - Throws: when they are not multiples of a step, or don't end with 0.
  public func stepsOfInputs() throws -> [Int] {
    let isAscending = zip(inputSteps, inputSteps.dropFirst()).allSatisfy { $0 < $1 }
    guard inputSteps.last == 0, isAscending, inputSteps.allSatisfy({ $0 % stepHours == 0 }) else {
      throw JigsawError(
        "data.inputSteps", "are no hours that the model can step on from",
        expected: "ascending multiples of data.stepHours (\(stepHours)) that end with 0",
        found: "[\(inputSteps.map(String.init).joined(separator: ", "))]",
        remedy: "set it to [0], or for example to [-\(stepHours), 0]")
    }
    return inputSteps.map { $0 / stepHours }
  }
}
