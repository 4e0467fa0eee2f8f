/// A part of a training step, by which it is traced, counted and measured. Model families name their own beside these.
public struct StepPhase: RawRepresentable, Sendable, Hashable, Codable {
  public let rawValue: String

  public init(rawValue: String) { self.rawValue = rawValue }

  public static let encoder = StepPhase(rawValue: "encoder")
  public static let processor = StepPhase(rawValue: "processor")
  public static let decoder = StepPhase(rawValue: "decoder")
  /// Makes the prediction from the decoded field and the input.
  public static let output = StepPhase(rawValue: "output")
  /// The loss and its gradient, in one pass.
  public static let loss = StepPhase(rawValue: "loss")

  /// Its name in traces, in forward and in backward passes.
  public var forward: String { self == .loss ? rawValue : "\(rawValue) forward" }
  public var backward: String { "\(rawValue) backward" }

  /// Phase of a layer, by the group of its parameters.
  public init(_ group: ParameterGroup) {
    self =
      switch group {
      case .encoder: .encoder
      case .processor: .processor
      case .decoder: .decoder
      }
  }
}
