import Basics
import Yams

// The kinds of settings. Each reads one YAML node into a property and writes the property as YAML. Here those of one value;
// Field+Collections.swift has those of several.

extension Field {
  public init(
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
      root[keyPath: path] = try choose(E.self, node, key, file)
    } text: {
      $0[keyPath: path].rawValue
    }
  }

  /// One of the cases of an enumeration, or null.
  public static func choice<E: RawRepresentable & CaseIterable & Sendable>(
    _ name: String, _ path: any Path<E?>, _ help: String
  ) -> Field where E.RawValue == String {
    let choices = E.allCases.map(\.rawValue)
    let kind = ScalarKind(type: "string", choices: choices, isOptional: true)
    return Field(name, help, .scalar(kind)) { root, node, key, file in
      root[keyPath: path] = node.isNull ? nil : try choose(E.self, node, key, file, orNull: true)
    } text: {
      $0[keyPath: path]?.rawValue ?? "null"
    }
  }

  private static func choose<E: RawRepresentable & CaseIterable>(
    _ type: E.Type, _ node: Node, _ key: String, _ file: String, orNull: Bool = false
  ) throws -> E where E.RawValue == String {
    if let value = node.scalar.flatMap({ E(rawValue: $0.string) }) { return value }
    let choices = E.allCases.map(\.rawValue)
    let hint = nearest(to: node.scalar?.string ?? "", among: choices).map { " (did you mean '\($0)'?)" } ?? ""
    throw invalid(
      node, key, file, expected: "one of \(choices.joined(separator: ", "))\(orNull ? ", or null" : "")\(hint)")
  }
}
