import Execution
import Tensors

/// A graph model as it is trained on and forecast with: its tokens are the points of the data, its values those of a
/// `ModelInput`.
///
/// ```
/// x = [prognostic fields, static fields and forcings] (or in `GraphColumns`' order) at each input time, oldest first      [N, B, T_in·V_in]
/// ŷ = GraphModel(x)                                                                         [N, B, V_out]
/// ```
public struct GraphForecastModel: ForecastModel {
  public let form: ModelForm
  public let model: GraphModel
  public let columns: GraphColumns
  public let parameters: ParameterTable

  public init(
    _ description: GraphModelDescription, _ graph: ModelGraph, _ columns: GraphColumns,
    _ parts: ComputationParts = ComputationParts()
  ) {
    precondition(description.outputSteps == 1 && description.noise == nil)
    model = GraphModel(description, graph, parts)
    self.columns = columns
    parameters = model.labelled(columns)
    form = ModelForm(
      tokens: graph.dataNodes, pointsPerToken: 1, variables: columns.outputs.count,
      auxiliaries: columns.inputs.count - columns.prognostic.count, inputTimes: description.inputSteps)
  }

  public func constantBytes(rowShares: Int) -> Int {
    model.graph.byteCount + model.chunkedGraph.chunks(shares: rowShares).byteCount
  }

  public var columnParts: Int { ([form.variables] + model.description.headCounts).min() ?? 1 }

  public var phases: [StepPhase] {
    model.description.mixesChannels
      ? [.encoder, .channelMixing, .processor, .decoder, .output] : [.encoder, .processor, .decoder, .output]
  }

  public var summary: String {
    let (d, graph) = (model.description, model.graph)
    return
      "\(graph.dataNodes) points, \(graph.hiddenNodes) hidden nodes, \(d.channels) channels, \(d.processor.layers) layers"
  }

  public func step(_ input: ModelInput, application: Int, isTraining: Bool, _ operations: any Operations) throws
    -> Value
  {
    let (rows, batch) = (form.tokens, input.state.shape.batch)
    let parts = input.states.enumerated().flatMap { time, state in
      columns.parts(state, input.auxiliaries.isEmpty ? nil : input.auxiliaries[time])
    }
    let y = try model.step(
      operations.apply(Concatenation(parts, rows: rows, batch: batch, group: .encoder)), operations)
    guard let order = columns.reordered else { return y }
    return try operations.apply(Concatenation([.columns(y, order)], rows: rows, batch: batch, group: .decoder))
  }
}

extension GraphModelDescription {
  /// Heads of everything that attends.
  var headCounts: [Int] {
    [encoder, decoder].filter { $0.kind == .graphTransformer }.map(\.layer.heads)
      + (processor.kind == .edgeNetwork ? [] : [processor.layer.heads])
  }

  /// Whether some perceptron runs as one operation (`ResidualPerceptron`).
  var mixesChannels: Bool {
    func isFused(_ layer: Layer) -> Bool { layer.hidden == .plain(.gelu) }
    let mappers = [encoder, decoder].contains { $0.kind == .graphTransformer && isFused($0.layer) }
    return mappers || processor.kind != .edgeNetwork && isFused(processor.layer)
  }
}
