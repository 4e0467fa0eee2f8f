import Tensors

/// Columns side by side: values, constants and parameters of rows, which are the same for all samples.
public struct Concatenation: Operation {
  public enum Part {
    /// [R, B, n], or [R, 1, n]: the same for all samples.
    case value(Value)
    /// Some columns of a value, in this order.
    case columns(Value, [Int])
    /// [R, n], the same for all samples.
    case constant(Tensor)
    /// [R, n], the same for all samples.
    case parameter(ParameterID)
    /// One column of one number.
    case number(Float)
  }

  public let parts: [Part]
  public let rows, batch: Int
  /// Rows that stay together, see `ValueShape.rowStarts`.
  public let rowStarts: IndexList?
  private let group: ParameterGroup

  public init(_ parts: [Part], rows: Int, batch: Int, rowStarts: IndexList? = nil, group: ParameterGroup) {
    self.parts = parts
    self.rows = rows
    self.batch = batch
    self.rowStarts = rowStarts
    self.group = group
  }

  public var inputs: [Value] {
    parts.compactMap {
      switch $0 {
      case .value(let x), .columns(let x, _): x
      default: nil
      }
    }
  }

  public var parameters: [ParameterID] {
    parts.compactMap { if case .parameter(let id) = $0 { id } else { nil } }
  }

  public func columns(_ part: Part, _ table: ParameterTable) -> Int {
    switch part {
    case .value(let x): x.shape.columns
    case .columns(_, let columns): columns.count
    case .constant(let x): x.shape[1]
    case .parameter(let id): table[id].columns
    case .number: 1
    }
  }

  public func output(_ table: ParameterTable) -> OutputForm {
    OutputForm(
      ValueShape(
        rows: rows, batch: batch, columns: parts.reduce(0) { $0 + columns($1, table) }, rowStarts: rowStarts))
  }

  public func phase(_ table: ParameterTable) -> StepPhase? { StepPhase(group) }

  public func cost(_ table: ParameterTable) -> OperationCost {
    let work = Work(elements: 2 * output(table).shape.count)
    return OperationCost(forward: work, backward: work)
  }

  public func run(on operations: LocalOperations) -> Value {
    let (compute, table) = (operations.compute, operations.parameters.table)
    let shape = output(table).shape
    let y = operations.newTensor(shape)
    var start = 0
    for part in parts {
      let width = columns(part, table)
      let place = Place(y, shape, start..<start + width)
      switch part {
      case .value(let x): place.copy(x.tensor, samples: x.shape.batch, compute)
      case .columns(let x, let columns): place.copy(x, columns, compute)
      case .constant(let x): place.copy(x, samples: 1, compute)
      case .parameter(let id): place.copy(operations.value(id), samples: 1, compute)
      case .number(let number): place.fill(number, compute)
      }
      start += width
    }
    let output = Value(
      shape: shape, data: y,
      requiresGradient: operations.tape != nil
        && (!parameters.isEmpty || inputs.contains(where: \.requiresGradient)))
    guard let tape = operations.tape, output.requiresGradient else { return output }
    tape.record(parameters) { [self] in
      let dy = output.takeGradient()
      var start = 0
      for part in parts {
        let width = columns(part, table)
        let place = Place(dy, shape, start..<start + width)
        switch part {
        case .value(let x) where x.requiresGradient:
          let target = operations.gradientTarget(x)
          place.sum(into: target.tensor, samples: x.shape.batch, accumulate: target.accumulate, compute)
        case .columns(let x, let columns) where x.requiresGradient:
          let target = operations.gradientTarget(x)
          if !target.accumulate { target.tensor.fill() }
          place.scatter(columns, into: target.tensor, width: x.shape.columns, compute)
        case .parameter(let id): place.sum(into: operations.gradient(id), samples: 1, accumulate: true, compute)
        default: break
        }
        start += width
      }
    }
    return output
  }

  /// Neighbouring columns of a tensor [R, B, C].
  private struct Place {
    let tensor: Tensor
    let shape: ValueShape
    let columns: Range<Int>

    init(_ tensor: Tensor, _ shape: ValueShape, _ columns: Range<Int>) {
      self.tensor = tensor
      self.shape = shape
      self.columns = columns
    }

    private var bytes: Int { 8 * shape.rows * shape.batch * columns.count }

    private func start(_ row: Int, _ sample: Int) -> UnsafeMutablePointer<Float> {
      tensor.pointer + (row * shape.batch + sample) * shape.columns + columns.lowerBound
    }

    private func forEachRow(_ compute: Compute, _ body: (Int, Int) -> Void) {
      compute.pass(shape.rows, grain: 64, bytes: bytes) { range in
        for row in range {
          for sample in 0..<shape.batch { body(row, sample) }
        }
      }
    }

    /// From x [R, samples, n], samples being one or all.
    func copy(_ x: Tensor, samples: Int, _ compute: Compute) {
      forEachRow(compute) { row, sample in
        let from = row * samples + (samples == 1 ? 0 : sample)
        start(row, sample).update(from: x.pointer + from * columns.count, count: columns.count)
      }
    }

    func copy(_ x: Value, _ picked: [Int], _ compute: Compute) {
      forEachRow(compute) { row, sample in
        let from = x.tensor.pointer + (row * shape.batch + sample) * x.shape.columns
        let to = start(row, sample)
        for (index, column) in picked.enumerated() { to[index] = from[column] }
      }
    }

    func fill(_ number: Float, _ compute: Compute) {
      forEachRow(compute) { row, sample in start(row, sample).update(repeating: number, count: columns.count) }
    }

    /// x [R, samples, n] = (or +=) the columns here, summed over samples if x has one.
    func sum(into x: Tensor, samples: Int, accumulate: Bool, _ compute: Compute) {
      forEachRow(compute) { row, sample in
        let to = x.pointer + (row * samples + (samples == 1 ? 0 : sample)) * columns.count
        let from = start(row, sample)
        let stores = !accumulate && (samples > 1 || sample == 0)
        for i in 0..<columns.count { to[i] = stores ? from[i] : to[i] + from[i] }
      }
    }

    func scatter(_ picked: [Int], into x: Tensor, width: Int, _ compute: Compute) {
      forEachRow(compute) { row, sample in
        let to = x.pointer + (row * shape.batch + sample) * width
        let from = start(row, sample)
        for (index, column) in picked.enumerated() { to[column] += from[index] }
      }
    }
  }
}
