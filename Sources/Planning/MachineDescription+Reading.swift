import Basics
import FoundationEssentials

extension MachineDescription {
  /// From a file of one's own.
  public init(file path: String) throws { try self.init(json: Files.read(path), place: path) }

  /// - Throws: naming the file, the key and what it should hold; keys that are not known are errors.
  public init(json bytes: [UInt8], place: String) throws {
    let value = try JSONValue(parsing: bytes, place: place)
    guard value["format"]?.string == MachineDescription.format else {
      throw JigsawError(
        place, "is not a description of a machine", expected: "\"format\": \"\(MachineDescription.format)\"",
        found: value["format"]?.string.map { "\"\($0)\"" } ?? "no format",
        remedy: "begin with one of 'jigsaw machines NAME'")
    }
    do {
      self = try JSONDecoder().decode(MachineDescription.self, from: Data(bytes))
    } catch let error as DecodingError {
      throw MachineDescription.explained(error, place)
    }
    try MachineDescription.refuseUnknown(
      value, known: JSONValue(parsing: Array(try JSONEncoder().encode(self)), place: place), place: place, key: "")
    try check(place)
  }

  /// The description as a file, to begin one's own with.
  public func json() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(self), as: UTF8.self) + "\n"
  }

  private static func explained(_ error: DecodingError, _ place: String) -> JigsawError {
    func key(_ path: [any CodingKey]) -> String { path.map(\.stringValue).joined(separator: ".") }
    switch error {
    case .keyNotFound(let missing, let context):
      return JigsawError(
        "\(place): \(key(context.codingPath + [missing]))", "is missing", remedy: "docs/plan.md lists the keys")
    case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
      let kinds: [String: String] = ["Double": "a number", "String": "a text", "Bool": "true or false"]
      return JigsawError(
        "\(place): \(key(context.codingPath))", "has a value that doesn't fit",
        expected: kinds["\(type)"] ?? "a group of settings")
    case .dataCorrupted(let context):
      return JigsawError("\(place): \(key(context.codingPath))", "can't be read", found: context.debugDescription)
    @unknown default: return JigsawError(place, "can't be read")
    }
  }

  /// Finds unknown keys: the description is written again, and keys that don't come back are unknown.
  private static func refuseUnknown(_ value: JSONValue, known: JSONValue, place: String, key: String) throws {
    guard let members = value.object, let expected = known.object else { return }
    for (name, member) in members.sorted(by: { $0.key < $1.key }) where member != .null {
      let full = key.isEmpty ? name : "\(key).\(name)"
      guard let own = expected[name] else {
        let names = expected.keys.sorted()
        throw JigsawError(
          "\(place): \(full)", "unknown setting", expected: "one of \(names.joined(separator: ", "))",
          remedy: nearest(to: name, among: names).map { "did you mean '\($0)'?" } ?? "remove it")
      }
      try refuseUnknown(member, known: own, place: place, key: full)
    }
  }

  private func check(_ place: String) throws {
    func fail(_ key: String, _ expected: String, _ found: Double) throws {
      throw JigsawError(
        "\(place): \(key)", "has a value that doesn't fit", expected: expected, found: significant(found))
    }
    for (key, figure) in figures {
      let value = figure.value
      if figure.source.isEmpty { throw JigsawError("\(place): \(key).source", "is empty", expected: "a document") }
      let mayBeZero =
        key.hasSuffix("Seconds") || key.hasSuffix("SecondsPerByte") || key.hasPrefix("watts")
        || ["straggling", "programBytes"].contains(key) || key.hasSuffix("halfSize")
      if !value.isFinite || value < 0 || value == 0 && !mayBeZero || value > 1e30 {
        try fail(key, mayBeZero ? "0 or more" : "above 0", value)
      }
      // Far beyond any machine, and small enough for times and bytes made of them to be counted.
      if value != 0 && value < 1e-15 { try fail(key, "at least 1e-15", value) }
      if value > 1e24 { try fail(key, "at most 1e24", value) }
      if key.hasSuffix("Seconds") && value > 3_600 { try fail(key, "at most 3600 s", value) }
      if key.hasSuffix("hareReached") && value < 1e-4 { try fail(key, "at least 1e-4", value) }
      if key.hasSuffix("hareReached") && value > 1 || key == "straggling" && value > 1 {
        try fail(key, "at most 1", value)
      }
      if ["ranksPerNode", "coresPerRank"].contains(key) && (value.rounded() != value || value > 1e6) {
        try fail(key, "a whole number, at most a million", value)
      }
      if ["memoryBytes", "programBytes"].contains(key) && value > 1e18 { try fail(key, "at most 1e18", value) }
    }
    if precisions.isEmpty { throw JigsawError("\(place): precisions", "is empty", expected: "fp32, tf32 or bf16") }
    if !isGPU && coresPerRank == nil {
      throw JigsawError("\(place): coresPerRank", "is missing", expected: "the cores of one rank, for \"isGPU\": false")
    }
  }
}
