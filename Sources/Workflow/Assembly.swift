import Basics
import Checkpoints
import Communication
import Configuration
import Datasets
import Execution
import FoundationEssentials
import Geometry
import Models
import Tensors
import Training

/// Pieces that several verbs put together from a configuration or a checkpoint.
enum Assembly {
  /// - Parameters:
  ///   - cacheBytes: memory for decoded fields; nil: as the configuration says for a single rank.
  ///   - threads: that read.
  ///   - opened: the sources, where they are open already.
  ///   - requiresVariables: whether it is an error to name no variables.
  ///   - isWhole: whether these are all variables of the configuration, so that `names` can be of no others.
  static func dataset(
    _ data: DataSection, cacheBytes: Int? = nil, threads: Int = ThreadTeam.availableCPUs,
    opened: OpenedSources? = nil, requiresVariables: Bool = true, isWhole: Bool = true
  ) throws
    -> FieldDataset
  {
    if data.variables.isEmpty && requiresVariables {
      throw JigsawError(
        "data.variables", "is empty", remedy: "name what to predict, for example [z, t, u, v, q, msl, t2m]")
    }
    let named = data.variables + data.staticFields + data.readForcings
    for name in named { try SafeName.require(name, "variable", place: "data") }
    if isWhole { try requireNames(data) }
    if let other = data.impute.keys.sorted().first(where: { !named.contains($0) }) {
      throw JigsawError(
        "data.impute.\(other)", "is no variable of the data", expected: named.joined(separator: ", "),
        remedy: nearest(to: other, among: named).map { "did you mean '\($0)'?" } ?? "remove it")
    }
    for (name, imputation) in data.impute.sorted(by: { $0.key < $1.key }) {
      guard case .constant(let value) = imputation, Lexicon.isMark(value, of: name) else { continue }
      throw JigsawError(
        "data.impute.\(name)", "is a number that marks missing values, far from those of the variable",
        expected: "a value that it may have, mean or nearest", found: "\(value)")
    }
    let cacheBytes =
      cacheBytes
      ?? data.cacheGiB.map { Int(saturating: $0 * Double(1 << 30)) } ?? (Machine.availableMemory ?? 4 << 30) / 4
    return try FieldDataset(
      opened ?? open(data, threads: threads), variables: data.variables, levelsHPa: data.levels,
      staticVariables: data.staticFields,
      impute: data.impute.filter { data.variables.contains($0.key) || data.staticFields.contains($0.key) },
      cacheBytes: cacheBytes, threads: threads)
  }

  /// The forcings that are read from the sources; nil where there are none.
  static func forcings(
    _ data: DataSection, cacheBytes: Int, threads: Int, opened: OpenedSources? = nil
  ) throws -> FieldDataset? {
    let names = data.readForcings
    if let twice = data.forcings.first(where: { name in data.forcings.filter { $0 == name }.count > 1 }) {
      throw JigsawError("data.forcings", "names \(twice) twice", remedy: "remove one of them")
    }
    if names.isEmpty { return nil }
    if let both = names.first(where: { data.variables.contains($0) || data.staticFields.contains($0) }) {
      throw JigsawError(
        "data.forcings", "names '\(both)', which is also predicted or static", remedy: "name it in one place")
    }
    let opened = try opened ?? open(data, threads: threads)
    do {
      return try FieldDataset(
        opened, variables: names, levelsHPa: data.levels, impute: data.impute.filter { names.contains($0.key) },
        cacheBytes: cacheBytes, threads: threads)
    } catch let error as JigsawError {
      let computed = Forcing.allCases.map(\.rawValue)
      // A slip in the name of a computed forcing makes it one that is read.
      for name in names {
        guard let meant = nearest(to: name, among: computed) else { continue }
        throw JigsawError(
          "data.forcings", "names '\(name)', which is not computed, and not found in the sources (\(error))",
          expected: "a variable of the sources, or \(computed.joined(separator: ", "))",
          remedy: "did you mean '\(meant)'?")
      }
      throw error
    }
  }

  /// Statistics from the file named in the configuration, if one is.
  static func givenStatistics(_ data: DataSection, _ dataset: FieldDataset) throws -> DatasetStatistics? {
    guard let path = data.statistics else { return nil }
    if path == "dataset" { return try dataset.storedStatistics(stepHours: data.stepHours) }
    let statistics = try loadStatistics(path)
    guard statistics.stepHours == data.stepHours else {
      throw JigsawError(
        path, "is for another step", expected: "\(data.stepHours) h", found: "\(statistics.stepHours) h",
        remedy: "compute them anew with 'jigsaw data stats'")
    }
    _ = try Normalization(statistics, channels: dataset.channels, place: path)
    return statistics
  }

  /// The run's own statistics if they were made from the same data, period, step and choice of fields, or computed now.
  ///
  /// - Parameters:
  ///   - data: of the dataset.
  ///   - checkpoint: that the training resumes from, if it does.
  static func ownStatistics(
    _ configuration: RunConfiguration, _ dataset: FieldDataset, _ data: DataFingerprint,
    _ checkpoint: CheckpointManifest?, _ run: RunContext
  ) throws -> DatasetStatistics {
    let own = RunFolder(configuration.run).statistics
    var found: DatasetStatistics?
    if Files.exists(own) {
      let statistics = try loadStatistics(own)
      let problem = try staleness(of: statistics, configuration.data, dataset, data, isResuming: checkpoint != nil)
      if let problem {
        run.console.say("\(own): \(problem); computing them anew")
      } else {
        if statistics.data == nil {
          run.console.say(
            "note: \(own) is of a version that did not record the data; that they are the same is not known")
        }
        found = statistics
      }
    }
    // Another rank may see the file of a shared folder later.
    if try run.world.all(found != nil), let found {
      warn(of: found, run.console)
      return found
    }
    return try computeStatistics(dataset, configuration.data, data, output: own, run)
  }

  /// The first difference between what statistics were made of and the training period of data.
  private static func difference(
    of statistics: DatasetStatistics, _ section: DataSection, _ dataset: FieldDataset, _ data: DataFingerprint
  ) throws -> Lineage.Difference? {
    let (start, end) = try section.train.range("data.train")
    let now = DatasetStatistics(
      start: start.description, end: end.description, stepHours: section.stepHours, timeCount: 0, channels: [:],
      data: data, selection: dataset.selection)
    return statistics.lineage.difference(from: now.lineage)
  }

  /// A sentence on what the file that `data.statistics` names was made of, where that is something else than the training period of the
  /// data, or isn't known; its numbers are taken all the same, as by a model that is trained further on other data.
  static func doubt(
    about given: DatasetStatistics, _ section: DataSection, _ dataset: FieldDataset, _ data: DataFingerprint
  ) throws -> String? {
    guard let path = section.statistics, path != "dataset" else { return nil }
    if let difference = try difference(of: given, section, dataset, data) {
      return "warning: data.statistics: \(path): \(difference.sentence); its numbers are taken as they are, and "
        + "'jigsaw data stats --output \(path)' makes them anew"
    }
    return given.data == nil
      ? "note: data.statistics: \(path) does not say of which data it is; that they are the same is not known" : nil
  }

  /// Why statistics can't serve for a training, in words; nil where they can.
  private static func staleness(
    of statistics: DatasetStatistics, _ section: DataSection, _ dataset: FieldDataset, _ data: DataFingerprint,
    isResuming: Bool
  ) throws -> String? {
    if let channel = dataset.channels.first(where: { statistics.channels[$0.name] == nil }) {
      return "without \(channel.name)"
    }
    if let difference = try difference(of: statistics, section, dataset, data) { return difference.sentence }
    // Files of version 0.1 know the paths alone: enough to resume, where the checkpoint's are compared as well.
    return statistics.data == nil && !isResuming ? "of a version that did not record the data" : nil
  }

  /// Statistics of the training period, computed by all ranks.
  ///
  /// - Parameters:
  ///   - data: of the dataset.
  ///   - output: the file that they are for: one process at a time computes them.
  static func computeStatistics(
    _ dataset: FieldDataset, _ section: DataSection, _ data: DataFingerprint, output: String, _ run: RunContext
  ) throws -> DatasetStatistics {
    let (start, end) = try section.train.range("data.train")
    let window = run.resources.fieldBytes(section)
    var lock: OutputLock?
    defer { withExtendedLifetime(lock) {} }
    try run.world.together(onlyOn: 0) { lock = try OutputLock(output) }
    let began = monotonicSeconds()
    let trace = run.trace
    let computing = trace?.begin(.phases, "statistics")
    defer { if let computing { trace?.end(computing) } }
    let statistics = try DatasetStatistics.compute(
      dataset, from: start, through: end, stepHours: section.stepHours, on: run.world, data: data,
      parts: output + ".parts", windowBytes: window
    ) { done, total in
      trace?.goOn()
      run.console.progress("statistics", done: done, of: total, since: began)
      if StopSignal.current != nil && done < total { throw Interrupted() }
    }
    warn(of: statistics, run.console)
    for text in try dataset.staticDoubts().problems { run.console.say("warning: \(text)") }
    return statistics
  }

  /// Values that can't be make statistics with which nothing is learnt.
  private static func warn(of statistics: DatasetStatistics, _ console: Console) {
    for text in statistics.implausible { console.say("warning: \(text)") }
  }

  static func loadStatistics(_ path: String) throws -> DatasetStatistics {
    let bytes = Data(try Files.read(path))
    guard let statistics = try? JSONDecoder().decode(DatasetStatistics.self, from: bytes) else {
      throw JigsawError(path, "is not a statistics file", remedy: "compute it with 'jigsaw data stats'")
    }
    if let bad = statistics.channels.sorted(by: { $0.key < $1.key }).first(where: { !$0.value.isUsable }) {
      throw JigsawError(
        "\(path): \(bad.key)", "can't be used to normalise", expected: "a stdev above 0",
        remedy: "compute it anew with 'jigsaw data stats'")
    }
    return statistics
  }

  static func save(_ statistics: DatasetStatistics, to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
    try Files.createDirectory(Files.parent(of: path))
    try Files.writeAtomically(Array(try encoder.encode(statistics)), to: path)
  }

  /// The machine's peak of fused multiply-adds for this rank's threads, FLOP/s: as 'jigsaw bench machine' stored it for this
  /// processor and count of threads, else measured now. Threads that have no processor of their own add nothing.
  ///
  /// - Parameter processors: that there are for them.
  static func multiplyAddPeak(
    _ compute: Compute, processors: Double, _ console: Console, file: String? = MachineRates.standardPath
  ) -> Double {
    let threads = max(1, min(compute.team.count, Int(processors + 1e-9)))
    let share = min(1, processors / Double(threads))
    do {
      if let stored = try file.flatMap(MachineRates.stored)?.multiplyAddPeak(threads: threads) { return share * stored }
    } catch {
      console.say("machine: \(error); measuring now")
    }
    return share * Compute.measuredMultiplyAddRate() * Double(threads)
  }

  static func description(
    _ configuration: RunConfiguration, _ dataset: FieldDataset, forcings: FieldDataset?, tendencyScale: [Float]
  ) throws -> ModelDescription {
    let data = configuration.data
    if let other = data.diagnostic.first(where: { name in !dataset.channels.contains { $0.variable == name } }) {
      let names = data.variables
      throw JigsawError(
        "data.diagnostic", "names '\(other)', which is not among the predicted variables",
        expected: "some of \(names.joined(separator: ", "))",
        remedy: nearest(to: other, among: names).map { "did you mean '\($0)'?" } ?? "name it in data.variables, too")
    }
    var description = try description(
      configuration, grid: dataset.grid, variables: dataset.channels.count,
      auxiliaries: dataset.staticChannels.count + data.computedForcings.count + (forcings?.channels.count ?? 0),
      tendencyScale: tendencyScale,
      diagnostics: dataset.channels.indices.filter { data.diagnostic.contains(dataset.channels[$0].variable) })
    description.fields.scaling = scaling(dataset.channels)
    description.fields.points?.firstGrid = dataset.firstGrid
    return description
  }

  /// - Parameters:
  ///   - auxiliaries: static fields and forcings.
  ///   - diagnostics: predicted fields that the model does not read.
  static func description(
    _ configuration: RunConfiguration, grid: FieldGrid, variables: Int, auxiliaries: Int, tendencyScale: [Float],
    diagnostics: [Int] = []
  ) throws -> ModelDescription {
    var fields = ModelFields(
      gridRows: grid.rows, gridColumns: grid.columns, variables: variables, auxiliaries: auxiliaries,
      tendencyScale: tendencyScale, points: grid.places)
    fields.inputSteps = try configuration.data.stepsOfInputs()
    fields.diagnostics = Set(diagnostics)
    if diagnostics.count == variables {
      throw JigsawError("data.diagnostic", "names all predicted variables", remedy: "leave some for the model to read")
    }
    let description = ModelDescription(configuration.model, fields)
    _ = try description.tiling()
    return description
  }
}
