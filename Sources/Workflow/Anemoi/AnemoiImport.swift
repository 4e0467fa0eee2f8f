import Basics
import Checkpoints
import Datasets
import Forecasting
import Geometry
import Stores
import Training

/// `jigsaw import anemoi`: an inference checkpoint as a folder of plain files, and as a run (`AnemoiRun`) with
/// `config.yaml`, `statistics.json` and `checkpoints`, where its model can be one.
///
/// * `model.json`: what the model reads and predicts, and where it comes from.
/// * `weights.safetensors`: the state dict by its original names.
/// * `graph.safetensors`: points and edges (`GraphFile`).
/// * `arrays.safetensors`: supporting arrays: coordinates in degrees, masks.
/// * `metadata.json`: the checkpoint's own metadata, unchanged.
public enum AnemoiImport {
  public static let format = "jigsaw-imported-model"

  /// Says what was written.
  ///
  /// - Parameter data: a store with the model's variables, for the run's configuration; nil: the one that the checkpoint names.
  public static func run(_ path: String, to output: String, data: String? = nil, overwrites: Bool) throws -> String {
    if Files.exists(output) && !overwrites {
      throw JigsawError(output, "already exists", remedy: "pass --overwrite or name another output")
    }
    try Replaceable.require(output, inputs: [path])
    try Replaceable.requireFolder(output, mark: "model.json") { try isOwn($0, in: output) }
    let lock = try OutputLock(output)
    defer { withExtendedLifetime(lock) {} }
    let checkpoint = try AnemoiCheckpoint(path)
    try Temporary.removeAbandoned(of: output)
    let folder = Temporary.name(for: output)
    var (run, obstacle) = try Self.run(of: checkpoint, output: output, data: data)
    let notes = data == nil ? [run?.dataNote].compactMap(\.self) : try run?.compareData() ?? []
    do {
      try write(checkpoint, to: folder)
      try run?.write(to: folder)
      try Files.replace(output, by: folder)
    } catch {
      try? Files.remove(folder)
      throw error
    }
    let remarks = notes.map { "note: \($0)" } + (obstacle.map { ["no run: \($0)"] } ?? [])
    return ([summary(checkpoint)] + remarks + ["wrote \(output)"]).joined(separator: "\n")
  }

  /// Files that are written, and those that commands on the run add.
  private static let written: Set<String> = [
    "weights.safetensors", "graph.safetensors", "graph-by-rows.safetensors", "arrays.safetensors", "metadata.json",
    "statistics.json", "config.yaml", "provenance.json", "train.log", "metrics.csv", "validation.csv", "forecast",
    "evaluation", "report.html", ".replaced",
  ]

  private static func isOwn(_ name: String, in folder: String) throws -> Bool {
    let place = "\(folder)/\(name)"
    switch name {
    case "checkpoints": return try Files.list(place).allSatisfy(CheckpointFolder.isOwn)
    case "tensorboard": return try Files.list(place).allSatisfy(TensorBoardFile.isOwn)
    default:
      return written.contains(name) || ForecastFormat.defaultNames.contains(name)
        || name.hasPrefix("evaluation-") && Files.exists("\(place)/\(RunFolder.lineageName)")
    }
  }

  /// The run, or why there can't be one.
  private static func run(
    of checkpoint: AnemoiCheckpoint, output: String, data: String?
  ) throws -> (AnemoiRun?, JigsawError?) {
    do { return (try AnemoiRun(checkpoint, output: output, data: data), nil) } catch let error as JigsawError {
      return (nil, error)
    }
  }

  private static func write(_ checkpoint: AnemoiCheckpoint, to folder: String) throws {
    try Files.createDirectory(folder)
    var weights: [String: Safetensors.Tensor] = [:]
    for name in checkpoint.state.keys { weights[name] = try checkpoint.tensor(name) }
    try Safetensors.write(weights, to: "\(folder)/weights.safetensors")
    try GraphFile.write(checkpoint.graph, to: "\(folder)/graph.safetensors")
    try Safetensors.write(try checkpoint.supportingArrays(), to: "\(folder)/arrays.safetensors")
    try Files.writeAtomically(try checkpoint.metadata.text() + "\n", to: "\(folder)/metadata.json")
    try Files.writeAtomically(try manifest(checkpoint).text() + "\n", to: "\(folder)/model.json")
  }

  static func manifest(_ checkpoint: AnemoiCheckpoint) throws -> JSONValue {
    let roles = checkpoint.roles
    let metadata = checkpoint.metadata
    let versions = metadata["provenance_training"]?["module_versions"]?.object ?? [:]
    return .object([
      "format": .string(format), "version": .integer(1),
      "writtenBy": .string("jigsaw \(jigsawVersion)"),
      "source": .object([
        "file": .string(checkpoint.path.split(separator: "/").last.map(String.init) ?? checkpoint.path),
        "uuid": metadata["uuid"] ?? .null, "run": metadata["run_id"] ?? .null,
        "trained": metadata["timestamp"] ?? .null,
        "anemoi": .object(versions.filter { $0.key.hasPrefix("anemoi") || $0.key == "torch" }),
      ]),
      "dataset": .string(checkpoint.dataset),
      "inputSteps": .integer(checkpoint.inputSteps), "outputSteps": .integer(checkpoint.outputSteps),
      "timestep": checkpoint.timestep.map { .string($0) } ?? .null,
      "variables": .array(
        checkpoint.variables.map { .object(["name": .string($0), "role": roles[$0].map { .string($0) } ?? .null]) }),
      "points": .object(
        checkpoint.graph.spaces.mapValues {
          .object(["count": .integer($0.count), "fingerprint": .string($0.fingerprint)])
        }),
    ])
  }

  private static func summary(_ checkpoint: AnemoiCheckpoint) -> String {
    let roles = Dictionary(grouping: checkpoint.roles.values) { $0 }.mapValues(\.count)
    let counts = ["prognostic", "forcing", "diagnostic"].map { "\(roles[$0] ?? 0) \($0)" }.joined(separator: ", ")
    let elements = checkpoint.state.values.reduce(0) { $0.addingSaturating($1.count) }
    return """
      \(checkpoint.path): \(checkpoint.state.count) tensors, \(elements) numbers
      variables: \(checkpoint.variables.count) (\(counts)), \(checkpoint.inputSteps) states in, \(checkpoint.outputSteps) out\
      \(checkpoint.timestep.map { ", every \($0)" } ?? "")
      \(GraphReport.text(checkpoint.graph))
      """
  }
}
