import Basics
import Checkpoints
import Datasets
import Geometry
import Models
import Tensors
import Training

/// Graphs of models that compute on one.
extension Assembly {
  /// A description with the graph that its settings ask for: of a checkpoint where training resumes from one, else of a file, else
  /// made now.
  static func withGraph(
    _ description: ModelDescription, from checkpoint: Checkpoint? = nil, threads: Int = ThreadTeam.availableCPUs,
    console: Console = .silent
  ) throws -> ModelDescription {
    var description = description
    guard let source = try description.settings.graphSource(description.fields) else { return description }
    if let kept = try checkpoint?.description().fields.graph {
      description.fields.graph = kept
      return description
    }
    switch source {
    case .file(let path): description.fields.graph = try GraphWorkflow.read(path)
    case .recipe(let recipe):
      let start = monotonicSeconds()
      console.update("making the graph")
      let graph = try StopSignal.endingAtOnce {
        try GraphBuilder.build(recipe, team: ThreadTeam(count: max(1, threads)))
      }
      description.fields.graph = graph
      console.say("made the graph in \(fixed(monotonicSeconds() - start, 1)) s")
      for gap in GraphReport.gaps(graph) { console.say("note: model.graph: \(gap)") }
    }
    return description
  }

  /// Names and normalisation of predicted fields.
  static func scaling(_ channels: [Channel], _ normalization: Normalization? = nil) -> [FieldScaling] {
    channels.enumerated().map { index, channel in
      FieldScaling(
        name: channel.name, offset: normalization?.mean[index] ?? 0, scale: normalization?.deviation[index] ?? 1)
    }
  }
}

extension HeteroGraph {
  /// Sizes and contents in a few words, the same for equal graphs.
  var digest: String {
    var digest = Digest()
    for (name, space) in spaces.sorted(by: { $0.key < $1.key }) {
      digest.add(name)
      digest.add(space.fingerprint)
    }
    for set in edges.sorted(by: { $0.name < $1.name }) {
      digest.add(set.name)
      for end in set.sources + set.destinations { digest.add(UInt32(bitPattern: end)) }
      for attribute in set.attributes {
        digest.add(attribute.name)
        for value in attribute.values { digest.add(value.bitPattern) }
      }
    }
    return
      "\(spaces.values.reduce(0) { $0 + $1.count }) nodes, \(edges.reduce(0) { $0 + $1.count }) edges, \(digest.text)"
  }
}
