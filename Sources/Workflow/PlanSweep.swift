import Basics
import Planning
import Reporting

/// `jigsaw plan --sweep`: how a training scales over numbers of ranks, as a table and pictures.
///
/// Strong scaling keeps the samples of an update, weak scaling those of an update per rank. Both begin with the smallest
/// number of ranks that a layout fits on, which the efficiency refers to.
public struct PlanSweep {
  struct Point {
    let scaling: String
    let ranks: Int
    let layout: PlanReport.Layout
    /// Samples per second and rank relative to those of the first point.
    let efficiency: Double
  }

  private let workflow: PlanWorkflow
  private let ranks: [Int]
  private let console: Console

  /// - Parameter ranks: ascending.
  public init(_ workflow: PlanWorkflow, ranks: [Int], console: Console = Console()) {
    precondition(!ranks.isEmpty)
    self.workflow = workflow
    self.ranks = ranks
    self.console = console
  }

  /// Powers of two between two numbers, both included where they are such.
  public static func powers(_ range: ClosedRange<Int>) -> [Int] {
    (0..<20).map { 1 << $0 }.filter(range.contains)
  }

  /// Layouts simulated for one number of ranks: fewer than for one plan, since neighbours tell much of each other.
  private static let simulations = 8

  /// - Returns: a table for people.
  /// - Throws: where files of these names are in the folder that no sweep wrote.
  public func run(into folder: String) throws -> String {
    let table = "\(folder)/scaling.csv"
    try Replaceable.requireMarked(table, by: [PlanSweep.csv([])], what: "table of 'jigsaw plan --sweep'")
    for name in ScalingCharts.names where !Files.exists(table) && Files.exists("\(folder)/\(name).svg") {
      throw JigsawError(
        "\(folder)/\(name).svg", "already exists, without the scaling.csv of a sweep beside it",
        remedy: "name another --output")
    }
    let sizes = try workflow.sizes()
    func best(_ count: Int, _ globalBatch: Int) throws -> (PlanReport.Layout, PlannedMachine)? {
      var problem = try workflow.problem(
        sizes, ranks: count, globalBatch: globalBatch)
      problem.search.simulations = PlanSweep.simulations
      let machine = problem.search.machine
      return try problem.search.best(ranks: count).fitting.first.map {
        (PlanReport.Layout($0, machine, samplesPerEpoch: sizes.samplesPerEpoch), machine)
      }
    }
    var points: [Point] = []
    var machine: PlannedMachine?
    let fixedBatch = workflow.samplesPerUpdate
    for scaling in ["strong", "weak"] {
      var first: (ranks: Int, layout: PlanReport.Layout)?
      for count in ranks {
        console.update("\(scaling) scaling: \(count) ranks")
        let grown = fixedBatch * count / (first?.ranks ?? count)
        guard let (layout, found) = try best(count, scaling == "strong" ? fixedBatch : grown) else { continue }
        machine = machine ?? found
        let begin = first ?? (count, layout)
        first = begin
        let perRank = layout.samplesPerSecond / Double(count)
        points.append(
          Point(
            scaling: scaling, ranks: count, layout: layout,
            efficiency: perRank / (begin.layout.samplesPerSecond / Double(begin.ranks))))
      }
    }
    guard let machine else {
      throw JigsawError(
        "--sweep", "finds no layout that fits on \(ranks[0]) to \(ranks[ranks.count - 1]) ranks",
        remedy: "ask for one number with --ranks, which says how many it takes")
    }
    try Files.createDirectory(folder)
    try Files.writeAtomically(PlanSweep.csv(points), to: table)
    for (name, chart) in ScalingCharts(points, machine).all {
      try Files.writeAtomically(chart.svg(), to: "\(folder)/\(name).svg")
    }
    return "\(PlanSweep.table(points, machine))\n\nwrote \(folder)/scaling.csv and \(folder)/*.svg"
  }

  static func csv(_ points: [Point]) -> String {
    let columns = [
      "scaling", "ranks", "replica", "domain", "tensor", "checkpointActivations", "splitOptimizer", "batch",
      "accumulation", "globalBatch", "secondsPerUpdate", "samplesPerSecond", "efficiency", "shareOfPeak", "waitSeconds",
      "readingWaitSeconds", "memoryBytes", "productFLOPs", "passBytes", "bytesSentReplica", "bytesSentDomain",
      "bytesSentTensor", "bytesRead",
    ]
    let rows = points.map { point in
      let layout = point.layout
      let sizes = [
        point.ranks, layout.replica, layout.domain, layout.tensor, layout.checkpointActivations ? 1 : 0,
        layout.splitOptimizer ? 1 : 0, layout.batch, layout.accumulation, layout.globalBatch,
      ]
      let rates = [
        layout.secondsPerUpdate, layout.samplesPerSecond, point.efficiency, layout.shareOfPeak, layout.waitSeconds,
        layout.readingWaitSeconds,
      ]
      let sent = ["replica", "domain", "tensor"].map { layout.bytesSent[$0] ?? 0 }
      let counts = [layout.memory.total, layout.productFLOPs, layout.passBytes] + sent + [layout.bytesRead]
      let cells = [point.scaling] + sizes.map(String.init) + rates.map { String($0) } + counts.map(String.init)
      return cells.joined(separator: ",")
    }
    return ([columns.joined(separator: ",")] + rows).joined(separator: "\n") + "\n"
  }

  static func table(_ points: [Point], _ machine: PlannedMachine) -> String {
    let columns = [
      "scaling", "ranks", "layout", "samples per update", "update ms", "samples/s", "efficiency %", "% of peak",
      "waiting %", "GB per rank",
    ]
    let note = machine.isGPU ? "; this program runs on processors: what the same schedules would do on these GPUs" : ""
    return "\(machine.name): a rank is \(machine.rank), \(machine.precision) products\(note)\n\n"
      + InspectWorkflow.table(
        [columns]
          + points.map { point in
            let layout = point.layout
            return [
              point.scaling, "\(point.ranks)",
              layout.mesh + (layout.splitOptimizer ? " split" : "")
                + (layout.checkpointActivations ? " checkpointing" : ""),
              "\(layout.globalBatch)", significant(1e3 * layout.secondsPerUpdate, 3),
              significant(layout.samplesPerSecond, 3), fixed(100 * point.efficiency, 1),
              fixed(100 * layout.shareOfPeak, 1), fixed(100 * layout.waitSeconds / layout.secondsPerUpdate, 1),
              fixed(Double(layout.memory.total) * 1e-9, 2),
            ]
          })
  }
}
