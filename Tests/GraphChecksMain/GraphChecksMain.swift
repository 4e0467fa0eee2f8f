import Basics
import GraphChecks

#if canImport(Glibc)
  import Glibc
#endif

/// Runs golden cases of anemoi-models, folders with config.json, graph.safetensors, weights.safetensors, case.safetensors and
/// losses.json, and prints the largest errors of everything in them as JSON, one line per folder:
///   graph-checks [--threads N] [--checkpoint] FOLDER …
/// Or runs a checkpoint of Anemoi on the inputs of a recorded forecast (input_0, output_0, input_1, …) and compares the outputs:
///   graph-checks --import FILE.ckpt --forecast FILE.safetensors
@main
struct GraphChecksMain {
  static func main() {
    do {
      try run()
    } catch {
      _ = "graph-checks: \(error)\n".withCString { write(STDERR_FILENO, $0, strlen($0)) }
      exit(1)
    }
  }

  private static func run() throws {
    var folders: [String] = []
    var threads = 1
    var checkpoints = false
    var (checkpoint, forecast): (String?, String?)
    var arguments = CommandLine.arguments.dropFirst()[...]
    while let argument = arguments.popFirst() {
      switch argument {
      case "--threads":
        guard let value = arguments.popFirst().flatMap(Int.init), value > 0 else {
          throw JigsawError("--threads", "needs a whole number above zero")
        }
        threads = value
      case "--checkpoint": checkpoints = true
      case "--import": checkpoint = arguments.popFirst()
      case "--forecast": forecast = arguments.popFirst()
      default: folders.append(argument)
      }
    }
    if let checkpoint, let forecast {
      print(try ForecastCheck(checkpoint, forecast, threads: threads).line)
      return
    }
    guard !folders.isEmpty else {
      throw JigsawError(
        "graph-checks",
        "is used as: graph-checks [--threads N] [--checkpoint] FOLDER … | --import FILE.ckpt --forecast FILE.safetensors"
      )
    }
    var failed: [String] = []
    for folder in folders {
      do {
        print(try GraphCheck(folder, threads: threads, checkpointsActivations: checkpoints).run().line)
      } catch {
        print(JSONValue.object(["case": .string(folder), "error": .string("\(error)")]).line)
        failed.append(folder)
      }
    }
    if !failed.isEmpty {
      throw JigsawError(failed.joined(separator: ", "), "could not be checked; see the errors above")
    }
  }
}
