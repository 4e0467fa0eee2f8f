import Execution

/// Which parameters of a graph model know fields, and in which rows and columns.
extension GraphModel {
  /// Its parameters, with what rows and columns stand for where these are fields.
  func labelled(_ columns: GraphColumns) -> ParameterTable {
    var table = parameters
    func other(_ count: Int, _ kind: Int = 0) -> [FieldSlot] {
      (0..<count).map { FieldSlot(.other, field: $0, point: kind) }
    }
    func states(_ places: some Sequence<Int>) -> [FieldSlot] {
      (0..<description.inputSteps).flatMap { time in
        places.map { place in
          let number = columns.inputs[place]
          let isState = number < columns.prognostic.count
          return isState
            ? FieldSlot(.state(time: time), field: columns.prognostic[number])
            : FieldSlot(.auxiliary(time: time), field: number - columns.prognostic.count)
        }
      }
    }
    let all = states(columns.inputs.indices)
    let outputs = columns.outputs.map { FieldSlot(.prediction, field: $0) }
    func withRest(_ slots: [FieldSlot], of id: ParameterID) -> [FieldSlot] {
      slots + other(parameters[id].columns - slots.count)
    }
    switch encoder {
    case .graphTransformer(let sources, _, _, _):
      table.label(sources.weight, columns: withRest(all, of: sources.weight))
    case .edgeNetwork(let sources, _, _, _, _):
      for id in sources.firstWeights { table.label(id, columns: withRest(all, of: id)) }
    }
    switch decoder {
    case .graphTransformer(_, let destinations, _, _, let last, _):
      let v = description.variables
      // The decoder of a graph transformer reads the encoder's input itself, that of message passing its embedding.
      let (encoded, isOfFields) =
        if case .graphTransformer(let sources, _, _, _) = encoder {
          (parameters[sources.weight].columns, true)
        } else {
          (description.channels, false)
        }
      let target = description.targetFeatures.flatMap { feature -> [FieldSlot] in
        let count = description.columns(feature, encoded: encoded)
        return switch feature {
        case .forcings: states(v.forcingInputs)
        case .prognostics: states(v.prognosticInputs)
        case .encodedData: isOfFields ? all + other(count - all.count) : other(count)
        case .coordinates: other(count, 1)
        case .trainableParameters: other(count, 2)
        }
      }
      table.label(destinations.weight, columns: target)
      table.label(last.weight, rows: outputs)
      if let bias = last.bias { table.label(bias, columns: outputs) }
    case .edgeNetwork(_, _, let last, _):
      table.label(last.last.weight, rows: outputs)
      table.label(last.last.bias, columns: outputs)
    }
    return table
  }
}

extension MultiLayerPerceptron {
  /// Parameters of the layers that read the input.
  var firstWeights: [ParameterID] {
    switch hidden[0] {
    case .plain(let p): [p.weight]
    case .gated(let gate, let value): [gate.weight, value.weight]
    }
  }
}
