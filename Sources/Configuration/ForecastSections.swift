import Forecasting
import Settings

public struct ForecastSection: Section {
  public var leadHours = 120
  public var everyHours = 24
  public var batchSize = 8
  public var layout = Layout.together
  public var format: ForecastFormat?
  public var bounds = Bounds.none

  public enum Layout: String, CaseIterable, Sendable { case together, perForecast }
  public enum Bounds: String, CaseIterable, Sendable { case none, physical }

  /// The format that forecasts are stored in; where `format` is null, the layout decides.
  public var storedFormat: ForecastFormat { format ?? (layout == .perForecast ? .netcdf : .zarr) }

  public init() {}

  public static let fields: [Field<ForecastSection>] = [
    .integer("leadHours", \.leadHours, 1...87_600, "How far to forecast."),
    .integer("everyHours", \.everyHours, 1...87_600, "Hours between initial times within data.test."),
    .integer("batchSize", \.batchSize, 1...100_000, "Forecasts computed at once."),
    .choice(
      "layout", \.layout,
      "together: all forecasts in one store; perForecast: a folder with one CF NetCDF file for each initial time, of at most "
        + "four dimensions, as CDO, NCO and most viewers want them."),
    .choice(
      "format", \.format,
      ForecastFormat.allCases.map { "\($0.rawValue): \($0.entry.help)" }.joined(separator: "; ")
        + "; null: zarr, of forecasts in files of their own netcdf."),
    .choice(
      "bounds", \.bounds,
      "physical: what can't be negative (precipitation, humidity, cloud, snow, downward radiation) is kept from it at every "
        + "step of a forecast; none: fields are as the model gives them."),
  ]
}

public struct EvaluationSection: Section {
  public var leadHours: [Int] = []
  public var climatologyWindowDays = 61
  public var spectra = true
  public var dampedPersistence = false

  public init() {}

  public static let fields: [Field<EvaluationSection>] = [
    .integers("leadHours", \.leadHours, count: nil, "Leads to verify; empty: all in the forecast."),
    .integer(
      "climatologyWindowDays", \.climatologyWindowDays, 1...366,
      "Days over which the climatology of a day of the year is smoothed (triangular weights)."),
    .flag("spectra", \.spectra, "Zonal power spectra (global grids only)."),
    .flag("dampedPersistence", \.dampedPersistence, "Also verify persistence damped by AR(1) coefficients."),
  ]
}
