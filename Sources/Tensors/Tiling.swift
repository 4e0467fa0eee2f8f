import CKernels

/// A regular field [rows (latitude), columns (longitude)] cut into tiles, the tokens of a model.
///
/// The training layout of V fields is [token, batch, point, field]: tokens row by row over the grid, points row by row
/// within a tile. The same memory is a patch matrix [T, B, s·V] and a list of grid points [T·B·s, V].
public struct Tiling: Sendable, Hashable {
  public let rows, columns, tileRows, tileColumns: Int

  /// Nil when tiles don't divide the field.
  public init?(rows: Int, columns: Int, tileRows: Int, tileColumns: Int) {
    guard tileRows > 0, tileColumns > 0, rows % tileRows == 0, columns % tileColumns == 0 else { return nil }
    self.rows = rows
    self.columns = columns
    self.tileRows = tileRows
    self.tileColumns = tileColumns
  }

  /// T and s.
  public var tokens: Int { rows / tileRows * (columns / tileColumns) }
  public var pointsPerToken: Int { tileRows * tileColumns }
  public var fieldSize: Int { rows * columns }

  private var geometry: jk_tiling {
    jk_tiling(rows: rows, columns: columns, tile_rows: tileRows, tile_columns: tileColumns)
  }

  /// The rows that tokens lie in.
  public func rows(_ tokens: Range<Int>) -> Range<Int> {
    if tokens.isEmpty { return 0..<0 }
    let across = columns / tileColumns
    return tokens.lowerBound / across * tileRows..<((tokens.upperBound - 1) / across + 1) * tileRows
  }

  /// How values of fields are scaled: (value − mean[field])·factor[field].
  public struct Scaling: Sendable {
    let mean, factor: [Float]

    public init(mean: [Float], factor: [Float]) {
      precondition(mean.count == factor.count)
      self.mean = mean
      self.factor = factor
    }

    /// Values as they are.
    public static func none(_ fields: Int) -> Scaling {
      Scaling(mean: [Float](repeating: 0, count: fields), factor: [Float](repeating: 1, count: fields))
    }
  }

  /// Fields as planes [V, rows, columns], scaled, into sample `sample` of a tensor [T, B, s·V]. Column x of the tiled field is column x + `columnShift` of the planes,
  /// around the globe. Runs on the calling thread.
  ///
  /// - Parameters:
  ///   - tokens: those that the tensor holds; the planes then hold just their rows. All by default.
  ///   - only: which of these are written. All of them by default.
  public func tile(
    _ planes: UnsafePointer<Float>, _ scaling: Scaling, into out: Tensor, sample: Int, columnShift: Int = 0,
    tokens: Range<Int>? = nil, only: Range<Int>? = nil
  ) {
    let fields = scaling.mean.count
    let part = Part(self, out, fields, tokens)
    let held = tokens ?? 0..<self.tokens
    let written = only ?? held
    precondition(written.clamped(to: held) == written)
    let ahead = written.lowerBound - held.lowerBound
    precondition((0..<columns).contains(columnShift))
    withUnsafePointer(to: geometry) {
      jk_current().pointee.tile(
        planes, part.planeSize, fields, scaling.mean, scaling.factor, $0, part.first + ahead,
        part.first + ahead + written.count,
        columnShift, out.pointer + sample * part.sampleStride + ahead * part.tokenStride, part.tokenStride, fields)
    }
  }

  /// The inverse of `tile` in place and order, without a shift: plane = value·factor[field] + mean[field].
  public func untile(
    _ values: Tensor, sample: Int, _ scaling: Scaling, into planes: UnsafeMutablePointer<Float>,
    tokens: Range<Int>? = nil
  ) {
    let fields = scaling.mean.count
    let part = Part(self, values, fields, tokens)
    withUnsafePointer(to: geometry) {
      jk_current().pointee.untile(
        values.pointer + sample * part.sampleStride, part.tokenStride, fields, fields, scaling.mean, scaling.factor, $0,
        part.first,
        part.last, planes, part.planeSize)
    }
  }

  /// Some tokens of a tensor, counted from the first row of the local planes.
  private struct Part {
    let first, last, planeSize, sampleStride, tokenStride: Int

    init(_ tiling: Tiling, _ tensor: Tensor, _ fields: Int, _ tokens: Range<Int>?) {
      let tokens = tokens ?? 0..<tiling.tokens
      precondition(
        tensor.shape.count == 3 && tensor.shape[0] == tokens.count
          && tensor.shape[2] == tiling.pointsPerToken * fields,
        "tensor \(tensor.shape) is not a tiling of \(fields) fields")
      let rows = tiling.rows(tokens)
      first = tokens.lowerBound - rows.lowerBound / tiling.tileRows * (tiling.columns / tiling.tileColumns)
      last = first + tokens.count
      planeSize = rows.count * tiling.columns
      sampleStride = tensor.shape[2]
      tokenStride = tensor.shape[1] * tensor.shape[2]
    }
  }

  /// Values of all points, row after row, in tiled order: [T·s].
  public func spread<Element>(_ values: [Element]) -> [Element] {
    precondition(values.count == fieldSize)
    let across = columns / tileColumns
    return (0..<tokens).flatMap { token in
      let (top, left) = (token / across * tileRows, token % across * tileColumns)
      return (0..<pointsPerToken).map { values[(top + $0 / tileColumns) * columns + left + $0 % tileColumns] }
    }
  }

  /// One number per latitude row, spread over the points in tiled order: [T·s].
  public func spread(rowValues: [Float]) -> [Float] {
    precondition(rowValues.count == rows)
    var result: [Float] = []
    result.reserveCapacity(fieldSize)
    for token in 0..<tokens {
      let top = token / (columns / tileColumns) * tileRows
      for row in 0..<tileRows {
        for _ in 0..<tileColumns { result.append(rowValues[top + row]) }
      }
    }
    return result
  }
}
