import Basics
import Checkpoints
import Datasets
import Models
import Training

/// The data that a forecast reads beside the state at its initial time.
struct ForecastNeeds {
  let dataset: FieldDataset
  let leadHours: Int
  private let forcings: FieldDataset?
  private let stepHours: Int
  /// Steps before the initial time at which the model reads states, 0 or less.
  private let firstStep: Int

  init(_ manifest: CheckpointManifest, _ dataset: FieldDataset, forcings: FieldDataset?, leadHours: Int) {
    self.dataset = dataset
    self.forcings = forcings
    self.leadHours = leadHours
    stepHours = manifest.stepHours
    firstStep = manifest.model.fields.inputSteps[0]
  }

  /// The data that a forecast from a time would lack, as an error; nil where nothing is missing.
  func lack(at initial: Timestamp) -> JigsawError? {
    let steps = leadHours / stepHours
    return lack(dataset, "states", from: initial, firstStep...0)
      ?? forcings.flatMap { lack($0, "forcings", from: initial, firstStep...max(0, steps - 1)) }
      ?? (dataset.boundary == nil ? nil : lack(dataset, "boundary", from: initial, 0...steps))
  }

  private func lack(_ data: FieldDataset, _ name: String, from initial: Timestamp, _ steps: ClosedRange<Int>)
    -> JigsawError?
  {
    for step in steps {
      let time = initial.adding(hours: step * stepHours)
      if data.index(of: time) != nil { continue }
      return JigsawError(
        data.origin, "lacks the \(name) at \(time.display), which a forecast from \(initial.display) reads",
        expected: "\(name) from \(steps.lowerBound * stepHours) h to \(steps.upperBound * stepHours) h",
        found: data.times.first.map { "\($0.display) … \(data.times[data.times.count - 1].display)" } ?? "no times",
        remedy: "choose other initial times, or add the data")
    }
    return nil
  }
}
