import Basics
import Testing

/// Functions stay short enough to be read at once, and take few enough parameters to be called without counting.
@Suite struct FunctionTests {
  private static let mostLines = 60
  private static let mostParameters = 7

  /// Initialisers and functions that take more, by file. The list may only become shorter.
  private static let wide = [
    "Basics/MachineRates.swift": [8], "Checkpoints/CheckpointManifest.swift": [12],
    "Datasets/Conversion/AnemoiLayout.swift": [8], "Datasets/FieldDataset.swift": [8],
    "Datasets/GriddedStore+Reading.swift": [8], "Datasets/Sampler.swift": [8], "Datasets/Statistics.swift": [8, 9],
    "Execution/Graph/Affine.swift": [8], "Models/Graph/GraphLayers.swift": [9],
    "Models/WeatherMixer/WeatherMixer.swift": [8], "Stepping/Stepper.swift": [8], "Stores/ArrayStore.swift": [8],
    "Stores/ArrayWriter.swift": [8], "Stores/Zarr/Boxes.swift": [8], "Training/WeightedLoss.swift": [8],
  ]

  /// A source without comments and contents of strings, so that its braces are those of code.
  private static func code(_ text: String) -> [Substring] {
    var isInText = false
    return text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      if line.contains("\"\"\"") && line.split(separator: "\"\"\"", omittingEmptySubsequences: false).count == 2 {
        isInText.toggle()
        return ""
      }
      return isInText ? "" : plain(line)
    }
  }

  private static func plain(_ line: Substring) -> Substring {
    var (result, isQuoted, previous): (String, Bool, Character) = ("", false, " ")
    for character in line {
      if character == "\"" && previous != "\\" { isQuoted.toggle() }
      if !isQuoted && character == "/" && previous == "/" { break }
      if !isQuoted { result.append(character) }
      previous = character
    }
    return Substring(result)
  }

  private static func isDeclaration(_ line: Substring) -> Bool {
    let words = line.split(separator: " ")
    return words.contains("func")
      || words.contains { $0.hasPrefix("init(") || $0.hasPrefix("init?(") }
        && !line.contains(".init(")
  }

  /// Declarations with more lines than are allowed, from the first line to the closing brace.
  static func long(_ text: String, most: Int = mostLines) -> [(line: Int, count: Int)] {
    let lines = code(text)
    var found: [(line: Int, count: Int)] = []
    for start in lines.indices where isDeclaration(lines[start]) {
      let indent = lines[start].prefix { $0 == " " }
      // swift-format puts the closing brace below the first letter of the declaration.
      let end = lines[start...].firstIndex { $0.hasPrefix("\(indent)}") && $0.dropFirst(indent.count).hasPrefix("}") }
      guard let end, !lines[start].hasSuffix("}") else { continue }
      // A declaration without a body ends before the next one of its level.
      let next = lines[(start + 1)...].firstIndex { isDeclaration($0) && $0.prefix { $0 == " " } == indent }
      if let next, next < end { continue }
      if end - start + 1 > most { found.append((start + 1, end - start + 1)) }
    }
    return found
  }

  /// The numbers of parameters of declarations that take more than are allowed.
  static func parameterCounts(_ text: String, above most: Int = mostParameters) -> [Int] {
    let lines = code(text)
    return lines.indices.filter { isDeclaration(lines[$0]) }.compactMap { start in
      let rest = lines[start..<min(lines.count, start + 40)].joined(separator: "\n")
      guard let name = rest.firstRange(of: lines[start].contains("func ") ? "func " : "init"),
        let open = rest[name.upperBound...].firstIndex(of: "(")
      else { return nil }
      var (depth, count) = (0, 1)
      for character in rest[open...] {
        switch character {
        case "(", "[", "{": depth += 1
        case ")", "]", "}": depth -= 1
        case "," where depth == 1: count += 1
        default: break
        }
        if depth == 0 { break }
      }
      return count > most ? count : nil
    }
  }

  @Test func functionsTakeFewParameters() throws {
    let sources = "\(ImportTests.root)/Sources"
    var seen: Set<String> = []
    for file in try ImportTests.swiftFiles(sources) {
      let name = String(file.dropFirst(sources.count + 1))
      let counts = Self.parameterCounts(try Files.readText(file))
      if !counts.isEmpty { seen.insert(name) }
      #expect(
        counts == Self.wide[name] ?? [],
        "\(name): parameters that belong together are a type; at most \(Self.mostParameters)")
    }
    #expect(Set(Self.wide.keys).subtracting(seen).isEmpty, "shorten the list")
  }

  @Test func manyParametersAreFound() {
    let text =
      "struct A {\n  func a(_ b: (Int, Int), c: [Int: Int],\n    d: Int) -> (Int, Int) { e(1, 2, 3, 4) }\n  init() {}\n}\n"
    #expect(Self.parameterCounts(text, above: 2) == [3] && Self.parameterCounts(text, above: 3).isEmpty)
  }

  @Test func functionsAreShort() throws {
    for file in try ImportTests.swiftFiles("\(ImportTests.root)/Sources") {
      for (line, count) in Self.long(try Files.readText(file)) {
        Issue.record("\(file):\(line): \(count) lines; at most \(Self.mostLines) are read at once")
      }
    }
  }

  @Test func longFunctionsAreFound() {
    let text = "struct A {\n  func a() {\n    b()\n    // }\n    c(\"}\")\n  }\n  func d() { e() }\n}\n"
    #expect(Self.long(text, most: 4).map(\.line) == [2] && Self.long(text, most: 4).map(\.count) == [5])
    #expect(Self.long(text, most: 5).isEmpty)
  }
}

/// The start of the program.
@Suite struct CommandTests {
  /// A command without a name gets it from its type's, by a search through all protocol conformances.
  @Test func commandsNameThemselves() throws {
    let configurations = try ImportTests.swiftFiles("\(ImportTests.root)/Sources/jigsaw").flatMap {
      try Files.readText($0).split(separator: "CommandConfiguration(", omittingEmptySubsequences: false).dropFirst()
    }
    #expect(configurations.count > 30)
    for text in configurations {
      #expect(text.drop { $0.isWhitespace }.hasPrefix("commandName: "), "\(text.prefix(80))")
    }
  }
}
