import Execution
import Tensors

/// How one model runs on one mesh: where each parameter lies and which layers turn their hidden values round. Made from
/// the model's own code by a dry run, so that models know nothing of it.
public struct ParallelPlan: Sendable {
  public let mesh: Mesh
  public let table: ParameterTable
  public internal(set) var placements: [ParameterID: Placement] = [:]
  /// First weights of the MLPs whose hidden values lie with rows and columns on exchanged axes.
  public internal(set) var turned: Set<ParameterID> = []

  init(_ mesh: Mesh, _ table: ParameterTable) {
    self.mesh = mesh
    self.table = table
  }

  /// - Parameter dryRun: one forward pass of the model.
  public static func make(
    _ mesh: Mesh, _ table: ParameterTable, dryRun: (any Operations) throws -> Void
  ) rethrows -> ParallelPlan {
    let planning = PlanningOperations(mesh, table)
    try dryRun(planning)
    precondition(planning.plan.placements.count == table.specs.count, "a parameter of the model is never used")
    return planning.plan
  }

  public func placement(_ id: ParameterID) -> Placement {
    guard let placement = placements[id] else { preconditionFailure("\(table[id].name) is not placed") }
    return placement
  }

  /// Numbers of all parameters at a position.
  public func elementCount(_ place: Mesh.Position) -> Int {
    table.specs.indices.map(ParameterID.init).reduce(0) {
      $0 + placement($1).shape(table[$1], mesh, place).reduce(1, *)
    }
  }

  /// Memory for the parts of all parameters at a position.
  public func makeParameters(
    _ place: Mesh.Position, makeZeros: ([Int]) -> Tensor = { Tensor(zeros: $0) }
  ) -> ParameterStore {
    let ids = table.specs.indices.map(ParameterID.init)
    return ParameterStore(
      table, shapes: ids.map { placement($0).shape(table[$0], mesh, place) },
      shared: Set(ids.filter { !placement($0).sharedAxes.isEmpty }), makeZeros: makeZeros)
  }
}

/// The dry run that a plan is made by. For every layer it takes the placement that sends the fewest bytes, forward and
/// backward.
final class PlanningOperations: Operations {
  var tape: Tape?
  var plan: ParallelPlan
  private let mesh: Mesh
  private let table: ParameterTable
  private let traffic: ProductTraffic

  init(_ mesh: Mesh, _ table: ParameterTable) {
    plan = ParallelPlan(mesh, table)
    self.mesh = mesh
    self.table = table
    // The first rank has the largest parts.
    traffic = ProductTraffic(mesh, mesh.position(of: 0))
  }

  private func dry(_ shape: ValueShape, groups: Int = 1) -> Value {
    Value(shape: shape, groups: groups, data: nil, requiresGradient: false)
  }

  func linear(_ inputs: [Value], _ p: LinearParameters) -> Value {
    let (rows, batch) = (inputs[0].shape.rows, inputs[0].shape.batch)
    let outputs = Dimension(table[p.weight].rows, groups: p.outputGroups)
    let y = dry(ValueShape(rows: rows, batch: batch, columns: outputs.extent), groups: p.outputGroups)
    let segments = inputs.map { Dimension($0.shape.columns, groups: $0.groups) }
    func cost(_ axis: SplitAxis) -> Int {
      zip(inputs, segments).reduce(0) { sum, input in
        let layer = LinearLayout(
          alongTokens: false, x: input.0.channelLayout(mesh),
          w: MatrixLayout(rows: outputs.cuts(mesh), columns: input.1.cuts(mesh), rowAxis: axis),
          y: y.channelLayout(mesh))
        // Inputs that come from the data need no gradient; which these are is not known here.
        return sum + traffic.linear(layer, needsInputGradient: true)
      }
    }
    let axis: SplitAxis = cost(.domain) <= cost(.tensor) ? .domain : .tensor
    plan.placements[p.weight] = .matrix(rows: outputs, columns: segments, rowAxis: axis)
    plan.placements[p.bias] = .vector(outputs, .tensor)
    return y
  }

  func layerNorm(_ x: Value, _ p: NormParameters) -> Value {
    place(p, Dimension(x.shape.columns, groups: x.groups))
    return dry(x.shape, groups: x.groups)
  }

  private func place(_ p: NormParameters, _ dimension: Dimension) {
    plan.placements[p.scale] = .vector(dimension, .tensor)
    plan.placements[p.shift] = .vector(dimension, .tensor)
  }

  func residualMLP(_ x: Value, along dimension: MixingDimension, _ p: MLPParameters, dropout: Dropout?) -> Value {
    precondition(x.groups == 1)
    place(p.norm, Dimension(x.shape.columns))
    let hidden = Dimension(table[p.first.weight].rows)
    let mixed = Dimension(dimension == .tokens ? x.shape.rows : x.shape.columns)
    let tokens = dimension == .tokens
    let outer = tokens ? x.tokenLayout(mesh) : x.channelLayout(mesh)

    struct Choice {
      let cost: Int
      let first, second: SplitAxis
      let isTurned: Bool
    }
    var choices: [Choice] = []
    // Dropout masks are keyed by column, which the columns of turned values along tokens are not sorted by.
    for isTurned in dropout == nil ? [false, true] : [false] {
      let inner = MLPLayout.hidden(outer, hidden, alongTokens: tokens, isTurned: isTurned, mesh)
      for first in [SplitAxis.domain, .tensor] {
        for second in [SplitAxis.domain, .tensor] {
          let layers = [
            LinearLayout(
              alongTokens: tokens, x: outer,
              w: MatrixLayout(rows: hidden.cuts(mesh), columns: mixed.cuts(mesh), rowAxis: first), y: inner),
            LinearLayout(
              alongTokens: tokens, x: inner,
              w: MatrixLayout(rows: mixed.cuts(mesh), columns: hidden.cuts(mesh), rowAxis: second), y: outer),
          ]
          guard layers.allSatisfy(\.isPossible) else { continue }
          let cost = layers.reduce(0) { $0 + traffic.linear($1, needsInputGradient: true) }
          choices.append(Choice(cost: cost, first: first, second: second, isTurned: isTurned))
        }
      }
    }
    guard let best = choices.min(by: { $0.cost < $1.cost }) else { preconditionFailure("no placement is possible") }
    plan.placements[p.first.weight] = .matrix(rows: hidden, columns: [mixed], rowAxis: best.first)
    plan.placements[p.second.weight] = .matrix(rows: mixed, columns: [hidden], rowAxis: best.second)
    let outputAxis: SplitAxis = tokens ? .domain : .tensor
    plan.placements[p.first.bias] = .vector(hidden, best.isTurned ? outputAxis.other : outputAxis)
    plan.placements[p.second.bias] = .vector(mixed, outputAxis)
    if best.isTurned { plan.turned.insert(p.first.weight) }
    return dry(x.shape)
  }

  func blend(
    _ y: Value, with x: Value, inner: NormParameters, outer: NormParameters, _ p: LinearParameters
  ) -> Value {
    for id in [inner.scale, inner.shift, outer.scale, outer.shift, p.weight, p.bias] { plan.placements[id] = .whole }
    return dry(y.shape)
  }

  func addScaled(_ y: Value, factor: [Float], to x: Value) -> Value { dry(x.shape, groups: x.groups) }

  func reshape(_ x: Value, batch: Int, columns: Int) -> Value {
    dry(
      ValueShape(rows: x.shape.rows, batch: batch, columns: columns),
      groups: x.groups * x.shape.batch / batch)
  }
}

/// The layouts of a mixing layer's hidden values.
enum MLPLayout {
  /// - Parameter outer: of the layer's input, as the matrix that it mixes.
  static func hidden(
    _ outer: MatrixLayout, _ hidden: Dimension, alongTokens: Bool, isTurned: Bool, _ mesh: Mesh
  ) -> MatrixLayout {
    let axis = isTurned ? outer.rowAxis.other : outer.rowAxis
    return alongTokens
      ? MatrixLayout(rows: hidden.cuts(mesh), columns: outer.columns, rowAxis: axis)
      : MatrixLayout(rows: outer.rows, columns: hidden.cuts(mesh), rowAxis: axis)
  }
}

extension Value {
  /// As the matrix [rows·batch, columns] that channels are mixed in.
  func channelLayout(_ mesh: Mesh) -> MatrixLayout {
    MatrixLayout(
      rows: Cuts(shape.rows * shape.batch, mesh: mesh, unit: shape.batch),
      columns: Dimension(shape.columns, groups: groups).cuts(mesh), rowAxis: .domain)
  }

  /// As the matrix [rows, batch·columns] that tokens are mixed in; its columns in the order tensor rank, sample, column.
  func tokenLayout(_ mesh: Mesh) -> MatrixLayout {
    let columns = Dimension(shape.columns, groups: groups).cuts(mesh)
    let extent = shape.batch * shape.columns
    return MatrixLayout(
      rows: Cuts(shape.rows, mesh: mesh),
      columns: Cuts(
        domain: (0..<mesh.domain).map { chunk(extent, into: mesh.domain, $0).lowerBound } + [extent],
        tensor: columns.tensor.map { $0 * shape.batch }),
      rowAxis: .domain)
  }
}
