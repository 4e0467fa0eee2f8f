import Basics
import Geometry
import Settings
import Tensors

/// The settings of a family of graph models, with the defaults of the configurations that anemoi-training ships.
public struct GraphSettings<Family: GraphFamily>: ModelSettings {
  public static var family: String { Family.family }
  public static var title: String { Family.title }
  public static var help: String { Family.help }

  public var channels = Family.channels
  public var trainableData = 8
  public var trainableHidden = 8
  public var encoder = MapperSettings<Family>()
  public var processor = ProcessorSettings<Family>()
  public var decoder = MapperSettings<Family>()
  public var decoderInputs = [GraphModelDescription.TargetFeature.encodedData]
  public var decoderStartsAtZero = false
  public var latentSkip = true
  public var bounds: [BoundSettings] = []
  public var inputOrder: [Int] = []
  public var outputOrder: [Int] = []
  public var graph = GraphSection()
  public var mapperChunks: Int?
  public var processorChunks: Int?
  public var memoryGiB: Double?

  public init() {}

  public static var fields: [Field<GraphSettings>] {
    [
      .integer("channels", \.channels, 1...1_000_000, "C, the length of a hidden node's latent vector."),
      .integer("trainableData", \.trainableData, 0...10_000, "Trainable numbers of each point of the data."),
      .integer("trainableHidden", \.trainableHidden, 0...10_000, "Trainable numbers of each hidden node."),
      .section("encoder", \.encoder, "From the points of the data to hidden nodes."),
      .section("processor", \.processor, "Between hidden nodes."),
      .section("decoder", \.decoder, "From hidden nodes to the points of the data."),
      .choices(
        "decoderInputs", \.decoderInputs,
        "What the decoder sees of the data points: encoded_data (all that the encoder saw), coordinates, forcings, "
          + "prognostics, trainable_parameters."),
      .flag(
        "decoderStartsAtZero", \.decoderStartsAtZero,
        "Start with the decoder's last layer at zero, so that the first prediction is persistence."),
      .flag("latentSkip", \.latentSkip, "Add the processor's input to its output."),
      .sections("bounds", \.bounds, "Limits on predicted fields, in this order, in training as in forecasts."),
      .integers(
        "inputOrder", \.inputOrder, in: 0...1_000_000,
        "For models made elsewhere: the order of a state's inputs, by their numbers among the predicted fields that are read, "
          + "static fields and forcings; empty: this order."),
      .integers(
        "outputOrder", \.outputOrder, in: 0...1_000_000,
        "Likewise of the predicted fields, by their numbers."),
      .section("graph", \.graph, "Hidden nodes and edges; kept in checkpoints."),
      .integer(
        "mapperChunks", \.mapperChunks, 1...100_000,
        "Parts in which encoder and decoder are computed one after the other, and in training once more each: less memory, the "
          + "same results to rounding; null: 1, or as many as memoryGiB asks for."),
      .integer(
        "processorChunks", \.processorChunks, 1...10_000,
        "Groups of layers whose inputs are kept where training.checkpointActivations is set, which are computed twice again; "
          + "null: the inputs of all layers are kept, or as memoryGiB asks for."),
      .number(
        "memoryGiB", \.memoryGiB, 0.001...1_000_000,
        "Memory that an update may take on each rank, the graph included, beside what is read ahead and decoded fields (data.cacheGiB): mapperChunks, "
          + "processorChunks and training.checkpointActivations are chosen so that it suffices, where they are not set; null: any."
      ),
    ]
  }

  public static var computationSettings: Set<String> { ["mapperChunks", "processorChunks", "memoryGiB"] }
  public static var orderSettings: Set<String> { ["inputOrder", "outputOrder"] }
  public static var placeSettings: Set<String> { ["graph.file"] }

  /// More chunks cost less time than fewer layers whose inputs are kept.
  public func waysToCompute(points: Int, ranks: Int) -> [GraphSettings] {
    // Chunks of less than some thousand points of a rank save little beside the rest.
    let most = max(1, min(points / ranks / 2_048, 256))
    let chunks = mapperChunks.map { [$0] } ?? (0...8).map { 1 << $0 }.filter { $0 <= most }
    let groups = processorChunks.map { [$0] } ?? [nil, Int(Double(processor.layers).squareRoot().rounded())]
    return groups.flatMap { groups in
      chunks.map { chunks in
        var settings = self
        (settings.mapperChunks, settings.processorChunks) = (chunks, groups)
        return settings
      }
    }
  }

  var parts: ComputationParts { ComputationParts(mapper: mapperChunks ?? 1, processor: processorChunks) }

  public var computation: String {
    let chunks = parts.mapper == 1 ? "encoder and decoder whole" : "encoder and decoder in \(parts.mapper) chunks"
    return chunks + (parts.processor.map { ", layers in \($0) groups" } ?? "")
  }

  /// Tokens are points.
  public func tiling(_ fields: ModelFields) throws -> Tiling { try fields.tiling(patch: [1, 1]) }

  public func graphSource(_ fields: ModelFields) throws -> GraphSource? {
    try graph.source(fields.pointSpace(), hasProcessorEdges: Family.processor != .transformer)
  }

  public func makeModel(_ fields: ModelFields) throws -> any ForecastModel {
    guard let graph = fields.graph else {
      throw JigsawError("model.graph", "is not there, and a \(Self.title) can't be computed without it")
    }
    let found = try ModelGraph(graph, points: fields.pointSpace())
    let description = try description(fields)
    guard Family.processor == .transformer || found.hiddenToHidden != nil else {
      throw JigsawError(
        "model.graph", "has no edges between hidden nodes, along which a \(Self.title) processes",
        remedy: "make a graph with them, or use model.family: transformer")
    }
    for (name, edges, trainable) in [
      ("encoder", Optional(found.dataToHidden), description.encoder.trainableEdges),
      ("processor", found.hiddenToHidden, description.processor.trainableEdges),
      ("decoder", found.hiddenToData, description.decoder.trainableEdges),
    ] {
      guard let edges, edges.attributeCount + trainable == 0 else { continue }
      throw JigsawError(
        "model.\(name).trainableEdges", "is 0, and the edges of the graph have no attributes",
        remedy: "give the edges attributes, or raise it")
    }
    return GraphForecastModel(description, found, try columns(fields), parts)
  }
}

extension ModelFields {
  /// The data's points.
  /// - Throws: when they are not known.
  func pointSpace() throws -> PointSpace {
    if let points { return points.space }
    throw JigsawError("model.graph", "needs the points of the data, which are not known here")
  }
}

extension GraphSettings {
  /// - Throws: when an order is none of the fields'.
  func columns(_ fields: ModelFields) throws -> GraphColumns {
    let prognostic = (0..<fields.variables).filter { !fields.diagnostics.contains($0) }
    func order(_ name: String, _ order: [Int], _ count: Int) throws -> [Int] {
      if order.isEmpty { return Array(0..<count) }
      guard order.sorted() == Array(0..<count) else {
        throw JigsawError(
          "model.\(name)", "is no order of the model's fields", expected: "each of 0 … \(count - 1) once",
          found: "\(order.count) numbers")
      }
      return order
    }
    return GraphColumns(
      prognostic: prognostic,
      inputs: try order("inputOrder", inputOrder, prognostic.count + fields.auxiliaries),
      outputs: try order("outputOrder", outputOrder, fields.variables))
  }

  /// The computation that these settings stand for.
  /// - Throws: naming a setting that doesn't fit the others or the fields.
  func description(_ fields: ModelFields) throws -> GraphModelDescription {
    func checked(_ name: String, _ layer: GraphModelDescription.Layer) throws -> GraphModelDescription.Layer {
      guard layer.hiddenWidth > 0 else {
        throw JigsawError(
          "model.\(name).mlpRatio", "leaves hidden layers without channels",
          expected: "a ratio of at least \(significant(0.5 / Double(channels)))")
      }
      guard Family.mapper == .edgeNetwork || layer.attentionChannels % layer.heads == 0 else {
        throw JigsawError(
          "model.\(name).heads", "don't divide the channels of attention",
          expected: "a divisor of \(layer.attentionChannels)", found: "\(layer.heads)")
      }
      return layer
    }
    func mapper(_ name: String, _ settings: MapperSettings<Family>) throws -> GraphModelDescription.Mapper {
      var mapper = GraphModelDescription.Mapper(
        Family.mapper, try checked(name, settings.layer(channels: channels)), channels: channels)
      mapper.trainableEdges = settings.trainableEdges
      return mapper
    }
    var middle = GraphModelDescription.Processor(
      Family.processor, try checked("processor", processor.layer(channels: channels)), layers: processor.layers)
    if Family.processor == .transformer {
      middle.reach = processor.window
    } else {
      middle.trainableEdges = processor.trainableEdges
    }
    let columns = try columns(fields)
    var description = GraphModelDescription(
      columns.variables, inputSteps: fields.inputSteps.count, outputSteps: 1, channels: channels,
      encoder: try mapper("encoder", encoder), processor: middle, decoder: try mapper("decoder", decoder))
    description.decoder.startsAtZero = decoderStartsAtZero
    description.trainableData = trainableData
    description.trainableHidden = trainableHidden
    guard !decoderInputs.isEmpty, Family.mapper == .graphTransformer || decoderInputs == [.encodedData] else {
      throw JigsawError(
        "model.decoderInputs", "can't be the inputs of a \(Self.title)'s decoder", expected: "[encoded_data]")
    }
    guard trainableData > 0 || !decoderInputs.contains(.trainableParameters) else {
      throw JigsawError("model.decoderInputs", "names trainable_parameters, of which model.trainableData has none")
    }
    description.targetFeatures = decoderInputs
    description.skipsLatent = latentSkip
    description.boundings = try bounds.enumerated().flatMap {
      try $1.boundings(fields, columns, place: "model.bounds[\($0)]")
    }
    return description
  }
}

extension BoundSettings {
  /// One bounding for all variables, in normalised units.
  func boundings(_ fields: ModelFields, _ places: GraphColumns, place: String) throws -> [GraphModelDescription
    .Bounding]
  {
    func field(_ name: String) throws -> Int {
      if let column = fields.scaling.firstIndex(where: { $0.name == name }) { return column }
      if fields.scaling.isEmpty {
        throw JigsawError(
          place, "can't be placed, since the names of predicted fields are not known without data", found: name,
          remedy: "take the fields from the data, or leave the limits out: --set model.bounds=[]")
      }
      throw JigsawError(
        place, "limits what is not predicted", expected: fields.scaling.map(\.name).joined(separator: ", "),
        found: name)
    }
    guard kind == .floor || least < most else {
      throw JigsawError(place, "has limits that leave nothing", found: "\(significant(least)) … \(significant(most))")
    }
    guard Set(variables).count == variables.count else {
      throw JigsawError(
        place, "names a variable twice", found: variables.joined(separator: ", "), remedy: "name each once")
    }
    let limited = try variables.map(field)
    let columns = limited.map(places.output)
    func normalised(_ value: Double, _ field: Int) -> Float { fields.scaling[field].normalised(value) }
    switch kind {
    case .floor:
      return [.init(columns, .floor(least: limited.map { normalised(least, $0) }, slope: Float(slope)))]
    case .clamp:
      return zip(limited, columns).map {
        .init([$1], .clamp(least: normalised(least, $0), most: normalised(most, $0), slope: Float(slope)))
      }
    case .fraction:
      guard let of else {
        throw JigsawError("\(place).of", "is missing", expected: "the variable that it is a fraction of")
      }
      guard !variables.contains(of) else {
        throw JigsawError("\(place).of", "is limited as a fraction of itself", found: of)
      }
      let total = places.output(try field(of))
      return [.init(columns, .fraction(least: Float(least), most: Float(most), slope: Float(slope), of: total))]
    }
  }
}
