import Distribution
import Execution
import Tensors

// Variables lie over the tensor axis. Where a rank needs others than its own, such as the input that a prediction is added to,
// these few columns are sent to it, and their gradients back.

extension AddColumns: DistributedOperation {
  private func exchange(_ mesh: Mesh) -> ColumnExchange {
    ColumnExchange(x.columnDimension, mesh) { rank in
      let own = Set(y.columnDimension.positions(mesh, .tensor, rank))
      return pairs.filter { own.contains($0.to) }.map(\.from)
    }
  }

  func traffic(_ plan: ParallelPlan, _ place: Mesh.Position) -> SentElements {
    exchange(plan.mesh).traffic(x, plan.mesh, place)
  }

  func run(on operations: DistributedOperations) throws -> Value {
    let (compute, mesh, rank) = (operations.compute, operations.mesh, operations.context.position.tensor)
    let points = operations.pointCount(y.shape)
    let exchange = exchange(mesh)
    let columns = y.columnDimension.positions(mesh, .tensor, rank)
    let (places, sources) = (places(of: columns), places(of: exchange.wanted[rank]))
    let local = pairs.compactMap { pair in
      places[pair.to].flatMap { to in sources[pair.from].map { (to: to, from: $0) } }
    }
    let (width, sourceWidth) = (columns.count, exchange.wanted[rank].count)
    let (to, from) = (PointColumns.Columns.list(local.map(\.to)), PointColumns.Columns.list(local.map(\.from)))
    let added = try exchange.gather(x.tensor, rows: points, operations.context.tensor, compute)
    let result = operations.newTensor(y.shape, groups: y.groups)
    result.copy(from: y.tensor)
    compute.moveColumns(
      PointColumns(added, width: sourceWidth, from), to: PointColumns(result, width: width, to), rows: points,
      accumulate: true, bytes: 2 * result.byteCount)
    let output = operations.result(result, y.shape, groups: y.groups)
    guard let tape = operations.tape else { return output }
    let slot = output.slot
    tape.record { [x, y] in
      let d = slot.take()
      if x.requiresGradient {
        let dadded = compute.tensor([points, sourceWidth])
        dadded.fill()
        compute.moveColumns(
          PointColumns(d, width: width, to), to: PointColumns(dadded, width: sourceWidth, from), rows: points,
          accumulate: true, bytes: 2 * d.byteCount)
        try exchange.giveBack(dadded, rows: points, to: operations.sum(x), operations.context.tensor, compute)
      }
      operations.contribute(d, to: y)
    }
    return output
  }
}

extension Bound: DistributedOperation {
  /// The total variables of fractions, for ranks that have fractions of them.
  private func exchange(_ mesh: Mesh) -> ColumnExchange {
    ColumnExchange(x.columnDimension, mesh) { rank in
      guard let total else { return [] }
      return bounded(x.columnDimension.positions(mesh, .tensor, rank)).map { $0.start + total }
    }
  }

  /// A limited column: its place among `columns`, the first column of its step, its place in the bounding.
  private struct Column {
    let place, start, index: Int
  }

  private func bounded(_ columns: [Int]) -> [Column] {
    columns.enumerated().flatMap { place, column in
      bounding.variables.enumerated().filter { $1 == column % variables }.map {
        Column(place: place, start: column / variables * variables, index: $0.offset)
      }
    }
  }

  func traffic(_ plan: ParallelPlan, _ place: Mesh.Position) -> SentElements {
    exchange(plan.mesh).traffic(x, plan.mesh, place)
  }

  func run(on operations: DistributedOperations) throws -> Value {
    let (compute, mesh, rank) = (operations.compute, operations.mesh, operations.context.position.tensor)
    let points = operations.pointCount(x.shape)
    let exchange = exchange(mesh)
    let columns = x.columnDimension.positions(mesh, .tensor, rank)
    let totals = try exchange.gather(x.tensor, rows: points, operations.context.tensor, compute)
    let totalPlaces = places(of: exchange.wanted[rank])
    let limits = bounded(columns).map { column in
      limit(column.index, column: column.place, total: total.flatMap { totalPlaces[column.start + $0] })
    }
    let (width, totalWidth) = (columns.count, exchange.wanted[rank].count)
    let y = operations.newTensor(x.shape, groups: x.groups)
    compute.limitColumns(x.tensor, width: width, limits, totals: totals, totalWidth: totalWidth, into: y)
    let output = operations.result(y, x.shape, groups: x.groups)
    guard let tape = operations.tape else { return output }
    let slot = output.slot
    tape.record { [x] in
      let d = slot.take()
      let dtotals = compute.tensor([points, totalWidth])
      dtotals.fill()
      compute.limitColumnsBackward(
        x.tensor, width: width, limits, totals: totals, totalWidth: totalWidth, (d, dtotals), bytes: 3 * d.byteCount)
      operations.contribute(d, to: x)
      try exchange.giveBack(dtotals, rows: points, to: operations.sum(x), operations.context.tensor, compute)
    }
    return output
  }
}

extension NextWindow: DistributedOperation {
  /// Where a column of the new window comes from.
  private enum Origin {
    case window(Int)
    /// A column of the prediction, and of the truth for rows that are not predicted.
    case prediction(Int, truth: Int)
    case truth(Int)

    var window: Int? { if case .window(let column) = self { column } else { nil } }
    var prediction: Int? { if case .prediction(let column, _) = self { column } else { nil } }
    var truth: Int? {
      switch self {
      case .truth(let column), .prediction(_, let column): column
      case .window: nil
      }
    }
  }

  private func origin(_ column: Int) -> Origin {
    let (step, variable) = column.quotientAndRemainder(dividingBy: variables.inputs)
    let kept = inputSteps - moved
    if step < kept { return .window((step + moved) * variables.inputs + variable) }
    let truth = (step - kept) * variables.inputs + variable
    guard let index = variables.prognosticInputs.firstIndex(of: variable) else { return .truth(truth) }
    let state = outputSteps - moved + step - kept
    return .prediction(state * variables.outputs + variables.prognosticOutputs[index], truth: truth)
  }

  /// The truth's columns lie as those of a value with a group for each state, or with one group if x has one.
  private var truthDimension: Dimension {
    Dimension(moved * variables.inputs, groups: x.groups == 1 ? 1 : moved)
  }

  private struct Exchanges {
    let window, prediction, truth: ColumnExchange
  }

  private func exchanges(_ mesh: Mesh) -> Exchanges {
    precondition(x.groups == 1 || x.groups == inputSteps)
    func origins(_ rank: Int) -> [Origin] { x.columnDimension.positions(mesh, .tensor, rank).map(origin) }
    return Exchanges(
      window: ColumnExchange(x.columnDimension, mesh) { origins($0).compactMap(\.window) },
      prediction: ColumnExchange(y.columnDimension, mesh) { origins($0).compactMap(\.prediction) },
      truth: ColumnExchange(truthDimension, mesh) { origins($0).compactMap(\.truth) })
  }

  public func traffic(_ plan: ParallelPlan, _ place: Mesh.Position) -> SentElements {
    let exchanges = exchanges(plan.mesh)
    var sent = exchanges.window.traffic(x, plan.mesh, place)
    sent += exchanges.prediction.traffic(y, plan.mesh, place)
    let points = x.shape.pointCount(plan.mesh, place)
    sent += SentElements(forward: exchanges.truth.sent(place.tensor).forward * points)
    return sent
  }

  /// Columns of a rank's new window, and the columns brought by one exchange that they are.
  private struct Moved {
    private let to, from: [Int]
    /// Columns of the new window, and of what the exchange brings.
    private let width, sourceWidth: Int
    private let batch: Int

    /// - Parameter source: the column of the exchange's value that a column of the new window is, if it is one.
    init(_ columns: [Origin], _ exchange: ColumnExchange, rank: Int, batch: Int, source: (Origin) -> Int?) {
      let places = places(of: exchange.wanted[rank])
      let pairs = columns.enumerated().compactMap { to, origin in
        source(origin).flatMap { places[$0] }.map { (to: to, from: $0) }
      }
      (to, from) = (pairs.map(\.to), pairs.map(\.from))
      (width, sourceWidth) = (columns.count, exchange.wanted[rank].count)
      self.batch = batch
    }

    func new(_ window: Tensor) -> PointColumns {
      PointColumns(window, width: width, .list(to), samples: batch)
    }

    func source(_ part: Tensor) -> PointColumns {
      PointColumns(part, width: sourceWidth, .list(from), samples: batch)
    }
  }

  public func run(on operations: DistributedOperations) throws -> Value {
    let (compute, communicator) = (operations.compute, operations.context.tensor)
    let (points, rank) = (operations.pointCount(x.shape), operations.context.position.tensor)
    let exchanges = exchanges(operations.mesh)
    let columns = x.columnDimension.positions(operations.mesh, .tensor, rank).map(origin)
    let window = try exchanges.window.gather(x.tensor, rows: points, communicator, compute)
    let prediction = try exchanges.prediction.gather(y.tensor, rows: points, communicator, compute)
    let new = try exchanges.truth.gather(truth, rows: points, communicator, compute)
    let (range, batch) = (operations.rowRange(x.shape), x.shape.batch)
    let isPredicted = predicted.map { Array($0[range]) }
    let older = Moved(columns, exchanges.window, rank: rank, batch: batch, source: \.window)
    let known = Moved(columns, exchanges.truth, rank: rank, batch: batch, source: \.truth)
    let ahead = Moved(columns, exchanges.prediction, rank: rank, batch: batch, source: \.prediction)
    func move(_ source: PointColumns, to target: PointColumns, where isMoved: [Bool]? = nil, adds: Bool = false) {
      compute.moveColumns(source, to: target, rows: range.count, batch: batch, where: isMoved, accumulate: adds)
    }
    let next = operations.newTensor(x.shape, groups: x.groups)
    move(older.source(window), to: older.new(next))
    move(known.source(new), to: known.new(next))
    move(ahead.source(prediction), to: ahead.new(next), where: isPredicted)
    let output = operations.result(next, x.shape, groups: x.groups)
    guard let tape = operations.tape else { return output }
    let slot = output.slot
    tape.record { [x, y] in
      let d = slot.take()
      // Gradients of the window and of the prediction.
      let gradients = [window, prediction].map { compute.tensor($0.shape) }
      for gradient in gradients { gradient.fill() }
      move(older.new(d), to: older.source(gradients[0]), adds: true)
      move(ahead.new(d), to: ahead.source(gradients[1]), where: isPredicted, adds: true)
      try exchanges.prediction.giveBack(gradients[1], rows: points, to: operations.sum(y), communicator, compute)
      if x.requiresGradient {
        try exchanges.window.giveBack(gradients[0], rows: points, to: operations.sum(x), communicator, compute)
      }
    }
    return output
  }
}

private func places(of columns: [Int]) -> [Int: Int] {
  Dictionary(uniqueKeysWithValues: columns.enumerated().map { ($1, $0) })
}

extension DistributedOperations {
  /// The gradient of x as far as it has come, to be added to.
  fileprivate func sum(_ x: Value) -> Tensor {
    let target = gradientTarget(x)
    if !target.accumulate { target.tensor.fill() }
    return target.tensor
  }
}
