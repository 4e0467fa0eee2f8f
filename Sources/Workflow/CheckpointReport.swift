import Basics
import Checkpoints
import Datasets
import Models
import Stores
import Training

/// `jigsaw checkpoint inspect`: what a checkpoint says of itself.
public struct CheckpointReport: JSONReport {
  public struct File: Encodable, Sendable {
    public let name: String
    public let bytes: Int
    /// In the order in which they are stored.
    public let tensors: [Tensor]
  }

  public struct Tensor: Encodable, Sendable {
    public let name: String
    /// "F32", "BF16", "I64" …
    public let type: String
    public let shape: [Int]
  }

  public let format = "jigsaw-checkpoint-report-1"
  public let version = jigsawVersion
  public let path: String
  public let manifest: CheckpointManifest
  public let files: [File]

  public init(_ path: String) throws {
    self.path = path
    manifest = try Checkpoint(path).manifest
    files = try Files.list(path).filter { $0.hasSuffix(".safetensors") }.map { name in
      let entries = try Safetensors.File("\(path)/\(name)").entries
      return File(
        name: name, bytes: Files.size("\(path)/\(name)") ?? 0,
        tensors: entries.sorted { $0.value.range.lowerBound < $1.value.range.lowerBound }.map {
          Tensor(name: $0.key, type: $0.value.type, shape: $0.value.shape)
        })
    }
  }

  // MARK: For people

  public var text: String {
    let m = manifest
    let forcings = m.forcings.map(\.rawValue) + (m.readForcings ?? []).map { "\($0.channel.name) (read)" }
    var lines = [
      "\(path)  \(m.format), written by jigsaw \(m.version)",
      "  model: \(m.model.settings.title), \(m.parameterCount) parameters, \(m.model.settings.text)",
      "  grid: \(m.grid.summary)",
      "  step: \(m.stepHours) h; trained on \(m.trainingStart) … \(m.trainingEnd)",
      "  progress: update \(m.progress.update), \(m.progress.samples) samples (epoch "
        + "\(fixed(Double(m.progress.samples) / Double(m.progress.samplesPerEpoch), 2))), seed \(m.progress.seed)"
        + (m.progress.bestUpdate.map { ", best validation at \($0)" } ?? ""),
      "  began with: \(m.imported ?? m.initialWeights.map { "weights of \($0.summary)" } ?? "random numbers (seed \(m.progress.seed))")",
      "  static fields: \(m.staticFields.isEmpty ? "none" : m.staticFields.joined(separator: ", "))",
      "  forcings: \(forcings.isEmpty ? "none" : forcings.joined(separator: ", "))",
      "  input times: \(m.model.fields.inputSteps.map { "\($0 * m.stepHours) h" }.joined(separator: ", "))",
    ]
    for (index, entry) in m.channels.enumerated() {
      let role = m.model.fields.diagnostics.contains(index) ? "  diagnostic" : ""
      lines.append(
        "  \(entry.channel.name)  \(entry.units)  mean \(significant(entry.statistics.mean))  "
          + "stdev \(significant(entry.statistics.deviation))\(role)")
    }
    for file in files {
      lines.append("  \(file.name): \(file.tensors.count) tensors, \(InspectWorkflow.size(file.bytes))")
      guard file.name == "model.safetensors" else { continue }
      lines += file.tensors.map { "    \($0.name)  \($0.type) \($0.shape)" }
    }
    return lines.joined(separator: "\n")
  }
}
