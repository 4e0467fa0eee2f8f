import Tensors

/// The values of all parameters of a model in one piece of memory, and on demand further pieces of the same layout:
/// gradients, moments of the optimiser, moving averages.
public final class ParameterStore {
  public let table: ParameterTable
  /// Elements from one piece's start to each parameter; starts are aligned for vectors.
  private let offsets: [Int]
  public let length: Int

  public let values: Tensor
  public let gradients: Tensor

  public init(_ table: ParameterTable) {
    self.table = table
    var offsets: [Int] = []
    var end = 0
    for spec in table.specs {
      offsets.append(end)
      end += (spec.count + 15) / 16 * 16
    }
    self.offsets = offsets
    length = end
    values = Tensor(zeros: [end])
    gradients = Tensor(zeros: [end])
  }

  /// Another piece of memory of this layout, zeroed.
  public func makePiece() -> Tensor { Tensor(zeros: [length]) }

  /// Parameter `id` within a piece.
  public func view(_ id: ParameterID, in piece: Tensor) -> Tensor {
    Tensor(shape: table[id].shape, buffer: piece.buffer, offset: piece.offset + offsets[id.index])
  }

  public func value(_ id: ParameterID) -> Tensor { view(id, in: values) }
  public func gradient(_ id: ParameterID) -> Tensor { view(id, in: gradients) }

  public func clearGradients() { gradients.fill() }

  /// Draws all parameters anew.
  public func initialize(seed: UInt64) {
    for (index, spec) in table.specs.enumerated() {
      let tensor = value(ParameterID(index: index))
      switch spec.initialization {
      case .constant(let constant):
        for i in 0..<tensor.count { tensor.pointer[i] = constant }
      case .uniform(let bound):
        let stream = RandomStream(seed: seed, name: spec.name)
        for row in 0..<spec.rows {
          stream.fillUniform(
            tensor.pointer + row * spec.columns, bound: bound, row: row, columns: 0..<spec.columns)
        }
      }
    }
  }

  /// (name, tensor) of every parameter within a piece, in the table's order.
  public func named(in piece: Tensor) -> [(spec: ParameterSpec, tensor: Tensor)] {
    table.specs.enumerated().map { ($1, view(ParameterID(index: $0), in: piece)) }
  }
}
