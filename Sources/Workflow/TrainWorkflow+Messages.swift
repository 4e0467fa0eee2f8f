import Basics
import Communication
import Configuration
import Datasets
import Distribution
import Execution
import Models
import Tensors
import Training

/// What a training tells at its start and at its end.
extension TrainWorkflow {
  func introduce(
    _ model: any ForecastModel, _ dataset: FieldDataset, _ rank: ModelRank, flops: Int, peak: Double, samples: Int,
    _ checkpoint: Checkpoint?
  ) {
    console.say(
      "model: \(configuration.model.title), \(fixed(Double(model.parameters.elementCount) / 1e6, 2)) M parameters, "
        + "\(model.summary), \(significant(Double(flops) / 1e9)) GFLOP forward")
    console.say(
      "data: \(dataset.channels.count) fields on \(dataset.grid.summary), \(samples) training samples; "
        + "\(dataset.staticChannels.count) static fields, \(configuration.data.forcings.count) forcings")
    for note in dataset.normalizations { console.say("data: \(note)") }
    let (compute, mesh) = (rank.compute, rank.context.mesh)
    if mesh.count > 1 {
      console.say(
        "ranks: \(mesh.count) (\(world.name)) as \(mesh) (replica × domain × tensor), rank 0 holds "
          + "\(fixed(Double(rank.parameters.length) / 1e6, 2)) M parameters")
    }
    console.say(
      "machine: \(compute.team.count) threads, \(Compute.kernelSet) kernels, \(compute.backend.name), peak "
        + "\(fixed(peak * 1e-12, 3)) TFLOP/s")
    if let checkpoint { console.say("resumed from \(checkpoint.path)") }
  }

  /// What the ranks sent each other and how long they waited for it.
  func summarize(_ rank: ModelRank, _ before: Traffic, linkRate: Double, seconds: Double) throws {
    if let traceFolder, let trace = world.manner.trace {
      try Files.createDirectory(traceFolder)
      try trace.write(to: "\(traceFolder)/rank-\(world.rank).json", rank: world.rank)
      console.say("wrote \(traceFolder)/rank-*.json, to be opened in ui.perfetto.dev")
    }
    guard world.size > 1 else { return }
    let traffic = rank.context.traffic
    let most = try world.allReduce(
      [Double(traffic.bytesSent - before.bytesSent), traffic.waitSeconds - before.waitSeconds], .maximum)
    // Alone it would take as long as the bytes do on the idle link.
    let alone = most[0] / linkRate
    console.say(
      "communication: at most \(fixed(most[0] / 1e6, 1)) MB sent per rank, alone \(fixed(alone, 2)) s at "
        + "\(fixed(linkRate / 1e9, 2)) GB/s; waited \(fixed(most[1], 2)) s of \(fixed(seconds, 2)) s: "
        + "\(fixed(100 * max(0, 1 - most[1] / alone), 0)) % hidden")
  }
}
