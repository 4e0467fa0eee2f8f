import FoundationEssentials
import Models
import Settings
import Testing

/// Descriptions of models as checkpoints hold them.
@Suite struct ModelDescriptionTests {
  private static let fields = ModelFields(
    gridRows: 8, gridColumns: 16, variables: 2, auxiliaries: 1, tendencyScale: [0.1, 0.25])

  @Test func descriptionsOfAllFamiliesComeBackAsTheyWere() throws {
    for family in ModelFamilies.all {
      let description = ModelDescription(family.init(), Self.fields)
      let again = try JSONDecoder().decode(ModelDescription.self, from: JSONEncoder().encode(description))
      #expect(again == description, "\(family.family)")
      #expect(again.contradiction == nil)
    }
  }

  /// As version 0.1 wrote it.
  @Test(arguments: [("residual", "[0.1, 0.25]"), ("blend", "[]")])
  func descriptionsWithoutAFamilyAreOfWeatherMixer(output: String, scale: String) throws {
    let text = """
      {"gridRows": 8, "gridColumns": 16, "patchRows": 2, "patchColumns": 4, "variables": 2, "auxiliaries": 1,
       "channels": 24, "tokenWidth": 32, "channelWidth": 40, "blocks": 2, "output": "\(output)",
       "residualScale": \(scale), "dropout": 0.1}
      """
    let description = try JSONDecoder().decode(ModelDescription.self, from: Data(text.utf8))
    let settings = WeatherMixerSettings(
      patch: [2, 4], channels: 24, tokenWidth: 32, channelWidth: 40, blocks: 2,
      output: output == "blend" ? .blend : .residual, dropout: 0.1)
    var fields = Self.fields
    if output == "blend" { fields.tendencyScale = [1, 1] }
    #expect(description == ModelDescription(settings, fields))
    #expect(description.contradiction == nil)
    #expect(try description.makeModel().form.tokens == 16)
  }

  @Test func damageIsNamed() throws {
    var settings = WeatherMixerSettings(
      patch: [2, 4], channels: 24, tokenWidth: 32, channelWidth: 40, blocks: -1, output: .blend)
    #expect(ModelDescription(settings, Self.fields).contradiction == "model.blocks")
    settings.blocks = 1
    settings.patch = [3, 4]
    #expect(ModelDescription(settings, Self.fields).contradiction == "model.patch")
    settings.patch = [2, 4]
    var fields = Self.fields
    fields.tendencyScale = [1]
    #expect(ModelDescription(settings, fields).contradiction == "model.tendencyScale")
    fields.gridRows = 0
    #expect(ModelDescription(settings, fields).contradiction == "grid")
  }

  @Test func anUnknownFamilyIsNamed() {
    let text = #"{"family": "oracle", "settings": {}, "variables": 1}"#
    #expect(throws: UnknownModelFamily.self) {
      try JSONDecoder().decode(ModelDescription.self, from: Data(text.utf8))
    }
  }
}
