import Basics
import Yams

// The kinds of settings. Each reads one YAML node into a property and writes the property as YAML.

extension Field {
  private init(
    _ name: String, _ help: String, _ kind: FieldKind, valueOf: @escaping @Sendable (Root) -> Any? = { _ in nil },
    read: @escaping @Sendable (inout Root, Node, String, String) throws -> Void,
    text: @escaping @Sendable (Root) -> String?
  ) {
    self.name = name
    self.help = help
    self.kind = kind
    self.valueOf = valueOf
    self.read = read
    self.text = text
  }

  public typealias Path<Value> = WritableKeyPath<Root, Value> & Sendable

  /// A whole number within `range`; no range is so wide that arithmetic with its ends could overflow.
  public static func integer(
    _ name: String, _ path: any Path<Int>, _ range: ClosedRange<Int>, _ help: String
  ) -> Field {
    Field(name, help, .scalar(ScalarKind(type: "integer", range: doubles(range)))) { root, node, key, file in
      guard let value = node.scalar.flatMap({ Int($0.string) }), range.contains(value) else {
        throw invalid(node, key, file, expected: "a whole number \(describe(doubles(range)))")
      }
      root[keyPath: path] = value
    } text: {
      String($0[keyPath: path])
    }
  }

  /// A whole number or null.
  public static func integer(
    _ name: String, _ path: any Path<Int?>, _ range: ClosedRange<Int>, _ help: String
  ) -> Field {
    let kind = ScalarKind(type: "integer", range: doubles(range), isOptional: true)
    return Field(name, help, .scalar(kind)) { root, node, key, file in
      if node.isNull {
        root[keyPath: path] = nil
        return
      }
      guard let value = node.scalar.flatMap({ Int($0.string) }), range.contains(value) else {
        throw invalid(node, key, file, expected: "a whole number \(describe(doubles(range))), or null")
      }
      root[keyPath: path] = value
    } text: {
      $0[keyPath: path].map { String($0) } ?? "null"
    }
  }

  /// A number within `range`.
  public static func number(
    _ name: String, _ path: any Path<Double>, _ range: ClosedRange<Double>, _ help: String
  ) -> Field {
    Field(name, help, .scalar(ScalarKind(type: "number", range: range))) { root, node, key, file in
      guard let value = node.scalar.flatMap({ Double($0.string) }), range.contains(value) else {
        throw invalid(node, key, file, expected: "a number \(describe(range))")
      }
      root[keyPath: path] = value
    } text: {
      describe($0[keyPath: path])
    }
  }

  /// A number within `range`, or null.
  public static func number(
    _ name: String, _ path: any Path<Double?>, _ range: ClosedRange<Double>, _ help: String
  ) -> Field {
    Field(name, help, .scalar(ScalarKind(type: "number", range: range, isOptional: true))) { root, node, key, file in
      if node.isNull {
        root[keyPath: path] = nil
        return
      }
      guard let value = node.scalar.flatMap({ Double($0.string) }), range.contains(value) else {
        throw invalid(node, key, file, expected: "a number \(describe(range)), or null")
      }
      root[keyPath: path] = value
    } text: {
      $0[keyPath: path].map { describe($0) } ?? "null"
    }
  }

  /// true or false.
  public static func flag(_ name: String, _ path: any Path<Bool>, _ help: String) -> Field {
    Field(name, help, .scalar(ScalarKind(type: "boolean"))) { root, node, key, file in
      guard let value = ["true": true, "false": false][node.scalar?.string ?? ""] else {
        throw invalid(node, key, file, expected: "true or false")
      }
      root[keyPath: path] = value
    } text: {
      $0[keyPath: path] ? "true" : "false"
    }
  }

  /// A word or path that must be there.
  public static func text(_ name: String, _ path: any Path<String>, _ help: String) -> Field {
    Field(name, help, .scalar(ScalarKind(type: "string"))) { root, node, key, file in
      guard let value = node.scalar?.string, !node.isNull, !value.isEmpty else {
        throw invalid(node, key, file, expected: "a word or path")
      }
      root[keyPath: path] = value
    } text: {
      quoted($0[keyPath: path])
    }
  }

  public static func text(_ name: String, _ path: any Path<String?>, _ help: String) -> Field {
    Field(name, help, .scalar(ScalarKind(type: "string", isOptional: true))) { root, node, key, file in
      if node.isNull {
        root[keyPath: path] = nil
        return
      }
      guard let value = node.scalar?.string else { throw invalid(node, key, file, expected: "a word or path, or null") }
      root[keyPath: path] = value
    } text: {
      $0[keyPath: path].map(quoted) ?? "null"
    }
  }

  /// A date, optionally with a time of day, UTC; or null.
  public static func date(_ name: String, _ path: any Path<Timestamp?>, _ help: String) -> Field {
    Field(name, help, .scalar(ScalarKind(type: "string", isOptional: true))) { root, node, key, file in
      if node.isNull {
        root[keyPath: path] = nil
        return
      }
      guard let value = node.scalar.flatMap({ Timestamp($0.string) }) else {
        throw invalid(node, key, file, expected: "a date such as 2001-01-31 or 2001-01-31T06:00")
      }
      root[keyPath: path] = value
    } text: {
      $0[keyPath: path]?.description ?? "null"
    }
  }

  /// One of the cases of an enumeration.
  public static func choice<E: RawRepresentable & CaseIterable & Sendable>(
    _ name: String, _ path: any Path<E>, _ help: String
  ) -> Field where E.RawValue == String {
    let choices = E.allCases.map(\.rawValue)
    return Field(name, help, .scalar(ScalarKind(type: "string", choices: choices))) { root, node, key, file in
      guard let value = node.scalar.flatMap({ E(rawValue: $0.string) }) else {
        let hint = nearest(to: node.scalar?.string ?? "", among: choices).map { " (did you mean '\($0)'?)" } ?? ""
        throw invalid(node, key, file, expected: "one of \(choices.joined(separator: ", "))\(hint)")
      }
      root[keyPath: path] = value
    } text: {
      $0[keyPath: path].rawValue
    }
  }

  /// A list of cases of an enumeration.
  public static func choices<E: RawRepresentable & CaseIterable & Sendable>(
    _ name: String, _ path: any Path<[E]>, _ help: String
  ) -> Field where E.RawValue == String {
    Field(name, help, .list(of: "string", minimum: nil)) { root, node, key, file in
      let choices = E.allCases.map(\.rawValue)
      root[keyPath: path] = try elements(node, key, file).map { element in
        guard let value = element.scalar.flatMap({ E(rawValue: $0.string) }) else {
          throw invalid(element, key, file, expected: "a list of \(choices.joined(separator: ", "))")
        }
        return value
      }
    } text: {
      "[\($0[keyPath: path].map(\.rawValue).joined(separator: ", "))]"
    }
  }

  public static func texts(_ name: String, _ path: any Path<[String]>, _ help: String) -> Field {
    Field(name, help, .list(of: "string", minimum: nil)) { root, node, key, file in
      root[keyPath: path] = try elements(node, key, file).map {
        guard let value = $0.scalar?.string, !$0.isNull, !value.isEmpty else {
          throw invalid($0, key, file, expected: "a list of words")
        }
        return value
      }
    } text: {
      "[\($0[keyPath: path].map(quoted).joined(separator: ", "))]"
    }
  }

  public static func numbers(_ name: String, _ path: any Path<[Double]>, minimum: Double, _ help: String) -> Field {
    Field(name, help, .list(of: "number", minimum: minimum)) { root, node, key, file in
      root[keyPath: path] = try elements(node, key, file).map {
        guard let value = $0.scalar.flatMap({ Double($0.string) }), value >= minimum, value.isFinite else {
          throw invalid($0, key, file, expected: "a list of numbers of at least \(describe(minimum))")
        }
        return value
      }
    } text: {
      "[\($0[keyPath: path].map(describe).joined(separator: ", "))]"
    }
  }

  /// A list of exactly `count` whole numbers of at least 1.
  public static func integers(_ name: String, _ path: any Path<[Int]>, count: Int?, _ help: String) -> Field {
    Field(name, help, .list(of: "integer", minimum: 1)) { root, node, key, file in
      let values = try elements(node, key, file).map { element -> Int in
        guard let value = element.scalar.flatMap({ Int($0.string) }), (1...1_000_000).contains(value) else {
          throw invalid(element, key, file, expected: "a list of whole numbers between 1 and 1000000")
        }
        return value
      }
      if let count, values.count != count {
        throw JigsawError(
          place(node, key, file), "has the wrong length", expected: "\(count) numbers", found: "\(values.count)")
      }
      root[keyPath: path] = values
    } text: {
      "[\($0[keyPath: path].map { String($0) }.joined(separator: ", "))]"
    }
  }

  /// Words with numbers: `{msl: 6.0, t2m: 12.0}`.
  public static func numberMap(_ name: String, _ path: any Path<[String: Double]>, _ help: String) -> Field {
    Field(name, help, .map(of: "number")) { root, node, key, file in
      root[keyPath: path] = try pairs(node, key, file) { node, key in
        guard let value = node.scalar.flatMap({ Double($0.string) }), value >= 0, value.isFinite else {
          throw invalid(node, key, file, expected: "a number of at least 0")
        }
        return value
      }
    } text: { root in
      let map = root[keyPath: path]
      return "{\(map.keys.sorted().map { "\(quoted($0)): \(describe(map[$0]!))" }.joined(separator: ", "))}"
    }
  }

  /// Words with words: `{msl: slp}`.
  public static func textMap(_ name: String, _ path: any Path<[String: String]>, _ help: String) -> Field {
    Field(name, help, .map(of: "string")) { root, node, key, file in
      root[keyPath: path] = try pairs(node, key, file) { node, key in
        guard let value = node.scalar?.string else { throw invalid(node, key, file, expected: "a word") }
        return value
      }
    } text: { root in
      let map = root[keyPath: path]
      return "{\(map.keys.sorted().map { "\(quoted($0)): \(quoted(map[$0]!))" }.joined(separator: ", "))}"
    }
  }

  /// A word, a list or groups, kept as they are; or null.
  public static func nested(_ name: String, _ path: any Path<JSONValue?>, _ help: String) -> Field {
    Field(name, help, .nested) { root, node, key, file in
      root[keyPath: path] = node.isNull ? nil : try json(node, key, file)
    } text: {
      // JSON is YAML.
      $0[keyPath: path]?.line ?? "null"
    }
  }

  /// A group of settings below this one.
  public static func section<S: Section>(_ name: String, _ path: any Path<S>, _ help: String) -> Field {
    Field(name, help, .section(SectionType<S>()), valueOf: { $0[keyPath: path] }) { root, node, key, file in
      try readSection(&root[keyPath: path], node, key, file)
    } text: { _ in
      nil
    }
  }

  /// A list of groups.
  public static func sections<S: Section>(_ name: String, _ path: any Path<[S]>, _ help: String) -> Field {
    Field(name, help, .sections(SectionType<S>()), valueOf: { $0[keyPath: path] }) { root, node, key, file in
      root[keyPath: path] = try elements(node, key, file).enumerated().map { index, element in
        var section = S()
        try readSection(&section, element, "\(key)[\(index)]", file)
        return section
      }
    } text: { _ in
      nil
    }
  }
}

private func elements(_ node: Node, _ key: String, _ file: String) throws -> [Node] {
  guard let sequence = node.sequence else { throw invalid(node, key, file, expected: "a list, for example [a, b]") }
  return Array(sequence)
}

private func pairs<V>(
  _ node: Node, _ key: String, _ file: String, value: (Node, String) throws -> V
) throws -> [String: V] {
  guard let mapping = node.mapping else { throw invalid(node, key, file, expected: "pairs, for example {msl: 1.5}") }
  var result: [String: V] = [:]
  for (name, node) in mapping { result[name.string ?? ""] = try value(node, "\(key).\(name.string ?? "")") }
  return result
}

/// A node as JSON: plain words that are numbers, true, false or null are these, dates stay words.
private func json(_ node: Node, _ key: String, _ file: String) throws -> JSONValue {
  if let sequence = node.sequence { return .array(try sequence.map { try json($0, key, file) }) }
  if let mapping = node.mapping {
    var members: [String: JSONValue] = [:]
    for (name, value) in mapping {
      guard let word = name.string else { throw invalid(name, key, file, expected: "words as names") }
      members[word] = try json(value, "\(key).\(word)", file)
    }
    return .object(members)
  }
  guard let scalar = node.scalar else { throw invalid(node, key, file, expected: "a word, a list or groups") }
  if node.isNull { return .null }
  guard scalar.style == .plain || scalar.style == .any else { return .string(scalar.string) }
  if let flag = ["true": true, "false": false][scalar.string] { return .bool(flag) }
  if let number = Int(scalar.string) { return .integer(number) }
  if let number = Double(scalar.string), number.isFinite { return .number(number) }
  return .string(scalar.string)
}

/// Shortest form that reads back to the same number: 500, 0.001, 1e-08.
private func describe(_ value: Double) -> String { Int(exactly: value).map(String.init) ?? String(value) }

private func describe(_ range: ClosedRange<Double>) -> String {
  "between \(describe(range.lowerBound)) and \(describe(range.upperBound))"
}

private func doubles(_ range: ClosedRange<Int>) -> ClosedRange<Double> {
  Double(range.lowerBound)...Double(range.upperBound)
}

/// Plain where YAML allows it.
private func quoted(_ text: String) -> String {
  let isPlain =
    text.first.map { $0.isLetter || $0 == "/" || $0 == "." } ?? false
    && text.allSatisfy { $0.isLetter || $0.isNumber || "_-./+".contains($0) }
    && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(text.lowercased())
  if isPlain { return text }
  let escapes: [Character: String] = [
    "\"": "\\\"", "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\r\n": "\\r\\n", "\t": "\\t",
  ]
  return "\"" + text.map { escapes[$0] ?? String($0) }.joined() + "\""
}
