import Communication
import Distribution
import Execution
import Models
import Tensors

/// Graph models on a mesh against one process: two steps of a rollout, the input's gradient, every parameter's gradient, and the
/// bytes sent. Without a test library, so that it runs under mpirun too.
public enum GraphModelChecks {
  public struct Outcome: Sendable {
    /// Whole arrays by name, the same on all ranks.
    var values: [String: [Float]] = [:]
    var parameterNames: Set<String> = []
    /// Sent by this rank within the instance, as counted and as planned.
    public var bytesSent = 0
    public var bytesPlanned = 0
    /// Numbers of matrices that this rank holds.
    public var matrixCount = 0
  }

  static func numbers(_ shape: [Int], _ name: String, deviation: Float = 1) -> Tensor {
    let tensor = Tensor(zeros: shape)
    RandomStream(seed: 5, name: name).fillNormal(
      tensor.floats, deviation: deviation, row: 0, columns: 0..<tensor.count)
    return tensor
  }

  /// Everything that two steps of a model read.
  private struct Inputs {
    let x: Value
    let noise: Value?
    /// True inputs of the rollout's second step.
    let truth: Tensor
    let predicted: [Bool]

    init(_ setting: Setting, _ model: GraphModel, _ blocks: RankBlocks) {
      let (d, n, b) = (model.description, setting.dataNodes, setting.batch)
      x = blocks.value(
        numbers([n, b, d.inputSteps * d.variables.inputs], "x"), groups: d.inputSteps, requiresGradient: true)
      noise = d.noise.map { blocks.value(numbers([setting.hiddenNodes, b, $0.channels], "noise")) }
      let moved = min(d.inputSteps, d.outputSteps)
      truth = blocks.block(numbers([n, b, moved * d.variables.inputs], "truth"), groups: moved)
      predicted = (0..<n).map { $0 < setting.predictedNodes }
    }

    /// Without data.
    var dry: Inputs { Inputs(x: Inputs.dry(x), noise: noise.map(Inputs.dry), truth: truth, predicted: predicted) }

    private init(x: Value, noise: Value?, truth: Tensor, predicted: [Bool]) {
      self.x = x
      self.noise = noise
      self.truth = truth
      self.predicted = predicted
    }

    private static func dry(_ x: Value) -> Value {
      Value(shape: x.shape, groups: x.groups, data: nil, requiresGradient: x.requiresGradient)
    }
  }

  private static func run(_ model: GraphModel, _ inputs: Inputs, _ operations: any Operations) throws -> [Value] {
    let first = try model.step(inputs.x, noise: inputs.noise, operations)
    let next = try operations.apply(
      NextWindow(
        inputs.x, prediction: first, truth: inputs.truth, predicted: inputs.predicted, model.description))
    return [first, try model.step(next, noise: inputs.noise, isFirstStep: false, operations)]
  }

  private static func setParameters(_ blocks: RankBlocks) {
    for (index, spec) in blocks.rank.parameters.table.specs.enumerated() {
      let scale = spec.shape.count == 2 && spec.columns > 5 ? 1 / Float(spec.columns).squareRoot() : 0.3
      let values = numbers(spec.shape, spec.name, deviation: scale)
      if spec.initialization == .constant(1) { for i in 0..<values.count { values.pointer[i] += 1 } }
      blocks.set(ParameterID(index: index), from: values)
    }
  }

  private static func sent(_ context: RankContext) -> Int {
    context.domain.traffic.bytesSent + context.tensor.traffic.bytesSent
  }

  /// The model on this rank of a mesh, which may have one rank.
  public static func outcome(_ setting: Setting, _ context: RankContext) throws -> Outcome {
    let model = setting.model
    func dry(_ rows: Int, _ columns: Int, groups: Int = 1) -> Value {
      Value(
        shape: ValueShape(rows: rows, batch: setting.batch, columns: columns), groups: groups, data: nil,
        requiresGradient: true)
    }
    let d = model.description
    let rank = try ModelRank(context, Compute(threads: 1), model.parameters) {
      _ = try model.step(
        dry(setting.dataNodes, d.inputSteps * d.variables.inputs, groups: d.inputSteps),
        noise: d.noise.map { dry(setting.hiddenNodes, $0.channels) }, $0)
    }
    rank.checkpointsActivations = setting.checkpointsActivations
    let blocks = RankBlocks(rank)
    setParameters(blocks)
    let reduction = GradientReduction(rank)
    let inputs = Inputs(setting, model, blocks)
    let before = sent(context)
    let steps = try rank.trainingPass {
      let tape = Tape()
      rank.operations.tape = tape
      let steps = try run(model, inputs, rank.operations)
      rank.operations.tape = nil
      for (index, y) in steps.enumerated() {
        let gradient = numbers(y.shape.dimensions, "loss \(index)", deviation: 1 / Float(context.mesh.replica))
        y.gradient = blocks.block(gradient, groups: y.groups)
      }
      try tape.backward { try reduction.completed($0) }
      return steps
    }
    try reduction.finish()
    var outcome = Outcome()
    outcome.bytesSent = sent(context) - before
    for (index, y) in steps.enumerated() { outcome.values["step \(index)"] = try blocks.whole(y).values }
    let gradient = inputs.x.takeGradient()
    rank.compute.scale(gradient, by: Float(context.mesh.replica), into: gradient)
    outcome.values["input gradient"] =
      try blocks.whole(gradient, inputs.x.shape, groups: inputs.x.groups).values
    try collect(blocks, into: &outcome)
    if let plan = rank.plan {
      let planned = PlannedTraffic(
        plan, context.position, checkpointsActivations: setting.checkpointsActivations)
      _ = try run(model, inputs.dry, planned)
      outcome.bytesPlanned = planned.bytes
    }
    return outcome
  }

  private static func collect(_ blocks: RankBlocks, into outcome: inout Outcome) throws {
    let parameters = blocks.rank.parameters
    for (index, spec) in parameters.table.specs.enumerated() {
      let id = ParameterID(index: index)
      outcome.values[spec.name] = try blocks.whole(id, in: parameters.gradients).values
      outcome.parameterNames.insert(spec.name)
      if spec.shape.count == 2 { outcome.matrixCount += parameters.range(id).count }
    }
  }

  private static func norm(_ x: [Float]) -> Double { x.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot() }

  /// Differences between the model on this mesh and on one rank; empty if all is well.
  public static func failures(_ setting: Setting, _ context: RankContext) throws -> [String] {
    let expected = try outcome(setting, RankContext.single())
    let found = try outcome(setting, context)
    return differences(found, expected, setting.name, limit: 1e-5)
  }

  /// What of an outcome differs by more than `limit` of its norm.
  public static func differences(_ found: Outcome, _ expected: Outcome, _ name: String, limit: Double) -> [String] {
    let gradientNorm = norm(expected.parameterNames.flatMap { expected.values[$0] ?? [] })
    var failures: [String] = []
    for key in expected.values.keys.sorted() {
      let (mine, theirs) = (found.values[key] ?? [], expected.values[key] ?? [])
      let error = norm(zip(mine, theirs).map { $0 - $1 })
      // Some gradients are zero but for rounding, which has the size of the others.
      let floor = expected.parameterNames.contains(key) ? 0.1 * gradientNorm : 0
      if mine.count != theirs.count || !(error <= limit * (norm(theirs) + floor)) {
        failures.append("\(name): \(key) is off by \(error), its norm is \(norm(theirs))")
      }
    }
    if !(gradientNorm > 1e-3) { failures.append("\(name): the gradients' norm is \(gradientNorm)") }
    // The share of an all-reduce is rounded in one way or another.
    if abs(found.bytesSent - found.bytesPlanned) > 64 {
      failures.append("\(name): \(found.bytesSent) bytes were sent, \(found.bytesPlanned) planned")
    }
    return failures
  }
}
