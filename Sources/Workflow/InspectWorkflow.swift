import Basics
import Checkpoints
import Communication
import Configuration
import Datasets
import Distribution
import Execution
import Models
import Training

/// `jigsaw data stats`, `config validate`, `checkpoint reshard`: text about what is in a file.
public enum InspectWorkflow {
  /// Statistics of a configuration's training period, computed by all ranks and saved by the first; a table of them.
  /// - Returns: nil where a signal asked to end before all were there; what is done is kept for the same command.
  public static func statistics(
    _ configuration: RunConfiguration, output: String?, on world: any Communicator = SingleRank(), console: Console
  ) throws -> String? {
    try Agreement.check("data stats", configuration, [("--output", output ?? "none")], on: world)
    return try StopSignal.unlessStopped("before the statistics were complete", on: world, console) {
      try allStatistics(configuration, output: output, on: world, console)
    }
  }

  private static func allStatistics(
    _ configuration: RunConfiguration, output: String?, on world: any Communicator, _ console: Console
  ) throws -> String {
    // Nothing is read twice, so that nothing need be kept.
    let run = try RunContext(world, threads: configuration.threads, console: console)
    let threads = run.resources.threads
    let dataset = try Assembly.withForcings(
      configuration.data, Assembly.dataset(configuration.data, cacheBytes: 0, threads: threads), threads: threads)
    StopSignal.willSave()
    if try StopSignal.cameToAny(of: run.world) { throw Interrupted() }
    let (start, end) = try configuration.data.train.range("data.train")
    let path = output ?? RunFolder(configuration.run).statistics
    // The path may be a slip: nothing but earlier statistics is replaced.
    if Files.exists(path) { _ = try Assembly.loadStatistics(path) }
    // A training in the folder that they are for goes by the statistics that are there, and holds this lock.
    var lock: OutputLock?
    let folder = Files.parent(of: path)
    defer { withExtendedLifetime(lock) {} }
    try run.world.together(onlyOn: 0) {
      if path.split(separator: "/").last == "statistics.json", Files.isDirectory(folder) {
        lock = try OutputLock(folder: folder)
      }
    }
    let data = try DataFingerprint.shared(Assembly.descriptions(configuration.data), on: run.world)
    let statistics = try Assembly.computeStatistics(dataset, configuration.data, data, output: path, run)
    try run.world.together(onlyOn: 0) { try Assembly.save(statistics, to: path) }
    var rows = [["channel", "unit", "mean", "stdev", "minimum", "maximum", "\(configuration.data.stepHours) h change"]]
    for channel in dataset.channels {
      guard let row = statistics.channels[channel.name] else { continue }
      rows.append(
        [channel.name, dataset.units(of: channel)]
          + [row.mean, row.deviation, row.minimum, row.maximum, row.tendencyDeviation].map { significant($0) })
    }
    return table(rows) + "\n\(statistics.timeCount) times, \(start.display) … \(end.display); saved \(path)"
  }

  /// Checks that a configuration fits its data, and says what the run would be.
  public static func validate(_ configuration: RunConfiguration, file: String) throws -> String {
    let dataset = try Assembly.dataset(configuration.data)
    let forcings = try Assembly.forcings(configuration.data, cacheBytes: 0, threads: 1)
    let plan = try TrainWorkflow(configuration).plan(dataset, forcings: forcings)
    let doubt = try Assembly.givenStatistics(configuration.data, dataset).flatMap {
      try Assembly.doubt(
        about: $0, configuration.data, dataset, DataFingerprint(Assembly.descriptions(configuration.data)))
    }
    let warnings =
      try Periods.warnings(configuration.data, dataset) + LaterVerbs.warnings(configuration, dataset)
      + TrainWorkflow(configuration).cutSettings(plan) + [doubt].compactMap { $0 }
    var lines = [
      "\(file): fine\(warnings.isEmpty ? "" : ", with \(counted(warnings.count, "warning"))")",
      "  fields: \(dataset.channels.map(\.name).joined(separator: ", "))",
      "  grid: \(dataset.grid.summary)",
      "  times: \(dataset.times.count) from \(dataset.times[0].display) to \(dataset.times[dataset.times.count - 1].display)",
      "  samples: \(plan.sampler.count) to train on, \(plan.validationSampler?.count ?? 0) to validate; "
        + "\(plan.totalUpdates) updates",
    ]
    lines.append(
      "  model: \(plan.model.parameters.elementCount) parameters, \(plan.model.form.tokens) tokens, "
        + "\(significant(Double(try plan.model.forwardFLOPs) / 1e9)) GFLOP forward per sample")
    lines += dataset.normalizations.map { "  note: \($0)" }
    lines += warnings.map { "  \($0)" }
    return lines.joined(separator: "\n")
  }

  static func size(_ bytes: Int) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"]
    var value = Double(bytes)
    var unit = 0
    while value >= 1_000 && unit < units.count - 1 {
      value /= 1_000
      unit += 1
    }
    return "\(fixed(value, unit == 0 ? 0 : 1)) \(units[unit])"
  }

  /// Columns padded to their widest entry.
  static func table(_ rows: [[String]]) -> String {
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      row.enumerated().map { column, cell in
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        return column == 0 ? cell + padding : padding + cell
      }.joined(separator: "  ")
    }.joined(separator: "\n")
  }
}

extension InspectWorkflow {
  /// The parts of a checkpoint that the ranks of a mesh hold.
  /// - Throws: when the mesh does not fit the model, or a part of the checkpoint is missing.
  public static func reshard(_ path: String, domain: Int, tensor: Int) throws -> String {
    let checkpoint = try Checkpoint(path)
    let model = try checkpoint.description().makeModel()
    let mesh = try Mesh(
      ranks: domain * tensor, domain: domain, tensor: tensor, tokens: model.form.tokens, fields: model.form.variables)
    let plan = try ParallelPlan.make(mesh, model.parameters) { try model.dryStep($0, isTraining: true) }
    let isResumable = try checkpoint.checkComplete(model.parameters)
    // Weights and gradients; two moments and the average if training is resumed.
    let copies = 2 + (isResumable ? 2 + (checkpoint.manifest.optimizer.averageDecay > 0 ? 1 : 0) : 0)
    var lines = [
      "\(path): \(model.parameters.elementCount) parameters, on \(domain) × \(tensor) ranks (domain × tensor)"
    ]
    for rank in 0..<mesh.count {
      let place = mesh.position(of: rank)
      let held = plan.elementCount(place)
      lines.append(
        "  rank \(rank) (\(place.domain), \(place.tensor)): \(held) parameters, "
          + "\(fixed(100 * Double(held) / Double(model.parameters.elementCount), 2)) %, "
          + "\(fixed(Double(held * copies * MemoryLayout<Float>.size) / 1e9, 3)) GB to train")
    }
    lines.append(
      "nothing to convert: each rank reads its parts in place"
        + (isResumable ? "; resume with --set parallel.domain=\(domain) --set parallel.tensor=\(tensor)" : ""))
    return lines.joined(separator: "\n")
  }
}

extension InspectWorkflow {
  /// The parts of a checkpoint that are not as they were written, a sentence each.
  /// - Throws: when the manifest is damaged or has no checksums.
  public static func verify(_ path: String) throws -> [JigsawError] { try Checkpoint.problems(at: path) }
}
