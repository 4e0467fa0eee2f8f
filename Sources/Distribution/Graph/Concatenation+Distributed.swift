import Execution
import Tensors

// Columns of the parts lie over the tensor axis, and so do those of the whole, which are others: a rank gets the columns that it
// lacks from their holders. Rows of parameters lie with the rows of the value. Picked rows travel first, with the columns that are held.

extension Concatenation: DistributedOperation {
  private var shape: ValueShape { ValueShape(rows: rows, batch: 1, columns: 1, rowStarts: rowStarts) }

  public func place(in plan: inout ParallelPlan) {
    let rows = picked?.wholeDimension ?? shape.rowDimension
    for id in parameters {
      plan.place(
        id, .matrix(rows: rows, columns: [Dimension(plan.table[id].columns)], rowAxis: .domain))
    }
  }

  /// A part on the mesh.
  private struct Piece {
    let part: Part
    /// By rank of the tensor axis: places among the columns of the whole that the rank has of the part.
    let places: [Range<Int>]
    /// By rank: the part's columns that these are.
    let columns: [[Int]]
    /// Exchange of the columns of the part over the tensor axis; nil where every rank has all columns.
    let exchange: ColumnExchange?
    /// Samples that the part has.
    let batch: Int
  }

  private func pieces(_ mesh: Mesh, _ table: ParameterTable) -> [Piece] {
    let whole = Dimension(output(table).shape.columns)
    var start = 0
    return parts.map { part in
      let range = start..<start + columns(part, table)
      start = range.upperBound
      let ranks = 0..<mesh.tensor
      let own = ranks.map { whole.unitRange(mesh.tensor, $0) }
      let shared = own.map { $0.clamped(to: range) }
      var columns = shared.map { $0.map { $0 - range.lowerBound } }
      if case .columns(_, let picked) = part { columns = columns.map { $0.map { picked[$0] } } }
      let held: Dimension? =
        switch part {
        case .value(let x), .columns(let x, _): x.columnDimension
        case .parameter(let id): Dimension(table[id].columns)
        case .constant, .number: nil
        }
      let batch = if case .value(let x) = part { x.shape.batch } else if case .columns = part { batch } else { 1 }
      return Piece(
        part: part,
        places: zip(own, shared).map { own, shared in
          shared.isEmpty ? 0..<0 : shared.lowerBound - own.lowerBound..<shared.upperBound - own.lowerBound
        },
        columns: columns,
        exchange: held.map { held in
          ColumnExchange(held, mesh) { columns[$0] }
        }, batch: batch)
    }
  }

  public func traffic(_ plan: ParallelPlan, _ place: Mesh.Position) -> SentElements {
    let rows = shape.pointCount(plan.mesh, place)
    let remote = picked?.remoteRows(shape.rowDimension, ranks: plan.mesh.domain)
    return pieces(plan.mesh, plan.table).reduce(into: SentElements()) { sum, piece in
      guard let exchange = piece.exchange else { return }
      let sent = exchange.sent(place.tensor)
      let held = exchange.held[place.tensor].count * piece.batch
      let hasGradient =
        switch piece.part {
        case .value(let x), .columns(let x, _): x.requiresGradient
        default: true
        }
      sum += SentElements(
        forward: sent.forward * rows * piece.batch + (remote?.sent(place.domain) ?? 0) * held,
        backward: hasGradient
          ? sent.backward * rows * piece.batch + (remote?.received(place.domain) ?? 0) * held : 0)
    }
  }

  public func run(on operations: DistributedOperations) throws -> Value {
    let table = operations.parameters.table
    let shape = output(table).shape
    let pieces = pieces(operations.mesh, table)
    let whole = PieceColumns(operations, shape, picked)
    let y = operations.newTensor(shape)
    for piece in pieces {
      let (places, columns) = whole.own(piece.places, piece.columns)
      switch piece.part {
      case .value(let x), .columns(let x, _):
        let part = try whole.gather(x.tensor, piece.exchange, piece.batch)
        whole.copy(part.values, piece.batch, columns.map { part.places[$0] ?? 0 }, to: y, places)
      case .parameter(let id):
        let part = try whole.gather(operations.value(id), piece.exchange, 1)
        whole.copy(part.values, 1, columns.map { part.places[$0] ?? 0 }, to: y, places)
      case .constant(let x):
        whole.copy(whole.rows(of: x), 1, columns, to: y, places)
      case .number(let number): whole.fill(number, y, places)
      }
    }
    let output = Value(
      shape: shape, data: y,
      requiresGradient: operations.tape != nil
        && (!parameters.isEmpty || inputs.contains(where: \.requiresGradient)))
    guard let tape = operations.tape, output.requiresGradient else { return output }
    let slot = output.slot
    tape.record(parameters) {
      let dy = slot.take()
      for piece in pieces {
        let target: Tensor
        switch piece.part {
        case .value(let x) where x.requiresGradient, .columns(let x, _) where x.requiresGradient:
          let gradient = operations.gradientTarget(x)
          if !gradient.accumulate { gradient.tensor.fill() }
          target = gradient.tensor
        case .parameter(let id): target = operations.gradient(id)
        default: continue
        }
        let (places, columns) = whole.own(piece.places, piece.columns)
        try whole.giveBack(dy, places, columns, piece.exchange, piece.batch, to: target)
      }
    }
    return output
  }
}

/// The columns held by this rank of a value [R, B, C] that is made of pieces.
private struct PieceColumns {
  private let operations: DistributedOperations
  private let batch, width: Int
  private let rows: Range<Int>
  private let picked: PickedRows?
  private let rowGather: RowGather?

  init(_ operations: DistributedOperations, _ shape: ValueShape, _ picked: PickedRows?) {
    self.operations = operations
    self.picked = picked
    batch = shape.batch
    width = operations.unitRange(shape, groups: 1).count
    rows = operations.rowRange(shape)
    rowGather = picked.map { RowGather($0, shape, operations) }
  }

  private var rank: Int { operations.context.position.tensor }
  private var compute: Compute { operations.compute }

  func own(_ places: [Range<Int>], _ columns: [[Int]]) -> (places: Range<Int>, columns: [Int]) {
    (places[rank], columns[rank])
  }

  /// The needed columns of a part [rows, samples, …], and their places.
  func gather(_ x: Tensor, _ exchange: ColumnExchange?, _ samples: Int) throws -> (values: Tensor, places: [Int: Int]) {
    guard let exchange else { preconditionFailure("a part without columns") }
    let length = samples * exchange.held[rank].count
    let held = try rowGather?.gather(x, length: length) ?? x
    let values = try exchange.gather(held, rows: rows.count * samples, operations.context.tensor, compute)
    return (values, Dictionary(uniqueKeysWithValues: exchange.wanted[rank].enumerated().map { ($1, $0) }))
  }

  /// The rows here of a constant [R, n].
  func rows(of x: Tensor) -> Tensor {
    let n = x.shape[1]
    guard let picked else { return x.elements(rows.lowerBound * n..<rows.upperBound * n) }
    let part = compute.tensor([rows.count, n])
    compute.takeRows(rows.map { Int32(picked.list[$0]) }, of: x, length: n, into: part)
    return part
  }

  /// Columns of x [rows, samples, …], samples being one or all, to places of y.
  func copy(_ x: Tensor, _ samples: Int, _ columns: [Int], to y: Tensor, _ places: Range<Int>) {
    let stride = rows.isEmpty ? 0 : x.count / (rows.count * samples)
    compute.moveColumns(
      PointColumns(x, width: stride, .list(columns), samples: samples), to: whole(y, places), rows: rows.count,
      batch: batch)
  }

  func fill(_ number: Float, _ y: Tensor, _ places: Range<Int>) {
    compute.fillColumns(whole(y, places), with: number, rows: rows.count, batch: batch)
  }

  private func whole(_ y: Tensor, _ places: Range<Int>) -> PointColumns {
    PointColumns(y, width: width, .range(places), samples: batch)
  }

  /// Adds the gradients of a part's columns, at places of dy, to those of its holders: sums over samples if it has but one.
  func giveBack(
    _ dy: Tensor, _ places: Range<Int>, _ columns: [Int], _ exchange: ColumnExchange?, _ samples: Int, to sum: Tensor
  ) throws {
    guard let exchange else { preconditionFailure("a part without columns") }
    let wanted = Dictionary(uniqueKeysWithValues: exchange.wanted[rank].enumerated().map { ($1, $0) })
    let targets = columns.map { wanted[$0] ?? 0 }
    let stride = wanted.count
    let d = compute.tensor([rows.count, samples, stride])
    d.fill()
    compute.moveColumns(
      whole(dy, places), to: PointColumns(d, width: stride, .list(targets), samples: samples), rows: rows.count,
      batch: batch, accumulate: true)
    let count = rows.count * samples
    guard let rowGather else {
      return try exchange.giveBack(d, rows: count, to: sum, operations.context.tensor, compute)
    }
    let length = samples * exchange.held[rank].count
    let held = compute.tensor([rows.count, length])
    held.fill()
    try exchange.giveBack(d, rows: count, to: held, operations.context.tensor, compute)
    try rowGather.giveBack(held, length: length, to: sum)
  }
}
