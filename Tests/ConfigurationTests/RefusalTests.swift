import Basics
import Configuration
import Testing

/// What is wrong in a configuration is said with file, line and key.
@Suite struct RefusalTests {
  private func problem(_ text: String, _ settings: [String] = []) -> String {
    let error = #expect(throws: JigsawError.self, "\(text) \(settings)") {
      try RunConfiguration.parse(text, file: "my.yaml", settings: settings)
    }
    return error?.description ?? ""
  }

  @Test func unknownSettingsComeWithLineAndSuggestion() {
    #expect(
      problem("run: a\ndata:\n  levels: [500]\n  variabels: [z]\n").hasPrefix(
        "my.yaml:4: data.variabels: unknown setting; expected one of sources, variables,"))
    #expect(problem("data:\n  variabels: [z]\n").hasSuffix("; did you mean 'variables'?"))
    #expect(problem("trainnig: {}").hasPrefix("my.yaml:1: trainnig: unknown setting"))
    #expect(problem("trainnig: {}").contains("did you mean 'training'?"))
    #expect(
      problem("training:\n  rollout:\n    stages:\n    - {fraktion: 0}").hasPrefix(
        "my.yaml:4: training.rollout.stages[0].fraktion:"))
    #expect(problem("completely_different: 1").hasSuffix("; remove it."))
    #expect(problem("1: 2").hasPrefix("my.yaml:1: 1: unknown setting"))
    #expect(problem("[a]: 2").hasPrefix("my.yaml:1:"))
  }

  static let wrong: [(key: String, value: String, expected: String, found: String)] = [
    ("seed", "-1", "a whole number between 0 and 9007199254740991", "'-1'"),
    ("seed", "1.5", "a whole number", "'1.5'"), ("threads", "many", "a whole number", "'many'"),
    ("threads", "[1]", "a whole number", "a list"), ("threads", "{a: 1}", "a whole number", "a group of settings"),
    ("threads", "", "a whole number", "''"), ("threads", "2000", "between 0 and 1024", "'2000'"),
    ("seed", "99999999999999999999", "a whole number", "'99999999999999999999'"), ("run", "", "a word or path", "''"),
    ("run", "null", "a word or path", "'null'"), ("run", "[a]", "a word or path", "a list"),
    ("data", "3", "a group of settings (sources,", "'3'"), ("data", "[1]", "a group of settings", "a list"),
    ("data.sources", "a.nc", "a list, for example [a, b]", "'a.nc'"),
    ("data.sources", "[a.nc]", "a group of settings (path, open, names)", "'a.nc'"),
    ("data.variables", "z", "a list", "'z'"), ("data.variables", "[[z]]", "a list of words", "a list"),
    ("data.variables", "[z, null]", "a list of words", "'null'"),
    ("data.levels", "[high]", "a list of numbers of at least 0", "'high'"), ("data.levels", "[-1]", "numbers", "'-1'"),
    ("data.levels", "[inf]", "a list of numbers", "'inf'"), ("data.levels", "[nan]", "a list of numbers", "'nan'"),
    ("data.inputSteps", "[6]", "a list of whole numbers between -8760 and 0", "'6'"),
    ("data.rows", "1", "or null", "'1'"),
    ("data.stepHours", "0", "between 1 and 8760", "'0'"),
    ("data.train.start", "yesterday", "a date such as", "'yesterday'"),
    ("data.train.start", "2001-02-30", "a date such as", "'2001-02-30'"),
    ("data.train.start", "99999999999999-01-01", "a date such as", "'99999999999999-01-01'"),
    ("data.cacheGiB", "-1", "a number between 0 and 1000000, or null", "'-1'"),
    ("data.cacheGiB", "inf", "a number", "'inf'"), ("training.epochs", "1e300", "a number", "'1e300'"),
    ("training.epochs", "nan", "a number", "'nan'"), ("model.patch", "[2]", "2 numbers", "1"),
    ("model.patch", "[2, 0]", "a list of whole numbers", "'0'"), ("model.patch", "2", "a list", "'2'"),
    ("model.output", "blended", "one of blend, residual (did you mean 'blend'?)", "'blended'"),
    ("model.dropout", "1", "a number between 0 and 0.9", "'1'"), ("model.channels", "0", "a whole number", "'0'"),
    ("training.loss.perTendency", "maybe", "true or false", "'maybe'"),
    ("training.loss.variableWeights", "[1]", "pairs, for example {msl: 1.5}", "a list"),
    ("training.loss.variableWeights", "{z: heavy}", "a number of at least 0", "'heavy'"),
    ("training.groupRates", "{encoder: -1}", "a number of at least 0", "'-1'"),
    ("evaluation.leadHours", "[6.5]", "a list of whole numbers", "'6.5'"),
    ("evaluation.leadHours", "[1e300]", "a list of whole numbers", "'1e300'"),
  ]

  @Test(arguments: wrong.indices) func valuesThatDoNotFitAreRefused(index: Int) {
    let (key, value, expected, found) = Self.wrong[index]
    let parts = key.split(separator: ".")
    let lines = parts.enumerated().map { depth, part in
      String(repeating: "  ", count: depth) + part + ":" + (depth == parts.count - 1 ? " \(value)" : "")
    }
    let fromFile = problem("# first line\n" + lines.joined(separator: "\n"))
    #expect(fromFile.hasPrefix("my.yaml:\(parts.count + 1): \(key)"), "\(fromFile)")
    let fromLine = problem("", ["\(key)=\(value)"])
    #expect(fromLine.hasPrefix("--set \(key)"), "\(fromLine)")
    for text in [fromFile, fromLine] {
      #expect(text.contains("expected \(expected)") || text.contains(expected), "\(text)")
      // On the command line, nothing means null.
      #expect(text.contains("found \(found)") || value.isEmpty && text.contains("found 'null'"), "\(text)")
    }
  }

  @Test func whatIsNotYAMLIsRefusedWithItsLine() {
    #expect(problem("run: a\ndata: {levels: [500}\n").hasPrefix("my.yaml:2: is not YAML (did not find expected"))
    #expect(problem("run: a\n  seed: 1\n").hasPrefix("my.yaml:2: is not YAML (mapping values are not allowed"))
    #expect(problem("run: \"open\nseed: 1").contains("is not YAML"))
    #expect(problem("run: a\n\tseed: 1\n").hasPrefix("my.yaml:2: is not YAML (found a tab character"))
    #expect(problem("run: a\nseed: 1\nrun: b\n").contains("gives the setting 'run' twice"))
    #expect(problem("run: *nowhere").contains("is not YAML"))
    #expect(
      problem("just text").hasPrefix("my.yaml:1: the configuration: has a value that doesn't fit; expected a group"))
    #expect(problem("- a\n- b\n").contains("found a list"))
    #expect(problem("run: \u{1}").contains("is not YAML"))
    for text in ["run: a\ndata: {levels: [500}\n", "just text"] { #expect(!problem(text).contains("\n")) }
  }

  @Test func settingsOnTheCommandLineAreChecked() throws {
    #expect(problem("", ["training.updates"]).contains("expected key=value"))
    #expect(problem("", ["=5"]).contains("expected key=value"))
    #expect(problem("", ["trainig.updates=5"]).hasPrefix("--set trainig: unknown setting"))
    #expect(problem("", ["training.updatse=5"]).contains("did you mean 'updates'?"))
    #expect(problem("", ["training..updates=5"]).contains("unknown setting"))
    #expect(problem("", [".=5"]).contains("unknown setting"))
    #expect(problem("", ["data.levels=[500"]).contains("a value that is not YAML"))
    #expect(
      problem("", ["data.sources.0.path=x"]).hasPrefix(
        "--set data.sources: has a value that doesn't fit; expected a list"))
    let set = try RunConfiguration.parse(
      "data: {levels: [850], sources: [{path: a}]}", file: "my.yaml",
      settings: [
        "data.levels=[500, 250]", "data.sources=[{path: 'b', names: {msl: slp}}]",
        "training={updates: 7, loss: {perTendency: true}}",
        "run=a=b", "data.train.start=2001-01-01T06:00", "training.groupRates={encoder: 2}", "training.updates=8",
      ])
    #expect(set.data.levels == [500, 250] && set.data.sources.map(\.path) == ["b"])
    #expect(set.training.updates == 8 && set.training.loss.perTendency && set.run == "a=b")
    #expect(set.data.train.start?.display == "2001-01-01 06:00" && set.training.groupRates == ["encoder": 2])
  }

  @Test func filesAreChecked() throws {
    let error = #expect(throws: JigsawError.self) { try RunConfiguration.load("/nowhere/my.yaml") }
    #expect(error?.description == "/nowhere/my.yaml: no such file; write one with 'jigsaw init /nowhere/my.yaml'.")
    #expect(throws: JigsawError.self) { try RunConfiguration.load("/tmp") }
  }

  @Test func periodsAreChecked() throws {
    func range(_ text: String) throws -> (Timestamp, Timestamp) {
      try RunConfiguration.parse(text, file: "my.yaml").data.train.range("data.train")
    }
    func problem(_ text: String) -> String { #expect(throws: JigsawError.self) { try range(text) }?.description ?? "" }
    #expect(problem("").hasPrefix("data.train: needs a start and an end; set data.train.start"))
    #expect(problem("data: {train: {start: 2001-01-01}}").contains("needs a start and an end"))
    #expect(problem("data: {train: {start: 2001-01-02, end: 2001-01-01}}").contains("ends before it starts"))
    #expect(try range("data: {train: {start: 2001-01-01, end: 2001-01-01}}").0.display == "2001-01-01 00:00")
  }
}
