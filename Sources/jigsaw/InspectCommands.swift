import ArgumentParser
import Basics
import Configuration
import Workflow

struct CheckpointCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "checkpoint", abstract: "Look into checkpoints.",
    subcommands: [Inspect.self, Verify.self, Reshard.self])

  struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "inspect", abstract: "Show a checkpoint's model, inputs, progress and tensors.")

    @Argument(help: "A checkpoint folder, for example runs/my/checkpoints/update-0001000.") var path: String
    @OptionGroup var json: JSONOutput

    func run() throws {
      let report = try CheckpointReport(path)
      try json.write(report.json(), text: report.text)
    }
  }
}

extension CheckpointCommand {
  struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "verify", abstract: "Read all of a checkpoint and compare it with its checksums.",
      discussion: """
        Names every file and tensor that is not what was written. Ends with status 1 if there is one, or if the checkpoint is
        of version 0.1, which had no checksums.
        """)

    @Argument(help: "A checkpoint folder, for example runs/my/checkpoints/update-0001000.") var path: String

    func run() throws {
      let problems = try InspectWorkflow.verify(path)
      for problem in problems { try show("problem: \(problem)") }
      if !problems.isEmpty { throw ExitCode.failure }
      try show("\(path): manifest, files and tensors are as they were written")
    }
  }
}

extension CheckpointCommand {
  struct Reshard: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "reshard", abstract: "Show what each rank of another mesh will hold of a checkpoint.",
      discussion: """
        Checkpoints are the same files whatever mesh wrote them, and every mesh reads its parts from them in place: nothing
        has to be converted. This checks that all parts are there and prints what each rank will read and keep.
        """)

    @Argument(help: "A checkpoint folder, for example runs/my/checkpoints/update-0001000.") var path: String
    @Option(help: ArgumentHelp("Ranks that share each state by tokens.", valueName: "ranks")) var domain = 1
    @Option(help: ArgumentHelp("Ranks that share each state by channels and fields.", valueName: "ranks")) var tensor =
      1

    func validate() throws {
      for (name, ranks) in [("--domain", domain), ("--tensor", tensor)] where !(1...65_536).contains(ranks) {
        throw ValidationError("\(name) must be between 1 and 65536 ranks, not \(ranks).")
      }
    }

    func run() throws { try show(InspectWorkflow.reshard(path, domain: domain, tensor: tensor)) }
  }
}

struct Config: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config",
    abstract: "Show, check and describe configurations.", subcommands: [Show.self, Validate.self, Schema.self])

  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "show", abstract: "Print a configuration with all settings resolved.")

    @Argument(help: "The configuration (YAML).") var config: String
    @Flag(help: "Explain every setting.") var comments = false
    @OptionGroup var settings: Settings

    func run() throws { try show(settings.load(config).yaml(comments: comments), terminator: "") }
  }

  struct Validate: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "validate", abstract: "Check a configuration and the data it names, without training.")

    @Argument(help: "The configuration (YAML).") var config: String
    @OptionGroup var settings: Settings

    func run() throws { try show(InspectWorkflow.validate(settings.load(config), file: config)) }
  }

  struct Schema: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "schema", abstract: "Print the JSON Schema of configurations, for editors.")

    func run() throws { try show(RunConfiguration.schema(), terminator: "") }
  }
}

struct Init: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "init", abstract: "Write a configuration to start from, every setting explained.")

  @Argument(help: "The file to write.") var path: String = "jigsaw.yaml"

  func run() throws {
    if Files.exists(path) { throw JigsawError(path, "already exists", remedy: "name another file") }
    try Files.writeAtomically(RunConfiguration.example.yaml(comments: true), to: path)
    try show("wrote \(path); name your data under data.sources, then 'jigsaw config validate \(path)'")
  }
}

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Show the machine, the libraries and the kernels that were chosen.")

  @OptionGroup var json: JSONOutput

  func run() throws {
    let report = try DoctorReport()
    try json.write(report.json(), text: report.text)
  }
}

struct Version: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "version", abstract: "Print the version.")

  func run() throws { try show("jigsaw \(jigsawVersion)") }
}
