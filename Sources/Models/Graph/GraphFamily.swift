import Tensors

/// A family of models on graphs: the kinds of its layers, and the settings that these have.
public protocol GraphFamily: Sendable {
  static var family: String { get }
  static var title: String { get }
  static var help: String { get }
  /// Kinds of layers of encoder and decoder, and of the processor.
  static var mapper: GraphModelDescription.MapperKind { get }
  static var processor: GraphModelDescription.ProcessorKind { get }
  /// Channels where nothing else is set.
  static var channels: Int { get }
}

extension GraphFamily {
  /// Settings that layers of attention have, and those of message passing.
  private static var attentionOptions: Set<String> {
    ["heads", "attentionChannels", "qkNorm", "mlpRatio", "mlp", "activation"]
  }
  private static var messageOptions: Set<String> {
    ["mlpRatio", "mlp", "activation", "extraLayers", "trainableEdges"]
  }

  static var mapperOptions: Set<String> {
    mapper == .edgeNetwork ? messageOptions : attentionOptions.union(["edgePreMLP", "trainableEdges"])
  }

  static var processorOptions: Set<String> {
    switch processor {
    case .edgeNetwork: messageOptions.union(["layers"])
    case .graphTransformer: attentionOptions.union(["layers", "edgePreMLP", "trainableEdges"])
    case .transformer: attentionOptions.union(["layers", "window"])
    }
  }

  static var mlpRatio: Double { mapper == .edgeNetwork ? 1 : 4 }
}

/// Attention along edges everywhere.
public enum GraphTransformerFamily: GraphFamily {
  public static let family = "graph-transformer"
  public static let title = "graph transformer"
  public static let help = "encoder, processor and decoder attend along the edges of a graph (docs/graph-models.md)"
  public static let mapper = GraphModelDescription.MapperKind.graphTransformer
  public static let processor = GraphModelDescription.ProcessorKind.graphTransformer
  public static let channels = 1_024
}

/// Message passing everywhere.
public enum GNNFamily: GraphFamily {
  public static let family = "gnn"
  public static let title = "graph neural network"
  public static let help = "messages passed along the edges of a graph (docs/graph-models.md)"
  public static let mapper = GraphModelDescription.MapperKind.edgeNetwork
  public static let processor = GraphModelDescription.ProcessorKind.edgeNetwork
  public static let channels = 512
}

/// Attention along edges in encoder and decoder, self-attention of hidden nodes between them.
public enum TransformerFamily: GraphFamily {
  public static let family = "transformer"
  public static let title = "transformer"
  public static let help = "self-attention of hidden nodes within a window, on any grid (docs/graph-models.md)"
  public static let mapper = GraphModelDescription.MapperKind.graphTransformer
  public static let processor = GraphModelDescription.ProcessorKind.transformer
  public static let channels = 1_024
}

/// Settings of the families that anemoi-models has, too.
public protocol AnemoiModelSettings: ModelSettings {}

extension GraphSettings: AnemoiModelSettings {}

public typealias GraphTransformerSettings = GraphSettings<GraphTransformerFamily>
public typealias GNNSettings = GraphSettings<GNNFamily>
public typealias TransformerSettings = GraphSettings<TransformerFamily>
