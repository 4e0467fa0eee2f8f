import Models
import Tensors

extension ModelChecks {
  /// A WeatherMixer of two blocks.
  private struct Mixer {
    var tokens = 12
    var points = 4
    var variables = 6
    var auxiliaries = 4
    var channels = 24
    var tokenWidth = 36
    var channelWidth = 48
    var isBlend = false
    var dropout: Float = 0

    var model: WeatherMixer {
      WeatherMixer(
        WeatherMixer.Sizes(
          tokens: tokens, pointsPerToken: points, variables: variables, auxiliaries: auxiliaries, channels: channels,
          tokenWidth: tokenWidth, channelWidth: channelWidth, blocks: 2),
        output: isBlend ? .blend : .residual(scale: (0..<variables).map { 0.5 + 0.25 * Float($0) }),
        dropoutProbability: dropout)
    }
  }

  /// Models that are held on every mesh; that of another family is a line here.
  public static let settings = [
    Setting("even", Mixer(auxiliaries: 6).model),
    Setting("even, blend", Mixer(auxiliaries: 6, isBlend: true).model),
    Setting(
      "uneven",
      Mixer(
        tokens: 10, points: 3, variables: 7, auxiliaries: 5, channels: 13, tokenWidth: 11, channelWidth: 17
      ).model, batch: 3),
    Setting(
      "uneven, blend, dropout",
      Mixer(
        tokens: 7, points: 2, variables: 5, auxiliaries: 4, channels: 10, tokenWidth: 9, channelWidth: 23,
        isBlend: true, dropout: 0.3
      ).model),
    Setting(
      "blocks computed again",
      Mixer(
        tokens: 10, points: 3, variables: 7, auxiliaries: 5, channels: 13, tokenWidth: 11, channelWidth: 17,
        isBlend: true, dropout: 0.3
      ).model, batch: 3, checkpointsActivations: true),
    // Some ranks have no auxiliary field.
    Setting("one auxiliary", Mixer(auxiliaries: 1, isBlend: true).model),
    // Many tokens, few channels, and the reverse: other placements are the cheapest.
    Setting(
      "long", Mixer(tokens: 64, points: 2, variables: 4, channels: 6, tokenWidth: 50, channelWidth: 9).model, batch: 1),
    Setting(
      "wide", Mixer(tokens: 6, points: 2, variables: 4, channels: 60, tokenWidth: 8, channelWidth: 90).model, batch: 1),
    Setting(
      "bf16",
      Mixer(
        tokens: 30, points: 3, variables: 7, auxiliaries: 5, channels: 33, tokenWidth: 31, channelWidth: 47
      ).model, precision: .bf16),
    Setting(
      "linear regression, two input times",
      LinearRegression(
        ModelForm(tokens: 9, pointsPerToken: 2, variables: 5, auxiliaries: 3, inputTimes: 2),
        tendencyScale: [0.5, 1, 2, 0.25, 1.5])),
  ]
}
