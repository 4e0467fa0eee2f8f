import Basics
import Execution
import Tensors

/// Builds the layers of graph models: parameters are named as in anemoi-models, so that state dictionaries pass to and
/// fro.
struct LayerBuilder {
  var table = ParameterTable()
  var group = ParameterGroup.encoder

  /// Weight [outputs, inputs] and bias as a layer of one or several inputs.
  mutating func linear(_ name: String, inputs: [Int], outputs: Int, outputGroups: Int = 1) -> LinearParameters {
    table.linear(name, inputs: inputs, outputs: outputs, outputGroups: outputGroups, group: group)
  }

  mutating func affine(
    _ name: String, inputs: Int, outputs: Int, bias: Bool = true, outputGroups: Int = 1, zero: Bool = false
  ) -> AffineParameters {
    table.affine(
      name, inputs: inputs, outputs: outputs, bias: bias, outputGroups: outputGroups, group: group, zero: zero)
  }

  /// A linear layer whose outputs are the channels of several heads.
  mutating func heads(_ name: String, inputs: Int, outputs: Int, heads: Int, bias: Bool = true) -> AffineParameters {
    table.affine(name, inputs: inputs, outputs: outputs, bias: bias, cell: outputs / heads, group: group)
  }

  mutating func trainable(_ name: String, rows: Int, columns: Int) -> ParameterID? {
    guard columns > 0 else { return nil }
    var spec = ParameterSpec(name: name, shape: [rows, columns], initialization: .constant(0), group: group)
    spec.followsGraph = true
    return table.add(spec)
  }

  mutating func norm(_ name: String, _ length: Int) -> NormParameters {
    table.norm(name, lengths: [length], group: group)
  }

  mutating func headScale(_ name: String, _ length: Int) -> ParameterID {
    table.add(
      ParameterSpec(name: "\(name).weight", shape: [length], initialization: .constant(1), group: group))
  }
}

extension AffineParameters {
  /// Some columns of a linear layer's weight; its bias unless left out.
  init(_ linear: LinearParameters, columns: Range<Int>? = nil, bias: Bool = true) {
    self.init(weight: linear.weight, bias: bias ? linear.bias : nil, columns: columns)
  }
}

/// A LayerNorm over channels, or one whose scale and shift are linear in a condition.
enum NodeNorm: Sendable {
  case plain(NormParameters)
  case conditional(scale: AffineParameters, shift: AffineParameters)

  /// - Parameter condition: width of the condition; nil for a plain norm.
  init(_ name: String, _ length: Int, condition: Int?, _ builder: inout LayerBuilder) {
    guard let condition else {
      self = .plain(builder.norm(name, length))
      return
    }
    self = .conditional(
      scale: builder.affine("\(name).scale", inputs: condition, outputs: length, zero: true),
      shift: builder.affine("\(name).bias", inputs: condition, outputs: length, zero: true))
  }

  func callAsFunction(_ x: Value, _ condition: Value?, _ operations: any Operations) throws -> Value {
    switch self {
    case .plain(let p): return try operations.layerNorm(x, p)
    case .conditional(let scale, let shift):
      guard let condition else { preconditionFailure("a conditional norm without condition") }
      return try operations.apply(
        ConditionalNorm(
          x, scale: operations.apply(Affine(condition, scale)), shift: operations.apply(Affine(condition, shift)),
          group: .processor))
    }
  }

  var parameters: [ParameterID] {
    switch self {
    case .plain(let p): [p.scale, p.shift]
    case .conditional(let scale, let shift): scale.all + shift.all
    }
  }
}

/// Hidden layers, a linear layer, and if wanted a LayerNorm.
struct MultiLayerPerceptron: Sendable {
  enum Hidden: Sendable {
    case plain(LinearParameters)
    case gated(gate: LinearParameters, value: LinearParameters)
  }

  let group: ParameterGroup
  let kind: GraphModelDescription.HiddenLayer
  let hidden: [Hidden]
  let last: LinearParameters
  let norm: NormParameters?

  /// - Parameters:
  ///   - inputs: columns of the values that the first layer reads side by side.
  ///   - outputGroups: see `Value.groups`.
  init(
    _ name: String, inputs: [Int], width: Int, outputs: Int, outputGroups: Int = 1, hiddenLayers: Int = 1, norm: Bool,
    _ kind: GraphModelDescription.HiddenLayer, _ builder: inout LayerBuilder
  ) {
    group = builder.group
    self.kind = kind
    var layers: [Hidden] = []
    for index in 0..<hiddenLayers {
      let inputs = index == 0 ? inputs : [width]
      switch kind {
      case .plain: layers.append(.plain(builder.linear("\(name).mlp.\(2 * index)", inputs: inputs, outputs: width)))
      case .gated:
        layers.append(
          .gated(
            gate: builder.linear("\(name).mlp.\(index).gate_proj", inputs: inputs, outputs: width),
            value: builder.linear("\(name).mlp.\(index).value_proj", inputs: inputs, outputs: width)))
      }
    }
    hidden = layers
    let isPlain = if case .plain = kind { true } else { false }
    last = builder.linear(
      "\(name).mlp.\(isPlain ? 2 * hiddenLayers : hiddenLayers)", inputs: [width], outputs: outputs,
      outputGroups: outputGroups)
    self.norm = norm ? builder.norm("\(name).layer_norm", outputs) : nil
  }

  var parameters: [ParameterID] {
    let layers = hidden.flatMap {
      switch $0 {
      case .plain(let p): [p]
      case .gated(let gate, let value): [gate, value]
      }
    }
    return (layers + [last]).flatMap { [$0.weight, $0.bias] } + (norm.map { [$0.scale, $0.shift] } ?? [])
  }

  func callAsFunction(_ inputs: [Value], _ operations: any Operations) throws -> Value {
    try apply(operations) { try operations.linear(inputs, $0) }
  }

  /// - Parameter first: applies a layer to the input.
  func apply(_ operations: any Operations, first: (LinearParameters) throws -> Value) throws -> Value {
    var x = try forward(hidden[0], operations, first)
    for layer in hidden.dropFirst() { x = try forward(layer, operations) { try operations.linear([x], $0) } }
    let y = try operations.linear([x], last)
    return try norm.map { try operations.layerNorm(y, $0) } ?? y
  }

  private func forward(
    _ layer: Hidden, _ operations: any Operations, _ linear: (LinearParameters) throws -> Value
  ) throws -> Value {
    switch (layer, kind) {
    case (.plain(let p), .plain(let f)): try operations.apply(Activation(linear(p), f, group: group))
    case (.gated(let gate, let value), .gated(let f)):
      try operations.apply(Gate(linear(gate), linear(value), f, group: group))
    default: preconditionFailure("layers of another kind")
    }
  }
}

/// x + MLP(norm(x)), in one operation where that exists.
struct ResidualPerceptron: Sendable {
  let name: String
  let norm: NodeNorm
  let perceptron: MultiLayerPerceptron

  /// In parts where blocks are computed again in backward.
  func callAsFunction(
    _ x: Value, _ condition: Value?, inParts parts: PerceptronParts?, _ operations: any Operations
  ) throws -> Value {
    guard let parts, operations.checkpointsActivations else { return try self(x, condition, operations) }
    return try operations.inParts(parts.parts, of: OutputForm(x.shape), parameters) { index in
      let picked = parts.picked[index]
      func rows(_ value: Value) throws -> Value {
        try operations.apply(
          Concatenation(
            [.value(value)], rows: picked.count, batch: value.shape.batch, picked: picked, group: perceptron.group))
      }
      return try self(rows(x), condition.map(rows), operations)
    }
  }

  func callAsFunction(_ x: Value, _ condition: Value?, _ operations: any Operations) throws -> Value {
    if case .plain(let norm) = norm, case .plain(.gelu) = perceptron.kind, perceptron.norm == nil,
      perceptron.hidden.count == 1, case .plain(let first) = perceptron.hidden[0]
    {
      let p = MLPParameters(name: name, norm: norm, first: first, second: perceptron.last)
      return try operations.apply(ResidualMLP(x, along: .channels, p, dropout: nil))
    }
    return try operations.sum(perceptron([norm(x, condition, operations)], operations), x)
  }

  var parameters: [ParameterID] { norm.parameters + perceptron.parameters }
}

extension Operations {
  /// y + x.
  func sum(_ y: Value, _ x: Value) throws -> Value {
    try addScaled(y, factor: [Float](repeating: 1, count: x.shape.columns), to: x)
  }
}
