import Tensors

/// The values of all parameters of a model in one piece of memory, and on demand further pieces of the same layout:
/// gradients, moments of the optimiser, moving averages.
public final class ParameterStore {
  public let table: ParameterTable
  /// Shapes of the local parts: the parameters' own shapes, unless they are distributed.
  private let shapes: [[Int]]
  /// Elements from one piece's start to each parameter; starts are aligned for vectors.
  private let offsets: [Int]
  public let length: Int
  /// Parameters that one rank alone holds come first in a piece; behind this those that several hold.
  public let unsharedLength: Int

  public let values: Tensor
  private let gradientMemory: Tensor?

  /// - Parameters:
  ///   - shapes: of the parts of the parameters that are held here; all of them by default.
  ///   - shared: parameters that other ranks hold as well.
  ///   - hasGradients: whether there is memory for gradients, which inference has no use for.
  ///   - makeZeros: gives zeroed memory.
  public init(
    _ table: ParameterTable, shapes: [[Int]]? = nil, shared: Set<ParameterID> = [],
    hasGradients: Bool = true, makeZeros: ([Int]) -> Tensor = { Tensor(zeros: $0) }
  ) {
    self.table = table
    let shapes = shapes ?? table.specs.map(\.shape)
    self.shapes = shapes
    var offsets = [Int](repeating: 0, count: table.specs.count)
    var end = 0
    func place(_ areShared: Bool) {
      for index in table.specs.indices where shared.contains(ParameterID(index: index)) == areShared {
        offsets[index] = end
        end += (shapes[index].reduce(1, *) + 15) / 16 * 16
      }
    }
    place(false)
    unsharedLength = end
    place(true)
    self.offsets = offsets
    length = end
    values = makeZeros([end])
    gradientMemory = hasGradients ? makeZeros([end]) : nil
  }

  /// The gradients, of a model that trains.
  public var gradients: Tensor {
    guard let gradientMemory else { preconditionFailure("a model for inference has no gradients") }
    return gradientMemory
  }

  /// Memory of the values and, in a model that trains, of the gradients.
  public var byteCount: Int { values.byteCount + (gradientMemory?.byteCount ?? 0) }

  /// Another piece of memory of this layout, zeroed.
  public func makePiece() -> Tensor { Tensor(zeros: [length]) }

  /// Where parameter `id` lies in a piece.
  public func range(_ id: ParameterID) -> Range<Int> {
    offsets[id.index]..<offsets[id.index] + shapes[id.index].reduce(1, *)
  }

  /// Parameter `id` within a piece.
  public func view(_ id: ParameterID, in piece: Tensor) -> Tensor {
    Tensor(shape: shapes[id.index], buffer: piece.buffer, offset: piece.offset + offsets[id.index])
  }

  public func value(_ id: ParameterID) -> Tensor { view(id, in: values) }
  public func gradient(_ id: ParameterID) -> Tensor { view(id, in: gradients) }

  public func clearGradients() { gradients.fill() }

  /// Neighbouring elements of one row of a parameter, and where the first lies in the local part.
  public struct Run {
    public let offset, row: Int
    public let columns: Range<Int>

    public init(offset: Int, row: Int, columns: Range<Int>) {
      self.offset = offset
      self.row = row
      self.columns = columns
    }
  }

  /// Calls `body` for all rows of a parameter that is held whole.
  public func forEachRun(_ id: ParameterID, _ body: (Run) -> Void) {
    let spec = table[id]
    for row in 0..<spec.rows { body(Run(offset: row * spec.columns, row: row, columns: 0..<spec.columns)) }
  }

  /// Draws all parameters anew.
  public func initialize(seed: UInt64) { initialize(seed: seed) { forEachRun($0, $1) } }

  /// Draws the local parts anew; `forEachRun` enumerates the elements that they consist of.
  public func initialize(seed: UInt64, forEachRun: (ParameterID, (Run) -> Void) -> Void) {
    for (index, spec) in table.specs.enumerated() {
      let tensor = value(ParameterID(index: index))
      switch spec.initialization {
      case .constant(let constant):
        tensor.updateOnHost { $0.update(repeating: constant) }
      case .uniform(let bound):
        let stream = RandomStream(seed: seed, name: spec.name)
        tensor.updateOnHost { values in
          forEachRun(ParameterID(index: index)) { run in
            let part = UnsafeMutableBufferPointer(rebasing: values[run.offset..<run.offset + run.columns.count])
            stream.fillUniform(part, bound: bound, row: run.row, columns: run.columns)
          }
        }
      }
    }
  }

  /// (name, tensor) of every parameter within a piece, in the table's order.
  public func named(in piece: Tensor) -> [(spec: ParameterSpec, tensor: Tensor)] {
    table.specs.enumerated().map { ($1, view(ParameterID(index: $0), in: piece)) }
  }
}
