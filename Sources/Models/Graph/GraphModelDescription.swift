import Tensors

/// Everything that defines the computation of an encoder–processor–decoder model on a graph, besides the graph itself and the
/// weights.
public struct GraphModelDescription: Sendable, Hashable, Codable {
  /// How the hidden layers of multi-layer perceptrons are formed: a linear layer with an activation, or the product of two
  /// linear layers of which one, the gate, goes through an activation (arXiv 2002.05202).
  public enum HiddenLayer: Sendable, Hashable, Codable {
    case plain(ActivationKind)
    case gated(ActivationKind)
  }

  /// Settings that layers of mappers and processors have in common.
  public struct Layer: Sendable, Hashable, Codable {
    public var hidden = HiddenLayer.plain(.gelu)
    /// Width of the multi-layer perceptrons' hidden layers.
    public var hiddenWidth: Int
    /// Attention: heads, the channels of all heads together, and whether queries and keys are normalised per head.
    public var heads = 1
    public var attentionChannels: Int
    public var normalizesQueries = false
    /// Attention along edges: an activation after a linear layer on the edges' attributes, before their projection.
    public var edgeActivation: ActivationKind?
    /// Edge networks: hidden layers beyond one.
    public var extraLayers = 0

    public init(hiddenWidth: Int, attentionChannels: Int) {
      self.hiddenWidth = hiddenWidth
      self.attentionChannels = attentionChannels
    }
  }

  public enum MapperKind: String, Sendable, Hashable, Codable {
    case graphTransformer, edgeNetwork
  }

  public struct Mapper: Sendable, Hashable, Codable {
    public var kind: MapperKind
    public var layer: Layer
    public var channels: Int
    /// Trainable parameters per edge.
    public var trainableEdges = 0
    /// Decoders: whether the last layer starts at zero.
    public var startsAtZero = false

    public init(_ kind: MapperKind, _ layer: Layer, channels: Int) {
      self.kind = kind
      self.layer = layer
      self.channels = channels
    }
  }

  public enum ProcessorKind: String, Sendable, Hashable, Codable {
    case graphTransformer, edgeNetwork, transformer
  }

  public struct Processor: Sendable, Hashable, Codable {
    public var kind: ProcessorKind
    public var layer: Layer
    public var layers: Int
    public var trainableEdges = 0
    /// Transformer: how far apart hidden nodes may lie that attend to each other; nil: any distance.
    public var reach: Int?
    /// Whether its norms are scaled and shifted as the noise says.
    public var isConditional = false

    public init(_ kind: ProcessorKind, _ layer: Layer, layers: Int) {
      self.kind = kind
      self.layer = layer
      self.layers = layers
    }
  }

  /// A feature of the data nodes that the decoder sees.
  public enum TargetFeature: String, Sendable, Hashable, Codable, CaseIterable {
    /// The encoder's input; of an edge network, its source nodes after the encoder.
    case encodedData = "encoded_data"
    case coordinates, forcings, prognostics
    case trainableParameters = "trainable_parameters"
  }

  /// Noise that conditions the processor: channels drawn per hidden node, and the width of the perceptron they go through.
  public struct Noise: Sendable, Hashable, Codable {
    public var channels, hiddenWidth: Int
    public var deviation: Float
    public var activation: ActivationKind

    public init(channels: Int, hiddenWidth: Int, deviation: Float, activation: ActivationKind = .gelu) {
      self.channels = channels
      self.hiddenWidth = hiddenWidth
      self.deviation = deviation
      self.activation = activation
    }
  }

  /// A limit on some variables of the output, in normalised units.
  public struct Bounding: Sendable, Hashable, Codable {
    public enum Kind: Sendable, Hashable, Codable {
      /// max(x − least, 0) + least; `slope` times what lies below instead of 0.
      case floor(least: [Float], slope: Float)
      /// Clamped; beyond the limits the slope may be positive.
      case clamp(least: Float, most: Float, slope: Float)
      /// Clamped, then times another variable of the output.
      case fraction(least: Float, most: Float, slope: Float, of: Int)
    }
    /// Columns among the output variables.
    public var variables: [Int]
    public var kind: Kind

    public init(_ variables: [Int], _ kind: Kind) {
      self.variables = variables
      self.kind = kind
    }
  }

  /// Which columns of the model's inputs and outputs are what.
  public struct Variables: Sendable, Hashable, Codable {
    public var inputs, outputs: Int
    /// Variables that are both read and predicted: their columns in input and output, in the same order.
    public var prognosticInputs, prognosticOutputs: [Int]
    /// Variables that are read alone.
    public var forcingInputs: [Int]

    public init(
      inputs: Int, outputs: Int, prognosticInputs: [Int], prognosticOutputs: [Int], forcingInputs: [Int]
    ) {
      precondition(prognosticInputs.count == prognosticOutputs.count)
      self.inputs = inputs
      self.outputs = outputs
      self.prognosticInputs = prognosticInputs
      self.prognosticOutputs = prognosticOutputs
      self.forcingInputs = forcingInputs
    }
  }

  public var variables: Variables
  /// States that are read, and predicted, at once.
  public var inputSteps, outputSteps: Int
  public var channels: Int
  /// Trainable parameters per node.
  public var trainableData = 0
  public var trainableHidden = 0
  public var encoder: Mapper
  public var processor: Processor
  public var decoder: Mapper
  public var targetFeatures = [TargetFeature.encodedData]
  /// Whether the processor's input is added to its output.
  public var skipsLatent = true
  /// The input state that prognostic outputs are changes to.
  public var residualStep: Int
  public var boundings: [Bounding] = []
  public var noise: Noise?

  public init(
    _ variables: Variables, inputSteps: Int, outputSteps: Int, channels: Int, encoder: Mapper, processor: Processor,
    decoder: Mapper
  ) {
    self.variables = variables
    self.inputSteps = inputSteps
    self.outputSteps = outputSteps
    self.channels = channels
    self.encoder = encoder
    self.processor = processor
    self.decoder = decoder
    residualStep = inputSteps - 1
  }
}

extension GraphModelDescription {
  /// How many columns a target feature has.
  func columns(_ feature: TargetFeature, encoded: Int) -> Int {
    switch feature {
    case .encodedData: encoded
    case .coordinates: 4
    case .forcings: inputSteps * variables.forcingInputs.count
    case .prognostics: inputSteps * variables.prognosticInputs.count
    case .trainableParameters: trainableData
    }
  }

  /// Whether a tensor that anemoi-models keeps has no part in the computation: buffers, second names of parameters, parameters of edges that the
  /// processor doesn't read, and the noise injector of a processor without conditional norms.
  public func ignores(tensor name: String) -> Bool {
    let kinds = [".latlons_", ".layer_norm_attention_dest.", ".trainable_layout_version", ".norm_min_val"]
    return kinds.contains { name.contains($0) }
      || processor.kind == .transformer && name == "model.processor_graph_provider.trainable.trainable"
      || noise != nil && !processor.isConditional && name.hasPrefix("model.noise_injector.")
  }
}
