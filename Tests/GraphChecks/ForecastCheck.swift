import Basics
import Models
import Stores
import Tensors
import Workflow

/// Runs an imported checkpoint on a recorded forecast: `input_k` [1, times, points, variables] and `output_k`
/// [1, times, 1, points, variables] of each call of the model, in physical units.
public struct ForecastCheck {
  private var report = CheckReport()

  public var line: String { report.json.line }

  public init(_ checkpoint: String, _ forecast: String, threads: Int) throws {
    let started = monotonicSeconds()
    let anemoi = try AnemoiModel(try AnemoiCheckpoint(checkpoint))
    report.add("import_seconds", .number(monotonicSeconds() - started))
    let file = try Safetensors.File(forecast)
    let compute = Compute(threads: threads)
    try ForecastCheck.checkShapes(file, anemoi)
    var state = try file.floats("input_0")
    for step in 0... {
      guard file.entries["input_\(step)"] != nil else { break }
      let expected = try file.floats("output_\(step)")
      compare("output_\(step)", try anemoi.predict(try file.floats("input_\(step)"), compute), expected, anemoi)
      // The forecast of our own from the first input on.
      let own = try anemoi.predict(state, compute)
      compare("forecast_\(step)", own, expected, anemoi)
      if file.entries["input_\(step + 1)"] != nil {
        state = ForecastCheck.next(state, own, try file.floats("input_\(step + 1)"), anemoi)
      }
    }
  }

  /// Inputs and outputs must be those of the model.
  private static func checkShapes(_ file: Safetensors.File, _ anemoi: AnemoiModel) throws {
    let (d, points) = (anemoi.model.description, anemoi.model.graph.dataNodes)
    guard file.entries["input_0"] != nil else { throw JigsawError(file.path, "has no tensor 'input_0'") }
    for step in 0... {
      guard file.entries["input_\(step)"] != nil else { break }
      for (name, shape) in [
        ("input_\(step)", [1, d.inputSteps, points, d.variables.inputs]),
        ("output_\(step)", [1, d.outputSteps, 1, points, d.variables.outputs]),
      ] {
        let found = file.entries[name]?.shape
        guard found == shape else {
          throw JigsawError(
            "\(file.path): \(name)", "is not of this checkpoint's model", expected: "\(shape)",
            found: found.map { "\($0)" } ?? "nothing")
        }
      }
    }
  }

  /// The window after a prediction; forcings come from the recorded one.
  private static func next(_ state: [Float], _ own: [Float], _ recorded: [Float], _ anemoi: AnemoiModel) -> [Float] {
    let (d, points) = (anemoi.model.description, anemoi.model.graph.dataNodes)
    let (v, w, moved) = (d.variables.inputs, d.variables.outputs, min(d.inputSteps, d.outputSteps))
    var next = recorded
    let kept = (d.inputSteps - moved) * points * v
    for i in 0..<kept { next[i] = state[moved * points * v + i] }
    for step in 0..<moved {
      for point in 0..<points {
        let to = kept + (step * points + point) * v
        let from = ((d.outputSteps - moved + step) * points + point) * w
        for (i, o) in zip(d.variables.prognosticInputs, d.variables.prognosticOutputs) { next[to + i] = own[from + o] }
      }
    }
    return next
  }

  /// Also of the variable that is farthest off.
  private mutating func compare(_ name: String, _ mine: [Float], _ theirs: [Float], _ anemoi: AnemoiModel) {
    report.compare(name, mine, theirs)
    let w = anemoi.outputs.count
    for column in 0..<w {
      func part(_ x: [Float]) -> [Float] { stride(from: column, to: x.count, by: w).map { x[$0] } }
      report.keepWorst("\(name)/worst_variable", part(mine), part(theirs))
    }
  }
}
