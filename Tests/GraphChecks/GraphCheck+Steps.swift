import Basics
import CKernels
import Communication
import Distribution
import Execution
import Models
import RankChecks
import Stores
import Tensors
import Training
import Workflow

extension GraphCheck {
  // MARK: Rollout

  /// Results of some steps, of all ranks together.
  struct Outcome {
    var loss = 0.0
    var predictions: [Tensor] = []
    /// Gradient of the input.
    var gradient: Tensor?
  }

  /// Runs `count` steps from the case's input, and back if gradients are wanted: those of the parameters are in `store`.
  func rollout(_ count: Int, gradients: Bool, observe: GraphModel.Observer? = nil) throws -> Outcome {
    let input = try input()
    let (total, predictions) = try rank.trainingPass { try pass(count, input, gradients: gradients, observe) }
    var outcome = Outcome()
    if gradients {
      try reduction.finish()
      // Parameters' gradients are the replicas' mean; each replica has its own input, and a share of the loss.
      outcome.gradient = try input.gradient.map { gradient in
        compute.scale(gradient, by: Float(rank.context.mesh.replica), into: gradient)
        return try blocks.whole(gradient, input.shape, groups: input.groups)
      }
    }
    outcome.loss = try rank.context.instance.allReduce([total])[0]
    outcome.predictions = try predictions.map { try blocks.whole($0) }
    return outcome
  }

  /// This rank's share of the loss, and its blocks of the predictions.
  private func pass(_ count: Int, _ input: Value, gradients: Bool, _ observe: GraphModel.Observer?) throws -> (
    loss: Double, predictions: [Value]
  ) {
    let (loss, factor) = try loss()
    let weights = blocks.block(try lossWeights(), groups: steps.output)
    let share = 1 / Double(count * rank.context.mesh.replica)
    operations.tape = gradients ? Tape() : nil
    defer { operations.tape = nil }
    var (x, total): (Value, Double) = (input, 0)
    var predictions: [Value] = []
    for step in 0..<count {
      let y = try model.step(
        x, noise: noise(), isFirstStep: step == 0, observe: step == 0 ? observe : nil, operations)
      predictions.append(y)
      let gradient = gradients ? compute.tensor(y.tensor.shape) : nil
      let ofStep = try loss(
        y.tensor, target: try target(rolloutStep: step), weights: weights, gradient: gradient, scale: share * factor,
        compute, sumOverRanks: { try rank.context.instance.allReduce([$0])[0] })
      total += factor * ofStep / Double(count)
      if step < count - 1 { x = try next(x, y, step) }
      // The next window adds to it what comes back through the rollout.
      y.gradient = gradient
    }
    if let tape = operations.tape {
      operations.tape = nil
      try tape.backward { [reduction] in try reduction.completed($0) }
    }
    return (total, predictions)
  }

  private func next(_ x: Value, _ y: Value, _ step: Int) throws -> Value {
    let moved = min(steps.input, steps.output)
    let end = steps.input + (step + 1) * steps.output
    let truth = pack(
      try normalized.get(), times: end - moved..<end, variables: try files.indices("data", "input", "full"),
      members: members)
    return try operations.apply(
      NextWindow(
        x, prediction: y, truth: blocks.block(truth, groups: moved), predicted: try outputMask(), model.description))
  }

  /// Points that are predicted; nil: all.
  private func outputMask() throws -> [Bool]? {
    let setting = try files.setting("anemoi_config", "model")["output_mask"]
    guard let mask = try files.ofDataset(setting),
      let name = mask["_target_"]?.string?.split(separator: ".").last, name != "NoOutputMask"
    else { return nil }
    guard name == "Boolean1DMask", let attribute = mask["attribute_name"]?.string else {
      throw JigsawError(files.folder, "has an output mask of an unknown kind", found: String(name))
    }
    return try files.graph.flags("nodes/\(files.names.dataNodes)/\(attribute)")
  }

  // MARK: Checks

  func checkStep() throws {
    var activations: [String: Value] = [:]
    store.clearGradients()
    let result = try rollout(1, gradients: true) { activations[$0] = $1 }
    let prediction = unpack(result.predictions[0], steps: steps.output)
    report.compare("y_pred", prediction, try array("y_pred").values)
    report.compare("y_pred_physical", try physical(prediction), try array("y_pred_physical").values)
    for name in files.values.entries.keys.sorted() where name.hasPrefix("inter/") {
      if let mine = activations[String(name.dropFirst(6))] {
        report.compare(name, try rows(mine), try files.values.floats(name))
      } else {
        report.add(name, .string("not an intermediate result of this model"))
      }
    }
    report.compareLoss("loss", result.loss, Double(try files.values.floats("loss")[0]))
    if let gradient = result.gradient {
      report.compare("grad_x", unpack(gradient, steps: steps.input), try array("grad_x").values)
    }
    try compareGradients("grad")
  }

  func checkRollout() throws {
    store.clearGradients()
    let result = try rollout(2, gradients: true)
    report.compareLoss("rollout2/loss", result.loss, Double(try files.values.floats("rollout2/loss")[0]))
    for (step, prediction) in result.predictions.enumerated() {
      report.compare(
        "rollout2/y_pred_\(step)", unpack(prediction, steps: steps.output),
        try array("rollout2/y_pred_\(step)").values)
    }
    try compareGradients("rollout2/grad")
  }

  private func physical(_ prediction: [Float]) throws -> [Float] {
    let factor = try files.weights.floats(files.names.stored("post_processors.data.processors.normalizer._norm_mul"))
    let addend = try files.weights.floats(files.names.stored("post_processors.data.processors.normalizer._norm_add"))
    let columns = try files.predictedColumns()
    return prediction.enumerated().map { index, value in
      let column = columns[index % columns.count]
      return (value - addend[column]) / factor[column]
    }
  }

  private func compareGradients(_ prefix: String) throws {
    var pairs: [(name: String, mine: [Float], theirs: [Float])] = []
    for (spec, gradient) in try wholeGradients() {
      let name = "\(prefix)/\(files.names.stored(spec.name))"
      // Parameters that nothing depends on have no gradient in the original.
      let theirs =
        files.values.entries[name] == nil
        ? [Float](repeating: 0, count: spec.count) : try files.values.floats(name)
      pairs.append((files.names.stored(spec.name), gradient.values, theirs))
    }
    report.compareGradients(prefix, pairs, zero: try zeroGradients())
  }

  /// Whole gradients of all parameters, gathered from all ranks.
  func wholeGradients() throws -> [(spec: ParameterSpec, gradient: Tensor)] {
    try model.parameters.specs.enumerated().map { ($1, try blocks.whole(ParameterID(index: $0), in: store.gradients)) }
  }

  /// Parameters whose gradients are zero by theory.
  func zeroGradients() throws -> Set<String> {
    Set(
      (try files.setting("parameters_with_analytically_zero_gradient").strings ?? [])
        + (try files.setting("parameters_without_gradient").strings ?? []))
  }

  /// Ten updates by AdamW on the one batch.
  func checkTraining() throws {
    let golden = try files.losses()
    let theirs = golden["losses"]?.array?.compactMap(\.double) ?? []
    report.compareLosses("losses", try train(golden), theirs)
    guard let after = golden["loss_after"]?.double else {
      throw JigsawError("\(files.folder)/losses.json", "has no loss_after")
    }
    report.compareLoss("loss_after", try rollout(1, gradients: false).loss, after)
    // Parameters without influence follow rounding errors.
    let zero = Set(try files.setting("parameters_with_analytically_zero_gradient").strings ?? [])
    var worst = 0.0
    for (index, spec) in model.parameters.specs.enumerated() where !zero.contains(files.names.stored(spec.name)) {
      let values = try blocks.whole(ParameterID(index: index), in: store.values).values
      guard let norm = golden["param_l2_after"]?[files.names.stored(spec.name)]?.double, norm > 0 else { continue }
      let error = abs(CheckReport.norm(values) - norm) / norm
      if !(error <= worst) { worst = error }
    }
    report.add("param_l2_after", .object(["relative": .number(worst)]))
    try loadWeights()
  }

  /// The losses before each of as many updates as the case has losses.
  func train(_ golden: JSONValue) throws -> [Double] {
    func number(_ key: String) throws -> Double {
      guard let value = golden[key]?.double else { throw JigsawError("\(files.folder)/losses.json", "has no \(key)") }
      return value
    }
    let betas = golden["betas"]?.array?.compactMap(\.double) ?? []
    guard betas.count == 2 else { throw JigsawError("\(files.folder)/losses.json", "has no two betas") }
    for (key, expected) in [
      ("rollout", JSONValue.integer(1)), ("optimizer", .string("AdamW")), ("schedule", .string("constant")),
    ] {
      guard let value = golden[key], value != expected else { continue }
      throw JigsawError(
        "\(files.folder)/losses.json: \(key)", "is not computed here", expected: expected.line, found: value.line)
    }
    let (moment1, moment2) = (store.makePiece(), store.makePiece())
    store.clearGradients()
    var mine: [Double] = []
    for step in 0..<(golden["losses"]?.array?.count ?? 0) {
      mine.append(try rollout(1, gradients: true).loss)
      clip(try number("clip_grad_value"))
      let n = Double(step + 1)
      let coefficients = jk_adam(
        learning_rate: Float(try number("lr")), beta1: Float(betas[0]), beta2: Float(betas[1]),
        epsilon: Float(try number("eps")), bias_correction1: Float(1 - power(betas[0], n)),
        bias_correction2: Float(1 - power(betas[1], n)), coupled_decay: 0,
        decoupled_decay: Float(try number("weight_decay")), gradient_scale: 1, average_decay: 0)
      compute.adam(
        coefficients, parameter: store.values, gradient: store.gradients, moment1: moment1, moment2: moment2,
        average: nil)
    }
    return mine
  }

  private func clip(_ limit: Double) {
    let (gradients, limit) = (store.gradients, Float(limit))
    compute.pass(gradients.count, grain: 4_096, bytes: 2 * gradients.byteCount) { range in
      for i in range { gradients.pointer[i] = max(-limit, min(limit, gradients.pointer[i])) }
    }
  }

  private func power(_ base: Double, _ exponent: Double) -> Double {
    (0..<Int(exponent)).reduce(1.0) { product, _ in product * base }
  }
}
