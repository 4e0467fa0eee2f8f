import Communication
import Distribution
import Execution
import Tensors

/// Blocks of whole arrays on a rank, and whole arrays from the blocks of all ranks of an instance.
public struct RankBlocks {
  public let rank: ModelRank

  public init(_ rank: ModelRank) { self.rank = rank }

  private var context: RankContext { rank.context }

  /// The place in the whole [R, B, C] of each element of this rank's block.
  private func places(_ shape: ValueShape, groups: Int) -> [Int] {
    let (mesh, position) = (context.mesh, context.position)
    let columns = Dimension(shape.columns, groups: groups, cell: shape.cell).positions(mesh, .tensor, position.tensor)
    return shape.rowDimension.domainRange(mesh.domain, position.domain).flatMap { row in
      (0..<shape.batch).flatMap { sample in columns.map { (row * shape.batch + sample) * shape.columns + $0 } }
    }
  }

  /// This rank's block of a whole array.
  public func block(_ whole: Tensor, groups: Int = 1) -> Tensor {
    let shape = ValueShape(rows: whole.shape[0], batch: whole.shape[1], columns: whole.shape[2])
    let (mesh, position) = (context.mesh, context.position)
    let rows = shape.rowDimension.domainRange(mesh.domain, position.domain).count
    let columns = groups * Dimension(shape.columns, groups: groups).unitRange(mesh.tensor, position.tensor).count
    return Tensor(places(shape, groups: groups).map { whole.pointer[$0] }, shape: [rows, shape.batch, columns])
  }

  /// A value from a whole array.
  public func value(_ whole: Tensor, groups: Int = 1, requiresGradient: Bool = false) -> Value {
    Value(
      shape: ValueShape(rows: whole.shape[0], batch: whole.shape[1], columns: whole.shape[2]), groups: groups,
      data: block(whole, groups: groups), requiresGradient: requiresGradient)
  }

  /// The whole array on every rank.
  public func whole(_ block: Tensor, _ shape: ValueShape, groups: Int) throws -> Tensor {
    let whole = Tensor(zeros: shape.dimensions)
    for (index, place) in places(shape, groups: groups).enumerated() { whole.pointer[place] = block.pointer[index] }
    return try sum(whole)
  }

  public func whole(_ value: Value) throws -> Tensor { try whole(value.tensor, value.shape, groups: value.groups) }

  /// A whole parameter, or what a piece of memory has in its place, on every rank.
  public func whole(_ id: ParameterID, in piece: Tensor) throws -> Tensor {
    let spec = rank.parameters.table[id]
    let (whole, part) = (Tensor(zeros: spec.shape), rank.parameters.view(id, in: piece))
    if rank.isFirstHolder(id) {
      rank.forEachRun(id) { run in
        for (index, column) in run.columns.enumerated() {
          whole.pointer[run.row * spec.columns + column] = part.pointer[run.offset + index]
        }
      }
    }
    return try sum(whole)
  }

  /// This rank's part of a whole parameter.
  public func set(_ id: ParameterID, from whole: Tensor) {
    let (spec, part) = (rank.parameters.table[id], rank.parameters.value(id))
    rank.forEachRun(id) { run in
      for (index, column) in run.columns.enumerated() {
        part.pointer[run.offset + index] = whole.pointer[run.row * spec.columns + column]
      }
    }
  }

  private func sum(_ whole: Tensor) throws -> Tensor {
    if context.instance.size > 1 {
      try context.instance.allReduce(Region(whole), of: .float32, .sum).wait()
    }
    return whole
  }
}
