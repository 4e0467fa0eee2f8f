import ArgumentParser
import Basics
import Communication
import Configuration
import Workflow

struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure this machine, or a training step of a configuration.",
    subcommands: [MachineRatesCommand.self, Step.self])

  struct MachineRatesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "machine", abstract: "Measure what processor, memory and network give.",
      discussion: """
        The peak of fused multiply-adds, rates of matrix products and of memory, each with one thread and with all, medians
        of repetitions. They are stored in ~/.cache/jigsaw/machine-HOST.json (below $XDG_CACHE_HOME if that is set), from
        which 'jigsaw train' takes its share of the peak, and which 'jigsaw plan' predicts from. On several ranks the links between them are measured and added
        to that file: 'mpirun -n 2 jigsaw bench machine'. Nothing else should run meanwhile.
        """)

    @Option(help: ArgumentHelp("Where to store the rates.", valueName: "file")) var output: String?
    @Flag(help: "Less exact, below 5 seconds.") var quick = false
    @Option(help: ArgumentHelp("Threads at most; 0: as many as CPUs.", valueName: "count")) var threads = 0
    @OptionGroup var ranks: RankOptions

    func validate() throws { try checkThreads(threads) }

    func run() throws {
      try ranks.run { [output, quick, threads] world in
        let text = try BenchMachine(output: output, isQuick: quick, threads: threads, on: world).run()
        if world.rank == 0 { try show(text) }
      }
    }
  }

  struct Step: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "step", abstract: "Measure a training step, phase by phase.",
      discussion: """
        Nothing is read but the grid and the variables of the configuration's sources, and not even these with --grid and
        --variables: the fields are made up. One update is one micro-batch and one step of rollout. Under mpirun or srun all
        ranks step together, and the times are those of the slowest rank. docs/benchmarks.md explains the columns.
        """)

    @Argument(help: "The configuration (YAML).") var config: String
    @OptionGroup var settings: Settings
    @Option(help: ArgumentHelp("Steps that are measured, after two that are not.", valueName: "count")) var updates = 10
    @Option(help: ArgumentHelp("Threads of each rank, instead of the configuration's.", valueName: "count"))
    var threads: Int?
    @Option(help: ArgumentHelp("The grid, for example 128x256 or o96; needs --variables.", valueName: "grid"))
    var grid: NamedGrid?
    @Option(help: ArgumentHelp("How many fields are predicted; needs --grid.", valueName: "count")) var variables: Int?
    @Flag(help: "Measure steps of a forecast instead.") var forecast = false
    @OptionGroup var json: JSONOutput
    @OptionGroup var ranks: RankOptions

    func validate() throws {
      if !(1...1_000_000).contains(updates) {
        throw ValidationError("--updates must be between 1 and 1000000, not \(updates).")
      }
      if let threads { try checkThreads(threads) }
      if (grid == nil) != (variables == nil) { throw ValidationError("--grid and --variables go together.") }
      if let variables, !(1...100_000).contains(variables) {
        throw ValidationError("--variables must be between 1 and 100000, not \(variables).")
      }
    }

    func run() throws {
      var configuration = try settings.load(config)
      if let threads { configuration.threads = threads }
      var request = BenchStep.Request()
      request.updates = updates
      request.grid = grid
      request.variables = variables
      request.isForecast = forecast
      try ranks.run { [configuration, request, json] world in
        let report = try BenchStep(configuration, request, on: world).run()
        guard world.rank == 0 else { return }
        try json.write(report.json(), text: report.table)
      }
    }
  }
}

extension NamedGrid: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}

func checkThreads(_ threads: Int) throws {
  if !(0...1_024).contains(threads) { throw ValidationError("--threads must be between 0 and 1024, not \(threads).") }
}
