import Basics
import Testing

/// The field has words for what this program does (docs/glossary.md); names and phrases of the project's own stay out.
@Suite struct WordTests {
  /// Former names of types, functions and files, by what they are called.
  private static let names = [
    "TravellingSums": "ReduceScatterStream", "Traveller": "BlockStream", "TransferManner": "CommunicationPolicy",
    "OwnedParts": "OptimizerShard", "Ingredients": "Assembly", "whileWeightsStay": "withFrozenWeights",
    "areOfUse": "isUseful(for:)", "measurePace": "estimateLink", "TurningAngles": "RotationAngles",
    "jk_finish": "jk_epilogue", "lookAfterTransfers": "progressTransfers", "multiplyHere": "multiplyLocally",
  ]
  /// Phrases, by the field's word.
  private static let phrases = [
    "at hand": "local, current or available", "gone on with": "resumed", "gone on from": "resumed from",
    "to go on from": "to resume from", "looked after": "progressed", "tells of": "names or describes",
    "foreign block": "remote block", "learn weather by heart": "memorise", "FP32 numbers": "FP32 elements",
    "numbers per rank": "elements per rank", "of other hands": "computed elsewhere",
  ]

  private static func texts(_ folder: String, _ endings: [String]) throws -> [String] {
    try Files.list(folder).flatMap { name -> [String] in
      let path = "\(folder)/\(name)"
      if Files.isDirectory(path) { return name == "results" ? [] : try texts(path, endings) }
      return endings.contains { name.hasSuffix($0) } ? [path] : []
    }
  }

  private static func found(_ text: String) -> [String] {
    let words = Set(text.split { !($0.isLetter || $0.isNumber || $0 == "_") }.map(String.init))
    return names.filter { words.contains($0.key) }.map { "\($0.key): say \($0.value)" }
      + phrases.filter { text.contains($0.key) }.map { "“\($0.key)”: say \($0.value)" }
  }

  @Test func namesAndTextsUseTheFieldsWords() throws {
    let folders = ["Sources", "Benchmarks", "docs", "configs", "Scripts"]
    let files = try folders.flatMap {
      try Self.texts("\(ImportTests.root)/\($0)", [".swift", ".h", ".c", ".md", ".yaml", ".sh", ".py"])
    }
    #expect(files.count > 500)
    for file in files + ["\(ImportTests.root)/README.md"] {
      for problem in Self.found(try Files.readText(file)) { Issue.record("\(file): \(problem)") }
    }
  }

  /// Whether a comment opens without the name of what it is about.
  private static func isNameless(_ line: Substring) -> Bool {
    let comment = line.drop { $0 == " " }
    return ["What", "Of", "As", "With", "Those"].contains {
      comment.hasPrefix("/// \($0) ") || comment.hasPrefix("// \($0) ")
    }
  }

  @Test func commentsNameTheirSubject() throws {
    for file in try ImportTests.swiftFiles("\(ImportTests.root)/Sources") {
      // Later lines of a comment may begin with any word.
      var isInComment = false
      for line in try Files.readText(file).split(separator: "\n", omittingEmptySubsequences: false) {
        if !isInComment && Self.isNameless(line) { Issue.record("\(file): \(line)") }
        isInComment = line.drop { $0 == " " }.hasPrefix("//")
      }
    }
    #expect(
      Self.isNameless("  /// Of each rank.") && Self.isNameless("// What is read.") && Self.isNameless("/// As is.")
        && Self.isNameless("/// Those of each rank."))
    #expect(!Self.isNameless("  /// The threads of each rank.") && !Self.isNameless("/// Whatever it is."))
  }

  @Test func formerWordsAreFound() {
    #expect(Self.found("/// The blocks at hand.\nlet a = OwnedParts([])").count == 2)
    #expect(Self.found("let ownedParts = at(hand)").isEmpty)
  }
}
