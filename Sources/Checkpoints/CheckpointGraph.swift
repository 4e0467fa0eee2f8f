import Basics
import Datasets
import Geometry
import Models
import Stores

/// The graph that a checkpoint's model computes on. It is never made anew: another order of edges would give trainable parameters
/// of edges to others.
extension Checkpoint {
  static func write(_ graph: HeteroGraph, to path: String, _ version: String) throws -> CheckpointFile {
    try GraphFile.write(graph, metadata: ["jigsaw": version], to: path)
    return try CheckpointFile(of: Safetensors.File(path))
  }

  /// The model's description with what else it is made from: what fields are called and normalised with, and the graph, if it
  /// has one, which is read here.
  /// - Throws: when the graph isn't what was written.
  public func description() throws -> ModelDescription {
    var description = manifest.model
    description.fields.scaling = manifest.channels.map {
      FieldScaling(
        name: $0.channel.name, offset: Float($0.statistics.mean), scale: Float($0.statistics.deviation))
    }
    guard let record = manifest.files?[Checkpoint.graphName] else { return description }
    let file = try Safetensors.File("\(path)/\(Checkpoint.graphName)")
    try record.requireHeader(of: file)
    for (name, entry) in file.entries.sorted(by: { $0.key < $1.key }) {
      try record.require(name, file.checksum(entry), entry.range.count, place: file.path)
    }
    description.fields.graph = try GraphFile.read(file.path)
    return description
  }
}
