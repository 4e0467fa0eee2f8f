import Distribution
import Execution
import Models
import Tensors

/// The least time of an update and the approximate memory of a rank, by formulas alone: they put layouts in order before a few of
/// them are simulated.
struct StepEstimate: Sendable {
  /// GEMMs of one update at the shapes of whole blocks, nothing else.
  let productSeconds: Double
  /// GEMMs, or what is sent, whichever is longer: as if all went over the slower of the links that it takes, and over
  /// the faster one.
  let seconds, leastSeconds: Double
  /// Weights, gradients and optimiser; values that backward needs, by the formulas of docs/parallel.md.
  let memoryBytes: Int

  init(_ layout: Layout, _ model: any ForecastModel, _ machine: MachineModel) throws {
    let mesh = layout.mesh
    let passes = Double(layout.accumulation * layout.rolloutSteps)
    let products = LayerEstimate(mesh, model.parameters, machine, again: layout.checkpointsActivations)
    try model.dryStep(products, batch: layout.batch, isTraining: true)
    let own = Double(model.parameters.elementCount) / Double(mesh.instance)

    // Within a node as long as an instance fits into one.
    let shared = machine.nodeBytesPerSecond.map { $0 / Double(machine.ranksPerNode) } ?? .infinity
    let outside = min(machine.betweenNodes.bytesPerSecond, shared)
    func rate(ranks: Int) -> Double { ranks <= machine.ranksPerNode ? machine.withinNode.bytesPerSecond : outside }
    let fastest = max(machine.withinNode.bytesPerSecond, machine.betweenNodes.bytesPerSecond)
    let replicas = Double(mesh.replica)
    let gradients = 8 * own * (replicas - 1) / replicas
    var (sending, least) = (gradients / rate(ranks: mesh.count), gradients / fastest)
    if mesh.instance > 1 {
      let plan = try ParallelPlan.make(mesh, model.parameters) {
        try model.dryStep($0, batch: layout.batch, isTraining: true)
      }
      let traffic = PlannedTraffic(
        plan, mesh.position(of: 0), checkpointsActivations: layout.checkpointsActivations)
      try model.dryStep(traffic, batch: layout.batch, isTraining: true)
      let bytes = passes * Double(traffic.bytes)
      sending += bytes / rate(ranks: mesh.instance)
      least += bytes / fastest
    }
    productSeconds = passes * products.seconds
    seconds = max(productSeconds, sending)
    leastSeconds = max(productSeconds, least)

    let ofOptimizer = layout.averagesWeights ? 3.0 : 2
    let state = (2 + ofOptimizer / (layout.splitsOptimizer ? replicas : 1)) * own
    let form = model.form
    // Inputs, the target and the gradient of the prediction.
    let frames = form.tokens * layout.batch * form.pointsPerToken * (3 * form.variables + form.auxiliaries)
    memoryBytes = Int(4 * (state + Double(products.storedElements + frames) / Double(mesh.instance)))
  }
}

/// A dry run that adds up what one rank's GEMMs take, each as one GEMM of the rank's share, and what the instance
/// keeps for backward.
private final class LayerEstimate: Operations {
  var tape: Tape?
  private(set) var seconds = 0.0
  /// Elements. Where segments are computed again, their results and what the largest one keeps.
  var storedElements: Int { stored + largestSegment }
  private var stored = 0
  private var largestSegment = 0
  private let mesh: Mesh
  private let table: ParameterTable
  private let machine: MachineModel
  /// Whether blocks are computed again in backward.
  private let again: Bool
  private var isAgain = false

  init(_ mesh: Mesh, _ table: ParameterTable, _ machine: MachineModel, again: Bool) {
    self.mesh = mesh
    self.table = table
    self.machine = machine
    self.again = again
  }

  /// C[m, n] with sums over k: m along the domain axis, n along the tensor axis.
  private func add(_ m: Int, _ n: Int, _ k: Int) {
    func part(_ extent: Int, _ ranks: Int) -> Int { (extent + ranks - 1) / ranks }
    seconds += machine.productSeconds(
      MachineModel.Product(m: part(m, mesh.domain), n: part(n, mesh.tensor), k: k))
  }

  /// Forward, and the gradients of input and weight.
  private func addLayer(rows: Int, inputs: Int, outputs: Int, needsInputGradient: Bool) {
    add(rows, outputs, inputs)
    if isAgain { return }
    if needsInputGradient { add(rows, inputs, outputs) }
    add(outputs, inputs, rows)
  }

  func apply(_ operation: some Operation) -> Value {
    for layer in operation.layers(table) {
      addLayer(
        rows: layer.rows, inputs: layer.inputs, outputs: layer.outputs, needsInputGradient: layer.needsInputGradient)
    }
    stored += operation.storedElements(table)
    return operation.dryResult(table)
  }

  func segment(
    _ inputs: [Value], _ parameters: [ParameterID], _ body: @escaping ([Value]) throws -> [Value]
  ) throws -> [Value] {
    guard again, !isAgain else { return try body(inputs) }
    return try computedAgain { try body(inputs) }
  }

  var rowShare: (index: Int, count: Int) { (0, mesh.domain) }

  func inParts(
    _ parts: RowParts, of form: OutputForm, _ parameters: [ParameterID], _ body: @escaping (Int) throws -> Value
  ) throws -> Value {
    if parts.count == 1 { return try body(0) }
    let before = stored
    for index in 0..<parts.count {
      _ = try isAgain ? [body(index)] : computedAgain { [try body(index)] }
      stored = before
    }
    stored += form.shape.count
    return newValue(form, requiresGradient: true)
  }

  /// Segments that backward computes again keep only their results.
  private func computedAgain(_ body: () throws -> [Value]) rethrows -> [Value] {
    let before = stored
    isAgain = true
    _ = try body()
    isAgain = false
    stored = before
    let results = try body()
    largestSegment = max(largestSegment, stored - before)
    stored = before + results.reduce(0) { $0 + $1.shape.count }
    return results
  }
}
