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
    let added = try exchange.gather(x.tensor, rows: points, operations.context.tensor, compute)
    let result = operations.newTensor(y.shape, groups: y.groups)
    result.copy(from: y.tensor)
    compute.pass(points, grain: 256, bytes: 2 * result.byteCount) { range in
      for point in range {
        let (a, b) = (result.pointer + point * width, added.pointer + point * sourceWidth)
        for pair in local { a[pair.to] += b[pair.from] }
      }
    }
    let output = operations.result(result, y.shape, groups: y.groups)
    guard let tape = operations.tape else { return output }
    tape.record { [x, y] in
      let d = output.takeGradient()
      if x.requiresGradient {
        let dadded = compute.tensor([points, sourceWidth])
        dadded.fill()
        compute.pass(points, grain: 256, bytes: 2 * d.byteCount) { range in
          for point in range {
            let (a, b) = (d.pointer + point * width, dadded.pointer + point * sourceWidth)
            for pair in local { b[pair.from] += a[pair.to] }
          }
        }
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
      (place: column.place, index: column.index, total: total.flatMap { totalPlaces[column.start + $0] })
    }
    let (width, totalWidth) = (columns.count, exchange.wanted[rank].count)
    let y = operations.newTensor(x.shape, groups: x.groups)
    y.copy(from: x.tensor)
    compute.pass(points, grain: 256, bytes: 2 * y.byteCount) { range in
      for point in range {
        let (from, to) = (x.tensor.pointer + point * width, y.pointer + point * width)
        let totals = totals.pointer + point * totalWidth
        for limit in limits {
          let value = limited(from[limit.place], limit.index).value
          to[limit.place] = limit.total.map { value * totals[$0] } ?? value
        }
      }
    }
    let output = operations.result(y, x.shape, groups: x.groups)
    guard let tape = operations.tape else { return output }
    tape.record { [x] in
      let d = output.takeGradient()
      let dtotals = compute.tensor([points, totalWidth])
      dtotals.fill()
      compute.pass(points, grain: 256, bytes: 3 * d.byteCount) { range in
        for point in range {
          let (from, gradient) = (x.tensor.pointer + point * width, d.pointer + point * width)
          let (totals, dtotals) = (totals.pointer + point * totalWidth, dtotals.pointer + point * totalWidth)
          for limit in limits {
            let bounded = self.limited(from[limit.place], limit.index)
            let upstream = gradient[limit.place]
            gradient[limit.place] = upstream * bounded.derivative * (limit.total.map { totals[$0] } ?? 1)
            if let total = limit.total { dtotals[total] += upstream * bounded.value }
          }
        }
      }
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
      window: ColumnExchange(x.columnDimension, mesh) {
        origins($0).compactMap { if case .window(let column) = $0 { column } else { nil } }
      },
      prediction: ColumnExchange(y.columnDimension, mesh) {
        origins($0).compactMap { if case .prediction(let column, _) = $0 { column } else { nil } }
      },
      truth: ColumnExchange(truthDimension, mesh) {
        origins($0).compactMap {
          switch $0 {
          case .truth(let column), .prediction(_, let column): column
          case .window: nil
          }
        }
      })
  }

  public func traffic(_ plan: ParallelPlan, _ place: Mesh.Position) -> SentElements {
    let exchanges = exchanges(plan.mesh)
    var sent = exchanges.window.traffic(x, plan.mesh, place)
    sent += exchanges.prediction.traffic(y, plan.mesh, place)
    let points = x.shape.pointCount(plan.mesh, place)
    sent += SentElements(forward: exchanges.truth.sent(place.tensor).forward * points)
    return sent
  }

  public func run(on operations: DistributedOperations) throws -> Value {
    let (compute, communicator) = (operations.compute, operations.context.tensor)
    let (points, rank) = (operations.pointCount(x.shape), operations.context.position.tensor)
    let exchanges = exchanges(operations.mesh)
    let columns = x.columnDimension.positions(operations.mesh, .tensor, rank).map(origin)
    let window = try exchanges.window.gather(x.tensor, rows: points, communicator, compute)
    let prediction = try exchanges.prediction.gather(y.tensor, rows: points, communicator, compute)
    let new = try exchanges.truth.gather(truth, rows: points, communicator, compute)
    let parts = [exchanges.window, exchanges.prediction, exchanges.truth].map { places(of: $0.wanted[rank]) }
    let (first, batch) = (operations.rowRange(x.shape).lowerBound, x.shape.batch)
    /// Calls `body` with a point's new column and the place of what it is taken from.
    func forEach(_ body: (_ to: Int, _ part: Int, _ from: Int) -> Void) {
      compute.pass(points, grain: 256, bytes: 8 * points * columns.count) { range in
        for point in range {
          let isPredicted = predicted?[first + point / batch] ?? true
          for (index, origin) in columns.enumerated() {
            let (part, column) =
              switch origin {
              case .window(let column): (0, column)
              case .prediction(let column, _) where isPredicted: (1, column)
              case .prediction(_, let column), .truth(let column): (2, column)
              }
            body(point * columns.count + index, part, point * parts[part].count + (parts[part][column] ?? 0))
          }
        }
      }
    }
    let next = operations.newTensor(x.shape, groups: x.groups)
    let sources = [window, prediction, new]
    forEach { to, part, from in next.pointer[to] = sources[part].pointer[from] }
    let output = operations.result(next, x.shape, groups: x.groups)
    guard let tape = operations.tape else { return output }
    tape.record { [x, y] in
      let d = output.takeGradient()
      // Gradients of the window and of the prediction.
      let gradients = [window, prediction].map { compute.tensor($0.shape) }
      for gradient in gradients { gradient.fill() }
      forEach { to, part, from in
        if part < 2 { gradients[part].pointer[from] += d.pointer[to] }
      }
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
