/// Parts of a training step, by which it is traced, counted and measured.
public enum StepPhase: String, Sendable, CaseIterable, Codable {
  case encoder
  case tokenMixing = "token mixing"
  case channelMixing = "channel mixing"
  case decoder
  /// What makes the prediction of the decoded field and the input: the blend, or the sum of the residual form.
  case output
  /// The loss and its gradient, in one pass.
  case loss

  /// Its name in traces, in forward and in backward passes.
  public var forward: String { self == .loss ? rawValue : "\(rawValue) forward" }
  public var backward: String { "\(rawValue) backward" }

  init(_ dimension: MixingDimension) { self = dimension == .tokens ? .tokenMixing : .channelMixing }

  /// Of a layer that is no mixing layer; a linear one within the processor mixes channels.
  init(_ group: ParameterGroup) {
    self =
      switch group {
      case .encoder: .encoder
      case .processor: .channelMixing
      case .decoder: .decoder
      }
  }
}
