import Basics
import Yams

/// A group of settings: a struct whose `fields` say how each of its properties is called, documented, read and written.
/// From this one list come parsing, error messages, `config show`, `init` and `config schema`.
public protocol Section: Sendable {
  init()
  static var fields: [Field<Self>] { get }
}

extension Section {
  /// From lines of YAML, as `sectionLines` writes them.
  /// - Throws: for what is not YAML, unknown settings, values that don't fit.
  public init(parsing lines: [String]) throws {
    self.init()
    guard let node = try Yams.compose(yaml: lines.joined(separator: "\n")) else { return }
    try readSection(&self, node, "", "settings")
  }
}

/// One setting of a section.
public struct Field<Root>: Sendable {
  public let name: String
  /// One or two sentences for users; units, range, default in words where that helps.
  let help: String
  let kind: FieldKind
  /// The value of a section or of a list of sections.
  let valueOf: @Sendable (Root) -> Any?
  let read: @Sendable (inout Root, Node, _ key: String, _ file: String) throws -> Void
  /// The value as YAML in one line; nil for sections.
  let text: @Sendable (Root) -> String?
}

/// A field's properties that JSON Schema and the writer need.
public indirect enum FieldKind: Sendable {
  case scalar(ScalarKind)
  case list(of: String, minimum: Double?)
  case map(of: String)
  /// A word, a list or groups, as something else defines them.
  case nested
  case section(any SectionDescription)
  case sections(any SectionDescription)
}

/// A single value: what it may be, for JSON Schema.
public struct ScalarKind: Sendable {
  /// JSON's name of the type.
  let type: String
  var choices: [String]?
  var range: ClosedRange<Double>?
  var isOptional = false

  public init(
    type: String, choices: [String]? = nil, range: ClosedRange<Double>? = nil, isOptional: Bool = false
  ) {
    self.type = type
    self.choices = choices
    self.range = range
    self.isOptional = isOptional
  }

  /// The field as a property of a schema; `text` is the default as YAML.
  public func schema(default text: String?) -> [String: JSONValue] {
    var property: [String: JSONValue] = [
      "type": isOptional ? .array([.string(type), .string("null")]) : .string(type)
    ]
    if let choices {
      property["enum"] = .array(choices.map { .string($0) } + (isOptional ? [.null] : []))
    }
    if let range {
      property["minimum"] = number(range.lowerBound)
      property["maximum"] = number(range.upperBound)
    }
    if let text { property["default"] = value(text) }
    return property
  }

  private func value(_ text: String) -> JSONValue {
    if text == "null" { return .null }
    switch type {
    case "integer", "number": return Double(text).map(number) ?? .string(text)
    case "boolean": return .bool(text == "true")
    default: return .string(text)
    }
  }

  private func number(_ value: Double) -> JSONValue { Int(exactly: value).map { .integer($0) } ?? .number(value) }
}

/// A section type without its generic parameter.
public protocol SectionDescription: Sendable {
  func schema() -> JSONValue
  /// YAML lines of a value, each with its comment.
  func lines(_ value: Any, comments: Bool) -> [String]
  /// Every setting of a value by its dotted key.
  func settings(_ value: Any, below key: String) -> [(key: String, value: String)]
}

public struct SectionType<S: Section>: SectionDescription {
  public init() {}

  public func schema() -> JSONValue {
    let defaults = S()
    var properties: [String: JSONValue] = [:]
    for field in S.fields {
      var property: [String: JSONValue] = ["description": .string(field.help)]
      switch field.kind {
      case .scalar(let scalar): property.merge(scalar.schema(default: field.text(defaults))) { own, _ in own }
      case .list(let element, let minimum):
        property["type"] = .string("array")
        var items: [String: JSONValue] = ["type": .string(element)]
        if let minimum { items["minimum"] = .number(minimum) }
        property["items"] = .object(items)
      case .map(let element):
        property["type"] = .string("object")
        property["additionalProperties"] = .object(["type": .string(element)])
      case .nested:
        property["type"] = .array(["string", "array", "object", "null"].map { .string($0) })
        property["additionalProperties"] = .bool(true)
      case .section(let section):
        property.merge(section.schema().object ?? [:]) { own, _ in own }
      case .sections(let section):
        property["type"] = .string("array")
        property["items"] = section.schema()
      }
      properties[field.name] = .object(property)
    }
    return .object([
      "type": .string("object"), "properties": .object(properties), "additionalProperties": .bool(false),
    ])
  }

  public func lines(_ value: Any, comments: Bool) -> [String] {
    guard let value = value as? S else { preconditionFailure("a section of another type") }
    return sectionLines(value, comments: comments)
  }

  public func settings(_ value: Any, below key: String) -> [(key: String, value: String)] {
    guard let section = value as? S else { preconditionFailure("a section of another type") }
    return S.fields.flatMap { field -> [(key: String, value: String)] in
      let full = key.isEmpty ? field.name : "\(key).\(field.name)"
      switch field.kind {
      case .section(let type): return type.settings(field.valueOf(section) as Any, below: full)
      case .sections(let type):
        let values = field.valueOf(section) as? [Any] ?? []
        return [(full, "\(values.count) entries")]
          + values.enumerated().flatMap { type.settings($1, below: "\(full)[\($0)]") }
      default: return [(full, field.text(section) ?? "null")]
      }
    }
  }
}

/// Reads a mapping into a section; keys it doesn't have are errors.
public func readSection<S: Section>(_ section: inout S, _ node: Node, _ key: String, _ file: String) throws {
  if node.isNull { return }
  guard let mapping = node.mapping else {
    let what = key.isEmpty ? "the configuration" : key
    throw invalid(node, what, file, expected: "a group of settings (\(S.fields.map(\.name).joined(separator: ", ")))")
  }
  for (name, value) in mapping {
    let word = name.string ?? ""
    let full = key.isEmpty ? word : "\(key).\(word)"
    guard let field = S.fields.first(where: { $0.name == word }) else {
      let known = S.fields.map(\.name)
      throw JigsawError(
        place(name, full, file), "unknown setting", expected: "one of \(known.joined(separator: ", "))",
        remedy: nearest(to: word, among: known).map { "did you mean '\($0)'?" } ?? "remove it")
    }
    try field.read(&section, value, full, file)
  }
}

/// The settings of a section as YAML, a line each; with `comments` each explained.
public func sectionLines<S: Section>(_ section: S, comments: Bool) -> [String] {
  S.fields.flatMap { fieldLines($0, of: section, comments: comments) }
}

/// One setting of a section as YAML.
public func fieldLines<S: Section>(_ field: Field<S>, of section: S, comments: Bool) -> [String] {
  var lines = comments ? commentLines(field.help) : []
  switch field.kind {
  case .section(let type):
    lines.append("\(field.name):")
    lines += type.lines(field.valueOf(section) as Any, comments: comments).map { "  \($0)" }
  case .sections(let type):
    let values = field.valueOf(section) as? [Any] ?? []
    lines.append(values.isEmpty ? "\(field.name): []" : "\(field.name):")
    for value in values {
      let inner = type.lines(value, comments: false)
      for (index, line) in inner.enumerated() { lines.append((index == 0 ? "  - " : "    ") + line) }
    }
  default: lines.append("\(field.name): \(field.text(section) ?? "null")")
  }
  return lines
}

/// A text as comments of a YAML file.
public func commentLines(_ text: String) -> [String] { wrap(text).map { "# \($0)" } }

private func wrap(_ text: String, width: Int = 100) -> [String] {
  var lines: [String] = []
  var line = ""
  for word in text.split(separator: " ") {
    if !line.isEmpty && line.count + word.count + 1 > width {
      lines.append(line)
      line = ""
    }
    line += (line.isEmpty ? "" : " ") + word
  }
  return lines + [line]
}

extension Node {
  /// Nothing, `null` or `~`, unless in quotes.
  public var isNull: Bool {
    guard let scalar, scalar.style == .plain || scalar.style == .any else { return false }
    return ["", "null", "Null", "NULL", "~"].contains(scalar.string)
  }
}

/// The file of settings given on the command line.
public let commandLine = "--set"

/// Where a setting stands, for errors.
public func place(_ node: Node, _ key: String, _ file: String) -> String {
  file == commandLine ? "\(file) \(key)" : node.mark.map { "\(file):\($0.line): \(key)" } ?? "\(file): \(key)"
}

/// A setting has a value of another kind.
public func invalid(_ node: Node, _ key: String, _ file: String, expected: String) -> JigsawError {
  let found: String
  if let scalar = node.scalar {
    found = "'\(scalar.string)'"
  } else if node.sequence != nil {
    found = "a list"
  } else {
    found = "a group of settings"
  }
  return JigsawError(place(node, key, file), "has a value that doesn't fit", expected: expected, found: found)
}
