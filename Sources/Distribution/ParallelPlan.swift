import Basics
import Execution
import Tensors

/// How one model runs on one mesh: where each parameter lies. Made by a dry run of the model, whose
/// operations place their parameters.
public struct ParallelPlan: Sendable {
  public let mesh: Mesh
  public let table: ParameterTable
  public private(set) var placements: [ParameterID: Placement] = [:]
  /// Rows that the ranks of the domain axis need of each other, by the edges that they need them for.
  private var halos: [EdgeLists: HaloLists] = [:]

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

  /// Finds the rows that ranks need of each other for these edges.
  public mutating func addHalo(_ edges: EdgeLists) {
    if halos[edges] == nil { halos[edges] = HaloLists(edges, ranks: mesh.domain) }
  }

  public func halo(_ edges: EdgeLists) -> HaloLists {
    guard let lists = halos[edges] else { preconditionFailure("edges that the plan does not know") }
    return lists
  }

  /// Bytes of the lists of rows that ranks need of each other.
  var listBytes: Int {
    halos.values.reduce(0) { $0 + $1.remote.byteCount }
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
    _ place: Mesh.Position, hasGradients: Bool = true, makeZeros: ([Int]) -> Tensor = { Tensor(zeros: $0) }
  ) -> ParameterStore {
    let ids = table.specs.indices.map(ParameterID.init)
    return ParameterStore(
      table, shapes: ids.map { placement($0).shape(table[$0], mesh, place) },
      shared: Set(ids.filter { !placement($0).sharedAxes.isEmpty }),
      hasGradients: hasGradients, makeZeros: makeZeros)
  }
}

/// The dry run that a plan is made by.
final class PlanningOperations: Operations {
  var tape: Tape?
  private(set) var plan: ParallelPlan

  init(_ mesh: Mesh, _ table: ParameterTable) { plan = ParallelPlan(mesh, table) }

  var rowShare: (index: Int, count: Int) { (0, plan.mesh.domain) }

  func apply(_ operation: some Operation) throws -> Value {
    let mesh = plan.mesh
    if let distributed = operation as? any DistributedOperation {
      try distributed.place(in: &plan)
    } else if mesh.instance == 1 {
      for id in operation.parameters { plan.place(id, .whole) }
    } else {
      throw JigsawError(
        "parallel.domain and parallel.tensor", "ask for several ranks per model instance",
        expected: "1 and 1, since the operation \(type(of: operation)) of this model runs on one rank",
        found: "\(mesh.domain) and \(mesh.tensor)", remedy: "set both to 1; the ranks then hold a replica each")
    }
    return operation.dryResult(plan.table)
  }
}

extension Value {
  /// The layout as the matrix [rows·batch, columns] that channels are mixed in.
  public func channelLayout(_ mesh: Mesh) -> MatrixLayout {
    let rows = shape.rowDimension.cuts(mesh)
    return MatrixLayout(
      rows: Cuts(domain: rows.domain.map { $0 * shape.batch }, tensor: rows.tensor.map { $0 * shape.batch }),
      columns: columnDimension.cuts(mesh), rowAxis: .domain)
  }

  /// The layout as the matrix [rows, batch·columns] that tokens are mixed in; its columns in the order tensor rank, sample, column.
  public func tokenLayout(_ mesh: Mesh) -> MatrixLayout {
    let columns = columnDimension.cuts(mesh)
    let extent = shape.batch * shape.columns
    return MatrixLayout(
      rows: Cuts(shape.rows, mesh: mesh),
      columns: Cuts(
        domain: (0..<mesh.domain).map { chunk(extent, into: mesh.domain, $0).lowerBound } + [extent],
        tensor: columns.tensor.map { $0 * shape.batch }),
      rowAxis: .domain)
  }
}
