import Basics
import Testing

@testable import Configuration

@Suite struct UntrustedConfigurationTests {
  @Test func controlCharactersSurviveYAML() throws {
    for text in ["two\u{1B}hands", "a\u{7F}b", "\u{85}x", "l\u{2028}m", "b\u{FEFF}", "q\"\\\n\t\r\n", "\u{9B}\u{1}"] {
      var configuration = RunConfiguration.example
      configuration.data.notice = text
      let read = try RunConfiguration.parse(configuration.yaml(comments: true), file: "test")
      #expect(read.data.notice == text)
    }
  }

  /// Nine lists of nine aliases each stand for 9⁹ values.
  @Test func aliasesAreCountedWithAllTheyName() throws {
    var lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for i in 1...8 {
      lines.append("a\(i): &a\(i) [\(Array(repeating: "*a\(i - 1)", count: 9).joined(separator: ", "))]")
    }
    let error = #expect(throws: JigsawError.self) {
      try RunConfiguration.parse(lines.joined(separator: "\n"), file: "test")
    }
    #expect(error?.problem == "has too many values")
  }
}
