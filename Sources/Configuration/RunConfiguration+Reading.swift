import Basics
import Settings
import Yams

extension RunConfiguration {
  /// Reads a YAML file and applies `settings`, each `key=value` with a dotted key.
  /// - Throws: for what is not YAML, unknown settings (naming the nearest known one), values that don't fit.
  public static func load(_ path: String, settings: [String] = []) throws -> RunConfiguration {
    guard Files.exists(path) else {
      throw JigsawError(path, "no such file", remedy: "write one with 'jigsaw init \(path)'")
    }
    return try parse(try readYAMLText(path), file: path, settings: settings)
  }

  public static func parse(_ text: String, file: String, settings: [String] = []) throws -> RunConfiguration {
    let root: Node
    do {
      root = try compose(text, file) ?? Node.mapping(Node.Mapping([]))
    } catch let error as YamlError {
      throw notYAML(error, file)
    }
    var configuration = RunConfiguration()
    try readSection(&configuration, root, "", file)
    for setting in settings { try configuration.apply(setting) }
    return configuration
  }

  /// Applies one `key=value`; the value is YAML, so lists and groups work too.
  public mutating func apply(_ setting: String) throws {
    guard let equals = setting.firstIndex(of: "="), equals != setting.startIndex else {
      throw JigsawError(
        "--set \(setting)", "is not understood", expected: "key=value, for example training.updates=100")
    }
    let keys = setting[..<equals].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    let value = String(setting[setting.index(after: equals)...])
    let node: Node
    do {
      node = try compose(value, "--set \(keys.joined(separator: "."))") ?? Node("null")
    } catch let error as JigsawError {
      throw error
    } catch {
      throw JigsawError("--set \(setting)", "has a value that is not YAML")
    }
    let nested = keys.reversed().reduce(node) { inner, key in Node.mapping(Node.Mapping([(Node(key), inner)])) }
    try readSection(&self, nested, "", commandLine)
  }

  /// Settings, and sections of such, that a trained model is made with: a forecast takes them from its checkpoint.
  public static let decidedByCheckpoints = [
    "model", "training", "data.variables", "data.levels", "data.static", "data.forcings", "data.diagnostic",
    "data.inputSteps", "data.stepHours", "data.statistics", "data.train", "data.validation",
  ]

  /// Settings, and sections of such, that no verification reads.
  public static let unusedByEvaluations = [
    "model", "training", "forecast", "seed", "resume", "data.test", "data.validation", "data.inputSteps",
    "data.diagnostic", "data.statistics", "data.stepHours",
  ]

  /// - Throws: for the first setting that a forecast takes from its checkpoint, if it is another than in `stored`.
  public func requireForecastable(with stored: RunConfiguration) throws {
    guard let changed = changes(from: stored, below: RunConfiguration.decidedByCheckpoints) else { return }
    throw JigsawError(
      "--set \(changed.key)", "is decided by the checkpoint", expected: changed.before, found: changed.now,
      remedy: "leave it out, or train a run with it")
  }

  /// - Throws: for the first setting that no verification reads, if it is another than in `stored`.
  public func requireVerifiable(with stored: RunConfiguration) throws {
    guard let changed = changes(from: stored, below: RunConfiguration.unusedByEvaluations) else { return }
    throw JigsawError(
      "--set \(changed.key)", "changes nothing in a verification, which scores all forecasts of the store",
      expected: changed.before, found: changed.now, remedy: "leave it out, or forecast what is to be scored")
  }

  /// The first setting at or below one of `keys` that is another than in `stored`.
  private func changes(from stored: RunConfiguration, below keys: [String]) -> (
    key: String, before: String, now: String
  )? {
    let before = Dictionary(stored.settings.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
    for (key, value) in settings {
      guard before[key] != value,
        keys.contains(where: { key == $0 || key.hasPrefix($0 + ".") || key.hasPrefix($0 + "[") })
      else { continue }
      return (key, before[key] ?? "none", value)
    }
    return nil
  }

  /// The same for a run that lies in another folder than it was made in: settings that name files of the run name them there.
  public mutating func move(to folder: String) throws {
    let old = run + "/"
    run = folder
    for (key, value) in settings where !key.contains("[") {
      guard let text = try? Yams.load(yaml: value) as? String, text.hasPrefix(old) else { continue }
      try apply("\(key)=\(quoted("\(folder)/\(text.dropFirst(old.count))"))")
    }
  }

  /// The whole configuration as YAML, every setting with its value; with `comments` each explained.
  public func yaml(comments: Bool) -> String { sectionLines(self, comments: comments).joined(separator: "\n") + "\n" }

  /// Every setting by its dotted key, in the order of the file; lists of groups as `data.sources[0].path`.
  public var settings: [(key: String, value: String)] {
    SectionType<RunConfiguration>().settings(self, below: "")
  }

  /// JSON Schema (draft 2020-12) of the configuration file, for editors.
  public static func schema() throws -> String {
    var schema = SectionType<RunConfiguration>().schema().object ?? [:]
    schema["$schema"] = .string("https://json-schema.org/draft/2020-12/schema")
    schema["title"] = .string("Jigsaw run configuration")
    return try JSONValue.object(schema).text() + "\n"
  }
}

extension RunConfiguration {
  /// The configuration that `init` writes: ERA5 as WeatherBench 2 has it, a small model.
  public static var example: RunConfiguration {
    var configuration = RunConfiguration()
    var source = SourceSection()
    source.path = "data/era5.zarr"
    configuration.data.sources = [source]
    configuration.data.variables = ["z", "t", "u", "v", "q", "msl", "t2m", "u10", "v10"]
    configuration.data.levels = [850, 500, 250]
    configuration.data.train.start = Timestamp(year: 1979, month: 1, day: 1)
    configuration.data.train.end = Timestamp(year: 2015, month: 12, day: 31, hour: 18)
    configuration.data.validation.start = Timestamp(year: 2016, month: 1, day: 1)
    configuration.data.validation.end = Timestamp(year: 2016, month: 12, day: 31, hour: 18)
    configuration.data.test.start = Timestamp(year: 2020, month: 1, day: 1)
    configuration.data.test.end = Timestamp(year: 2020, month: 12, day: 31, hour: 18)
    configuration.training.updates = 10_000
    configuration.training.warmUpUpdates = 500
    configuration.forecast.bounds = .physical
    return configuration
  }
}
