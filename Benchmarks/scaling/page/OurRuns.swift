import Basics
import Distribution
import Models
import Planning
import PublishedRuns

/// This program's schedules on the machine of the published experiments: its trainer, simulated.
struct OurRuns {
  struct Run {
    var layout: Layout
    var prediction: Prediction

    var mesh: String { "\(layout.mesh.domain) × \(layout.mesh.tensor)" }
    var samplesPerSecond: Double { Double(prediction.samples) / prediction.seconds }
    var bytesSent: Int { prediction.work.bytesSent.values.reduce(0, +) }
  }

  /// Of 40 GB on an A100, less what its driver and libraries take.
  static let memoryBytes = 38_000_000_000

  let description: ModelDescription
  let precision: PublishedFigures.Precision
  private var simulator: TrainingSimulator
  private let machine: MachineModel

  init(
    _ experiments: PublishedExperiments, _ description: ModelDescription, _ precision: PublishedFigures.Precision,
    change: (inout MachineModel) -> Void = { _ in }
  ) throws {
    self.description = description
    self.precision = precision
    simulator = try TrainingSimulator(description)
    simulator.mostReplicas = 256
    guard let model = try description.makeModel() as? WeatherMixer else {
      throw JigsawError("scaling", "the published experiments are of WeatherMixer")
    }
    var machine = experiments.machineModel(model.sizes, precision)
    change(&machine)
    self.machine = machine
  }

  /// All ranks together.
  var readingBytesPerSecond: Double { machine.readingBytesPerSecond.job }

  /// The fields of a state, as they lie in a store.
  var stateBytes: Int {
    4 * description.fields.variables * description.fields.gridRows * description.fields.gridColumns
  }

  func run(_ mesh: Mesh, change: (inout Layout) -> Void = { _ in }) throws -> Run {
    var layout = Layout(mesh: mesh)
    change(&layout)
    return Run(layout: layout, prediction: try simulator.predict(layout, on: machine))
  }

  /// The fastest mesh for one instance of so many GPUs among those that fit, with its blocks' activations kept if any of those
  /// fits, else computed again; nil when nothing fits.
  func best(gpus: Int, change: (inout Layout) -> Void = { _ in }) throws -> Run? {
    let meshes = (1...gpus).filter { gpus % $0 == 0 && $0 <= description.fields.variables }.map {
      Mesh(replica: 1, domain: gpus / $0, tensor: $0)
    }
    for checkpoints in [false, true] {
      let runs = try meshes.map { mesh in
        try run(mesh) {
          $0.checkpointsActivations = checkpoints
          change(&$0)
        }
      }
      let fitting = runs.filter { $0.prediction.memory.total <= Self.memoryBytes }
      if let best = fitting.min(by: { $0.prediction.seconds < $1.prediction.seconds }) { return best }
    }
    return nil
  }
}
