import Basics
import Communication
import Configuration
import Datasets
import Synchronization
import Tensors
import Training

/// `jigsaw data check`: whether data have what a configuration or a checkpoint needs.
public struct CheckWorkflow {
  public struct Findings: Sendable {
    public var lines: [String] = []
    /// What stands in the way of training or forecasting.
    public var problems: [String] = []
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
  ///   - readsValues: whether all fields are read, to find missing values.
  public func run(checkpoint path: String?, readsValues: Bool) throws -> Findings {
    var data = configuration.data
    var findings = Findings()
    let manifest = try path.map { try Checkpoint($0).manifest }
    if let manifest { data = Ingredients.inputs(of: manifest, data) }
    // One by one, so that everything that is missing is named.
    for (name, isStatic) in data.variables.map({ ($0, false) }) + data.staticFields.map({ ($0, true) }) {
      var single = data
      single.variables = isStatic ? [] : [name]
      single.staticFields = isStatic ? [name] : []
      do {
        let dataset = try Ingredients.dataset(single, cacheBytes: 0, requiresVariables: false)
        if isStatic { _ = try dataset.readStatics() }
      } catch let error as JigsawError {
        findings.problems.append("\(error)")
      }
    }
    // Values are read by all ranks together or by none.
    guard try agree(&findings) else { return findings }
    var opened: FieldDataset?
    do {
      opened =
        try manifest.map {
          try Ingredients.dataset(for: $0, data, cacheBytes: 0, threads: ThreadTeam.availableCPUs)
        }
        ?? Ingredients.dataset(data, cacheBytes: 0)
    } catch let error as JigsawError {
      findings.problems.append("\(error)")
    }
    guard try agree(&findings), let dataset = opened else { return findings }
    findings.lines += [
      "fields: \(dataset.channels.map(\.name).joined(separator: ", "))",
      "static: \(dataset.staticChannels.isEmpty ? "none" : dataset.staticChannels.map(\.name).joined(separator: ", "))",
      "grid: \(dataset.grid.summary)\(dataset.grid.isGlobal ? ", global" : ", limited area")",
    ]
    findings.lines += dataset.normalizations.map { "note: \($0)" }
    try checkTimes(dataset, stepHours: manifest?.stepHours ?? data.stepHours, &findings)
    if readsValues { try checkValues(dataset, &findings) }
    return findings
  }

  /// Whether no rank has found a problem.
  private func agree(_ findings: inout Findings) throws -> Bool {
    if try world.all(findings.problems.isEmpty) { return true }
    if findings.problems.isEmpty { findings.problems.append("another rank can't open these data") }
    return false
  }

  // MARK: Times

  private var periods: [(name: String, period: PeriodSection)] {
    [
      ("train", configuration.data.train), ("validation", configuration.data.validation),
      ("test", configuration.data.test),
    ].filter { $0.1.start != nil || $0.1.end != nil }
  }

  private func checkTimes(_ dataset: FieldDataset, stepHours: Int, _ findings: inout Findings) throws {
    guard let first = dataset.times.first, let last = dataset.times.last else {
      findings.problems.append("the data have no times")
      return
    }
    let steps = zip(dataset.times, dataset.times.dropFirst()).map { $1.seconds - $0.seconds }
    let interval = steps.min() ?? Int64(stepHours) * 3_600
    findings.lines.append(
      "times: \(dataset.times.count) from \(first.display) to \(last.display), every \(interval / 60) min")
    if Int64(stepHours) * 3_600 % interval != 0 {
      findings.problems.append(
        "data.stepHours: \(stepHours) h is not a multiple of the data's interval of \(interval / 60) min")
    }
    let gaps = zip(dataset.times, dataset.times.dropFirst()).filter { $1.seconds - $0.seconds > interval }
    if !gaps.isEmpty {
      let missing = gaps.reduce(0) { $0 + Int(($1.1.seconds - $1.0.seconds) / interval) - 1 }
      findings.lines.append("gaps: \(missing) times are missing in \(gaps.count) gaps")
      for (before, after) in gaps.prefix(10) {
        findings.lines.append("  between \(before.display) and \(after.display)")
      }
      if gaps.count > 10 { findings.lines.append("  and \(gaps.count - 10) more") }
    }
    for (name, period) in periods {
      let (start, end) = try period.range("data.\(name)")
      let times = dataset.indices(from: start, through: end).count
      let expected = Int((end.seconds - start.seconds) / interval) + 1
      findings.lines.append("\(name): \(times) of \(expected) times, \(start.display) … \(end.display)")
      if times < 2 { findings.problems.append("data.\(name) holds \(times) times of these data") }
    }
  }

  // MARK: Values

  private func checkValues(_ dataset: FieldDataset, _ findings: inout Findings) throws {
    var indices = Set<Int>()
    for (name, period) in periods {
      let (start, end) = try period.range("data.\(name)")
      indices.formUnion(dataset.indices(from: start, through: end))
    }
    let wanted = periods.isEmpty ? Array(dataset.times.indices) : indices.sorted()
    let (channels, size) = (dataset.channels.count, dataset.grid.count)
    // For each channel: times with missing values, such values, the first such time.
    var counts = [Double](repeating: 0, count: 2 * channels)
    var firsts = [Double](repeating: .infinity, count: channels)
    let began = monotonicSeconds()
    try world.together {
      let planes = UnsafeMutablePointer<Float>.allocate(capacity: max(1, channels * size))
      defer { planes.deallocate() }
      for (done, position) in stride(from: world.rank, to: wanted.count, by: world.size).enumerated() {
        try dataset.read(time: wanted[position], into: planes)
        for channel in 0..<channels {
          let values = UnsafeBufferPointer(start: planes + channel * size, count: size)
          let missing = values.reduce(0) { $0 + ($1.isFinite ? 0 : 1) }
          if missing == 0 { continue }
          counts[2 * channel] += 1
          counts[2 * channel + 1] += Double(missing)
          firsts[channel] = min(firsts[channel], Double(wanted[position]))
        }
        console.progress(
          "check", done: min(wanted.count, (done + 1) * world.size), of: wanted.count, since: began, detail: "times")
      }
    }
    counts = try world.allReduce(counts)
    firsts = try world.allReduce(firsts, .minimum)
    findings.lines.append("values: \(wanted.count) times read")
    for channel in 0..<channels where counts[2 * channel] > 0 {
      let time = dataset.times[Int(firsts[channel])]
      findings.problems.append(
        "\(dataset.channels[channel].name) has \(Int(counts[2 * channel + 1])) missing values in "
          + "\(Int(counts[2 * channel])) of \(wanted.count) times, first at \(time.display) "
          + "(\(dataset.place(of: channel, time: Int(firsts[channel]))))")
    }
  }
}
