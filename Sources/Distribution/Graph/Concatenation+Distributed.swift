import Execution
import Tensors

// Columns of the parts lie over the tensor axis, and so do those of the whole, which are others: a rank gets the columns that it
// lacks from their holders. Rows of parameters lie with the rows of the value.

extension Concatenation: DistributedOperation {
  private var shape: ValueShape { ValueShape(rows: rows, batch: 1, columns: 1, rowStarts: rowStarts) }

  public func place(in plan: inout ParallelPlan) {
    for id in parameters {
      plan.place(
        id, .matrix(rows: shape.rowDimension, columns: [Dimension(plan.table[id].columns)], rowAxis: .domain))
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
    return pieces(plan.mesh, plan.table).reduce(into: SentElements()) { sum, piece in
      guard let sent = piece.exchange?.sent(place.tensor) else { return }
      let hasGradient =
        switch piece.part {
        case .value(let x), .columns(let x, _): x.requiresGradient
        default: true
        }
      sum += SentElements(
        forward: sent.forward * rows * piece.batch, backward: hasGradient ? sent.backward * rows * piece.batch : 0)
    }
  }

  public func run(on operations: DistributedOperations) throws -> Value {
    let table = operations.parameters.table
    let shape = output(table).shape
    let pieces = pieces(operations.mesh, table)
    let whole = PieceColumns(operations, shape)
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
        let rows = whole.rows
        whole.copy(
          x.elements(rows.lowerBound * x.shape[1]..<rows.upperBound * x.shape[1]), 1, columns, to: y, places)
      case .number(let number): whole.fill(number, y, places)
      }
    }
    let output = Value(
      shape: shape, data: y,
      requiresGradient: operations.tape != nil
        && (!parameters.isEmpty || inputs.contains(where: \.requiresGradient)))
    guard let tape = operations.tape, output.requiresGradient else { return output }
    tape.record(parameters) {
      let dy = output.takeGradient()
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
  let rows: Range<Int>

  init(_ operations: DistributedOperations, _ shape: ValueShape) {
    self.operations = operations
    batch = shape.batch
    width = operations.unitRange(shape, groups: 1).count
    rows = operations.rowRange(shape)
  }

  private var rank: Int { operations.context.position.tensor }
  private var compute: Compute { operations.compute }

  func own(_ places: [Range<Int>], _ columns: [[Int]]) -> (places: Range<Int>, columns: [Int]) {
    (places[rank], columns[rank])
  }

  /// The needed columns of a part [rows, samples, …], and their places.
  func gather(_ x: Tensor, _ exchange: ColumnExchange?, _ samples: Int) throws -> (values: Tensor, places: [Int: Int]) {
    guard let exchange else { preconditionFailure("a part without columns") }
    let values = try exchange.gather(x, rows: rows.count * samples, operations.context.tensor, compute)
    return (values, Dictionary(uniqueKeysWithValues: exchange.wanted[rank].enumerated().map { ($1, $0) }))
  }

  private func forEachPoint(_ count: Int, _ body: (_ point: Int, _ row: Int) -> Void) {
    compute.pass(rows.count, grain: 64, bytes: 8 * rows.count * batch * count) { range in
      for row in range {
        for sample in 0..<batch { body(row * batch + sample, row) }
      }
    }
  }

  /// Columns of x [rows, samples, …], samples being one or all, to places of y.
  func copy(_ x: Tensor, _ samples: Int, _ columns: [Int], to y: Tensor, _ places: Range<Int>) {
    if columns.isEmpty { return }
    let stride = rows.isEmpty ? 0 : x.count / (rows.count * samples)
    forEachPoint(columns.count) { point, row in
      let from = x.pointer + (samples == 1 ? row : point) * stride
      let to = y.pointer + point * width + places.lowerBound
      for i in columns.indices { to[i] = from[columns[i]] }
    }
  }

  func fill(_ number: Float, _ y: Tensor, _ places: Range<Int>) {
    if places.isEmpty { return }
    forEachPoint(places.count) { point, _ in
      (y.pointer + point * width + places.lowerBound).update(repeating: number, count: places.count)
    }
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
    forEachPoint(columns.count) { point, row in
      let from = dy.pointer + point * width + places.lowerBound
      let to = d.pointer + (samples == 1 ? row : point) * stride
      for i in targets.indices { to[targets[i]] += from[i] }
    }
    try exchange.giveBack(d, rows: rows.count * samples, to: sum, operations.context.tensor, compute)
  }
}
