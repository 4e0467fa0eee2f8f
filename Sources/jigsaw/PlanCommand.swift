import ArgumentParser
import Basics
import Workflow

struct Plan: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan", abstract: "Predict memory, time and traffic of a training before it runs.",
    discussion: """
      Simulates the trainer's own steps on a machine that need not be available: one of the catalogue ('jigsaw machines'), one
      described in a file, or this one as 'jigsaw bench machine' measured it, else as some seconds of measuring find it. Of all layouts of --ranks ranks that fit into
      memory the fastest is shown with its runners-up. Nothing is read but the grid, the variables and the times of the
      configuration's sources, and not even these with --grid and --variables. docs/plan.md explains the answer.

        jigsaw plan my.yaml --machine horeka-a100-40 --ranks 64
        jigsaw plan my.yaml --machine ~/.cache/jigsaw/machine-$(hostname).json --mesh 1x2x1 --threads 1
      """)

  @Argument(help: "The configuration (YAML).") var config: String
  @OptionGroup var settings: Settings
  @Option(
    help: ArgumentHelp(
      "A machine of the catalogue, a description, or a file of 'jigsaw bench machine'; by default that of this machine.",
      valueName: "name-or-file"))
  var machine: String?
  @Option(help: ArgumentHelp("Ranks to find the best layout for.", valueName: "count")) var ranks = 1
  @Option(
    help: ArgumentHelp(
      "Predict this mesh alone, replica x domain x tensor, with the configuration's checkpointing and splitting.",
      valueName: "mesh"))
  var mesh: MeshSize?
  @Option(help: ArgumentHelp("Machines like this one that there are, where it was measured.", valueName: "count"))
  var nodes = 1
  @Option(help: ArgumentHelp("Threads of each rank, where ranks are processors.", valueName: "count"))
  var threads: Int?
  @Option(
    help: ArgumentHelp(
      "Of products, instead of the configuration's: fp32, tf32, bf16 or bf16x3, as far as the machine has them.",
      valueName: "precision"))
  var precision: String?
  @Option(
    help: ArgumentHelp(
      "The grid: rows and columns, for example 720x1440, or an octahedral reduced Gaussian grid, for example o1280; needs "
        + "--variables.", valueName: "grid"))
  var grid: NamedGrid?
  @Option(help: ArgumentHelp("How many fields are predicted; needs --grid.", valueName: "count")) var variables: Int?
  @Option(help: ArgumentHelp("Instead of those that the data have.", valueName: "count")) var samplesPerEpoch: Int?
  @Option(
    help: ArgumentHelp(
      "Keep so many samples per update over all replicas, instead of the batch of each.", valueName: "count"))
  var globalBatch: Int?
  @Option(help: ArgumentHelp("Steps of rollout, instead of the first stage's.", valueName: "steps")) var rollout: Int?
  @Flag(inversion: .prefixedNo, help: "Whether samples have to be read from files.") var reading = true
  @Flag(help: "Print only what one rank computes, sends and reads, as counted.") var counts = false
  @OptionGroup var json: JSONOutput
  @Option(
    help: ArgumentHelp(
      "Strong and weak scaling over powers of two, for example ranks=1..4096: pictures and a table into --output.",
      valueName: "range"))
  var sweep: RankRange?
  @Option(help: ArgumentHelp("Folder for --sweep.", valueName: "folder")) var output: String?

  func validate() throws {
    func check(_ name: String, _ value: Int?, _ range: ClosedRange<Int>) throws {
      if let value, !range.contains(value) {
        throw ValidationError("--\(name) must be between \(range.lowerBound) and \(range.upperBound), not \(value).")
      }
    }
    try check("ranks", ranks, 1...MeshSize.mostRanks)
    try check("nodes", nodes, 1...MeshSize.mostRanks)
    try check("threads", threads, 1...1_024)
    try check("variables", variables, 1...100_000)
    try check("samples-per-epoch", samplesPerEpoch, 1...1_000_000_000)
    try check("global-batch", globalBatch, 1...1_000_000)
    try check("rollout", rollout, 1...1_000)
    if (grid == nil) != (variables == nil) { throw ValidationError("--grid and --variables go together.") }
    if (sweep == nil) != (output == nil) { throw ValidationError("--sweep and --output go together.") }
    if sweep != nil && (mesh != nil || counts || json.path != nil) {
      throw ValidationError("--sweep has an answer of its own: leave --mesh, --counts and --json out.")
    }
    if mesh != nil && ranks != 1 { throw ValidationError("--mesh says how many ranks there are: leave --ranks out.") }
  }

  func run() throws {
    if let machine { try run(on: machine) } else { try PlanWorkflow.withMeasuredMachine { try run(on: $0) } }
  }

  private func run(on machine: String) throws {
    var request = PlanWorkflow.Request(machine: machine)
    request.nodes = nodes
    request.ranks = ranks
    request.mesh = mesh.map { ($0.replica, $0.domain, $0.tensor) }
    request.threads = threads
    request.precision = precision
    request.grid = grid
    request.variables = variables
    request.samplesPerEpoch = samplesPerEpoch
    request.globalBatch = globalBatch
    request.rolloutSteps = rollout
    request.reads = reading
    let workflow = PlanWorkflow(try settings.load(config), request)
    if let sweep, let output {
      try show(PlanSweep(workflow, ranks: PlanSweep.powers(sweep.range)).run(into: output))
      return
    }
    let report = try workflow.run()
    try json.write(report.json(), text: counts ? report.counts : report.text)
  }
}

struct Machines: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "machines", abstract: "Show the machines that 'jigsaw plan' knows.",
    discussion: """
      Without a name a list; with one its description: every figure with its source, and whether it is assumed. Saved and
      edited it describes a machine of your own.
      """)

  @Argument(help: "A machine of the list.") var name: String?

  func run() throws { try show(PlanWorkflow.machines(named: name), terminator: "") }
}

/// "2x4x1".
struct MeshSize: ExpressibleByArgument {
  let replica, domain, tensor: Int

  static let mostRanks = 65_536

  init?(argument: String) {
    let parts = argument.split(separator: "x", omittingEmptySubsequences: false).compactMap { Int($0) }
    guard parts.count == 3, argument.filter({ $0 == "x" }).count == 2,
      parts.allSatisfy({ (1...MeshSize.mostRanks).contains($0) }), parts.reduce(1, *) <= MeshSize.mostRanks
    else { return nil }
    (replica, domain, tensor) = (parts[0], parts[1], parts[2])
  }
}

/// "ranks=1..4096".
struct RankRange: ExpressibleByArgument {
  let range: ClosedRange<Int>

  init?(argument: String) {
    guard argument.hasPrefix("ranks=") else { return nil }
    let ends = argument.dropFirst("ranks=".count).replacing("..", with: " ").split(separator: " ").map { Int($0) }
    guard ends.count == 2, let first = ends[0], let last = ends[1], first >= 1, last <= MeshSize.mostRanks,
      first <= last, !PlanSweep.powers(first...last).isEmpty
    else { return nil }
    range = first...last
  }
}
