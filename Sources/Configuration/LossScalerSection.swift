import Settings
import Training

/// Scalers of the loss by the names of anemoi-training.
public struct ScalersSection: Section {
  public var generalVariable: [String: Double] = [:]
  public var pressureLevel = PressureLevelSection()
  public var stdevTendency = false
  public var varTendency = false

  public init() {}

  public static let fields: [Field<ScalersSection>] = [
    .numberMap(
      "general_variable", \.generalVariable,
      "By variable, in any of its names; default for those that are not named, else 1. Variables that are not predicted are passed over."
    ),
    .section("pressure_level", \.pressureLevel, "By level, of q, t, u, v, w and z."),
    .flag(
      "stdev_tendency", \.stdevTendency,
      "Deviation of a field over that of its change in a step; not of diagnostic fields."),
    .flag("var_tendency", \.varTendency, "The square of that."),
  ]
}

public struct PressureLevelSection: Section {
  public var scaling = LossScalers.PressureLevel.none
  public var slope = 0.001
  public var intercept = 0.2

  public init() {}

  public static let fields: [Field<PressureLevelSection>] = [
    .choice(
      "scaling", \.scaling,
      "none; relu: max(y_intercept, slope·hPa); linear: slope·hPa + y_intercept; polynomial: (slope·hPa)² + y_intercept."
    ),
    .number("slope", \.slope, 0...1_000, "Per hPa."),
    .number("y_intercept", \.intercept, 0...1_000, "The least of relu, what the others add."),
  ]
}
