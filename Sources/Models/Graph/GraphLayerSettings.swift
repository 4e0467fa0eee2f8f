import Settings
import Tensors

/// Settings that encoder, processor and decoder have in common. Defaults are those of the configurations that anemoi-training
/// ships.
protocol GraphLayerSettings: Section {
  var heads: Int { get set }
  var attentionChannels: Int? { get set }
  var qkNorm: Bool { get set }
  var mlpRatio: Double { get set }
  var mlp: PerceptronKind { get set }
  var activation: ActivationKind { get set }
  var edgePreMLP: Bool { get set }
  var extraLayers: Int { get set }
  var trainableEdges: Int { get set }
}

/// Hidden layers of perceptrons: plain, or gated as in arXiv 2002.05202.
public enum PerceptronKind: String, Sendable, Hashable, Codable, CaseIterable {
  case mlp, glu, swiglu, geglu, reglu
}

extension GraphLayerSettings {
  static var layerFields: [Field<Self>] {
    [
      .integer("heads", \.heads, 1...4_096, "Attention heads; they divide the channels."),
      .integer(
        "attentionChannels", \.attentionChannels, 1...1_000_000,
        "Channels of all heads together; null: as many as the model has."),
      .flag("qkNorm", \.qkNorm, "Normalise queries and keys of each head."),
      .number("mlpRatio", \.mlpRatio, 0.001...1_000, "Width of hidden layers, in units of the channels."),
      .choice(
        "mlp", \.mlp,
        "Hidden layers: mlp: a linear layer and the activation; glu, swiglu, geglu, reglu: gated by sigmoid, SiLU, GELU, ReLU."
      ),
      .choice("activation", \.activation, "Of hidden layers; gelu is the exact one."),
      .flag("edgePreMLP", \.edgePreMLP, "A linear layer and the activation on the edges' attributes before attention."),
      .integer("extraLayers", \.extraLayers, 0...100, "Hidden layers of perceptrons beyond two."),
      .integer("trainableEdges", \.trainableEdges, 0...10_000, "Trainable numbers of each edge."),
    ]
  }

  /// - Parameter c: the model's channels.
  func layer(channels c: Int) -> GraphModelDescription.Layer {
    var layer = GraphModelDescription.Layer(
      hiddenWidth: Int((Double(c) * mlpRatio + 0.5).rounded(.down)), attentionChannels: attentionChannels ?? c)
    layer.hidden =
      switch mlp {
      case .mlp: .plain(activation)
      case .glu: .gated(.sigmoid)
      case .swiglu: .gated(.silu)
      case .geglu: .gated(.gelu)
      case .reglu: .gated(.relu)
      }
    layer.heads = heads
    layer.normalizesQueries = qkNorm
    layer.edgeActivation = edgePreMLP ? activation : nil
    layer.extraLayers = extraLayers
    return layer
  }

  /// Takes over what a description says.
  mutating func take(_ layer: GraphModelDescription.Layer, channels c: Int) {
    heads = layer.heads
    attentionChannels = layer.attentionChannels == c ? nil : layer.attentionChannels
    qkNorm = layer.normalizesQueries
    mlpRatio = Double(layer.hiddenWidth) / Double(c)
    switch layer.hidden {
    case .plain(let kind): (mlp, activation) = (.mlp, kind)
    case .gated(.sigmoid): mlp = .glu
    case .gated(.silu): mlp = .swiglu
    case .gated(.gelu): mlp = .geglu
    case .gated(.relu): mlp = .reglu
    }
    if let edgeActivation = layer.edgeActivation {
      edgePreMLP = true
      activation = edgeActivation
    }
    extraLayers = layer.extraLayers
  }
}

/// Settings of an encoder or a decoder.
public struct MapperSettings<Family: GraphFamily>: GraphLayerSettings, Codable, Hashable {
  public var heads = 16
  public var attentionChannels: Int?
  public var qkNorm = false
  public var mlpRatio = Family.mlpRatio
  public var mlp = PerceptronKind.mlp
  public var activation = ActivationKind.gelu
  public var edgePreMLP = false
  public var extraLayers = 0
  public var trainableEdges = 8

  public init() {}

  public static var fields: [Field<MapperSettings>] {
    layerFields.filter { Family.mapperOptions.contains($0.name) }
  }
}

/// Settings of the layers between encoder and decoder.
public struct ProcessorSettings<Family: GraphFamily>: GraphLayerSettings, Codable, Hashable {
  public var layers = 16
  public var heads = 16
  public var attentionChannels: Int?
  public var qkNorm = false
  public var mlpRatio = Family.mlpRatio
  public var mlp = PerceptronKind.mlp
  public var activation = ActivationKind.gelu
  public var edgePreMLP = false
  public var extraLayers = 0
  public var trainableEdges = 8
  /// Hidden nodes that attend to each other lie at most so many places apart.
  public var window: Int? = 512

  public init() {}

  public static var fields: [Field<ProcessorSettings>] {
    let own: [Field<ProcessorSettings>] =
      [.integer("layers", \.layers, 1...10_000, "Layers of the processor.")] + layerFields + [
        .integer(
          "window", \.window, 1...100_000_000,
          "Hidden nodes attend to those at most so many places apart in their order; null: to all.")
      ]
    return own.filter { Family.processorOptions.contains($0.name) }
  }
}

/// A limit on predicted variables.
public struct BoundSettings: Section, Codable, Hashable {
  public enum Kind: String, Sendable, Hashable, Codable, CaseIterable { case floor, clamp, fraction }

  public var kind = Kind.floor
  public var variables: [String] = []
  public var least = 0.0
  public var most = 1.0
  public var slope = 0.0
  public var of: String?

  public init() {}

  public static let fields: [Field<BoundSettings>] = [
    .choice(
      "kind", \.kind,
      "floor: not below least; clamp: between least and most; fraction: so clamped, in normalised units, times another variable."
    ),
    .texts("variables", \.variables, "Predicted fields, for example [tp, q_500]."),
    .number("least", \.least, -1e30...1e30, "In the variables' units; of a fraction without unit."),
    .number("most", \.most, -1e30...1e30, "Likewise."),
    .number("slope", \.slope, 0...1, "Of values beyond the limits: 0 cuts them off, 0.01 keeps some gradient."),
    .text("of", \.of, "The variable that a fraction is of."),
  ]
}
