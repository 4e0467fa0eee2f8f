import Basics
import Models
import Settings
import Yams

extension Field {
  /// The settings of a model, those of its family: `{family: weather-mixer, blocks: 4}`. Another family than before starts
  /// from its defaults.
  public static func model(_ name: String, _ path: any Path<any ModelSettings>, _ help: String) -> Field {
    Field(name, help, .section(ModelSectionType()), valueOf: { $0[keyPath: path] }) { root, node, key, file in
      root[keyPath: path] = try ModelSectionType.read(node, into: root[keyPath: path], key, file)
    } text: { _ in
      nil
    }
  }
}

/// The section whose settings depend on its first one, the family.
private struct ModelSectionType: SectionDescription {
  private static let key = "family"

  private static var help: String {
    ModelFamilies.all.map { "\($0.family): \($0.title), \($0.help)" }.joined(separator: "; ") + "."
  }

  static func read(_ node: Node, into settings: any ModelSettings, _ key: String, _ file: String) throws
    -> any ModelSettings
  {
    guard let mapping = node.mapping, let (_, value) = mapping.first(where: { $0.key.string == ModelSectionType.key })
    else { return try filled(settings, node, key, file) }
    let word = value.scalar?.string ?? ""
    guard let family = ModelFamilies.named(word) else {
      let names = ModelFamilies.names
      let hint = nearest(to: word, among: names).map { " (did you mean '\($0)'?)" } ?? ""
      throw invalid(
        value, "\(key).\(ModelSectionType.key)", file, expected: "one of \(names.joined(separator: ", "))\(hint)")
    }
    let others = mapping.filter { $0.key.string != ModelSectionType.key }
    let start: any ModelSettings = family.family == settings.family ? settings : family.init()
    return try filled(
      start, Node.mapping(Node.Mapping(others.map { ($0.key, $0.value) }, .implicit, .any, mapping.mark)), key, file)
  }

  private static func filled<S: ModelSettings>(_ settings: S, _ node: Node, _ key: String, _ file: String) throws -> S {
    var settings = settings
    try readSection(&settings, node, key, file)
    return settings
  }

  /// The settings of all families side by side.
  func schema() -> JSONValue {
    let first = ModelFamilies.all[0].family
    let choice = ScalarKind(type: "string", choices: ModelFamilies.names)
    var properties: [String: JSONValue] = [:]
    for family in ModelFamilies.all {
      let own = family.section.schema().object?["properties"]?.object ?? [:]
      properties.merge(own, uniquingKeysWith: ModelSectionType.merged)
    }
    properties[ModelSectionType.key] = .object(
      choice.schema(default: first).merging(["description": .string(ModelSectionType.help)]) { own, _ in own })
    return .object([
      "type": .string("object"), "properties": .object(properties), "additionalProperties": .bool(false),
    ])
  }

  /// Groups that families have in common take the settings of all; else the first family's stand.
  private static func merged(_ earlier: JSONValue, _ later: JSONValue) -> JSONValue {
    guard var group = earlier.object, let own = group["properties"]?.object,
      let others = later.object?["properties"]?.object
    else { return earlier }
    group["properties"] = .object(own.merging(others, uniquingKeysWith: merged))
    return .object(group)
  }

  private func model(_ value: Any) -> any ModelSettings {
    guard let settings = value as? any ModelSettings else { preconditionFailure("a section of another type") }
    return settings
  }

  func lines(_ value: Any, comments: Bool) -> [String] {
    let settings = model(value)
    let comment = comments ? commentLines(ModelSectionType.help) : []
    return comment + ["\(ModelSectionType.key): \(settings.family)"] + sectionLines(settings, comments: comments)
  }

  func settings(_ value: Any, below key: String) -> [(key: String, value: String)] {
    let settings = model(value)
    return [("\(key).\(ModelSectionType.key)", settings.family)]
      + type(of: settings).section.settings(settings, below: key)
  }
}
