import Basics
import Tensors

extension GraphModelDescription {
  /// Reads the `model` part of a configuration of anemoi-training, as resolved by it and stored in its checkpoints.
  ///
  /// - Parameters:
  ///   - model: the configuration's `model`.
  ///   - boundings: limits on the output, read with the statistics by the caller (`AnemoiBoundings`).
  /// - Throws: a sentence for everything that these models do not compute.
  public init(
    anemoi model: JSONValue, _ variables: Variables, inputSteps: Int, outputSteps: Int,
    boundings: [Bounding], place: String
  ) throws {
    let reader = AnemoiReader(model, place)
    try reader.checkWhole(variables, inputSteps: inputSteps, outputSteps: outputSteps)
    let channels = try reader.count("num_channels", in: model, from: 1)
    self.init(
      variables, inputSteps: inputSteps, outputSteps: outputSteps, channels: channels,
      encoder: try reader.mapper("encoders"), processor: try reader.processor(),
      decoder: try reader.mapper("decoders"))
    guard encoder.channels == channels else {
      throw reader.refusal("encoders", "num_channels of the processor, \(channels)", "\(encoder.channels)")
    }
    guard decoder.kind == .graphTransformer || decoder.channels == channels else {
      throw reader.refusal("decoders", "num_channels of the processor, \(channels)", "\(decoder.channels)")
    }
    trainableData = try reader.trainable("node_trainable_parameters", "data")
    trainableHidden = try reader.trainable("node_trainable_parameters", "hidden")
    encoder.trainableEdges = try reader.trainableEdges(reader.mapperSection("encoders"), "data2hidden")
    if processor.kind != .transformer {
      processor.trainableEdges = try reader.trainableEdges(model["processor"], "hidden2hidden")
    }
    decoder.trainableEdges = try reader.trainableEdges(reader.mapperSection("decoders"), "hidden2data")
    targetFeatures = try reader.targetFeatures()
    if encoder.kind != .edgeNetwork && decoder.kind == .edgeNetwork {
      throw reader.refusal("decoders", "a graph-transformer decoder behind a graph-transformer encoder", "GNN")
    }
    if decoder.kind == .edgeNetwork && targetFeatures != [.encodedData] {
      throw reader.refusal("decoders.target_node_features", "encoded_data for a GNN", "\(targetFeatures)")
    }
    skipsLatent = try reader.flag("latent_skip", in: model["model"], at: "model.", default: true)
    residualStep = try reader.residualStep(inputSteps)
    noise = try reader.noise()
    if processor.isConditional && noise == nil {
      throw reader.refusal("processor", "a noise_injector for its conditional norms", "none")
    }
    self.boundings = boundings
  }
}
