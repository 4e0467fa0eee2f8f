import Basics
import GraphChecks

/// Runs golden cases of anemoi-models, folders with config.json, graph.safetensors, weights.safetensors, case.safetensors and
/// losses.json, and prints the largest errors of everything in them as JSON, one line per folder:
///   graph-checks [--threads N] [--checkpoint] FOLDER …
@main
struct GraphChecksMain {
  static func main() throws {
    var folders: [String] = []
    var threads = 1
    var checkpoints = false
    var arguments = CommandLine.arguments.dropFirst()[...]
    while let argument = arguments.popFirst() {
      switch argument {
      case "--threads":
        guard let value = arguments.popFirst().flatMap(Int.init), value > 0 else {
          throw JigsawError("--threads", "needs a whole number above zero")
        }
        threads = value
      case "--checkpoint": checkpoints = true
      default: folders.append(argument)
      }
    }
    guard !folders.isEmpty else {
      throw JigsawError("graph-checks", "is used as: graph-checks [--threads N] [--checkpoint] FOLDER …")
    }
    for folder in folders {
      print(try GraphCheck(folder, threads: threads, checkpointsActivations: checkpoints).run().line)
    }
  }
}
