import Basics
import Configuration
import Foundation
import Testing
import Yams

@Suite struct RoundTripTests {
  /// Every setting with a value that is not its default.
  static let settings: [String: String] = [
    "run": "runs/other one", "seed": "9007199254740991", "threads": "3", "precision": "bf16x3", "resume": "auto",
    "parallel.domain": "2", "parallel.tensor": "3", "parallel.splitOptimizer": "true", "parallel.overlap": "false",
    "data.sources":
      "[{path: \"a b/*.zarr\", names: {msl: slp, z: \"geo: potential\"}}, {open: {join: [a.zarr, {dataset: b.zarr, select: [\"2t\"]}], start: 2020-01-03}}, {path: c.nc}]",
    "data.variables": "[z, t2m, \"2t\"]", "data.levels": "[850, 0.5]", "data.rows": "720", "data.static": "[lsm]",
    "data.impute": "{lsm: -0.5, t2m: mean, z: nearest}",
    "data.forcings": "[insolation, sst]", "data.diagnostic": "[t2m]", "data.boundary": "cutout",
    "training.loss.firstGridShare": "0.25", "data.inputSteps": "[-12, 0]",
    "data.stepHours": "12", "data.train.start": "1979-01-01T06:00",
    "data.train.end": "1980-12-31", "data.validation.start": "1981-01-01", "data.validation.end": "1981-02-28",
    "data.test.start": "1982-01-01", "data.test.end": "1982-02-01 18:00", "data.statistics": "stats/of \\\"it\\\".json",
    "data.cacheGiB": "1.25", "data.notice": "\"simulated, not observed\"", "model.family": "linear-regression",
    "model.patch": "[3, 5]",
    "model.channels": "17", "model.tokenWidth": "18",
    "model.channelWidth": "19", "model.blocks": "20", "model.output": "blend", "model.dropout": "0.125",
    "training.updates": "77", "training.epochs": "2.5", "training.batchSize": "5", "training.accumulation": "6",
    "training.learningRate": "2.5e-4", "training.finalLearningRate": "1e-8", "training.warmUpUpdates": "9",
    "training.warmUpEpochs": "0.25", "training.groupRates": "{encoder: 0.5, decoder: 2}", "training.beta1": "0.8",
    "training.beta2": "0.99", "training.weightDecay": "0.01", "training.decayKind": "coupled",
    "training.clipNorm": "0.5", "training.clipValue": "32", "training.loss.kind": "huber",
    "training.loss.huberDelta": "0.5", "training.averageDecay": "0.9999", "training.loss.latitudeWeights": "published",
    "training.loss.perTendency": "true", "training.loss.variableWeights": "{z: 2, \"t 2\": 0.1}",
    "training.loss.levelWeights": "{\"500\": 2.5}",
    "training.loss.scalers.general_variable": "{default: 0.5, 10u: 0.1}",
    "training.loss.scalers.pressure_level.scaling": "relu", "training.loss.scalers.pressure_level.slope": "0.002",
    "training.loss.scalers.pressure_level.y_intercept": "0.3", "training.loss.scalers.stdev_tendency": "true",
    "training.loss.scalers.var_tendency": "true",
    "training.rollout.kind": "latent",
    "training.rollout.randomized": "true",
    "training.rollout.stages": "[{fraction: 0, steps: 1}, {fraction: 0.75, steps: 4}]",
    "training.rollout.storedStates": "7", "training.validation.every": "8", "training.validation.samples": "9",
    "training.validation.steps": "3",
    "training.checkpoint.every": "10", "training.checkpoint.keep": "11", "training.rollLongitudes": "true",
    "training.checkpointActivations": "true", "training.initialWeights": "runs/other",
    "training.prefetch": "12", "training.stallMinutes": "2.5", "forecast.leadHours": "48", "forecast.everyHours": "18",
    "forecast.batchSize": "2",
    "forecast.format": "netcdf", "forecast.layout": "perForecast", "forecast.bounds": "physical",
    "evaluation.leadHours": "[6, 24]", "evaluation.climatologyWindowDays": "31",
    "evaluation.spectra": "false", "evaluation.dampedPersistence": "true",
  ]

  /// Likewise those that only families other than the first have, with a family that has them.
  static let familySettings: [String: (family: String, value: String)] = {
    var settings: [String: (family: String, value: String)] = [
      "trainableData": ("gnn", "3"), "trainableHidden": ("transformer", "4"),
      "decoderInputs": ("transformer", "[coordinates, forcings]"), "decoderStartsAtZero": ("gnn", "true"),
      "latentSkip": ("gnn", "false"), "bounds": ("gnn", "[{kind: clamp, variables: [tp], least: -1, most: 2.5}]"),
      "inputOrder": ("gnn", "[1, 0]"), "outputOrder": ("gnn", "[2, 0, 1]"), "graph.file": ("gnn", "graph.safetensors"),
      "graph.nodes": ("transformer", "octahedral"), "graph.level": ("gnn", "3"), "graph.globalLevel": ("gnn", "2"),
      "graph.octahedral": ("transformer", "32"), "graph.area": ("gnn", "[70, -20.5, 30, 40]"),
      "graph.marginKm": ("gnn", "11.5"), "graph.encoderCutOff": ("gnn", "0.7"),
      "graph.encoderNeighbours": ("gnn", "12"),
      "graph.levels": ("gnn", "[2, 3]"), "graph.hops": ("gnn", "2"), "graph.processorNeighbours": ("gnn", "9"),
      "graph.decoderNeighbours": ("gnn", "4"), "graph.lengthNorm": ("gnn", "unit-max"),
      "mapperChunks": ("transformer", "16"), "processorChunks": ("gnn", "4"), "memoryGiB": ("graph-transformer", "7.5"),
      "processor.layers": ("transformer", "5"), "processor.window": ("transformer", "null"),
    ]
    for part in ["encoder", "processor", "decoder"] {
      for (name, value) in [
        ("heads", "4"), ("attentionChannels", "32"), ("qkNorm", "true"), ("edgePreMLP", "true"), ("mlpRatio", "2.5"),
        ("mlp", "swiglu"), ("activation", "silu"), ("trainableEdges", "2"),
      ] { settings["\(part).\(name)"] = ("graph-transformer", value) }
      settings["\(part).extraLayers"] = ("gnn", "1")
    }
    return Dictionary(uniqueKeysWithValues: settings.map { ("model.\($0)", $1) })
  }()

  @Test(arguments: familySettings.keys.sorted()) func settingsOfFamiliesAreWrittenAndReadAgain(key: String) throws {
    let (family, value) = try #require(Self.familySettings[key])
    let plain = try RunConfiguration.parse("model: {family: \(family)}", file: "test")
    var set = plain
    try set.apply("\(key)=\(value)")
    let text = set.yaml(comments: false)
    #expect(text != plain.yaml(comments: false), "the setting shows")
    #expect(try RunConfiguration.parse(set.yaml(comments: true), file: "test").yaml(comments: false) == text)
  }

  /// Dotted keys of all settings, by the schema.
  static func keys() throws -> Set<String> {
    func collect(_ schema: JSONValue, _ prefix: String) -> [String] {
      (schema["properties"]?.object ?? [:]).flatMap { name, property -> [String] in
        property["properties"] == nil ? [prefix + name] : collect(property, "\(prefix)\(name).")
      }
    }
    let schema = try RunConfiguration.schema()
    return Set(collect(try JSONValue(parsing: Array(schema.utf8), place: "schema"), ""))
  }

  @Test func everySettingIsTestedHere() throws {
    let (keys, tested) = (try Self.keys(), Set(Self.settings.keys).union(Self.familySettings.keys))
    #expect(keys.subtracting(tested) == [], "give each a value in `settings`, or with its family in `familySettings`")
    #expect(tested.subtracting(keys) == [], "no settings any more")
  }

  @Test(arguments: settings.keys.sorted()) func whatIsSetIsWrittenAndReadAgain(key: String) throws {
    let value = try #require(Self.settings[key])
    let plain = RunConfiguration().yaml(comments: false)
    let set = try RunConfiguration.parse("", file: "test", settings: ["\(key)=\(value)"])
    let text = set.yaml(comments: false)
    #expect(text != plain, "the setting shows")
    for comments in [false, true] {
      let again = try RunConfiguration.parse(set.yaml(comments: comments), file: "test")
      #expect(again.yaml(comments: false) == text)
    }
    // The same from a file, nested as people write it.
    let parts = key.split(separator: ".")
    let lines = parts.enumerated().map { depth, part in
      String(repeating: "  ", count: depth) + part + ":" + (depth == parts.count - 1 ? " \(value)" : "")
    }
    let fromFile = try RunConfiguration.parse(lines.joined(separator: "\n"), file: "test")
    #expect(fromFile.yaml(comments: false) == text)
  }

  /// Settings belong to their family.
  @Test(arguments: [
    ("model: {family: linear-regression, blocks: 3}", "model.blocks: unknown setting; expected one of patch"),
    ("model: {family: weather-mixr}", "(did you mean 'weather-mixer'?)"),
  ]) func modelsOfAnotherFamilyAreRefused(text: String, message: String) {
    #expect {
      try RunConfiguration.parse(text, file: "test")
    } throws: {
      "\($0)".contains(message)
    }
  }

  /// All settings at once, but another family, which has settings of its own.
  private static func everything() throws -> RunConfiguration {
    let all = settings.filter { $0.key != "model.family" }.sorted { $0.key < $1.key }
    return try RunConfiguration.parse("", file: "test", settings: all.map { "\($0)=\($1)" })
  }

  @Test func allSettingsTogetherSurvive() throws {
    let set = try Self.everything()
    let again = try RunConfiguration.parse(set.yaml(comments: true), file: "test")
    #expect(again.yaml(comments: false) == set.yaml(comments: false))
    #expect(again.data.sources[0].names == ["msl": "slp", "z": "geo: potential"])
    #expect(again.data.sources[0].path == "a b/*.zarr" && again.run == "runs/other one")
    #expect(again.training.rollout.stages.map(\.steps) == [1, 4] && again.data.levels == [850, 0.5])
    #expect(again.training.finalLearningRate == 1e-8 && again.data.test.end?.display == "1982-02-01 18:00")
    #expect(again.training.loss.levelWeights == ["500": 2.5] && again.seed == 9_007_199_254_740_991)
  }

  @Test(arguments: [
    "with \"quotes\"", "back\\slash", "line\nbreak", "tab\there", "null", "~", "true", "1e3", "- list", "# no comment",
    "a: b", " spaces ", "Zürich/ß", "{x}", "[y]", "'", "&a", "*b", "!t", "%d", "@x", "`",
  ]) func oddWordsSurvive(word: String) throws {
    var configuration = RunConfiguration()
    configuration.run = word
    configuration.data.statistics = word
    configuration.data.variables = [word, "z"]
    configuration.training.loss.variableWeights = [word: 2]
    let again = try RunConfiguration.parse(configuration.yaml(comments: true), file: "test")
    #expect(again.run == word && again.data.statistics == word && again.data.variables == [word, "z"])
    #expect(again.training.loss.variableWeights == [word: 2])
  }

  @Test func nothingMeansTheDefaults() throws {
    let defaults = RunConfiguration().yaml(comments: false)
    for text in ["", "# only a comment\n", "---\n", "data:\n", "data: null\ntraining: ~\n", "training:\n  loss:\n"] {
      #expect(try RunConfiguration.parse(text, file: "test").yaml(comments: false) == defaults, "\(text)")
    }
    let cleared = try RunConfiguration.parse(
      "training: {updates: 5}\ndata: {statistics: x, train: {start: 2001-01-01}}", file: "test",
      settings: ["training.updates=null", "data.statistics=", "data.train.start=~"])
    #expect(cleared.yaml(comments: false) == defaults)
  }

  @Test func theExampleIsReadable() throws {
    let text = RunConfiguration.example.yaml(comments: true)
    let again = try RunConfiguration.parse(text, file: "test")
    #expect(again.yaml(comments: true) == text)
    #expect(text.split(separator: "\n").allSatisfy { $0.count <= 120 })
    for key in Self.settings.keys {
      let name = String(key.split(separator: ".").last ?? "")
      #expect(text.contains("\(name):"), "\(key)")
    }
  }

  // MARK: Schema

  @Test func theSchemaDescribesWhatIsWritten() throws {
    let schema = try JSONValue(parsing: Array(RunConfiguration.schema().utf8), place: "schema")
    #expect(schema["$schema"]?.string == "https://json-schema.org/draft/2020-12/schema")
    let everything = try Self.everything()
    for configuration in [RunConfiguration(), .example, everything] {
      let value = try #require(try Yams.load(yaml: configuration.yaml(comments: true)))
      #expect(violations(value, schema, "") == [])
    }
    let wrong = try #require(
      try Yams.load(yaml: "seed: -1\nextra: 1\ndata: {rows: x, levels: [a]}\nmodel: {output: none, patch: 3}"))
    #expect(
      violations(wrong, schema, "").sorted() == [
        ".data.levels[0]: type", ".data.rows: type", ".extra: unknown", ".model.output: enum", ".model.patch: type",
        ".seed: minimum",
      ])
  }

  /// As much of JSON Schema as the configuration's uses.
  private func violations(_ value: Any, _ schema: JSONValue, _ path: String) -> [String] {
    let types = schema["type"]?.strings ?? [schema["type"]?.string ?? "none"]
    guard types.contains(where: { isOf($0, value) }) else { return ["\(path): type"] }
    var found: [String] = []
    if let choices = schema["enum"]?.strings, !choices.contains("\(value)") { found.append("\(path): enum") }
    if let number = value as? Double ?? (value as? Int).map(Double.init) {
      if let minimum = schema["minimum"]?.double, number < minimum { found.append("\(path): minimum") }
      if let maximum = schema["maximum"]?.double, number > maximum { found.append("\(path): maximum") }
    }
    if let list = value as? [Any], let items = schema["items"] {
      for (index, element) in list.enumerated() { found += violations(element, items, "\(path)[\(index)]") }
    }
    if let members = value as? [String: Any] {
      for (name, member) in members {
        if let property = schema["properties"]?[name] {
          found += violations(member, property, "\(path).\(name)")
        } else if schema["additionalProperties"] == .bool(true) {
          continue
        } else if let others = schema["additionalProperties"], others.object != nil {
          found += violations(member, others, "\(path).\(name)")
        } else {
          found.append("\(path).\(name): unknown")
        }
      }
    }
    return found
  }

  private func isOf(_ type: String, _ value: Any) -> Bool {
    switch type {
    case "null": value is NSNull
    case "integer": value is Int
    case "number": value is Int || value is Double
    case "boolean": value is Bool
    case "string": value is String || value is Date
    case "array": value is [Any]
    case "object": value is [String: Any]
    default: false
    }
  }

  /// Settings that name files of the run's own folder follow it.
  @Test func aRunMovesWithItsFiles() throws {
    let text = """
      run: old/my run
      data: {statistics: old/my run/statistics.json, sources: [{path: old/my run/data.nc}]}
      model: {family: gnn, graph: {file: "old/my run/graph.safetensors"}}

      """
    var configuration = try RunConfiguration.parse(text, file: "test", settings: [])
    try configuration.move(to: "new: place")
    let settings = Dictionary(uniqueKeysWithValues: configuration.settings)
    #expect(configuration.run == "new: place" && configuration.data.statistics == "new: place/statistics.json")
    #expect(settings["model.graph.file"] == "\"new: place/graph.safetensors\"")
    #expect(configuration.data.sources[0].path == "old/my run/data.nc")
  }
}
