import FoundationEssentials

/// An answer for programs: one JSON object whose keys are sorted and in camel case, with units in their names.
public protocol JSONReport: Encodable, Sendable {
  /// "jigsaw-NAME-1": the number changes when a key is renamed, removed or means something else.
  var format: String { get }
  /// Version of the program that wrote the report.
  var version: String { get }
}

extension JSONReport {
  /// The report as a JSON document; equal reports give equal bytes. Numbers that are not finite become strings.
  public func json() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
    return String(decoding: try encoder.encode(self), as: UTF8.self) + "\n"
  }
}
