import Tensors

/// Columns side by side: values, constants and parameters of rows, which are the same for all samples. All rows, or some.
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
  /// Which rows of the parts these are; nil: all, in order.
  public let picked: PickedRows?
  private let group: ParameterGroup

  public init(
    _ parts: [Part], rows: Int, batch: Int, rowStarts: IndexList? = nil, picked: PickedRows? = nil,
    group: ParameterGroup
  ) {
    precondition(picked.map { $0.count == rows } ?? true)
    self.parts = parts
    self.rows = rows
    self.picked = picked
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
      let place = place(y, shape, start..<start + width)
      func copy(_ source: PointColumns) { compute.moveColumns(source, to: place, rows: rows, batch: batch) }
      switch part {
      case .value(let x): copy(all(x.tensor, width, samples: x.shape.batch))
      case .columns(let x, let columns): copy(some(x.tensor, x.shape, columns))
      case .constant(let x): copy(all(x, width, samples: 1))
      case .parameter(let id): copy(all(operations.value(id), width, samples: 1))
      case .number(let number): compute.fillColumns(place, with: number, rows: rows, batch: batch)
      }
      start += width
    }
    let output = Value(
      shape: shape, data: y,
      requiresGradient: operations.tape != nil
        && (!parameters.isEmpty || inputs.contains(where: \.requiresGradient)))
    guard let tape = operations.tape, output.requiresGradient else { return output }
    let slot = output.slot
    tape.record(parameters) { [self] in
      let dy = slot.take()
      var start = 0
      for part in parts {
        let width = columns(part, table)
        let place = place(dy, shape, start..<start + width)
        func add(_ target: PointColumns, accumulate: Bool = true) {
          compute.moveColumns(place, to: target, rows: rows, batch: batch, accumulate: accumulate)
        }
        switch part {
        case .value(let x) where x.requiresGradient:
          let target = operations.gradientTarget(x)
          // Rows that are not picked have no part in it.
          if picked != nil && !target.accumulate { target.tensor.fill() }
          add(
            all(target.tensor, width, samples: x.shape.batch), accumulate: target.accumulate || picked != nil)
        case .columns(let x, let columns) where x.requiresGradient:
          let target = operations.gradientTarget(x)
          if !target.accumulate { target.tensor.fill() }
          add(some(target.tensor, x.shape, columns))
        case .parameter(let id): add(all(operations.gradient(id), width, samples: 1))
        default: break
        }
        start += width
      }
    }
    return output
  }

  /// Neighbouring columns of the whole [R, B, C], or of its gradient.
  private func place(_ tensor: Tensor, _ shape: ValueShape, _ columns: Range<Int>) -> PointColumns {
    PointColumns(tensor, width: shape.columns, .range(columns), samples: batch)
  }

  /// All columns of a part [R, samples, n], in the order of the whole's rows.
  private func all(_ x: Tensor, _ columns: Int, samples: Int) -> PointColumns {
    PointColumns(x, width: columns, .range(0..<columns), samples: samples, rows: picked?.list)
  }

  /// Some columns of a part [R, B, n].
  private func some(_ x: Tensor, _ shape: ValueShape, _ columns: [Int]) -> PointColumns {
    PointColumns(x, width: shape.columns, .list(columns), samples: batch, rows: picked?.list)
  }
}
