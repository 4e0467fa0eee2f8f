public struct ForecastSection: Section {
  public var leadHours = 120
  public var everyHours = 24
  public var batchSize = 8
  public var format = Format.zarr

  public enum Format: String, CaseIterable, Sendable { case zarr, zarr3, netcdf, grib2 }

  public init() {}

  public static let fields: [Field<ForecastSection>] = [
    .integer("leadHours", \.leadHours, 1...87_600, "How far to forecast."),
    .integer("everyHours", \.everyHours, 1...87_600, "Hours between initial times within data.test."),
    .integer("batchSize", \.batchSize, 1...100_000, "Forecasts computed at once."),
    .choice(
      "format", \.format,
      "zarr: a Zarr folder as WeatherBench 2 has them; zarr3: the same in format 3; netcdf: one CF NetCDF-4 file; grib2: one file of GRIB messages."
    ),
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
