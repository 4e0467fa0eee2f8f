import Basics
import Checkpoints
import Communication
import Configuration
import Datasets
import Stores
import Training

/// `jigsaw data check`: whether data have what a configuration or a checkpoint needs.
public struct CheckWorkflow {
  public struct Findings: Sendable {
    public var lines: [String] = []
    /// The problems that prevent training or forecasting.
    public var problems: [String] = []
    /// Where fields come from.
    public var origins: [FieldOrigin] = []
    /// Stored chunks that were read for their values, by all ranks.
    public var chunksRead = 0
  }

  private let configuration: RunConfiguration
  private let console: Console
  private let world: any Communicator

  public init(
    _ configuration: RunConfiguration, on world: any Communicator = SingleRank(), console: Console = Console()
  ) {
    self.configuration = configuration
    self.world = world
    self.console = world.rank == 0 ? console : .silent
  }

  /// - Parameters:
  ///   - checkpoint: whose inputs the data must have; nil: those of the configuration.
  ///   - readsValues: whether all fields are read, to judge their values.
  public func run(checkpoint path: String?, readsValues: Bool) throws -> Findings {
    try Agreement.check(
      "data check", configuration, [("--checkpoint", path ?? "none"), ("--no-values", readsValues ? "no" : "yes")],
      on: world)
    var data = configuration.data
    var findings = Findings()
    let manifest = try path.map { try Checkpoint($0).manifest }
    if let manifest { data = Assembly.inputs(of: manifest, data) }
    let run = try RunContext(world, threads: configuration.threads, console: console)
    let resources = run.resources
    guard let opened = try attempt(&findings, run, { try Assembly.open(data, threads: resources.threads) }) else {
      return findings
    }
    // One by one, so that everything that is missing is named.
    let variables = data.variables + data.readForcings
    for (name, isStatic) in variables.map({ ($0, false) }) + data.staticFields.map({ ($0, true) }) {
      var single = data
      single.variables = isStatic ? [] : [name]
      single.staticFields = isStatic ? [name] : []
      single.impute = data.impute.filter { $0.key == name }
      do {
        let dataset = try Assembly.dataset(
          single, cacheBytes: 0, threads: 1, opened: opened, requiresVariables: false, isWhole: false)
        if isStatic { _ = try dataset.readStatics() }
      } catch let error as JigsawError {
        findings.problems.append("\(error)")
      }
    }
    // Values are read by all ranks together or by none.
    guard try agree(&findings, run) else { return findings }
    let found = try attempt(&findings, run) {
      guard let manifest else {
        let dataset = try Assembly.dataset(data, cacheBytes: 0, threads: resources.threads, opened: opened)
        return try Assembly.withForcings(data, dataset, threads: resources.threads)
      }
      _ = try Assembly.forcings(for: manifest, data, cacheBytes: 0, threads: resources.threads)
      let dataset = try Assembly.dataset(
        for: manifest, data, cacheBytes: 0, threads: resources.threads, opened: opened)
      return try Assembly.withForcings(data, dataset, threads: resources.threads)
    }
    guard let dataset = found else { return findings }
    findings.lines += [
      "fields: \(dataset.channels.map(\.name).joined(separator: ", "))",
      "static: \(dataset.staticChannels.isEmpty ? "none" : dataset.staticChannels.map(\.name).joined(separator: ", "))",
      "grid: \(dataset.grid.summary)\(dataset.grid.isGlobal ? ", global" : ", limited area")",
    ]
    findings.origins = dataset.origins
    findings.lines += dataset.origins.map { "from: \($0.sentence)" }
    findings.lines += dataset.normalizations.map { "note: \($0)" }
    try checkTimes(
      dataset, stepHours: manifest?.stepHours ?? data.stepHours, needsChange: manifest == nil, &findings)
    if readsValues {
      try checkValues(dataset, needsChange: manifest == nil, &findings, run)
    }
    return findings
  }

  /// The result of `body`; nil if it failed on this rank or on another.
  private func attempt<Result>(
    _ findings: inout Findings, _ run: RunContext, _ body: () throws -> Result
  ) throws -> Result? {
    var result: Result?
    do { result = try body() } catch let error as JigsawError { findings.problems.append("\(error)") }
    return try agree(&findings, run) ? result : nil
  }

  /// Whether no rank has found a problem.
  private func agree(_ findings: inout Findings, _ run: RunContext) throws -> Bool {
    if try run.world.all(findings.problems.isEmpty) { return true }
    if findings.problems.isEmpty { findings.problems.append("another rank can't open these data") }
    return false
  }

  // MARK: Times

  private var periods: [(name: String, period: PeriodSection)] { Periods.named(configuration.data) }

  /// - Parameter needsChange: whether statistics of fields and of their change over a step are to be computed.
  private func checkTimes(
    _ dataset: FieldDataset, stepHours: Int, needsChange: Bool, _ findings: inout Findings
  ) throws {
    guard let first = dataset.times.first, let last = dataset.times.last else {
      findings.problems.append("the data have no times")
      return
    }
    let steps = zip(dataset.times, dataset.times.dropFirst()).map { $1.seconds - $0.seconds }
    let interval = steps.min() ?? Int64(stepHours) * 3_600
    func text(_ seconds: Int64) -> String { seconds % 3_600 == 0 ? "\(seconds / 3_600) h" : "\(seconds / 60) min" }
    findings.lines.append(
      "times: \(dataset.times.count) from \(first.display) to \(last.display), every \(text(interval))")
    if Int64(stepHours) * 3_600 % interval != 0 {
      findings.problems.append(
        "data.stepHours: \(stepHours) h is not a multiple of the data's interval of \(text(interval))")
    }
    let gaps = zip(dataset.times, dataset.times.dropFirst()).filter { $1.seconds - $0.seconds > interval }
    if !gaps.isEmpty {
      let missing = gaps.reduce(0) { $0 + Int(($1.1.seconds - $1.0.seconds) / interval) - 1 }
      findings.lines.append("gaps: \(counted(missing, "time")) missing in \(counted(gaps.count, "gap"))")
      for (before, after) in gaps.prefix(10) {
        findings.lines.append("  between \(before.display) and \(after.display)")
      }
      if gaps.count > 10 { findings.lines.append("  and \(gaps.count - 10) more") }
    }
    findings.lines += DateSentences.leftOut(dataset.leftOutTimes)
    findings.lines += try Periods.warnings(configuration.data, dataset) + LaterVerbs.warnings(configuration, dataset)
    for (name, period) in periods {
      let (start, end) = try period.range("data.\(name)")
      let times = dataset.indices(from: start, through: end).count
      let expected = Int((end.seconds - start.seconds) / interval) + 1
      findings.lines.append("\(name): \(times) of \(expected) times, \(start.display) … \(end.display)")
      if times < 2 { findings.problems.append("data.\(name) holds \(counted(times, "time")) of these data") }
    }
    if needsChange, let times = try normalisedTimes(dataset).map({ $0.map { dataset.times[$0] } }), times.count > 1,
      Set(times).isDisjoint(with: times.map { $0.adding(hours: stepHours) })
    {
      findings.problems.append("data.stepHours: no two times lie \(stepHours) h apart in the training period")
    }
  }

  // MARK: Values

  /// The times whose statistics are computed; nil where these come from elsewhere.
  private func normalisedTimes(_ dataset: FieldDataset) throws -> [Int]? {
    guard configuration.data.statistics == nil, periods.contains(where: { $0.name == "train" }) else { return nil }
    let (start, end) = try configuration.data.train.range("data.train")
    return dataset.indices(from: start, through: end)
  }

  private func checkValues(
    _ dataset: FieldDataset, needsChange: Bool, _ findings: inout Findings, _ run: RunContext
  ) throws {
    var indices = Set<Int>()
    for (name, period) in periods {
      let (start, end) = try period.range("data.\(name)")
      indices.formUnion(dataset.indices(from: start, through: end))
    }
    let wanted = periods.isEmpty ? Array(dataset.times.indices) : indices.sorted()
    let trained = needsChange ? try normalisedTimes(dataset) : nil
    let began = monotonicSeconds()
    let before = dataset.reads
    let survey = try ValueSurvey(
      dataset, times: wanted, normalised: trained, on: run.world,
      windowBytes: run.resources.fieldBytes(configuration.data)
    ) {
      console.progress("check", done: $0, of: $1, since: began, detail: "times")
    }
    let reads = dataset.reads
    let sums = try run.world.allReduce([Double(reads.chunks - before.chunks), Double(reads.bytes - before.bytes)])
    findings.chunksRead = Int(sums[0])
    findings.lines.append(
      "values: \(counted(wanted.count, "time")) read, \(InspectWorkflow.size(Int(sums[1]))) in \(counted(Int(sums[0]), "chunk"))"
    )
    let absent = try run.world.merged(reads.absent)
    for (place, count) in absent.sorted(by: { $0.key < $1.key }) {
      findings.lines.append(
        "absent: \(place): \(count) chunk\(count == 1 ? " was" : "s were") never written; the fill value is read there")
    }
    let found = survey.findings(
      dataset, timeCount: wanted.count, needsChange: needsChange, period: trained.map { _ in "data.train" },
      absent: Set(absent.keys))
    let doubts = try dataset.staticDoubts()
    findings.lines += (found.notes + doubts.notes).map { "note: \($0)" }
    findings.problems += found.problems + doubts.problems
  }
}

extension Communicator {
  /// Counts of all ranks, added up.
  fileprivate func merged(_ counts: [String: Int]) throws -> [String: Int] {
    let own = counts.map { "\($0.value) \($0.key)" }.joined(separator: "\0")
    var merged: [String: Int] = [:]
    for rank in 0..<size {
      let text = String(decoding: try broadcast(rank == self.rank ? Array(own.utf8) : [], from: rank), as: UTF8.self)
      for entry in text.split(separator: "\0") {
        let parts = entry.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, let count = Int(parts[0]) else { continue }
        merged[String(parts[1]), default: 0] += count
      }
    }
    return merged
  }
}
