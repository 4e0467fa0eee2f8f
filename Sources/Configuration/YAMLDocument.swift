import Basics
import Settings
import Yams

/// A YAML file as JSON: plain words that are numbers, true, false or null are these, dates stay words.
/// - Throws: for what is not YAML.
public func readYAML(_ path: String) throws -> JSONValue {
  guard Files.exists(path) else { throw JigsawError(path, "no such file") }
  let text = try readYAMLText(path)
  do {
    let root = try compose(text, path) ?? Node("null")
    return try json(root, "", path)
  } catch let error as YamlError {
    throw notYAML(error, path)
  }
}

/// The text of a YAML file, without the byte order mark that editors may put before it.
func readYAMLText(_ path: String) throws -> String {
  let text = try Files.readText(path, atMost: 16 << 20)
  return text.unicodeScalars.first == "\u{FEFF}" ? String(text.unicodeScalars.dropFirst()) : text
}
