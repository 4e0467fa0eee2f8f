import Distribution
import Execution
import Models
import Tensors

extension GraphModelChecks {
  /// A small model on a small random graph. No number divides evenly.
  public struct Setting: Sendable {
    public var name = ""
    var dataNodes = 23
    var hiddenNodes = 9
    /// Edges into each kind of destinations, in the mean; nothing says that one goes back where one goes forth.
    var degree = 3
    /// Data nodes that edges lead to; the others are a boundary.
    var predictedNodes = 23
    var processor = GraphModelDescription.ProcessorKind.graphTransformer
    var mapper = GraphModelDescription.MapperKind.graphTransformer
    /// The decoder's kind, where it is another than the encoder's.
    var decoder: GraphModelDescription.MapperKind?
    var heads = 5
    var reach: Int?
    var normalizesQueries = false
    var edgeActivation: ActivationKind?
    var isGated = false
    var hasNoise = false
    var targetFeatures = [GraphModelDescription.TargetFeature.encodedData]
    var checkpointsActivations = false
    var batch = 2
    public var parts = ComputationParts()

    private var hasAttention: Bool {
      processor != .edgeNetwork || mapper != .edgeNetwork || decoder == .graphTransformer
    }

    /// The same model in parts.
    public func inParts(_ parts: ComputationParts, checkpointsActivations: Bool) -> Setting {
      var setting = self
      setting.parts = parts
      setting.checkpointsActivations = checkpointsActivations
      return setting
    }

    /// Whether every rank gets a head.
    public func fits(_ mesh: Mesh) -> Bool { !hasAttention || mesh.tensor <= heads }

    public var model: GraphModel { GraphModel(description, graph, parts) }

    private var description: GraphModelDescription {
      let channels = 13
      var layer = GraphModelDescription.Layer(hiddenWidth: 17, attentionChannels: 3 * heads)
      layer.heads = heads
      layer.normalizesQueries = normalizesQueries
      layer.edgeActivation = edgeActivation
      if isGated { layer.hidden = .gated(.silu) }
      var mapper = GraphModelDescription.Mapper(mapper, layer, channels: channels)
      mapper.trainableEdges = 3
      var processor = GraphModelDescription.Processor(processor, layer, layers: 2)
      processor.trainableEdges = 2
      processor.reach = reach
      processor.isConditional = hasNoise && processor.kind != .edgeNetwork
      var last = mapper
      last.kind = decoder ?? mapper.kind
      var description = GraphModelDescription(
        .init(
          inputs: 5, outputs: 4, prognosticInputs: [0, 2, 4], prognosticOutputs: [3, 0, 2], forcingInputs: [1, 3]),
        inputSteps: 2, outputSteps: 2, channels: channels, encoder: mapper, processor: processor, decoder: last)
      description.trainableData = 3
      description.trainableHidden = 5
      description.targetFeatures = targetFeatures
      description.boundings = [
        .init([1], .floor(least: [-0.2], slope: 0)), .init([0], .clamp(least: -1, most: 1, slope: 0.1)),
        .init([2, 3], .fraction(least: -0.5, most: 1, slope: 0.01, of: 1)),
      ]
      if hasNoise { description.noise = .init(channels: 3, hiddenWidth: 7, deviation: 1) }
      return description
    }

    private var graph: ModelGraph {
      let coordinates = { (count: Int, kind: String) in
        GraphModelChecks.numbers([2 * count], "\(name) \(kind)").values
      }
      return ModelGraph(
        dataCoordinates: coordinates(dataNodes, "data"), hiddenCoordinates: coordinates(hiddenNodes, "hidden"),
        dataToHidden: edges("in", dataNodes, hiddenNodes, reached: hiddenNodes),
        hiddenToHidden: edges("processor", hiddenNodes, hiddenNodes, reached: hiddenNodes),
        hiddenToData: edges("out", hiddenNodes, dataNodes, reached: predictedNodes))
    }

    /// 0 to 2·degree edges into each of the destinations that are reached.
    private func edges(_ kind: String, _ sources: Int, _ destinations: Int, reached: Int) -> ModelGraph.Edges {
      let random = RandomStream(seed: 17, name: "\(name) \(kind)").numbers
      var (starts, ends): ([Int32], [Int32]) = ([0], [])
      for destination in 0..<destinations {
        let count = destination < reached ? random(2 * degree + 1) : 0
        for _ in 0..<count { ends.append(Int32(random(sources))) }
        starts.append(Int32(ends.count))
      }
      return ModelGraph.Edges(
        EdgeLists(destinationStarts: starts, sources: ends, sourceCount: sources),
        attributes: GraphModelChecks.numbers([ends.count, 3], "\(name) \(kind)").values, attributeCount: 3)
    }
  }

  public static let settings = [
    Setting(name: "graph transformer"),
    Setting(
      name: "graph transformer, normalised queries", dataNodes: 31, hiddenNodes: 14, normalizesQueries: true,
      edgeActivation: .silu, checkpointsActivations: true, batch: 1),
    Setting(
      name: "limited area", dataNodes: 29, hiddenNodes: 11, degree: 1, predictedNodes: 12, heads: 4, isGated: true,
      targetFeatures: [.coordinates, .trainableParameters, .prognostics, .forcings], batch: 3),
    Setting(name: "few hidden nodes", dataNodes: 7, hiddenNodes: 2, predictedNodes: 7),
    Setting(
      name: "edge network", dataNodes: 19, hiddenNodes: 8, predictedNodes: 19, processor: .edgeNetwork,
      mapper: .edgeNetwork, isGated: true),
    Setting(
      name: "few nodes of an edge network", dataNodes: 5, hiddenNodes: 3, degree: 1, predictedNodes: 4,
      processor: .edgeNetwork, mapper: .edgeNetwork, batch: 1),
    Setting(
      name: "edge network that the decoder doesn't see", processor: .transformer, mapper: .edgeNetwork,
      decoder: .graphTransformer, targetFeatures: [.coordinates, .prognostics]),
    Setting(name: "noise without use", processor: .edgeNetwork, mapper: .edgeNetwork, hasNoise: true),
    Setting(
      name: "window", dataNodes: 20, hiddenNodes: 17, predictedNodes: 20, processor: .transformer, reach: 3,
      normalizesQueries: true),
    Setting(name: "wide window", hiddenNodes: 7, processor: .transformer, reach: 5),
    Setting(name: "all positions", hiddenNodes: 10, processor: .transformer),
    Setting(name: "noise", hiddenNodes: 10, normalizesQueries: true, hasNoise: true, batch: 3),
  ]
}

extension RandomStream {
  /// Whole numbers below a limit, one after the other.
  fileprivate var numbers: (Int) -> Int {
    let values = Tensor(zeros: [1 << 12])
    fillUniform(values.floats, bound: 0.5, row: 0, columns: 0..<values.count)
    var next = 0
    return { limit in
      next = (next + 1) % values.count
      return min(limit - 1, Int((values.pointer[next] + 0.5) * Float(limit)))
    }
  }
}
