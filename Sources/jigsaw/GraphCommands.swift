import ArgumentParser
import Workflow

struct GraphCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "graph", abstract: "Make, show and draw the graphs of models on any grid.",
    subcommands: [Build.self, Inspect.self, Plot.self])

  struct Build: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "build", abstract: "Make a graph as a configuration says.",
      discussion: """
        The configuration is that of anemoi-graphs: nodes and edges with their builders and attributes (docs/graphs.md). Points
        of a dataset are those of any store that this program opens. The file is read by models here, and by others as a
        safetensors file.
        """)

    @Argument(help: "The graph's configuration (YAML).") var config: String
    @Argument(help: "The file to write, for example graph.safetensors.") var output: String
    @Option(help: ArgumentHelp("Threads; 0: all.", valueName: "count")) var threads = 0
    @Flag(help: "Replace the file if it exists.") var overwrite = false

    func validate() throws {
      if !(0...1_024).contains(threads) {
        throw ValidationError("--threads must be between 0 and 1024, not \(threads).")
      }
    }

    func run() throws { try show(GraphWorkflow.build(config, to: output, overwrites: overwrite, threads: threads)) }
  }

  struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "inspect", abstract: "Show the points, edges and attributes of a graph.")

    @Argument(help: "A graph file, or an inference checkpoint of Anemoi (.ckpt).") var path: String

    func run() throws { try show(GraphWorkflow.inspect(path)) }
  }

  struct Plot: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "plot", abstract: "Draw a graph on maps, as an SVG file.")

    @Argument(help: "A graph file, or an inference checkpoint of Anemoi (.ckpt).") var path: String
    @Argument(help: "The file to write, for example graph.svg.") var output: String
    @Option(
      help: ArgumentHelp("The area to draw, degrees: north,west,south,east; the globe by default.", valueName: "area"))
    var area: String?

    func run() throws { try show(GraphWorkflow.plot(path, to: output, area: area)) }
  }
}

struct Import: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import", abstract: "Take over models that others trained.", subcommands: [Anemoi.self])

  struct Anemoi: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "anemoi", abstract: "Take over an inference checkpoint of Anemoi.",
      discussion: """
        Reads weights, graph, variables, statistics and metadata from the file that anemoi-training wrote, without executing
        anything of it, checks that they fit each other, and writes them as plain files and as a run, which forecast, evaluate,
        report and resume take like one that was trained here (docs/graph-models.md).
        """)

    @Argument(help: "The checkpoint, for example inference-last.ckpt.") var checkpoint: String
    @Argument(help: "The folder to write, for example runs/aifs.") var output: String
    @Option(help: "The data for its forecasts, for example aifs.zarr; default: what the checkpoint was trained on.")
    var data: String?
    @Flag(help: "Replace the folder if it exists.") var overwrite = false

    func run() throws { try show(AnemoiImport.run(checkpoint, to: output, data: data, overwrites: overwrite)) }
  }
}

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Hand models to other programs.", subcommands: [Anemoi.self])

  struct Anemoi: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "anemoi", abstract: "Write a run of a graph model as anemoi-models has it.",
      discussion: """
        Writes state_dict.safetensors (weights, coordinates, normalisers by their names in anemoi-models 0.19), graph.safetensors
        and variables.json (docs/graph-models.md). Of the best checkpoint, else the newest; the moving average where there is one.
        """)

    @Argument(help: "The run folder.") var runFolder: String
    @Argument(help: "The folder to write.") var output: String
    @Flag(help: "Replace the folder if it exists.") var overwrite = false

    func run() throws { try show(AnemoiExport.run(runFolder, to: output, overwrites: overwrite)) }
  }
}
