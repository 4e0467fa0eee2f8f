import Basics
import Tensors

/// Properties of a model made elsewhere beside its layers.
public struct ImportedOrders: Sendable {
  /// By column of a state's inputs: its number among the predicted fields that are read, static fields and forcings.
  public var inputs: [Int]
  /// By column of the prediction: its predicted field.
  public var outputs: [Int]
  /// The file that holds its graph.
  public var graphFile: String

  public init(inputs: [Int], outputs: [Int], graphFile: String) {
    self.inputs = inputs
    self.outputs = outputs
    self.graphFile = graphFile
  }
}

extension GraphModelDescription {
  /// The settings of a family that stand for this computation.
  ///
  /// - Parameters:
  ///   - fields: the forecast's, with their scaling.
  ///   - orders: of the model's columns.
  /// - Throws: naming what no family of runs has.
  public func settings(
    _ fields: ModelFields, _ orders: ImportedOrders, place: String
  ) throws -> any ModelSettings {
    switch processor.kind {
    case .graphTransformer: try GraphTransformerSettings(self, fields, orders, place: place)
    case .edgeNetwork: try GNNSettings(self, fields, orders, place: place)
    case .transformer: try TransformerSettings(self, fields, orders, place: place)
    }
  }
}

extension GraphSettings {
  init(
    _ d: GraphModelDescription, _ fields: ModelFields, _ orders: ImportedOrders, place: String
  ) throws {
    self.init()
    channels = d.channels
    trainableData = d.trainableData
    trainableHidden = d.trainableHidden
    encoder.take(d.encoder.layer, channels: channels)
    encoder.trainableEdges = d.encoder.trainableEdges
    processor.take(d.processor.layer, channels: channels)
    processor.layers = d.processor.layers
    processor.trainableEdges = d.processor.trainableEdges
    processor.window = d.processor.reach
    decoder.take(d.decoder.layer, channels: channels)
    decoder.trainableEdges = d.decoder.trainableEdges
    decoderInputs = d.targetFeatures
    decoderStartsAtZero = d.decoder.startsAtZero
    latentSkip = d.skipsLatent
    inputOrder = orders.inputs
    outputOrder = orders.outputs
    bounds = try d.boundings.flatMap { try $0.settings(fields, orders.outputs, place) }
    graph.file = orders.graphFile
    // A property that these settings can't express makes the descriptions differ.
    var (own, wanted) = (try description(fields), d)
    own.boundings = []
    wanted.boundings = []
    guard own == wanted else {
      throw JigsawError(
        place, "is of a model that is computed here but can't be a run",
        expected:
          "a \(Self.title) with encoder and decoder of its family and \(channels) channels, one predicted state "
          + "that changes the last one, without noise", found: d.difference(from: own),
        remedy: "see docs/graph-models.md")
    }
  }
}

extension GraphModelDescription {
  /// The difference in words.
  fileprivate func difference(from other: GraphModelDescription) -> String {
    var words: [String] = []
    if outputSteps != other.outputSteps { words.append("\(outputSteps) predicted states") }
    if residualStep != other.residualStep { words.append("residual.step \(residualStep - inputSteps)") }
    if noise != nil { words.append("noise") }
    words += GraphModelDescription.settings(
      "encoder", encoder.settings + encoder.layer.settings, other.encoder.settings + other.encoder.layer.settings)
    words += GraphModelDescription.settings(
      "processor", processor.settings + processor.layer.settings,
      other.processor.settings + other.processor.layer.settings)
    words += GraphModelDescription.settings(
      "decoder", decoder.settings + decoder.layer.settings, other.decoder.settings + other.decoder.layer.settings)
    if variables != other.variables || inputSteps != other.inputSteps { words.append("other variables") }
    return words.isEmpty ? "other settings" : words.joined(separator: ", ")
  }

  /// Settings of a part that differ, by their names in anemoi-models.
  private static func settings(_ part: String, _ own: [LayerSetting], _ others: [LayerSetting]) -> [String] {
    zip(own, others).filter { $0.0.value != $0.1.value }.map { "\(part).\($0.0.name) \($0.0.value)" }
  }
}

private typealias LayerSetting = (name: String, value: String)

extension GraphModelDescription.Mapper {
  fileprivate var settings: [LayerSetting] {
    [
      ("mapper", kind == .edgeNetwork ? "GNN" : "GraphTransformer"), ("num_channels", "\(channels)"),
      ("trainable_size", "\(trainableEdges)"), ("initialise_data_extractor_zero", "\(startsAtZero)"),
    ]
  }
}

extension GraphModelDescription.Processor {
  fileprivate var settings: [LayerSetting] {
    [
      ("num_layers", "\(layers)"), ("trainable_size", "\(trainableEdges)"),
      ("window_size", reach.map { "\($0)" } ?? "null"),
      ("layer_kernels.LayerNorm", isConditional ? "ConditionalLayerNorm" : "LayerNorm"),
    ]
  }
}

extension GraphModelDescription.Layer {
  fileprivate var settings: [LayerSetting] {
    [
      ("mlp_implementation", "\(hidden)"), ("hidden width", "\(hiddenWidth)"), ("num_heads", "\(heads)"),
      ("attn_channels", "\(attentionChannels)"), ("qk_norm", "\(normalizesQueries)"),
      ("edge_pre_mlp", edgeActivation.map { "\($0)" } ?? "false"), ("mlp_extra_layers", "\(extraLayers)"),
    ]
  }
}

extension GraphModelDescription.Bounding {
  /// The same in the variables' units.
  fileprivate func settings(_ fields: ModelFields, _ order: [Int], _ place: String) throws -> [BoundSettings] {
    func output(_ column: Int) throws -> Int {
      if order.indices.contains(column), fields.scaling.indices.contains(order[column]) { return order[column] }
      throw JigsawError(
        place, "bounds an output that is not there", expected: "one of \(order.count)", found: "number \(column)")
    }
    return try variables.enumerated().map { index, column in
      let scaling = fields.scaling[try output(column)]
      func physical(_ value: Float) -> Double { Double(value) * Double(scaling.scale) + Double(scaling.offset) }
      var settings = BoundSettings()
      settings.variables = [scaling.name]
      switch kind {
      case .floor(let least, let slope):
        settings.least = physical(least[index])
        settings.slope = Double(slope)
      case .clamp(let least, let most, let slope):
        settings.kind = .clamp
        (settings.least, settings.most, settings.slope) = (physical(least), physical(most), Double(slope))
      case .fraction(let least, let most, let slope, let total):
        settings.kind = .fraction
        (settings.least, settings.most, settings.slope) = (Double(least), Double(most), Double(slope))
        settings.of = fields.scaling[try output(total)].name
      }
      return settings
    }
  }
}
