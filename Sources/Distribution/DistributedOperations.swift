import Communication
import Execution
import Tensors

/// The operations on a mesh: every rank holds its block of each value and of each weight, nothing is held twice.
///
/// Values [T, B, C] have tokens over the domain axis and columns over the tensor axis. Shapes of values are global; their
/// data are this rank's block. All ranks of an instance call the same operations in the same order.
public final class DistributedOperations: Operations {
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

  var mesh: Mesh { context.mesh }

  // MARK: Blocks

  /// Tokens at hand of `rows`.
  public func rowRange(_ rows: Int) -> Range<Int> { chunk(rows, into: mesh.domain, context.position.domain) }

  /// Columns of each group at hand.
  public func unitRange(_ columns: Int, groups: Int) -> Range<Int> {
    chunk(columns / groups, into: mesh.tensor, context.position.tensor)
  }

  func columnCount(_ columns: Int, groups: Int) -> Int { groups * unitRange(columns, groups: groups).count }

  func newTensor(_ shape: ValueShape, groups: Int) -> Tensor {
    compute.tensor([rowRange(shape.rows).count, shape.batch, columnCount(shape.columns, groups: groups)])
  }

  func matrix(_ tensor: Tensor, _ layout: MatrixLayout, isWeight: Bool = false) -> DistributedMatrix {
    let (rows, columns) = (layout.rowCount(context.position), layout.columnCount(context.position))
    precondition(tensor.count == rows * columns)
    let block = Matrix(
      buffer: tensor.buffer, offset: tensor.offset, rows: rows, columns: columns, stride: columns, type: tensor.type)
    return DistributedMatrix(
      block, rows: layout.rows, columns: layout.columns, rowAxis: layout.rowAxis, isWeight: isWeight)
  }

  /// Segment `segment` of a weight within a piece of the parameters' memory.
  func weight(_ id: ParameterID, in piece: Tensor, segment: Int = 0) -> DistributedMatrix {
    guard case .matrix(let rows, let columns, let axis) = plan.placement(id) else {
      preconditionFailure("\(plan.table[id].name) is not a distributed matrix")
    }
    let tensor = parameters.view(id, in: piece)
    let layouts = columns.map {
      MatrixLayout(rows: rows.cuts(mesh), columns: $0.cuts(mesh), rowAxis: axis)
    }
    let start = layouts[..<segment].reduce(0) { $0 + $1.count(context.position) }
    let count = layouts[segment].count(context.position)
    return matrix(
      Tensor(shape: [count], buffer: tensor.buffer, offset: tensor.offset + start), layouts[segment],
      isWeight: piece.buffer === parameters.values.buffer)
  }

  func value(_ id: ParameterID) -> Tensor { parameters.value(id) }
  func gradient(_ id: ParameterID) -> Tensor { parameters.gradient(id) }

  func result(_ data: Tensor, _ shape: ValueShape, groups: Int) -> Value {
    Value(shape: shape, groups: groups, data: data, requiresGradient: tape != nil)
  }

  /// Memory for a contribution to x's gradient, and whether to add to it: the first contribution stores.
  func gradientTarget(_ x: Value) -> (tensor: Tensor, accumulate: Bool) {
    if let gradient = x.gradient { return (gradient, true) }
    let gradient = newTensor(x.shape, groups: x.groups)
    x.gradient = gradient
    return (gradient, false)
  }

  /// Adds a tensor nobody else uses to x's gradient.
  func contribute(_ gradient: Tensor, to x: Value) {
    if let sum = x.gradient { compute.add(gradient, to: sum) } else { x.gradient = gradient }
  }

  // MARK: Operations

  public func linear(_ inputs: [Value], _ p: LinearParameters) throws -> Value {
    let (rows, batch) = (inputs[0].shape.rows, inputs[0].shape.batch)
    let shape = ValueShape(rows: rows, batch: batch, columns: plan.table[p.weight].rows)
    let y = newTensor(shape, groups: p.outputGroups)
    let output = result(y, shape, groups: p.outputGroups)
    let layout = output.channelLayout(mesh)
    for (i, x) in inputs.enumerated() {
      try products.linear(
        matrix(x.tensor, x.channelLayout(mesh)), weight(p.weight, in: parameters.values, segment: i),
        alongTokens: false, into: matrix(y, layout), accumulate: i > 0)
    }
    let n = rowRange(rows).count * batch
    compute.addBias(value(p.bias), to: y, rows: n, .perColumn)
    guard let tape else { return output }
    tape.record([p.weight, p.bias]) { [self] in
      let dy = output.takeGradient()
      compute.addBiasGradient(of: dy, rows: n, .perColumn, to: gradient(p.bias))
      for (i, x) in inputs.enumerated() {
        let target = x.requiresGradient ? gradientTarget(x) : nil
        try products.linearBackward(
          matrix(dy, layout), matrix(x.tensor, x.channelLayout(mesh)),
          weight(p.weight, in: parameters.values, segment: i), alongTokens: false,
          dx: target.map { matrix($0.tensor, x.channelLayout(mesh)) }, accumulate: target?.accumulate ?? false,
          dw: weight(p.weight, in: parameters.gradients, segment: i))
      }
    }
    return output
  }

  public func layerNorm(_ x: Value, _ p: NormParameters) throws -> Value {
    let y = newTensor(x.shape, groups: x.groups)
    let statistics = try normalize(x, p, into: y)
    let output = result(y, x.shape, groups: x.groups)
    guard let tape else { return output }
    tape.record([p.scale, p.shift]) { [self] in
      let dy = output.takeGradient()
      let target = gradientTarget(x)
      try normalizeBackward(x, p, statistics, dy, into: target.tensor, accumulate: target.accumulate)
    }
    return output
  }

  public func addScaled(_ y: Value, factor: [Float], to x: Value) throws -> Value {
    precondition(y.shape == x.shape && y.groups == x.groups && x.groups == 1)
    let columns = unitRange(x.shape.columns, groups: 1)
    let factor = Tensor(Array(factor[columns]), shape: [columns.count])
    let sum = newTensor(x.shape, groups: 1)
    compute.addScaledColumns(x.tensor, factor: factor, y.tensor, into: sum)
    let output = result(sum, x.shape, groups: 1)
    guard let tape else { return output }
    tape.record { [self] in
      let dsum = output.takeGradient()
      let dy = newTensor(y.shape, groups: 1)
      compute.addScaledColumnsBackward(dsum, factor: factor, into: dy)
      contribute(dy, to: y)
      if x.requiresGradient { contribute(dsum, to: x) }
    }
    return output
  }

  public func reshape(_ x: Value, batch: Int, columns: Int) throws -> Value {
    let shape = ValueShape(rows: x.shape.rows, batch: batch, columns: columns)
    precondition(shape.count == x.shape.count)
    let groups = x.groups * x.shape.batch / batch
    let tokens = rowRange(shape.rows).count
    let own = columnCount(columns, groups: groups)
    let output = Value(
      shape: shape, groups: groups, data: x.tensor.reshaped([tokens, batch, own]),
      requiresGradient: x.requiresGradient)
    guard let tape, x.requiresGradient else { return output }
    tape.record { [self] in
      contribute(output.takeGradient().reshaped(x.tensor.shape), to: x)
    }
    return output
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
