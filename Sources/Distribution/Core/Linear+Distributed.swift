import Execution
import Tensors

extension Linear: DistributedOperation {
  /// The layer on the mesh, one layout per input.
  ///
  /// - Parameter weights: of the segments of W that belong to the inputs.
  private func layouts(_ mesh: Mesh, _ table: ParameterTable, weights: [MatrixLayout]) -> [LinearLayout] {
    let y = dryResult(table).channelLayout(mesh)
    return zip(inputs, weights).map {
      LinearLayout(alongTokens: false, x: $0.channelLayout(mesh), w: $1, y: y)
    }
  }

  /// W's rows go over the axis that makes the rank send less.
  public func place(in plan: inout ParallelPlan) {
    let (mesh, table) = (plan.mesh, plan.table)
    let outputs = Dimension(table[p.weight].rows, groups: p.outputGroups)
    let segments = inputs.map(\.columnDimension)
    let traffic = ProductTraffic.ofLargestPart(mesh)
    func cost(_ axis: SplitAxis) -> Int {
      let weights = segments.map {
        MatrixLayout(rows: outputs.cuts(mesh), columns: $0.cuts(mesh), rowAxis: axis)
      }
      // Inputs that come from the data need no gradient; which these are is not known here.
      return layouts(mesh, table, weights: weights).reduce(0) { $0 + traffic.linear($1, needsInputGradient: true) }
    }
    let axis: SplitAxis = cost(.domain) <= cost(.tensor) ? .domain : .tensor
    plan.place(p.weight, .matrix(rows: outputs, columns: segments, rowAxis: axis))
    plan.place(p.bias, .vector(outputs, .tensor))
  }

  public func traffic(_ plan: ParallelPlan, _ place: Mesh.Position) -> SentElements {
    let traffic = ProductTraffic(plan.mesh, place)
    return zip(inputs, layouts(plan.mesh, plan.table, weights: plan.weightLayouts(p.weight)))
      .reduce(into: SentElements()) { $0 += traffic.sent($1.1, needsInputGradient: $1.0.requiresGradient) }
  }

  public func run(on operations: DistributedOperations) throws -> Value {
    let (compute, mesh, products) = (operations.compute, operations.mesh, operations.products)
    let parameters = operations.parameters
    let form = output(parameters.table)
    let y = operations.newTensor(form.shape, groups: form.groups)
    let output = operations.result(y, form.shape, groups: form.groups)
    let layout = output.channelLayout(mesh)
    for (i, x) in inputs.enumerated() {
      try products.linear(
        operations.matrix(x.tensor, x.channelLayout(mesh)),
        operations.weight(p.weight, in: parameters.values, segment: i), alongTokens: false,
        into: operations.matrix(y, layout), accumulate: i > 0)
    }
    let n = operations.pointCount(form.shape)
    compute.addBias(operations.value(p.bias), to: y, rows: n, .perColumn)
    guard let tape = operations.tape else { return output }
    let slot = output.slot
    tape.record(self.parameters) { [inputs, p] in
      let dy = slot.take()
      compute.addBiasGradient(of: dy, rows: n, .perColumn, to: operations.gradient(p.bias))
      for (i, x) in inputs.enumerated() {
        let target = x.requiresGradient ? operations.gradientTarget(x) : nil
        try products.linearBackward(
          operations.matrix(dy, layout), operations.matrix(x.tensor, x.channelLayout(mesh)),
          operations.weight(p.weight, in: parameters.values, segment: i), alongTokens: false,
          dx: target.map { operations.matrix($0.tensor, x.channelLayout(mesh)) },
          accumulate: target?.accumulate ?? false,
          dw: operations.weight(p.weight, in: parameters.gradients, segment: i))
      }
    }
    return output
  }
}
