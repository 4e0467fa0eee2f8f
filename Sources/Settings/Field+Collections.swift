import Basics
import Yams

// Settings of several values: lists, maps, groups, and what is kept as it is.

extension Field {
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

  /// A list of whole numbers within a range, exactly `count` of them if given.
  public static func integers(
    _ name: String, _ path: any Path<[Int]>, in range: ClosedRange<Int> = 1...1_000_000, count: Int? = nil,
    _ help: String
  ) -> Field {
    Field(name, help, .list(of: "integer", minimum: Double(range.lowerBound))) { root, node, key, file in
      let values = try elements(node, key, file).map { element -> Int in
        guard let value = element.scalar.flatMap({ Int($0.string) }), range.contains(value) else {
          throw invalid(
            element, key, file,
            expected: "a list of whole numbers between \(range.lowerBound) and \(range.upperBound)")
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
public func json(_ node: Node, _ key: String, _ file: String) throws -> JSONValue {
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
