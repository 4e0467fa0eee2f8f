// Rows and columns of values moved, added, joined and limited. A value's rows stand for points or nodes, each with samples and columns.

/// Some columns of a tensor [rows, samples, width]; the samples are those of a batch, or one that stands for all of them.
public struct PointColumns: Sendable {
  public enum Columns: Sendable {
    case range(Range<Int>)
    case list([Int])

    var count: Int {
      switch self {
      case .range(let range): range.count
      case .list(let list): list.count
      }
    }

    var list: [Int] {
      switch self {
      case .range(let range): Array(range)
      case .list(let list): list
      }
    }
  }

  let tensor: Tensor
  let width: Int
  let columns: Columns
  let samples: Int
  let rows: IndexList?

  /// - Parameter rows: the row of the tensor that stands for each row of a pass; nil: the same row.
  public init(_ tensor: Tensor, width: Int, _ columns: Columns, samples: Int = 1, rows: IndexList? = nil) {
    self.tensor = tensor
    self.width = width
    self.columns = columns
    self.samples = samples
    self.rows = rows
  }

  fileprivate func start(_ row: Int, _ sample: Int) -> Int {
    ((rows?[row] ?? row) * samples + (samples == 1 ? 0 : sample)) * width
  }
}

/// How the numbers of one column are limited.
public struct ColumnLimit: Sendable {
  public enum Kind: Sendable {
    /// Below `least` the slope is `slope`, above it 1.
    case floor(least: Float, slope: Float)
    /// The slope is `slope` outside of `least` … `most`, and 1 within.
    case range(least: Float, most: Float, slope: Float)
  }

  public let kind: Kind
  public let column: Int
  /// The column of totals that the limited number is a fraction of, and is multiplied with; nil: none.
  public let total: Int?

  public init(_ kind: Kind, column: Int, total: Int?) {
    self.kind = kind
    self.column = column
    self.total = total
  }

  /// The limited number and its derivative.
  func limited(_ x: Float) -> (value: Float, derivative: Float) {
    switch kind {
    case .floor(let least, let slope):
      let d = x - least
      return d > 0 ? (d + least, 1) : (slope * d + least, slope)
    case .range(let least, let most, let slope):
      if x <= least { return (least + slope * (x - least), slope) }
      if x >= most { return (most + slope * (x - most), slope) }
      return (x, 1)
    }
  }
}

extension Compute {
  // MARK: Columns

  /// Columns of `target` = (or +=, with `accumulate`) columns of `source`, as many. A target of one sample gets the sum over the batch.
  ///
  /// - Parameters:
  ///   - isMoved: by row: whether it is; nil: all rows are.
  ///   - bytes: read and written; by default those of the columns.
  public func moveColumns(
    _ source: PointColumns, to target: PointColumns, rows: Int, batch: Int = 1, where isMoved: [Bool]? = nil,
    accumulate: Bool = false, bytes: Int? = nil
  ) {
    let count = source.columns.count
    precondition(target.columns.count == count && isMoved.map { $0.count == rows } ?? true)
    if count == 0 { return }
    pass(rows, grain: rowGrain(count * batch), bytes: bytes ?? 8 * rows * batch * count) { range in
      let (x, y) = (source.tensor.pointer, target.tensor.pointer)
      let move = ColumnMove(source.columns, target.columns)
      for row in range where isMoved?[row] ?? true {
        for sample in 0..<batch {
          let adds = accumulate || (target.samples < batch && sample > 0)
          move(x + source.start(row, sample), y + target.start(row, sample), adds: adds)
        }
      }
    }
  }

  /// Sets columns to one number.
  ///
  /// - Parameter bytes: read and written; by default those of the columns.
  public func fillColumns(
    _ target: PointColumns, with number: Float, rows: Int, batch: Int = 1, bytes: Int? = nil
  ) {
    let list = target.columns.list
    if list.isEmpty { return }
    pass(rows, grain: rowGrain(list.count * batch), bytes: bytes ?? 8 * rows * batch * list.count) { range in
      let y = target.tensor.pointer
      for row in range {
        for sample in 0..<batch {
          let to = y + target.start(row, sample)
          for column in list { to[column] = number }
        }
      }
    }
  }

  /// y [rows, m + n] = the columns of a [rows, m], then those of b [rows, n].
  public func join(_ a: Tensor, columns m: Int, _ b: Tensor, columns n: Int, into y: Tensor) {
    let rows = y.count / (m + n)
    precondition(y.count == rows * (m + n) && b.count == rows * n)
    pass(rows, grain: 256, bytes: 2 * y.byteCount) { range in
      for row in range {
        let target = y.pointer + row * (m + n)
        if m > 0 { target.update(from: a.pointer + row * m, count: m) }
        target.advanced(by: m).update(from: b.pointer + row * n, count: n)
      }
    }
  }

  /// Raises the numbers of x [rows, bounds] to the lower bound of their column.
  public func raiseColumns(_ x: Tensor, to bounds: [Float]) {
    let width = bounds.count
    pass(x.count / max(1, width), grain: rowGrain(width), bytes: 2 * x.byteCount) { range in
      let values = x.pointer
      for row in range {
        for (column, least) in bounds.enumerated() {
          values[row * width + column] = max(values[row * width + column], least)
        }
      }
    }
  }

  /// y [rows, width] = x with some columns limited; totals [rows, totalWidth] are what limited numbers may be fractions of.
  public func limitColumns(
    _ x: Tensor, width: Int, _ limits: [ColumnLimit], totals: Tensor, totalWidth: Int, into y: Tensor
  ) {
    let rows = width == 0 ? 0 : x.count / width
    y.copy(from: x)
    pass(rows, grain: 256, bytes: 2 * y.byteCount) { range in
      for row in range {
        let (from, to) = (x.pointer + row * width, y.pointer + row * width)
        let totals = totals.pointer + row * totalWidth
        for limit in limits {
          let value = limit.limited(from[limit.column]).value
          to[limit.column] = limit.total.map { value * totals[$0] } ?? value
        }
      }
    }
  }

  /// The backward step of `limitColumns`: d [rows, width] becomes the gradient of x from that of y, and that of totals is added to
  /// `dtotals`, which may be d.
  public func limitColumnsBackward(
    _ x: Tensor, width: Int, _ limits: [ColumnLimit], totals: Tensor, totalWidth: Int,
    _ gradients: (d: Tensor, dtotals: Tensor), bytes: Int
  ) {
    pass(width == 0 ? 0 : x.count / width, grain: 256, bytes: bytes) { range in
      for row in range {
        let (from, d) = (x.pointer + row * width, gradients.d.pointer + row * width)
        let (totals, dtotals) = (totals.pointer + row * totalWidth, gradients.dtotals.pointer + row * totalWidth)
        for limit in limits {
          let limited = limit.limited(from[limit.column])
          let upstream = d[limit.column]
          d[limit.column] = upstream * limited.derivative * (limit.total.map { totals[$0] } ?? 1)
          if let total = limit.total { dtotals[total] += upstream * limited.value }
        }
      }
    }
  }

  // MARK: Rows, of `length` elements each

  /// y[i] = x[list[i]].
  public func takeRows(_ list: [Int32], of x: Tensor, length: Int, into y: Tensor) {
    precondition(y.count == list.count * length)
    pass(list.count, grain: rowGrain(length), bytes: 2 * y.byteCount) { range in
      for i in range {
        (y.pointer + i * length).update(from: x.pointer + Int(list[i]) * length, count: length)
      }
    }
  }

  /// x[list[i]] += y[i], for a list that names no row twice.
  public func addRows(_ y: Tensor, to list: [Int32], of x: Tensor, length: Int) {
    precondition(y.count == list.count * length)
    pass(list.count, grain: rowGrain(length), bytes: 3 * y.byteCount) { range in
      for i in range {
        let (to, from) = (x.pointer + Int(list[i]) * length, y.pointer + i * length)
        for c in 0..<length { to[c] += from[c] }
      }
    }
  }

  /// Sets the `length` elements from each of `starts` on, which lie apart, to those at the same places of x; nil: to zero.
  public func setElements(from starts: [Int], length: Int = 1, of y: Tensor, to x: Tensor?) {
    if starts.isEmpty { return }
    pass(starts.count, grain: rowGrain(length), bytes: 8 * starts.count * length) { range in
      for start in starts[range] {
        let target = y.pointer + start
        if let x {
          target.update(from: x.pointer + start, count: length)
        } else {
          target.update(repeating: 0, count: length)
        }
      }
    }
  }

  // MARK: Elements

  /// Limits the elements of x to −limit … limit.
  public func clamp(_ x: Tensor, to limit: Float) {
    pass(x.count, grain: Compute.grain, bytes: 2 * x.byteCount) { range in
      let values = x.pointer
      for i in range { values[i] = min(max(values[i], -limit), limit) }
    }
  }

  /// Exchanges the elements of two tensors.
  public func exchange(_ a: Tensor, _ b: Tensor) {
    precondition(a.count == b.count)
    pass(a.count, grain: Compute.grain, bytes: 4 * a.byteCount) { range in
      let (x, y) = (a.pointer, b.pointer)
      for i in range { swap(&x[i], &y[i]) }
    }
  }

  /// A scale of ones and a shift of zeros: a norm with these has no affine part.
  public func setIdentity(scale: Tensor, shift: Tensor) {
    pass(1, bytes: scale.byteCount + shift.byteCount) { _ in
      scale.pointer.update(repeating: 1, count: scale.count)
      shift.pointer.update(repeating: 0, count: shift.count)
    }
  }
}

/// Moves the columns of one row.
private struct ColumnMove {
  /// The first columns, where both are neighbours.
  private let ranges: (from: Int, to: Int)?
  private let from, to: [Int]
  private let count: Int

  init(_ source: PointColumns.Columns, _ target: PointColumns.Columns) {
    count = source.count
    if case .range(let a) = source, case .range(let b) = target {
      ranges = (a.lowerBound, b.lowerBound)
      (from, to) = ([], [])
    } else {
      ranges = nil
      (from, to) = (source.list, target.list)
    }
  }

  func callAsFunction(_ x: UnsafeMutablePointer<Float>, _ y: UnsafeMutablePointer<Float>, adds: Bool) {
    if let ranges {
      let (x, y) = (x + ranges.from, y + ranges.to)
      if adds {
        for i in 0..<count { y[i] += x[i] }
      } else {
        y.update(from: x, count: count)
      }
      return
    }
    for i in 0..<count { y[to[i]] = adds ? y[to[i]] + x[from[i]] : x[from[i]] }
  }
}

extension Matrix {
  /// self = other, or self += other when `accumulate`.
  public func take(_ other: Matrix, accumulate: Bool, _ compute: Compute) {
    precondition(rows == other.rows && columns == other.columns)
    let bytes = (accumulate ? 3 : 2) * rows * columns * ElementType.float32.byteCount
    compute.pass(rows, bytes: bytes) { range in
      for row in range {
        let (target, source) = (pointer + row * stride, other.pointer + row * other.stride)
        if accumulate {
          for i in 0..<columns { target[i] += source[i] }
        } else {
          target.update(from: source, count: columns)
        }
      }
    }
  }
}
