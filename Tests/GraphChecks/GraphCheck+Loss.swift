import Basics
import Models
import Stores
import Tensors
import Training

/// The loss of a case, whose configuration is read whole: a setting that is not known is refused.
extension GraphCheck {
  /// Also the factor by which a wrapper multiplies it.
  func loss() throws -> (loss: PointwiseLoss, factor: Double) {
    guard let section = try files.ofDataset(files.setting("anemoi_config", "training", "training_loss")) else {
      throw JigsawError(files.folder, "has no training_loss of the data")
    }
    guard let wrapped = section["per_scale_loss"] else { return (try pointwise(section), 1) }
    // A wrapper applies neither scalers nor ignore_nans, and its projections are of several scales alone.
    try requireKnown(
      section,
      [
        "multiscale_config", "weights", "per_scale_loss", "scalers", "ignore_nans", "autocast",
        "sparse_projector_num_chunks",
      ])
    guard (section["multiscale_config"] ?? .null) == .null else {
      throw JigsawError(files.folder, "has a multi-scale loss, which is not computed here")
    }
    guard let weights = section["weights"]?.array?.compactMap(\.double), weights.count == 1 else {
      throw JigsawError(
        "\(files.folder)/config.json: training_loss.weights", "are not those of one scale", expected: "one number",
        found: section["weights"]?.line ?? "none")
    }
    return (try pointwise(wrapped), weights[0])
  }

  private func pointwise(_ section: JSONValue) throws -> PointwiseLoss {
    let name = section["_target_"]?.string?.split(separator: ".").last.map(String.init) ?? ""
    func alpha(_ preset: Double) -> PointwiseLoss.Kind {
      .rankedProbability(alpha: section["alpha"]?.double ?? preset)
    }
    let ranked = ["alpha", "backend", "no_autocast"]
    let kinds: [String: (kind: PointwiseLoss.Kind, settings: [String])] = [
      "MSELoss": (.squared, []), "WeightedMSELoss": (.squared, []), "MAELoss": (.absolute, []),
      "RMSELoss": (.rootOfSquared, []), "LogCoshLoss": (.logCosh, []),
      "HuberLoss": (.huber(delta: section["delta"]?.double ?? 1), ["delta"]), "CRPS": (alpha(0.95), ranked),
      "AlmostFairKernelCRPS": (alpha(1), ranked),
    ]
    guard let (kind, settings) = kinds[name] else {
      throw JigsawError(
        files.folder, "has a loss that is not computed here", expected: kinds.keys.sorted().joined(separator: ", "),
        found: name)
    }
    // The case holds the scalers themselves.
    try requireKnown(section, ["scalers", "ignore_nans"] + settings)
    return PointwiseLoss(
      kind, variables: model.description.variables.outputs, members: members,
      ignoresMissing: section["ignore_nans"] == .bool(true))
  }

  /// - Throws: for a setting of a loss that is none of these.
  private func requireKnown(_ section: JSONValue, _ known: [String]) throws {
    let others = (section.object ?? [:]).filter { !known.contains($0.key) && $0.key != "_target_" && $0.value != .null }
    guard others.isEmpty else {
      throw JigsawError(
        "\(files.folder)/config.json: training_loss", "has settings that are not computed here",
        expected: known.joined(separator: ", "), found: others.keys.sorted().joined(separator: ", "))
    }
  }

  /// The product of all scalers: [points, batch, steps·variables].
  func lossWeights() throws -> Tensor {
    let v = model.description.variables.outputs
    let sizes = [batch, steps.output, 1, model.graph.dataNodes, v]
    var weights = [Double](repeating: 1, count: sizes.reduce(1, *))
    let scalers = (try files.setting("scaler_dims").object ?? [:]).sorted { $0.key < $1.key }
    for (name, dimensions) in scalers {
      guard let dimensions = dimensions.integers else { throw JigsawError(files.folder, "has a scaler without dims") }
      let (values, shape) = (try files.values.floats("scaler/\(name)"), try files.values.shape("scaler/\(name)"))
      var strides = [0, 0, 0, 0, 0]
      var stride = 1
      for (dimension, extent) in zip(dimensions, shape).reversed() {
        let dimension = dimension < 0 ? dimension + 5 : dimension
        guard extent == 1 || extent == sizes[dimension] else {
          throw JigsawError("\(files.folder): scaler/\(name)", "has a shape that doesn't fit", found: "\(shape)")
        }
        strides[dimension] = extent == 1 ? 0 : stride
        stride *= extent
      }
      for point in 0..<sizes[3] {
        for sample in 0..<batch {
          for step in 0..<steps.output {
            let start = sample * strides[0] + step * strides[1] + point * strides[3]
            let to = ((point * batch + sample) * steps.output + step) * v
            for variable in 0..<v { weights[to + variable] *= Double(values[start + variable * strides[4]]) }
          }
        }
      }
    }
    return Tensor(weights.map { Float($0) }, shape: [sizes[3], batch, steps.output * v])
  }
}
