import Communication
import Execution
import Tensors

/// The operations on a mesh: every rank holds its block of each value and of each weight, nothing is held twice.
///
/// Values [T, B, C] have tokens over the domain axis and columns over the tensor axis. Shapes of values are global; their
/// data are this rank's block. All ranks of an instance call the same operations in the same order.
public final class DistributedOperations: ExecutingOperations {
  public let context: RankContext
  public let compute: Compute
  public let plan: ParallelPlan
  public let parameters: ParameterStore
  public let products: DistributedProducts
  public var tape: Tape?
  public var checkpointsActivations = false

  public var randomKey = RandomKey()

  public init(_ context: RankContext, _ compute: Compute, _ plan: ParallelPlan, _ parameters: ParameterStore) {
    precondition(plan.mesh == context.mesh)
    self.context = context
    self.compute = compute
    self.plan = plan
    self.parameters = parameters
    products = DistributedProducts(context, compute)
  }

  public var mesh: Mesh { context.mesh }
  public var rowShare: (index: Int, count: Int) { (context.position.domain, mesh.domain) }

  // MARK: Blocks

  public func rowRange(_ shape: ValueShape) -> Range<Int> {
    shape.rowDimension.domainRange(mesh.domain, context.position.domain)
  }

  public func unitRange(_ shape: ValueShape, groups: Int) -> Range<Int> {
    Dimension(shape.columns, groups: groups, cell: shape.cell).unitRange(mesh.tensor, context.position.tensor)
  }

  /// Rows of a value that this rank holds, times its samples.
  public func pointCount(_ shape: ValueShape) -> Int { shape.pointCount(mesh, context.position) }

  /// Edges into the rows held here, by the edges of all ranks.
  var localParts: [EdgeLists: LocalEdges] = [:]

  /// Rows that ranks need of each other, by the list of those that are picked.
  private(set) var pickedRows: [IndexList: RemoteRows] = [:]

  /// - Parameter held: how the picked rows are split.
  func remoteRows(_ picked: PickedRows, _ held: Dimension) -> RemoteRows {
    if let rows = pickedRows[picked.list] { return rows }
    let rows = picked.remoteRows(held, ranks: mesh.domain)
    pickedRows[picked.list] = rows
    return rows
  }

  /// This rank's block of a matrix, in the memory of `tensor`.
  public func matrix(_ tensor: Tensor, _ layout: MatrixLayout, isWeight: Bool = false) -> DistributedMatrix {
    let (rows, columns) = (layout.rowCount(context.position), layout.columnCount(context.position))
    precondition(tensor.count == rows * columns)
    let block = Matrix(
      buffer: tensor.buffer, offset: tensor.offset, rows: rows, columns: columns, stride: columns, type: tensor.type)
    return DistributedMatrix(
      block, rows: layout.rows, columns: layout.columns, rowAxis: layout.rowAxis, isWeight: isWeight)
  }

  /// Segment `segment` of a weight within a piece of the parameters' memory.
  public func weight(_ id: ParameterID, in piece: Tensor, segment: Int = 0) -> DistributedMatrix {
    let tensor = parameters.view(id, in: piece)
    let layouts = plan.weightLayouts(id)
    let start = layouts[..<segment].reduce(0) { $0 + $1.count(context.position) }
    let count = layouts[segment].count(context.position)
    return matrix(
      Tensor(shape: [count], buffer: tensor.buffer, offset: tensor.offset + start), layouts[segment],
      isWeight: piece.buffer === parameters.values.buffer)
  }

  // MARK: Operations

  public func apply(_ operation: some Operation) throws -> Value {
    if let distributed = operation as? any DistributedOperation { return try distributed.run(on: self) }
    return try onWholeValues.apply(operation)
  }

  /// For what the plan lets through where every block is the whole value.
  var onWholeValues: LocalOperations {
    let whole = LocalOperations(compute: compute, parameters: parameters)
    whole.tape = tape
    whole.randomKey = randomKey
    return whole
  }

  // MARK: Gradients held on several ranks

  /// Weights stay as they are while `body` runs a training pass, so that they may be sent ahead.
  public func trainingPass<T>(_ body: () throws -> T) throws -> T {
    products.schedule.beginPass()
    let result = try body()
    try products.schedule.endPass()
    return result
  }

  /// Returns when the gradients of all matrices that backward has come by are complete on this rank.
  public func finishGradients() throws { try products.finishGradients() }

  /// Sums the gradients of vectors over the ranks that hold the same vector; to be called once after the backward passes
  /// of an update.
  public func sumSharedGradients() throws {
    try finishGradients()
    for axis in [SplitAxis.domain, .tensor] where context.size(axis) > 1 {
      let tensors = plan.table.specs.indices.map(ParameterID.init)
        .filter { plan.placement($0).sharedAxes.contains(axis) }.map(gradient)
      let all = compute.tensor([tensors.reduce(0) { $0 + $1.count }], for: .exchange)
      var end = 0
      for tensor in tensors {
        all.elements(end..<end + tensor.count).copy(from: tensor)
        end += tensor.count
      }
      try context.communicator(axis).allReduce(Region(all), of: .float32, .sum).wait()
      end = 0
      for tensor in tensors {
        tensor.copy(from: all.elements(end..<end + tensor.count))
        end += tensor.count
      }
    }
  }

  /// Sum of squares of all gradients of the instance, each counted once.
  public func gradientSquares() throws -> Double {
    var sum = 0.0
    for (index, _) in plan.table.specs.enumerated() {
      let id = ParameterID(index: index)
      let isMine = plan.placement(id).sharedAxes.allSatisfy { context.index($0) == 0 }
      if isMine { sum += compute.sumOfSquares(gradient(id)) }
    }
    return try context.instance.allReduce([sum])[0]
  }
}
