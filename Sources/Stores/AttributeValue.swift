import Basics

/// An attribute of an array or of a store.
public enum AttributeValue: Equatable, Sendable {
  case text(String)
  case numbers([Double])
  case texts([String])
  /// A value that is none of these, for example an object. NetCDF has it as text.
  case json(JSONValue)

  public var text: String? { if case .text(let value) = self { value } else { nil } }
  public var json: JSONValue? { if case .json(let value) = self { value } else { nil } }
  public var number: Double? {
    if case .numbers(let values) = self, values.count == 1 { values[0] } else { nil }
  }

  /// Bytes of a text whose characters need no look: searches in it are fast, whatever it holds.
  private static let shortTextBytes = 4_096
  /// Code points of the longest character. No writing system has longer ones (Unicode Annex 15 allows 30 marks in a row).
  private static let longestCharacter = 64

  var isLongText: Bool { if case .text(let value) = self { value.utf8.count > Self.shortTextBytes } else { false } }

  /// A long text without all but the first code points of endless characters, each comparison with which would walk through them.
  var withoutEndlessCharacters: AttributeValue {
    guard case .text(let value) = self, isLongText else { return self }
    var text = String.UnicodeScalarView()
    for character in value { text.append(contentsOf: character.unicodeScalars.prefix(Self.longestCharacter)) }
    return .text(String(text))
  }

  public var asJSON: JSONValue {
    func number(_ value: Double) -> JSONValue { Int(exactly: value).map { .integer($0) } ?? .number(value) }
    switch self {
    case .text(let text): return .string(text)
    case .texts(let texts): return .array(texts.map { .string($0) })
    case .numbers(let numbers): return numbers.count == 1 ? number(numbers[0]) : .array(numbers.map(number))
    case .json(let json): return json
    }
  }
}

extension String {
  /// Without blanks at its end, with which Fortran fills attributes.
  var withoutPadding: String { last == " " ? String(reversed().drop { $0 == " " }.reversed()) : self }
}
