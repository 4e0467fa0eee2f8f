import Models

/// What was published (Kieckhefen et al., arXiv 2507.05753, and the run logs beside its code): what predictions are held against.
public enum PublishedFigures {
  public enum Precision: String, Sendable, CaseIterable {
    case fp32 = "FP32"
    case tf32 = "TF32"

    /// Of an A100, FLOP/s.
    public var peak: Double { self == .fp32 ? 19.5e12 : 156e12 }
  }

  /// A model on 1, 2 and 4 GPUs of one node, without loading samples.
  public struct StrongScaling: Sendable {
    /// TFLOP of one forward pass, by which the model goes.
    public var name: Int
    public var sizes: WeatherMixer.Sizes
    public var precision: Precision
    /// On 1, 2, 4 GPUs.
    public var secondsPerStep: [Double]
  }

  /// Instances of 1, 2 or 4 GPUs, one sample each, with loading.
  public struct DataParallel: Sendable {
    public var ways: Int
    public var sizes: WeatherMixer.Sizes
    /// With loading, of models so small that computing doesn't count.
    public var floorSeconds: Double
    /// Per step, of one instance and of 256 GPUs.
    public var secondsOfOne, secondsOf256: Double
    /// Throughput per GPU relative to one instance, at `PublishedFigures.gpus`.
    public var efficiencies: [Double]
  }

  /// GPUs of a model instance.
  public static let ways = [1, 2, 4]
  public static let gpus = [8, 16, 32, 64, 128, 256]

  public static let strongScaling: [StrongScaling] = [
    strong(2, .fp32, [0.468, 0.264, 0.188]), strong(4, .fp32, [0.845, 0.463, 0.333]),
    strong(8, .fp32, [1.625, 0.876, 0.616]), strong(16, .fp32, [3.028, 1.573, 1.120]),
    strong(2, .tf32, [0.172, 0.147, 0.094]), strong(4, .tf32, [0.291, 0.193, 0.131]),
    strong(8, .tf32, [0.467, 0.277, 0.202]), strong(16, .tf32, [0.712, 0.428, 0.318]),
  ]

  public static let dataParallel = [
    DataParallel(
      ways: 1, sizes: model(channels: 4320, tokenWidth: 8640), floorSeconds: 0.25, secondsOfOne: 0.707,
      secondsOf256: 1.345, efficiencies: [0.66, 0.65, 0.64, 0.62, 0.61, 0.51]),
    DataParallel(
      ways: 2, sizes: model(channels: 8192, tokenWidth: 8640), floorSeconds: 0.14, secondsOfOne: 0.746,
      secondsOf256: 1.112, efficiencies: [0.90, 0.75, 0.74, 0.74, 0.74, 0.68]),
    DataParallel(
      ways: 4, sizes: model(channels: 10352, tokenWidth: 17280), floorSeconds: 0.12, secondsOfOne: 0.936,
      secondsOf256: 1.286, efficiencies: [0.94, 0.85, 0.79, 0.75, 0.74, 0.72]),
  ]

  /// Larger models, from the run logs: too large for one GPU, so that no step of their own says how fast their GEMMs are.
  public static let largerModels:
    [(name: Int, sizes: WeatherMixer.Sizes, precision: Precision, gpus: Int, seconds: Double)] =
      [
        (32, model(channels: 6064, tokenWidth: 17280), .fp32, 2, 3.045),
        (32, model(channels: 6064, tokenWidth: 17280), .fp32, 4, 2.145),
        (64, model(channels: 10352, tokenWidth: 17280), .fp32, 4, 4.073),
        (32, model(channels: 6064, tokenWidth: 17280), .tf32, 2, 0.766),
        (32, model(channels: 6064, tokenWidth: 17280), .tf32, 4, 0.510),
      ]

  /// 0.25°, 720 × 1440 points in patches of 1 × 60, 69 fields and 3 static ones, three blocks.
  public static func model(channels: Int, tokenWidth: Int) -> WeatherMixer.Sizes {
    WeatherMixer.Sizes(
      tokens: 720 * 1440 / 60, pointsPerToken: 60, variables: 69, auxiliaries: 3, channels: channels,
      tokenWidth: tokenWidth, channelWidth: channels, blocks: 3)
  }

  /// The models of the strong scaling, by TFLOP of a forward pass.
  public static func model(teraFLOP: Int) -> WeatherMixer.Sizes {
    switch teraFLOP {
    case 2: model(channels: 1600, tokenWidth: 2160)
    case 4: model(channels: 2192, tokenWidth: 4320)
    case 8: model(channels: 2832, tokenWidth: 8640)
    case 16: model(channels: 4896, tokenWidth: 8640)
    default: preconditionFailure("no such model")
    }
  }

  private static func strong(_ name: Int, _ precision: Precision, _ seconds: [Double]) -> StrongScaling {
    StrongScaling(name: name, sizes: model(teraFLOP: name), precision: precision, secondsPerStep: seconds)
  }
}
