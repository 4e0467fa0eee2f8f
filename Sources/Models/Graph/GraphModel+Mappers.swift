import Execution
import Tensors

// Encoder and decoder, whole or in chunks of destinations.

extension GraphModel {
  /// - Returns: h, and what the decoder sees as encoded data; nil where it sees none, or computes its rows of them itself.
  func encode(_ input: Input, _ operations: any Operations) throws -> (hidden: Value, data: Value?) {
    let batch = input.x.shape.batch
    let chunks = chunkedGraph.chunks(shares: operations.rowShare.count).encoder
    guard chunks.count > 1 else {
      let data = try dataFeatures(input, nil, operations)
      let sources = try embeddedSources(data, operations)
      let hidden = try encode(chunks.chunks[0], sources: sources, batch: batch, operations)
      // A value without use has no gradient.
      let isSeen = description.targetFeatures.contains(.encodedData)
      return (hidden, isSeen ? try encodedData(data, sources, operations) : nil)
    }
    let form = OutputForm(ValueShape(rows: graph.hiddenNodes, batch: batch, columns: description.encoder.channels))
    let hidden = try operations.withMemoryOfItsOwn {
      try operations.inParts(chunks.parts, of: form, parameters(of: [.encoder])) {
        let chunk = chunks.chunks[$0]
        let data = try dataFeatures(input, chunk.rows?.sources, starts: chunk.lists.sourceGroups, operations)
        return try encode(chunk, sources: embeddedSources(data, operations), batch: batch, operations)
      }
    }
    return (hidden, nil)
  }

  private func parameters(of groups: Set<ParameterGroup>) -> [ParameterID] {
    parameters.specs.indices.filter { groups.contains(parameters.specs[$0].group) }.map(ParameterID.init)
  }

  /// The encoder's sources, from the features of data nodes.
  private func embeddedSources(_ data: Value, _ operations: any Operations) throws -> Value {
    switch encoder {
    case .graphTransformer(let sources, _, _, _): try operations.apply(Affine(data, sources))
    case .edgeNetwork(let sources, _, _, _, _): try sources([data], operations)
    }
  }

  /// The decoder's view of data nodes: their features, of an edge network its sources after the encoder.
  private func encodedData(_ data: Value, _ sources: Value, _ operations: any Operations) throws -> Value {
    switch encoder {
    case .graphTransformer: data
    case .edgeNetwork(_, _, _, let block, _):
      try operations.sum(block.nodes([sources, sources], operations), sources)
    }
  }

  /// Hidden nodes of a chunk after the encoder, from the chunk's embedded sources.
  private func encode(
    _ chunk: MapperChunk, sources s: Value, batch: Int, _ operations: any Operations
  ) throws -> Value {
    let hidden = try hiddenFeatures(chunk.rows?.destinations, batch: batch, operations)
    func attributes(_ trainable: ParameterID?) throws -> Value {
      try edgeAttributes(graph.dataToHidden, chunk, trainable: trainable, group: .encoder, operations)
    }
    switch encoder {
    case .graphTransformer(_, let destinations, let block, let edges):
      return try block(
        operations.apply(Affine(hidden, destinations)), sources: s, chunk.lists, attributes: attributes(edges),
        operations)
    case .edgeNetwork(_, let destinations, let embedding, let block, let edges):
      let e = try repeated(
        embedding([attributes(edges)], operations), batch: batch, group: .encoder, operations)
      return try block(destinations([hidden], operations), sources: s, chunk.lists, e: e, operations).x
    }
  }

  /// The decoder's view of data nodes, or of some rows of them.
  ///
  /// - Parameter encodedData: of all data nodes, if it has been computed.
  private func targetFeatures(
    _ input: Input, _ rows: PickedRows?, encodedData whole: Value?, _ operations: any Operations
  ) throws -> Value {
    func encoded() throws -> Value {
      if let whole {
        guard let rows else { return whole }
        return try operations.apply(
          Concatenation(
            [.value(whole)], rows: rows.count, batch: whole.shape.batch, picked: rows, group: .decoder))
      }
      let data = try dataFeatures(input, rows, operations)
      if case .graphTransformer = encoder { return data }
      return try encodedData(data, embeddedSources(data, operations), operations)
    }
    if description.targetFeatures == [.encodedData] { return try encoded() }
    let (x, v) = (input.x, description.variables)
    func everyStep(_ columns: [Int]) -> [Int] {
      (0..<description.inputSteps).flatMap { step in columns.map { step * v.inputs + $0 } }
    }
    func target(_ parts: [Concatenation.Part], _ picked: PickedRows?) throws -> Value {
      try operations.apply(
        Concatenation(
          parts, rows: rows?.count ?? graph.dataNodes, batch: x.shape.batch, picked: picked, group: .decoder))
    }
    func part(_ feature: GraphModelDescription.TargetFeature) throws -> Concatenation.Part {
      switch feature {
      case .encodedData: return .value(try encoded())
      case .coordinates: return .constant(graph.dataCoordinates)
      case .forcings: return .columns(x, everyStep(v.forcingInputs))
      case .prognostics: return .columns(x, everyStep(v.prognosticInputs))
      case .trainableParameters:
        guard let trainableData else { preconditionFailure("no trainable parameters of data nodes") }
        return .parameter(trainableData)
      }
    }
    guard rows != nil, description.targetFeatures.contains(.encodedData) else {
      return try target(description.targetFeatures.map(part), rows)
    }
    // Encoded data have the chunk's rows already, the other features are picked.
    return try target(
      description.targetFeatures.map { feature in
        feature == .encodedData ? .value(try encoded()) : .value(try target([part(feature)], rows))
      }, nil)
  }

  func decode(
    _ z: Value, _ input: Input, encodedData: Value?, _ operations: any Operations
  ) throws -> Value {
    func chunk(_ chunk: MapperChunk) throws -> Value {
      let target = try targetFeatures(input, chunk.rows?.destinations, encodedData: encodedData, operations)
      let sources = try chunk.rows.map {
        try operations.apply(
          Concatenation(
            [.value(z)], rows: $0.sources.count, batch: z.shape.batch, rowStarts: chunk.lists.sourceGroups,
            picked: $0.sources, group: .decoder))
      }
      return try decode(chunk, sources: sources ?? z, target: target, operations)
    }
    let chunks = chunkedGraph.chunks(shares: operations.rowShare.count).decoder
    guard chunks.count > 1 else { return try chunk(chunks.chunks[0]) }
    let form = OutputForm(
      ValueShape(
        rows: graph.dataNodes, batch: z.shape.batch,
        columns: description.outputSteps * description.variables.outputs), groups: description.outputSteps)
    // Features of data nodes are the encoder's.
    return try operations.withMemoryOfItsOwn {
      try operations.inParts(chunks.parts, of: form, parameters(of: [.encoder, .decoder])) {
        try chunk(chunks.chunks[$0])
      }
    }
  }

  /// The output of a chunk's destinations.
  private func decode(
    _ chunk: MapperChunk, sources z: Value, target: Value, _ operations: any Operations
  ) throws -> Value {
    func attributes(_ trainable: ParameterID?) throws -> Value {
      try edgeAttributes(graph.hiddenToData, chunk, trainable: trainable, group: .decoder, operations)
    }
    switch decoder {
    case .graphTransformer(let sources, let destinations, let block, let norm, let last, let edges):
      let s = try sources.map { try operations.apply(Affine(z, $0)) } ?? z
      let y = try block(
        operations.apply(Affine(target, destinations)), sources: s, chunk.lists, attributes: attributes(edges),
        operations)
      return try operations.apply(Affine(operations.layerNorm(y, norm), last))
    case .edgeNetwork(let embedding, let block, let last, let edges):
      let e = try repeated(
        embedding([attributes(edges)], operations), batch: z.shape.batch, group: .decoder, operations)
      return try last([block(target, sources: z, chunk.lists, e: e, operations).x], operations)
    }
  }
}
