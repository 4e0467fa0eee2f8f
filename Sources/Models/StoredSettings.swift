import Basics
import FoundationEssentials
import Settings

/// The settings of a model as a manifest holds them. Settings that a later version added have their defaults; an optional one is
/// null, which therefore must mean what was done before there was the setting.
struct StoredSettings: Decodable {
  private let json: JSONValue

  init(from decoder: any Decoder) throws { json = try decoder.singleValueContainer().decode(JSONValue.self) }

  /// - Throws: `UnknownModelSetting` for a setting that this version doesn't have; decoding errors.
  func settings<Settings: ModelSettings>(_ type: Settings.Type) throws -> Settings {
    let defaults = try JSONValue(parsing: Array(try JSONEncoder().encode(Settings())), place: "settings")
    var json = json
    let settings: Settings
    while true {
      do {
        settings = try JSONDecoder().decode(type, from: Data(json.text(pretty: false).utf8))
        break
      } catch DecodingError.keyNotFound(let key, let context) {
        let path = (context.codingPath + [key]).map(\.stringValue)
        guard let value = path.reduce(defaults, { $0?[$1] }), let filled = json.setting(path[...], to: value) else {
          throw DecodingError.keyNotFound(key, context)
        }
        json = filled
      }
    }
    let known = try JSONValue(parsing: Array(try JSONEncoder().encode(settings)), place: "settings")
    if let name = self.json.keyMissing(in: known) { throw UnknownModelSetting(name: name) }
    return settings
  }
}

/// A checkpoint has a setting that this version doesn't know.
public struct UnknownModelSetting: Error {
  public let name: String
}

extension JSONValue {
  /// The document with a value at a path of keys; nil where there is no group to put it in.
  fileprivate func setting(_ path: ArraySlice<String>, to value: JSONValue) -> JSONValue? {
    guard let key = path.first else { return value }
    guard var members = object else { return nil }
    let inner = path.count == 1 ? .object([:]) : members[key]
    guard let changed = inner?.setting(path.dropFirst(), to: value) else { return nil }
    members[key] = changed
    return .object(members)
  }

  /// The dotted name of a key whose value is not null and that another document lacks.
  fileprivate func keyMissing(in other: JSONValue) -> String? {
    guard let members = object else { return nil }
    for (key, value) in members.sorted(by: { $0.key < $1.key }) where value != .null {
      guard let counterpart = other[key] else { return key }
      if let inner = value.keyMissing(in: counterpart) { return "\(key).\(inner)" }
    }
    return nil
  }
}
