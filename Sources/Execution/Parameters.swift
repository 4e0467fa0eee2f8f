import Basics

/// How a parameter starts. Numbers come from a counter-based generator keyed by the parameter's name and the element's
/// global index, so that every layout starts from the same model.
public enum Initialization: Sendable, Hashable {
  case constant(Float)
  /// Uniform in ± bound.
  case uniform(bound: Float)
}

/// Parts of a model that may train at different rates.
public enum ParameterGroup: String, Sendable, CaseIterable, Hashable {
  case encoder, processor, decoder
}

/// The field that a row or column of a parameter stands for.
public struct FieldSlot: Sendable, Hashable {
  public enum Role: Sendable, Hashable {
    /// A predicted field as it is read, or a static field or forcing, at one of the input times, counted from the oldest.
    case state(time: Int), auxiliary(time: Int)
    case prediction
    /// No field.
    case other
  }

  public let role: Role
  /// Its number among those of its role.
  public let field: Int
  /// The point of a token.
  public let point: Int

  public init(_ role: Role, field: Int, point: Int = 0) {
    self.role = role
    self.field = field
    self.point = point
  }
}

/// One parameter of a model: a vector or a matrix.
public struct ParameterSpec: Sendable, Hashable {
  /// Stable and dotted, for example `blocks.0.tokens.first.weight`; the name in checkpoints.
  public let name: String
  /// [rows, columns], or [length] for a vector.
  public let shape: [Int]
  /// Parts that the last dimension is made of, when inputs were concatenated: [D, D] for the decoder.
  public let columnSegments: [Int]
  public let initialization: Initialization
  public let group: ParameterGroup
  /// Whether its rows belong to the nodes or edges of the model's graph.
  public var followsGraph = false
  /// The fields that rows and columns stand for where they are fields, those of a vector as columns; nil where they are not.
  public internal(set) var rowSlots, columnSlots: [FieldSlot]?
  /// Weight decay applies to matrices only, not to biases and normalisation.
  public var decays: Bool { shape.count == 2 }

  public var count: Int { shape.reduce(1, *) }
  public var rows: Int { shape.count == 2 ? shape[0] : 1 }
  public var columns: Int { shape[shape.count - 1] }

  public init(
    name: String, shape: [Int], columnSegments: [Int]? = nil, initialization: Initialization, group: ParameterGroup
  ) {
    precondition((1...2).contains(shape.count))
    self.name = name
    self.shape = shape
    self.columnSegments = columnSegments ?? [shape[shape.count - 1]]
    self.initialization = initialization
    self.group = group
    precondition(self.columnSegments.reduce(0, +) == columns)
  }
}

/// A parameter as layers refer to it: its place in the model's table.
public struct ParameterID: Sendable, Hashable {
  public let index: Int
  public init(index: Int) { self.index = index }
}

/// All parameters of a model, in a fixed order.
public struct ParameterTable: Sendable {
  public private(set) var specs: [ParameterSpec] = []

  public init() {}

  public mutating func add(_ spec: ParameterSpec) -> ParameterID {
    precondition(!specs.contains { $0.name == spec.name }, "two parameters called \(spec.name)")
    specs.append(spec)
    return ParameterID(index: specs.count - 1)
  }

  public subscript(id: ParameterID) -> ParameterSpec { specs[id.index] }

  /// Says what rows and columns of a parameter stand for; those of a vector are columns.
  public mutating func label(_ id: ParameterID, rows: [FieldSlot]? = nil, columns: [FieldSlot]? = nil) {
    precondition(rows.map { $0.count == self[id].rows } ?? true)
    precondition(columns.map { $0.count == self[id].columns } ?? true)
    specs[id.index].rowSlots = rows
    specs[id.index].columnSlots = columns
  }

  /// Numbers in all parameters together.
  public var elementCount: Int { specs.reduce(0) { $0 + $1.count } }

  // The two kinds of layer parameters that models are made of. Initialisation as in PyTorch's Linear and LayerNorm.

  /// Weight [outputs, sum of inputs] and bias [outputs], uniform in ± 1/sqrt(inputs), or zero.
  public mutating func linear(
    _ name: String, inputs: [Int], outputs: Int, outputGroups: Int = 1, group: ParameterGroup, zero: Bool = false
  ) -> LinearParameters {
    let bound = 1 / Float(inputs.reduce(0, +)).squareRoot()
    let start: Initialization = zero ? .constant(0) : .uniform(bound: bound)
    let weight = add(
      ParameterSpec(
        name: "\(name).weight", shape: [outputs, inputs.reduce(0, +)], columnSegments: inputs, initialization: start,
        group: group))
    let bias = add(ParameterSpec(name: "\(name).bias", shape: [outputs], initialization: start, group: group))
    return LinearParameters(weight: weight, bias: bias, outputGroups: outputGroups)
  }

  /// Scale (ones) and shift (zeros) over `length` columns, possibly of several concatenated values.
  public mutating func norm(_ name: String, lengths: [Int], group: ParameterGroup) -> NormParameters {
    let length = lengths.reduce(0, +)
    let scale = add(
      ParameterSpec(
        name: "\(name).weight", shape: [length], columnSegments: lengths, initialization: .constant(1), group: group))
    let shift = add(
      ParameterSpec(
        name: "\(name).bias", shape: [length], columnSegments: lengths, initialization: .constant(0), group: group))
    return NormParameters(scale: scale, shift: shift)
  }
}

public struct LinearParameters: Sendable, Hashable {
  public let weight, bias: ParameterID
  /// Groups of the outputs, see `Value.groups`.
  public let outputGroups: Int
}

public struct NormParameters: Sendable, Hashable {
  public let scale, shift: ParameterID
}
