import Datasets

/// Factors of each channel's loss as anemoi-training's scalers define them. They multiply the loss, not the error.
public struct LossScalers: Sendable, Hashable {
  /// How the factor of a pressure level p follows from slope s and intercept b.
  public enum PressureLevel: String, Sendable, CaseIterable {
    /// 1
    case none
    /// max(b, s·p)
    case relu
    /// s·p + b
    case linear
    /// (s·p)² + b
    case polynomial
  }

  /// By variable, in our names; `default` for those that are not named.
  public var generalVariable: [String: Double] = [:]
  public var pressureLevel = PressureLevel.none
  /// s, per hPa, and b.
  public var slope = 0.001
  public var intercept = 0.2
  /// Variables whose levels are scaled, in our names.
  public var levelVariables: Set<String> = ["q", "t", "u", "v", "w", "z"]
  /// By the ratio of a field's deviation to that of its change over a step, and by the square of this.
  public var stdevTendency = false
  public var varTendency = false

  public init() {}

  /// - Parameters:
  ///   - tendencyScale: the deviation of the change over a step, in deviations of the field.
  ///   - isDiagnostic: whether the model does not read the field: then its changes scale nothing.
  public func factor(_ channel: Channel, tendencyScale: Double, isDiagnostic: Bool) -> Double {
    var factor = generalVariable[channel.variable] ?? generalVariable["default"] ?? 1
    if let level = channel.levelHPa, levelVariables.contains(channel.variable) {
      switch pressureLevel {
      case .none: break
      case .relu: factor *= max(intercept, slope * level)
      case .linear: factor *= slope * level + intercept
      case .polynomial: factor *= slope * level * slope * level + intercept
      }
    }
    if isDiagnostic { return factor }
    if stdevTendency { factor /= tendencyScale }
    if varTendency { factor /= tendencyScale * tendencyScale }
    return factor
  }
}
