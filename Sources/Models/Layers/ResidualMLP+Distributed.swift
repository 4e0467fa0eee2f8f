import Distribution
import Execution
import Tensors

// The block computes what it computes on one process, with distributed GEMMs and statistics: of the intermediate results only the input of gelu is kept. What
// travels is in FP32; where one process stores the input of gelu and its gradient in bf16, they are rounded here as well, so that
// the model is the same.

extension ResidualMLP: DistributedOperation {
  /// The input, as the matrix that the layer mixes.
  fileprivate func outerLayout(_ mesh: Mesh) -> MatrixLayout {
    dimension == .tokens ? x.tokenLayout(mesh) : x.channelLayout(mesh)
  }

  /// Hidden values; with axes swapped their rows and columns lie on exchanged axes.
  fileprivate func innerLayout(_ mesh: Mesh, _ table: ParameterTable, swapsAxes: Bool) -> MatrixLayout {
    let outer = outerLayout(mesh)
    let hidden = Dimension(table[p.first.weight].rows).cuts(mesh)
    let axis = swapsAxes ? outer.rowAxis.other : outer.rowAxis
    return dimension == .tokens
      ? MatrixLayout(rows: hidden, columns: outer.columns, rowAxis: axis)
      : MatrixLayout(rows: outer.rows, columns: hidden, rowAxis: axis)
  }

  /// The axis that outputs of the layer lie on.
  private var outputAxis: SplitAxis { dimension == .tokens ? .domain : .tensor }

  /// Whether the plan swaps the axes of the hidden values: the first bias lies as these do.
  fileprivate func swapsAxes(_ plan: ParallelPlan) -> Bool {
    if case .vector(_, let axis) = plan.placement(p.first.bias) { axis != outputAxis } else { false }
  }

  public func place(in plan: inout ParallelPlan) {
    precondition(x.groups == 1)
    let (mesh, table) = (plan.mesh, plan.table)
    p.norm.place(Dimension(x.shape.columns), in: &plan)
    let hidden = Dimension(table[p.first.weight].rows)
    let mixed = Dimension(dimension == .tokens ? x.shape.rows : x.shape.columns)
    let traffic = ProductTraffic.ofLargestPart(mesh)
    let outer = outerLayout(mesh)

    struct Choice {
      let cost: Int
      let first, second: SplitAxis
      let swapsAxes: Bool
    }
    var choices: [Choice] = []
    // Dropout masks are keyed by column, which the columns of swapped values along tokens are not sorted by.
    for swapsAxes in dropout == nil ? [false, true] : [false] {
      let inner = innerLayout(mesh, table, swapsAxes: swapsAxes)
      for first in [SplitAxis.domain, .tensor] {
        for second in [SplitAxis.domain, .tensor] {
          let layers = layouts(
            outer, inner,
            first: MatrixLayout(rows: hidden.cuts(mesh), columns: mixed.cuts(mesh), rowAxis: first),
            second: MatrixLayout(rows: mixed.cuts(mesh), columns: hidden.cuts(mesh), rowAxis: second))
          guard layers.allSatisfy(\.isPossible) else { continue }
          let cost = layers.reduce(0) { $0 + traffic.linear($1, needsInputGradient: true) }
          choices.append(Choice(cost: cost, first: first, second: second, swapsAxes: swapsAxes))
        }
      }
    }
    guard let best = choices.min(by: { $0.cost < $1.cost }) else { preconditionFailure("no placement is possible") }
    plan.place(p.first.weight, .matrix(rows: hidden, columns: [mixed], rowAxis: best.first))
    plan.place(p.second.weight, .matrix(rows: mixed, columns: [hidden], rowAxis: best.second))
    plan.place(p.first.bias, .vector(hidden, best.swapsAxes ? outputAxis.other : outputAxis))
    plan.place(p.second.bias, .vector(mixed, outputAxis))
  }

  private func layouts(
    _ outer: MatrixLayout, _ inner: MatrixLayout, first: MatrixLayout, second: MatrixLayout
  ) -> [LinearLayout] {
    let alongTokens = dimension == .tokens
    return [
      LinearLayout(alongTokens: alongTokens, x: outer, w: first, y: inner),
      LinearLayout(alongTokens: alongTokens, x: inner, w: second, y: outer),
    ]
  }

  public func traffic(_ plan: ParallelPlan, _ place: Mesh.Position) -> SentElements {
    let mesh = plan.mesh
    let layers = layouts(
      outerLayout(mesh), innerLayout(mesh, plan.table, swapsAxes: swapsAxes(plan)),
      first: plan.weightLayouts(p.first.weight)[0], second: plan.weightLayouts(p.second.weight)[0])
    let products = ProductTraffic(mesh, place)
    return layers.reduce(into: LayerNorm.traffic(x, mesh, place)) {
      $0 += products.sent($1, needsInputGradient: true)
    }
  }

  public func run(on operations: DistributedOperations) throws -> Value {
    try DistributedResidualMLP(self, operations).run()
  }
}

/// The layer on one rank's blocks.
private struct DistributedResidualMLP {
  private let operations: DistributedOperations
  private let layer: ResidualMLP
  private let outer, inner: MatrixLayout

  init(_ layer: ResidualMLP, _ operations: DistributedOperations) {
    self.layer = layer
    self.operations = operations
    let (mesh, plan) = (operations.mesh, operations.plan)
    let swapsAxes = layer.swapsAxes(plan)
    precondition(!swapsAxes || layer.dropout == nil, "a plan for inference can't train with dropout")
    outer = layer.outerLayout(mesh)
    inner = layer.innerLayout(mesh, plan.table, swapsAxes: swapsAxes)
  }

  private var x: Value { layer.x }
  private var p: MLPParameters { layer.p }
  private var dropout: Dropout? { layer.dropout }
  private var alongTokens: Bool { layer.dimension == .tokens }
  private var compute: Compute { operations.compute }
  private var place: Mesh.Position { operations.context.position }
  private var bias: BiasDirection { alongTokens ? .perRow : .perColumn }
  private var type: ElementType { dropout == nil ? compute.activationType : .float32 }

  private func newHidden() -> Tensor { compute.tensor([inner.rowCount(place), inner.columnCount(place)]) }

  private func weight(_ p: LinearParameters) -> DistributedMatrix {
    operations.weight(p.weight, in: operations.parameters.values)
  }

  private func weightGradient(_ p: LinearParameters) -> DistributedMatrix {
    operations.weight(p.weight, in: operations.parameters.gradients)
  }

  func run() throws -> Value {
    let (innerRows, outerRows) = (inner.rowCount(place), outer.rowCount(place))
    let normalized = operations.newTensor(x.shape)
    let statistics = try operations.normalize(x, p.norm, into: normalized)
    var hidden = newHidden()
    try operations.products.linear(
      operations.matrix(normalized, outer), weight(p.first), alongTokens: alongTokens,
      into: operations.matrix(hidden, inner), accumulate: false)
    let activated: Tensor
    switch type {
    case .float32:
      activated = newHidden()
      compute.addBiasThenGELU(operations.value(p.first.bias), to: hidden, into: activated, rows: innerRows, bias)
    case .bfloat16:
      activated = hidden
      hidden = compute.tensor(activated.shape, type: type)
      compute.addBias(operations.value(p.first.bias), to: activated, roundedInto: hidden, rows: innerRows, bias)
      compute.gelu(ofRounded: hidden, into: activated)
    }
    maskHidden(activated)

    let y = operations.newTensor(x.shape)
    if dropout == nil {
      y.copy(from: x.tensor)
      compute.addBias(operations.value(p.second.bias), to: y, rows: outerRows, bias)
    }
    try operations.products.linear(
      operations.matrix(activated, inner), weight(p.second), alongTokens: alongTokens,
      into: operations.matrix(y, outer), accumulate: dropout == nil)
    if dropout != nil {
      compute.addBias(operations.value(p.second.bias), to: y, rows: outerRows, bias)
      maskOutput(y)
      compute.add(x.tensor, to: y)
    }
    let output = operations.result(y, x.shape)
    let slot = output.slot
    operations.tape?.record(p.all) { [hidden] in
      try backward(slot.take(), hidden: hidden, statistics)
    }
    return output
  }

  /// - Parameters:
  ///   - dy: becomes the gradient of x.
  ///   - hidden: gelu's input.
  private func backward(_ dy: Tensor, hidden: Tensor, _ statistics: RowStatistics) throws {
    var dbranch = dy
    if dropout != nil {
      dbranch = operations.newTensor(x.shape)
      dbranch.copy(from: dy)
      maskOutput(dbranch)
    }
    compute.addBiasGradient(
      of: dbranch, rows: outer.rowCount(place), bias, to: operations.gradient(p.second.bias))
    // gelu's output once more, since the gradient of the second weight needs it.
    let activated = newHidden()
    switch type {
    case .float32: compute.gelu(hidden, into: activated)
    case .bfloat16: compute.gelu(ofRounded: hidden, into: activated)
    }
    maskHidden(activated)
    let dhidden = newHidden()
    try operations.products.linearBackward(
      operations.matrix(dbranch, outer), operations.matrix(activated, inner), weight(p.second),
      alongTokens: alongTokens, dx: operations.matrix(dhidden, inner), accumulate: false,
      dw: weightGradient(p.second))
    maskHidden(dhidden)
    switch type {
    case .float32: compute.geluBackward(hidden, dhidden, into: dhidden)
    case .bfloat16: compute.geluBackward(ofRounded: hidden, dhidden)
    }
    compute.addBiasGradient(of: dhidden, rows: inner.rowCount(place), bias, to: operations.gradient(p.first.bias))

    let normalized = operations.newTensor(x.shape)
    compute.normalize(
      x.tensor, scale: operations.value(p.norm.scale), shift: operations.value(p.norm.shift), statistics,
      into: normalized)
    let dnormalized = operations.newTensor(x.shape)
    try operations.products.linearBackward(
      operations.matrix(dhidden, inner), operations.matrix(normalized, outer), weight(p.first),
      alongTokens: alongTokens, dx: operations.matrix(dnormalized, outer), accumulate: false,
      dw: weightGradient(p.first))
    // The residual path: the gradient of the output is also the first part of that of the input.
    try operations.normalizeBackward(x, p.norm, statistics, dnormalized, into: dy, accumulate: true)
    operations.contribute(dy, to: x)
  }

  // MARK: Dropout, with the masks of one process

  private var rows: Range<Int> { operations.rowRange(x.shape) }
  private var columns: Range<Int> { operations.unitRange(x.shape, groups: 1) }

  /// Hidden values along tokens are split like the first weight's outputs and x's columns, along channels the other way
  /// round.
  private func maskHidden(_ h: Tensor) {
    let name = "\(p.name).first"
    if alongTokens {
      mask(h, name, rows: inner.rows.range(.domain, place.domain), columns: columns)
    } else {
      mask(h, name, rows: rows, columns: inner.columns.range(.tensor, place.tensor))
    }
  }

  private func maskOutput(_ y: Tensor) { mask(y, "\(p.name).second", rows: rows, columns: columns) }

  /// Masks a block [rows, batch, columns] in place, keyed by global row, sample and column.
  private func mask(_ tensor: Tensor, _ name: String, rows: Range<Int>, columns: Range<Int>) {
    guard let dropout, tensor.count > 0 else { return }
    let (batch, key) = (x.shape.batch, operations.randomKey)
    compute.dropout(
      tensor, rows: rows.count * batch, probability: dropout.probability, stream: key.stream(name, dropout),
      rowIndex: { UInt64(rows.lowerBound + $0 / batch) << 24 | UInt64(key.firstSample + $0 % batch) },
      firstColumn: columns.lowerBound, into: tensor)
  }
}
