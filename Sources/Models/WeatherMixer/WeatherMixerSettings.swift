import Settings
import Tensors

/// The settings of WeatherMixer.
public struct WeatherMixerSettings: ModelSettings {
  public enum Output: String, Sendable, Hashable, Codable, CaseIterable {
    /// A learned blend of decoded field and input (as published).
    case blend
    /// The decoder predicts the change over one step, in units of each variable's typical change.
    case residual
  }

  public static let family = "weather-mixer"
  public static let title = "WeatherMixer"
  public static let help = "an MLP-Mixer on patches of the grid (docs/model.md)"

  /// Rows and columns of a patch.
  public var patch = [2, 4]
  public var channels = 384
  public var tokenWidth = 512
  public var channelWidth = 384
  public var blocks = 3
  public var output = Output.residual
  public var dropout = 0.0

  public init() {}

  public init(
    patch: [Int], channels: Int, tokenWidth: Int, channelWidth: Int, blocks: Int, output: Output, dropout: Double = 0
  ) {
    self.patch = patch
    self.channels = channels
    self.tokenWidth = tokenWidth
    self.channelWidth = channelWidth
    self.blocks = blocks
    self.output = output
    self.dropout = dropout
  }

  public static let fields: [Field<WeatherMixerSettings>] = [
    .integers("patch", \.patch, count: 2, "Rows and columns of grid points in one token; must divide the grid."),
    .integer("channels", \.channels, 1...1_000_000, "D, the length of a token's latent vector."),
    .integer("tokenWidth", \.tokenWidth, 1...1_000_000, "H_t, the hidden width of the MLPs that mix tokens."),
    .integer("channelWidth", \.channelWidth, 1...1_000_000, "H_c, the hidden width of the MLPs that mix channels."),
    .integer("blocks", \.blocks, 1...1_000, "Mixer blocks in the processor, which is applied once per step."),
    .choice("output", \.output, "blend: as published; residual: predict the change, scaled by its typical size."),
    .number("dropout", \.dropout, 0...0.9, "Probability of zeroing in the MLPs during training."),
  ]

  public static let needsRaster = true
  public var outputForm: String { output.rawValue }

  public func tiling(_ fields: ModelFields) throws -> Tiling {
    try fields.requireRaster(for: Self.title)
    return try fields.tiling(patch: patch)
  }

  public func makeModel(_ fields: ModelFields) throws -> any ForecastModel {
    let tiling = try tiling(fields)
    var sizes = WeatherMixer.Sizes(
      tokens: tiling.tokens, pointsPerToken: tiling.pointsPerToken, variables: fields.variables,
      auxiliaries: fields.auxiliaries, channels: channels, tokenWidth: tokenWidth, channelWidth: channelWidth,
      blocks: blocks)
    sizes.inputTimes = fields.inputSteps.count
    let head: WeatherMixer.Output =
      switch output {
      case .blend: .blend
      case .residual: .residual(scale: fields.tendencyScale)
      }
    return WeatherMixer(sizes, output: head, dropoutProbability: Float(dropout))
  }
}

extension WeatherMixerSettings {
  /// The model of a checkpoint that names no family, as versions before there were several wrote it.
  struct Unnamed: Decodable {
    let patchRows, patchColumns, channels, tokenWidth, channelWidth, blocks: Int
    let output: Output
    /// Empty where the output is blended.
    let residualScale: [Float]
    let dropout: Float

    var settings: WeatherMixerSettings {
      var settings = WeatherMixerSettings()
      settings.patch = [patchRows, patchColumns]
      (settings.channels, settings.tokenWidth, settings.channelWidth) = (channels, tokenWidth, channelWidth)
      settings.blocks = blocks
      settings.output = output
      // The shortest decimal is the one that was configured.
      settings.dropout = Double("\(dropout)") ?? Double(dropout)
      return settings
    }

    func tendencyScale(variables: Int) -> [Float] {
      output == .residual ? residualScale : [Float](repeating: 1, count: max(0, min(variables, 1_000_000)))
    }
  }
}
