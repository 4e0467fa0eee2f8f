import Basics
import Communication
import Distribution
import GraphChecks
import Models
import Workflow

#if canImport(Glibc)
  import Glibc
#endif

/// Runs golden cases of anemoi-models, folders with config.json, graph.safetensors, weights.safetensors, case.safetensors and
/// losses.json, and prints the largest errors of everything in them as JSON, one line per folder:
///   graph-checks [--threads N] [--checkpoint] [--chunks N] [--groups N] FOLDER …
/// Encoder and decoder in chunks, layers in groups whose inputs are kept where blocks are checkpointed.
/// On several ranks, against the original and against one rank; what is more than domain × tensor is replicas. Ranks are threads,
/// or processes if started by mpirun, without --ranks:
///   graph-checks --ranks N --domain P --tensor Q FOLDER …
/// Or runs a checkpoint of Anemoi on the inputs of a recorded forecast (input_0, output_0, input_1, …) and compares the outputs:
///   graph-checks --import FILE.ckpt --forecast FILE.safetensors
@main
struct GraphChecksMain {
  static func main() {
    do {
      try run(try Options(CommandLine.arguments.dropFirst()))
    } catch {
      _ = "graph-checks: \(error)\n".withCString { write(STDERR_FILENO, $0, strlen($0)) }
      exit(1)
    }
  }

  private struct Options {
    var folders: [String] = []
    var threads = 1
    var checkpoints = false
    var parts = ComputationParts()
    var checkpoint, forecast: String?
    var ranks: Int?
    var (domain, tensor) = (1, 1)

    init(_ arguments: ArraySlice<String>) throws {
      var arguments = arguments
      func count(_ option: String) throws -> Int {
        guard let value = arguments.popFirst().flatMap(Int.init), value > 0 else {
          throw JigsawError(option, "needs a whole number above zero")
        }
        return value
      }
      while let argument = arguments.popFirst() {
        switch argument {
        case "--threads": threads = try count(argument)
        case "--chunks": parts.mapper = try count(argument)
        case "--groups": parts.processor = try count(argument)
        case "--ranks": ranks = try count(argument)
        case "--domain": domain = try count(argument)
        case "--tensor": tensor = try count(argument)
        case "--checkpoint": checkpoints = true
        case "--import": checkpoint = arguments.popFirst()
        case "--forecast": forecast = arguments.popFirst()
        default: folders.append(argument)
        }
      }
    }

    func mesh(_ count: Int) throws -> Mesh {
      guard count % (domain * tensor) == 0 else {
        throw JigsawError(
          "--ranks", "is no multiple of domain × tensor", expected: "a multiple of \(domain * tensor)",
          found: "\(count)")
      }
      return Mesh(replica: count / (domain * tensor), domain: domain, tensor: tensor)
    }
  }

  private static func run(_ options: Options) throws {
    if let checkpoint = options.checkpoint, let forecast = options.forecast {
      print(try ForecastCheck(checkpoint, forecast, threads: options.threads).line)
      return
    }
    guard !options.folders.isEmpty else {
      throw JigsawError(
        "graph-checks",
        "is used as: graph-checks [--threads N] [--checkpoint] [--chunks N] [--groups N] [--ranks N --domain P --tensor Q] FOLDER … | "
          + "--import FILE.ckpt --forecast FILE.safetensors")
    }
    if options.domain * options.tensor == 1 && options.ranks ?? 1 == 1 {
      return try forEachFolder(options) {
        try GraphCheck(
          $0, threads: options.threads, checkpointsActivations: options.checkpoints, parts: options.parts
        ).run()
      }
    }
    try Ranks.run(asThreads: options.ranks ?? (Ranks.isUnderLauncher ? 1 : options.domain * options.tensor)) {
      try check(options, $0)
    }
  }

  private static func check(_ options: Options, _ world: any Communicator) throws {
    let context = try RankContext(try options.mesh(world.size), world)
    try forEachFolder(options, isSpeaking: world.rank == 0) {
      try MeshCheck(
        $0, threads: options.threads, checkpointsActivations: options.checkpoints, parts: options.parts, context
      ).run()
    }
  }

  private static func forEachFolder(
    _ options: Options, isSpeaking: Bool = true, _ check: (String) throws -> JSONValue
  ) throws {
    var failed: [String] = []
    for folder in options.folders {
      do {
        let report = try check(folder)
        if isSpeaking { print(report.line) }
      } catch {
        if isSpeaking { print(JSONValue.object(["case": .string(folder), "error": .string("\(error)")]).line) }
        failed.append(folder)
      }
    }
    if !failed.isEmpty {
      throw JigsawError(failed.joined(separator: ", "), "could not be checked; see the errors above")
    }
  }
}
