import Execution
import Tensors

extension Affine: DistributedOperation {
  /// Which segment of the weight's columns is used.
  private func segment(_ table: ParameterTable) -> Int {
    guard let columns = p.columns else { return 0 }
    var start = 0
    for (index, length) in table[p.weight].columnSegments.enumerated() {
      if start..<start + length == columns { return index }
      start += length
    }
    preconditionFailure("columns \(columns) are no segment of \(table[p.weight].name)")
  }

  private func layout(_ mesh: Mesh, _ table: ParameterTable, weight: MatrixLayout) -> LinearLayout {
    LinearLayout(
      alongTokens: false, x: x.channelLayout(mesh), w: weight, y: dryResult(table).channelLayout(mesh))
  }

  /// W's rows go over the axis that makes the rank send less.
  public func place(in plan: inout ParallelPlan) {
    let (mesh, table) = (plan.mesh, plan.table)
    let spec = table[p.weight]
    let outputs = Dimension(spec.rows, groups: p.outputGroups, cell: p.cell)
    let segments = p.columns == nil ? [x.columnDimension] : spec.columnSegments.map { Dimension($0) }
    precondition(segments[segment(table)] == x.columnDimension)
    let traffic = ProductTraffic.ofLargestPart(mesh)
    func cost(_ axis: SplitAxis) -> Int {
      let weight = MatrixLayout(rows: outputs.cuts(mesh), columns: x.columnDimension.cuts(mesh), rowAxis: axis)
      return traffic.linear(layout(mesh, table, weight: weight), needsInputGradient: true)
    }
    let axis: SplitAxis = cost(.domain) <= cost(.tensor) ? .domain : .tensor
    plan.place(p.weight, .matrix(rows: outputs, columns: segments, rowAxis: axis))
    if let bias = p.bias { plan.place(bias, .vector(outputs, .tensor)) }
  }

  public func traffic(_ plan: ParallelPlan, _ place: Mesh.Position) -> SentElements {
    let weight = plan.weightLayouts(p.weight)[segment(plan.table)]
    return ProductTraffic(plan.mesh, place).sent(
      layout(plan.mesh, plan.table, weight: weight), needsInputGradient: x.requiresGradient)
  }

  public func run(on operations: DistributedOperations) throws -> Value {
    let (compute, mesh, products) = (operations.compute, operations.mesh, operations.products)
    let parameters = operations.parameters
    let form = output(parameters.table)
    precondition(addend.map { $0.shape == form.shape } ?? true)
    let y =
      overwriting
      ? addend?.tensor ?? operations.newTensor(form.shape)
      : operations.newTensor(
        form.shape, groups: form.groups)
    if let addend, !overwriting { y.copy(from: addend.tensor) }
    let output = operations.result(y, form.shape, groups: form.groups)
    let (inputLayout, outputLayout) = (x.channelLayout(mesh), output.channelLayout(mesh))
    let (n, segment) = (operations.pointCount(form.shape), segment(parameters.table))
    try products.linear(
      operations.matrix(x.tensor, inputLayout), operations.weight(p.weight, in: parameters.values, segment: segment),
      alongTokens: false, into: operations.matrix(y, outputLayout), accumulate: addend != nil)
    if let bias = p.bias { compute.addBias(operations.value(bias), to: y, rows: n, .perColumn) }
    guard let tape = operations.tape else { return output }
    let slot = output.slot
    tape.record(self.parameters) { [x, p, addend] in
      let dy = slot.take()
      if let bias = p.bias {
        compute.addBiasGradient(of: dy, rows: n, .perColumn, to: operations.gradient(bias))
      }
      let target = x.requiresGradient ? operations.gradientTarget(x) : nil
      try products.linearBackward(
        operations.matrix(dy, outputLayout), operations.matrix(x.tensor, inputLayout),
        operations.weight(p.weight, in: parameters.values, segment: segment), alongTokens: false,
        dx: target.map { operations.matrix($0.tensor, inputLayout) }, accumulate: target?.accumulate ?? false,
        dw: operations.weight(p.weight, in: parameters.gradients, segment: segment))
      if let addend, addend.requiresGradient { operations.contribute(dy, to: addend) }
    }
    return output
  }
}
