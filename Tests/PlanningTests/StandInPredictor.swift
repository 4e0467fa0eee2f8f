import Distribution
import Execution
import Models
import Synchronization

@testable import Planning

/// Costs by simple formulas, for tests of those who ask a predictor; counts how often it was asked.
final class StandInPredictor: Predictor {
  let model: WeatherMixer
  let asked = Atomic(0)
  /// Bytes that a sample needs besides the parameters, shared by an instance; a quarter with checkpointing.
  let bytesPerSample: Int

  init(_ model: WeatherMixer, bytesPerSample: Int = 0) {
    self.model = model
    self.bytesPerSample = bytesPerSample
  }

  func predict(_ layout: Layout, on machine: MachineModel) throws -> Prediction {
    asked.add(1, ordering: .relaxed)
    let mesh = layout.mesh
    let samples = layout.batch * layout.accumulation
    var work = Prediction.Work()
    work.productFLOPs =
      try 3 * model.forwardFLOPs * samples / mesh.instance * (layout.checkpointsActivations ? 4 : 3) / 3
    work.bytesSent = [.domain: 1_000_000 * (mesh.domain - 1), .tensor: 3_000_000 * (mesh.tensor - 1)]
    work.bytesSent[.replica] = 8 * model.parameters.elementCount / mesh.instance * (mesh.replica - 1) / mesh.replica
    let estimate = try StepEstimate(layout, model, machine)
    // An odd preference, which formulas don't foresee.
    let odd = mesh.domain % 3 == 0 ? 0.7 : 1
    let wait = odd * Double(work.bytesSent.values.reduce(0, +)) / machine.withinNode.bytesPerSecond
    let update = layout.splitsOptimizer ? 1e-3 / Double(mesh.replica) : 1e-3
    var memory = RankMemory()
    let state = 4 * model.parameters.elementCount / mesh.instance
    (memory.weights, memory.gradients) = (state, state)
    memory.optimizer = 2 * state / (layout.splitsOptimizer ? mesh.replica : 1)
    memory.activations = bytesPerSample * layout.batch / mesh.instance / (layout.checkpointsActivations ? 4 : 1)
    return Prediction(
      seconds: estimate.productSeconds + wait + update, waitSeconds: wait, readingWaitSeconds: 0,
      phases: [("forward and backward", estimate.productSeconds + wait), ("optimiser", update)], memory: memory,
      work: work, samples: samples * mesh.replica)
  }
}

enum Samples {
  /// 512 tokens of 8 points, 12 fields.
  static func model(channels: Int = 128) -> WeatherMixer {
    WeatherMixer(
      WeatherMixer.Sizes(
        tokens: 512, pointsPerToken: 8, variables: 12, auxiliaries: 2, channels: channels, tokenWidth: 256,
        channelWidth: channels, blocks: 2), output: .residual(scale: [Float](repeating: 1, count: 12)))
  }

  static func machine(memoryBytes: Int? = nil) throws -> PlannedMachine {
    var machine = try MachineCatalogue.named("horeka-a100-40").planned(precision: "fp32", threads: 0, place: "")
    if let memoryBytes { (machine.memoryBytes, machine.model.programBytes) = (memoryBytes, 0) }
    return machine
  }
}
