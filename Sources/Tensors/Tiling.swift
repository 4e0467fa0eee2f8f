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

  /// Fields as planes [V, rows, columns] into sample `sample` of a tensor [T, B, s·V]:
  /// out = (plane − mean[field])·factor[field]. With `fieldOffset` and `fieldCount` the planes fill only some of the
  /// tensor's fields. Column x of the tiled field is column x + `columnShift` of the planes, around the globe. Runs on the
  /// calling thread.
  public func tile(
    _ planes: UnsafePointer<Float>, fields: Int, mean: [Float], factor: [Float], into out: Tensor, sample: Int,
    columnShift: Int = 0, fieldOffset: Int = 0, fieldCount: Int? = nil
  ) {
    let layout = Layout(self, out, fieldCount ?? fields)
    precondition(mean.count == fields && factor.count == fields && fieldOffset + fields <= layout.fields)
    precondition((0..<columns).contains(columnShift))
    withUnsafePointer(to: geometry) {
      jk_current().pointee.tile(
        planes, fieldSize, fields, mean, factor, $0, 0, tokens, columnShift,
        out.pointer + sample * layout.sampleStride + fieldOffset, layout.tokenStride, layout.fields)
    }
  }

  /// The inverse of `tile`: plane = value·factor[field] + mean[field].
  public func untile(
    _ values: Tensor, sample: Int, fields: Int, mean: [Float], factor: [Float],
    into planes: UnsafeMutablePointer<Float>
  ) {
    let layout = Layout(self, values, fields)
    precondition(mean.count == fields && factor.count == fields)
    withUnsafePointer(to: geometry) {
      jk_current().pointee.untile(
        values.pointer + sample * layout.sampleStride, layout.tokenStride, layout.fields, fields, mean, factor, $0, 0,
        tokens, planes, fieldSize)
    }
  }

  private struct Layout {
    let fields, sampleStride, tokenStride: Int

    init(_ tiling: Tiling, _ tensor: Tensor, _ fields: Int) {
      precondition(
        tensor.shape.count == 3 && tensor.shape[0] == tiling.tokens
          && tensor.shape[2] == tiling.pointsPerToken * fields,
        "tensor \(tensor.shape) is not a tiling of \(fields) fields")
      self.fields = fields
      sampleStride = tensor.shape[2]
      tokenStride = tensor.shape[1] * tensor.shape[2]
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
