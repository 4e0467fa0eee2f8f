import Basics
import Execution
import Tensors

/// How one model runs on one mesh: where each parameter lies and which layers turn their hidden values round. Made from
/// the model's own code by a dry run, so that models know nothing of it.
public struct ParallelPlan: Sendable {
  public let mesh: Mesh
  public let table: ParameterTable
  public private(set) var placements: [ParameterID: Placement] = [:]
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

  /// Says where a parameter lies.
  public mutating func place(_ id: ParameterID, _ placement: Placement) { placements[id] = placement }

  public func placement(_ id: ParameterID) -> Placement {
    guard let placement = placements[id] else { preconditionFailure("\(table[id].name) is not placed") }
    return placement
  }

  /// How the segments of a weight lie.
  public func weightLayouts(_ id: ParameterID) -> [MatrixLayout] {
    guard case .matrix(let rows, let columns, let axis) = placement(id) else {
      preconditionFailure("\(table[id].name) is not a distributed matrix")
    }
    return columns.map { MatrixLayout(rows: rows.cuts(mesh), columns: $0.cuts(mesh), rowAxis: axis) }
  }

  /// Elements of all parameters at a position.
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

  func apply(_ operation: some Operation) throws -> Value {
    if let distributed = operation as? any DistributedOperation {
      distributed.place(in: &plan)
    } else if mesh.instance == 1 {
      for id in operation.parameters { plan.place(id, .whole) }
    } else {
      throw JigsawError(
        "parallel.domain and parallel.tensor", "ask for several ranks per model instance",
        expected: "1 and 1, since the operation \(type(of: operation)) of this model runs on one rank",
        found: "\(mesh.domain) and \(mesh.tensor)", remedy: "set both to 1; the ranks then hold a replica each")
    }
    return operation.dryResult(table)
  }

  func residualMLP(_ x: Value, along dimension: MixingDimension, _ p: MLPParameters, dropout: Dropout?) -> Value {
    precondition(x.groups == 1)
    p.norm.place(Dimension(x.shape.columns), in: &plan)
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
    plan.place(p.first.weight, .matrix(rows: hidden, columns: [mixed], rowAxis: best.first))
    plan.place(p.second.weight, .matrix(rows: mixed, columns: [hidden], rowAxis: best.second))
    let outputAxis: SplitAxis = tokens ? .domain : .tensor
    plan.place(p.first.bias, .vector(hidden, best.isTurned ? outputAxis.other : outputAxis))
    plan.place(p.second.bias, .vector(mixed, outputAxis))
    if best.isTurned { plan.turned.insert(p.first.weight) }
    return dry(x.shape)
  }

  func blend(
    _ y: Value, with x: Value, inner: NormParameters, outer: NormParameters, _ p: LinearParameters
  ) -> Value {
    for id in [inner.scale, inner.shift, outer.scale, outer.shift, p.weight, p.bias] { plan.place(id, .whole) }
    return dry(y.shape)
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
  public func channelLayout(_ mesh: Mesh) -> MatrixLayout {
    MatrixLayout(
      rows: Cuts(shape.rows * shape.batch, mesh: mesh, unit: shape.batch),
      columns: Dimension(shape.columns, groups: groups).cuts(mesh), rowAxis: .domain)
  }

  /// As the matrix [rows, batch·columns] that tokens are mixed in; its columns in the order tensor rank, sample, column.
  public func tokenLayout(_ mesh: Mesh) -> MatrixLayout {
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
