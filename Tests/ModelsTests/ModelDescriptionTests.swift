import Basics
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

  /// Settings that are not there have their defaults, null is no default, and unknown ones are refused.
  @Test func settingsOfOtherVersions() throws {
    for family in ModelFamilies.all {
      let description = ModelDescription(family.init(), Self.fields)
      let text = String(decoding: try JSONEncoder().encode(description), as: UTF8.self)
      let json = try JSONValue(parsing: Array(text.utf8), place: "test")
      let settings = try #require(json["settings"]?.object)
      func decoded(_ settings: [String: JSONValue]) throws -> ModelDescription {
        var members = json.object ?? [:]
        members["settings"] = .object(settings)
        return try JSONDecoder().decode(ModelDescription.self, from: Data(JSONValue.object(members).line.utf8))
      }
      for key in settings.keys {
        #expect(try decoded(settings.filter { $0.key != key }) == description, "\(family.family) without \(key)")
      }
      let error = #expect(throws: UnknownModelSetting.self) {
        try decoded(settings.merging(["moon": .integer(1)]) { $1 })
      }
      #expect(error?.name == "moon")
    }
    // A window that is null by choice stays so.
    var settings = TransformerSettings()
    #expect(settings.processor.window != nil)
    settings.processor.window = nil
    let description = ModelDescription(settings, Self.fields)
    let again = try JSONDecoder().decode(ModelDescription.self, from: JSONEncoder().encode(description))
    #expect(again == description)
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
