import Basics
import Checkpoints
import Communication
import Configuration
import Datasets
import Distribution
import Execution
import Models
import Tensors
import Training

/// The reports of a training at its start and at its end.
extension TrainWorkflow {
  /// - Parameters:
  ///   - flops: of one forward pass of one sample.
  ///   - peak: of all ranks' units, FLOP/s.
  func introduce(
    _ trained: TrainedModel, _ inputs: Inputs, flops: Int, peak: Double, _ checkpoint: Checkpoint?, _ run: RunContext
  ) {
    let (model, dataset, rank) = (trained.model, inputs.dataset, trained.rank)
    console.say(
      "model: \(configuration.model.title), \(fixed(Double(model.parameters.elementCount) / 1e6, 2)) M parameters, "
        + "\(model.summary), \(significant(Double(flops) / 1e9)) GFLOP forward")
    console.say(
      "data: \(dataset.channels.count) fields on \(dataset.grid.summary), \(inputs.plan.sampler.count) training samples; "
        + "\(dataset.staticChannels.count) static fields, \(configuration.data.forcings.count) forcings")
    for note in dataset.normalizations { console.say("data: \(note)") }
    let (compute, mesh) = (rank.compute, rank.context.mesh)
    if mesh.count > 1 {
      console.say(
        "ranks: \(mesh.count) (\(run.world.name)) as \(mesh) (replica × domain × tensor), rank 0 holds "
          + "\(fixed(Double(rank.parameters.length) / 1e6, 2)) M parameters")
    }
    console.say(
      "machine: \(compute.team.count) threads, \(Compute.kernelSet) kernels, \(compute.backend.name), peak "
        + "\(fixed(peak * 1e-12, 3)) TFLOP/s")
    if let checkpoint { console.say("resumed from \(checkpoint.path)") }
  }

  /// The rank's trace: for files that are wanted, or for a stall watch, which needs the work under way alone.
  func makeTrace() throws -> Trace? {
    // One zero for all ranks of a machine: their clock is the same.
    if traceFolder != nil { return Trace(origin: try world.allReduce([monotonicSeconds()], .minimum)[0]) }
    return configuration.training.stallMinutes == nil ? nil : Trace(keepsEvents: false)
  }

  /// Watches this rank, where that is configured: the work under way is then always known.
  func stallWatch(_ trace: Trace?) throws -> StallWatch? {
    guard let minutes = configuration.training.stallMinutes, let trace else { return nil }
    return try StallWatch(minutes: minutes, rank: world.rank, trace)
  }

  /// Reports how much the ranks sent each other and how long they waited for it.
  func summarize(
    _ rank: ModelRank, _ before: Traffic, linkRate: Double, seconds: Double, _ run: RunContext
  ) throws {
    if let traceFolder, let trace = run.trace {
      try Files.createDirectory(traceFolder)
      try trace.write(to: "\(traceFolder)/rank-\(world.rank).json", rank: world.rank)
      console.say("wrote \(traceFolder)/rank-*.json, to be opened in ui.perfetto.dev")
    }
    guard run.world.size > 1 else { return }
    let traffic = rank.context.traffic
    let most = try run.world.allReduce(
      [Double(traffic.bytesSent - before.bytesSent), traffic.waitSeconds - before.waitSeconds], .maximum)
    // Alone it would take as long as the bytes do on the idle link.
    let alone = most[0] / linkRate
    console.say(
      "communication: at most \(fixed(most[0] / 1e6, 1)) MB sent per rank, alone \(fixed(alone, 2)) s at "
        + "\(fixed(linkRate / 1e9, 2)) GB/s; waited \(fixed(most[1], 2)) s of \(fixed(seconds, 2)) s: "
        + "\(fixed(100 * max(0, 1 - most[1] / alone), 0)) % hidden")
  }

  /// The most memory of any rank.
  func summarizeMemory(_ trained: TrainedModel, _ run: RunContext) throws {
    let counters = trained.rank.compute.pool.counters
    let memory = try run.world.allReduce(
      [Double(Machine.peakResidentMemory), Double(trained.bytesBefore), Double(counters.peakBytesInUse)], .maximum
    ).map { fixed($0 / 1e9, 3) }
    console.say(
      "peak memory\(trained.rank.context.mesh.count > 1 ? " of a rank" : "") \(memory[0]) GB, before the model "
        + "\(memory[1]) GB, activations and buffers \(memory[2]) GB")
  }
}
