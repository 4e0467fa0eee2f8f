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

  /// Keys are compared with each other before anything is counted.
  @Test(.timeLimit(.minutes(1)), arguments: ["? *a8\n: x", "*a8 : x", "k: {? *a8 : x}", "[*a8]: x", "- ? *a8"])
  func aliasesInKeysAreRefused(key: String) {
    var lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for i in 1...8 {
      lines.append("a\(i): &a\(i) [\(Array(repeating: "*a\(i - 1)", count: 9).joined(separator: ", "))]")
    }
    let error = #expect(throws: JigsawError.self) {
      try RunConfiguration.parse((lines + [key]).joined(separator: "\n"), file: "test")
    }
    #expect(error?.problem == "has an alias beside keys that are no plain words")
  }

  @Test(.timeLimit(.minutes(1))) func longRunsOfOneCharacterTakeNoLonger() {
    for run in ["*", ":", "] ", "? "] {
      let text = "a: &a 1\nb: *a\nc: \(String(repeating: run, count: 100_000))"
      #expect(throws: (any Error).self) { try RunConfiguration.parse(text, file: "test") }
    }
  }

  @Test func aliasesAsValuesAreTaken() throws {
    let text = """
      data: # [a]: what? it's
        train: &period {start: 2001-01-01, end: "2001-01-31: ? *x"}
        validation: *period
      """
    let error = #expect(throws: JigsawError.self) { try RunConfiguration.parse(text, file: "test") }
    #expect(error?.place.contains("data.train.end") == true, "\(String(describing: error))")
    let right = text.replacing(": ? *x", with: "")
    #expect(try RunConfiguration.parse(right, file: "test").data.validation.end == Timestamp("2001-01-31"))
  }

  /// For the system a path ends there.
  @Test func zeroBytesAreRefused() {
    for text in ["run: \"victim.txt\\0x\"", "data: {sources: [{path: \"a\\0b\"}]}"] {
      let error = #expect(throws: JigsawError.self) { try RunConfiguration.parse(text, file: "test") }
      #expect(error?.problem == "has a zero byte in a value")
    }
  }
}
