import Basics
import CKernels
import Distribution
import Execution
import Geometry
import Models
import RankChecks
import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// A step of a transformer of AIFS single's sizes, forward or with backward and AdamW, on one process: 542 080 data points spread
/// evenly, hidden nodes of O96, 98 fields at two input states, 88 predicted.
struct LargeStep {
  private static let points = 542_080
  /// Read and predicted fields, and those that are read or predicted alone.
  private static let (prognostic, forcings, diagnostics) = (86, 13, 2)
  private static let inputSteps = 2

  let options: Options
  private let graph: ModelGraph
  private let description: GraphModelDescription
  private let compute: Compute
  private let parameters: ParameterStore
  private let state: Value
  private let graphSeconds: Double

  init(_ options: Options) throws {
    self.options = options
    let start = monotonicSeconds()
    graph = try LargeStep.graph(ThreadTeam(count: options.threads))
    graphSeconds = monotonicSeconds() - start
    description = LargeStep.description(channels: options.channels)
    compute = Compute(threads: options.threads, backend: try options.precision.products().backend)
    parameters = ParameterStore(GraphModel(description, graph).parameters, hasGradients: !options.isForward)
    let v = description.variables
    if options.isPlan {
      state = Value(Tensor(zeros: [LargeStep.points, 1, LargeStep.inputSteps * v.inputs]))
    } else {
      parameters.initialize(seed: 1) { [parameters] in parameters.forEachRun($0, $1) }
      state = Value(LargeStep.numbers(LargeStep.inputSteps * v.inputs, "x"))
    }
  }

  private static func numbers(_ columns: Int, _ name: String) -> Tensor {
    let tensor = Tensor(zeros: [points, 1, columns])
    RandomStream(seed: 1, name: name).fillNormal(tensor.floats, deviation: 1, row: 0, columns: 0..<tensor.count)
    return tensor
  }

  private static func graph(_ team: ThreadTeam) throws -> ModelGraph {
    let places = spiral(points)
    let data = PointSpace(
      latitudes: (0..<points).map { places[2 * $0] }, longitudes: (0..<points).map { places[2 * $0 + 1] })
    func edges(_ source: String, _ destination: String, _ kind: GraphRecipe.EdgeBuilder.Kind) -> GraphRecipe.Edges {
      GraphRecipe.Edges(source: source, destination: destination, builders: [GraphRecipe.EdgeBuilder(kind)])
    }
    return try ModelGraph(
      GraphBuilder.build(
        GraphRecipe(
          nodes: [
            GraphRecipe.Nodes(name: "data", points: .given(data)),
            GraphRecipe.Nodes(name: "hidden", points: .octahedral(96)),
          ],
          edges: [
            edges("data", "hidden", .cutOff(.factor(0.6), most: 64)), edges("hidden", "data", .nearest(3)),
          ]), team: team))
  }

  private static func description(channels c: Int) -> GraphModelDescription {
    var layer = GraphModelDescription.Layer(hiddenWidth: 4 * c, attentionChannels: c)
    layer.heads = 16
    var mapper = GraphModelDescription.Mapper(.graphTransformer, layer, channels: c)
    mapper.trainableEdges = 8
    var processor = GraphModelDescription.Processor(.transformer, layer, layers: 16)
    processor.reach = 512
    let all = Array(0..<prognostic)
    var description = GraphModelDescription(
      .init(
        inputs: prognostic + forcings, outputs: prognostic + diagnostics, prognosticInputs: all, prognosticOutputs: all,
        forcingInputs: Array(prognostic..<prognostic + forcings)),
      inputSteps: inputSteps, outputSteps: 1, channels: c, encoder: mapper, processor: processor, decoder: mapper)
    description.trainableData = 8
    description.trainableHidden = 8
    return description
  }

  // MARK: Steps

  /// What a step gives, and what it takes.
  private struct Result {
    var prediction: Tensor?
    var loss = 0.0
    var seconds = 0.0
    var peakBytes = 0
    /// With the idle pieces of the pool.
    var peakBytesHeld = 0
  }

  /// A forward pass, and unless forward alone is wanted backward. The gradients are added to the parameters'.
  private func pass(
    _ parts: ComputationParts, _ compute: Compute, _ state: Value, target: Tensor?, keepsPrediction: Bool = false
  ) throws -> Result {
    let model = GraphModel(description, graph, parts)
    let operations = LocalOperations(compute: compute, parameters: parameters)
    operations.checkpointsActivations = true
    let start = monotonicSeconds()
    compute.pool.resetPeak()
    var result = Result()
    try operations.withFrozenWeights(uses: 1) {
      let tape = Tape()
      if !options.isForward { operations.tape = tape }
      try predict(model, operations, state, target, keepsPrediction: keepsPrediction, &result)
      try tape.backward()
    }
    result.seconds = monotonicSeconds() - start
    result.peakBytes = compute.pool.counters.peakBytesInUse
    result.peakBytesHeld = compute.pool.counters.peakBytesHeld
    return result
  }

  /// The forward pass, and the gradient of the loss set. The prediction lives on where it is kept or backward needs it.
  private func predict(
    _ model: GraphModel, _ operations: LocalOperations, _ state: Value, _ target: Tensor?, keepsPrediction: Bool,
    _ result: inout Result
  ) throws {
    let compute = operations.compute
    let y = try model.step(state, operations)
    operations.tape = nil
    if keepsPrediction { result.prediction = y.tensor }
    guard let target else { return }
    let fields = description.variables.outputs
    let gradient = compute.tensor(y.tensor.shape)
    let (ones, weights) = (compute.tensor([LargeStep.points]), compute.tensor([fields]))
    for tensor in [ones, weights] where compute.device.isHost { tensor.floats.update(repeating: 1) }
    let scale = 1 / Double(LargeStep.points * fields)
    result.loss =
      scale
      * compute.weightedSquares(
        prediction: y.tensor, target: target, ErrorWeights(rows: ones, columns: weights, points: 1), batch: 1,
        into: (gradient, false), gradientScale: Float(2 * scale))
    y.gradient = gradient
  }

  /// What is planned to be in use of the pool at most, and with its idle pieces, by a dry run of the same pass.
  private func plannedPeak(_ parts: ComputationParts) throws -> [String: JSONValue] {
    let dry = Compute(
      threads: options.threads, activationType: compute.backend.activationType,
      pool: BufferPool(on: DryDevice(NoNotes())))
    func value(_ columns: Int) -> Tensor { dry.zeros([LargeStep.points, 1, columns]) }
    let v = description.variables
    let result = try pass(
      parts, dry, Value(value(LargeStep.inputSteps * v.inputs)), target: options.isForward ? nil : value(v.outputs))
    return [
      "planned_pool_peak_bytes": .integer(result.peakBytes),
      "planned_pool_peak_bytes_held": .integer(result.peakBytesHeld),
    ]
  }

  private func adam(_ moments: [Tensor], update: Int) {
    let (first, second) = (1 - pow(0.9, Double(update + 1)), 1 - pow(0.95, Double(update + 1)))
    compute.adam(
      jk_adam(
        learning_rate: 1e-4, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, bias_correction1: Float(first),
        bias_correction2: Float(second), coupled_decay: 0, decoupled_decay: 0.1, gradient_scale: 1, average_decay: 0),
      parameter: parameters.values, gradient: parameters.gradients, moment1: moments[0], moment2: moments[1],
      average: nil)
  }

  /// The facts and the planned most of the pool, without a step.
  func plan() throws -> JSONValue {
    var members = try facts()
    members.merge(try plannedPeak(options.parts)) { $1 }
    return .object(members)
  }

  func run() throws -> JSONValue {
    if options.isPlan { return try plan() }
    let target = options.isForward ? nil : LargeStep.numbers(description.variables.outputs, "y")
    let moments = options.isForward ? [] : [parameters.makePiece(), parameters.makePiece()]
    var members = try facts()
    members.merge(try plannedPeak(options.parts)) { $1 }
    let before = Machine.residentMemory
    var (seconds, losses): ([Double], [Double]) = ([], [])
    var peak = 0
    for update in 0..<options.steps {
      let result = try pass(options.parts, compute, state, target: target)
      peak = max(peak, result.peakBytes)
      let start = monotonicSeconds()
      if !moments.isEmpty { adam(moments, update: update) }
      seconds.append(result.seconds + monotonicSeconds() - start)
      if target != nil { losses.append(result.loss) }
      log("step \(update + 1): \(fixed(seconds[update], 1)) s, \(Machine.peakResidentMemory) bytes at most")
    }
    members["resident_bytes_before"] = .integer(before)
    members["step_seconds"] = .array(seconds.map { .number($0) })
    members["peak_bytes"] = .integer(Machine.peakResidentMemory)
    members["pool_peak_bytes"] = .integer(peak)
    members["pool_peak_bytes_held"] = .integer(compute.pool.counters.peakBytesHeld)
    if target != nil { members["losses"] = .array(losses.map { .number($0) }) }
    if let flops = members["product_flop"]?.double, let rate = members["core_flop_per_second"]?.double {
      let fastest = seconds.min() ?? .infinity
      members["share_of_peak"] = .number(flops / fastest / rate / Double(options.threads))
    }
    if !options.others.isEmpty { members["compared"] = try comparison(target) }
    return .object(members)
  }

  private func facts() throws -> [String: JSONValue] {
    let counting = CountingOperations(parameters.table)
    _ = try GraphModel(description, graph).step(
      Value(shape: state.shape, data: nil, requiresGradient: false), counting)
    let backward = counting.backward.values.reduce(0) { $0 + $1.flops }
    return [
      "channels": .integer(options.channels), "points": .integer(LargeStep.points),
      "hidden_nodes": .integer(graph.hiddenNodes), "edges_in": .integer(graph.dataToHidden.lists.count),
      "edges_out": .integer(graph.hiddenToData.lists.count), "parameters": .integer(parameters.table.elementCount),
      "mapper_chunks": .integer(options.parts.mapper), "threads": .integer(options.threads),
      "processor_chunks": options.parts.processor.map { .integer($0) } ?? .null,
      "training": .bool(!options.isForward), "kernels": .string(Compute.kernelSet),
      "products": .string(compute.backend.name), "graph_seconds": .number(graphSeconds),
      // Each product once: what is computed again is no part of it.
      "product_flop": .integer(counting.productFLOPs + (options.isForward ? 0 : backward)),
      "core_flop_per_second": .number(Compute.measuredMultiplyAddRate(seconds: 0.2)),
    ]
  }

  /// The same pass in other numbers of chunks: differences in units of the norm.
  private func comparison(_ target: Tensor?) throws -> JSONValue {
    func fresh(_ chunks: Int) throws -> (prediction: Tensor, gradients: Tensor?) {
      if target != nil { parameters.gradients.fill() }
      let result = try pass(
        ComputationParts(mapper: chunks, processor: options.parts.processor), compute, state, target: target,
        keepsPrediction: true)
      compute.pool.trim()
      guard let prediction = result.prediction else { preconditionFailure("a pass without prediction") }
      guard target != nil else { return (prediction, nil) }
      let gradients = Tensor(zeros: [parameters.gradients.count])
      gradients.copy(from: parameters.gradients)
      return (prediction, gradients)
    }
    func difference(_ a: Tensor, _ b: Tensor) -> JSONValue {
      var (sum, norm, isSame) = (0.0, 0.0, true)
      for i in 0..<a.count {
        let (x, y) = (Double(a.pointer[i]), Double(b.pointer[i]))
        sum += (x - y) * (x - y)
        norm += x * x
        isSame = isSame && x == y
      }
      return .object(["relative": .number((sum / norm).squareRoot()), "same_bits": .bool(isSame)])
    }
    let first = try fresh(options.parts.mapper)
    return .array(
      try options.others.map { chunks in
        let other = try fresh(chunks)
        var members: [String: JSONValue] = [
          "chunks": .integer(chunks), "prediction": difference(first.prediction, other.prediction),
        ]
        if let a = first.gradients, let b = other.gradients { members["gradients"] = difference(a, b) }
        return .object(members)
      })
  }

  private func log(_ line: String) {
    _ = "graph-speed: \(line)\n".withCString { write(STDERR_FILENO, $0, strlen($0)) }
  }
}

/// A dry run that nobody takes notes of.
private final class NoNotes: WorkMeter {
  func product(m: Int, n: Int, k: Int, pause: (() -> Void)?) {}
  func pass(bytes: Int, _ arithmetic: PassArithmetic) {}
}
