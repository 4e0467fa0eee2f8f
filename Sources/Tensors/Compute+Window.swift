import CKernels

// Multi-head self-attention of positions that lie at most `reach` apart, in tiles with an online softmax: no matrix of all
// positions by all positions exists.

/// Sizes of self-attention within a window. Queries are [positions, batch, heads·channels], keys and values likewise, of all
/// positions or of some before and behind as well.
public struct WindowShape: Sendable, Hashable {
  public let positions, batch, heads, channels: Int
  /// Positions of keys and values, and the first query among them.
  public let keys, firstQuery: Int
  /// How far apart positions may lie that attend to each other; nil: any distance.
  public let reach: Int?

  /// - Parameters:
  ///   - keys: `positions` unless given.
  ///   - firstQuery: the position of the first query among the keys.
  public init(
    positions: Int, batch: Int, heads: Int, channels: Int, reach: Int?, keys: Int? = nil, firstQuery: Int = 0
  ) {
    precondition(firstQuery + positions <= keys ?? positions)
    self.positions = positions
    self.keys = keys ?? positions
    self.firstQuery = firstQuery
    self.batch = batch
    self.heads = heads
    self.channels = channels
    self.reach = reach
  }

  /// Independent pieces of work: samples times heads.
  var pieces: Int { batch * heads }

  /// One head of one sample of x, queries or outputs, as a matrix [positions, channels].
  func head(_ piece: Int, of x: Tensor) -> Matrix { head(piece, of: x, rows: positions) }

  /// The same of keys or values: [keys, channels].
  func keyHead(_ piece: Int, of x: Tensor) -> Matrix { head(piece, of: x, rows: keys) }

  private func head(_ piece: Int, of x: Tensor, rows: Int) -> Matrix {
    let row = heads * channels
    return Matrix(
      buffer: x.buffer, offset: x.offset + piece / heads * row + piece % heads * channels, rows: rows,
      columns: channels, stride: batch * row)
  }

  static let tileRows = 64
  static let tileColumns = 512

  /// Columns that some row of the tile attends to, in blocks.
  func blocks(_ rows: Range<Int>) -> [Range<Int>] {
    let reach = reach ?? keys
    let (first, end) = (
      max(0, firstQuery + rows.lowerBound - reach), min(keys, firstQuery + rows.upperBound + reach)
    )
    return stride(from: first, to: end, by: WindowShape.tileColumns).map {
      $0..<min(end, $0 + WindowShape.tileColumns)
    }
  }

  func kernel(_ rows: Range<Int>, _ columns: Range<Int>) -> jk_window {
    jk_window(
      first_row: firstQuery + rows.lowerBound, first_column: columns.lowerBound, reach: reach ?? keys,
      scale: 1 / Float(channels).squareRoot())
  }
}

extension Compute {
  private var kernels: jk_kernels { jk_current().pointee }

  private func forEachTile(_ shape: WindowShape, bytes: Int, _ work: (Int, Range<Int>) -> Void) {
    pass(shape.pieces, bytes: bytes) { pieces in
      for piece in pieces {
        for first in stride(from: 0, to: shape.positions, by: WindowShape.tileRows) {
          work(piece, first..<min(shape.positions, first + WindowShape.tileRows))
        }
      }
    }
  }

  /// A tile of scores for each piece of work.
  private func tiles(_ shape: WindowShape) -> Tensor {
    tensor([shape.pieces, WindowShape.tileRows, min(shape.keys, WindowShape.tileColumns)])
  }

  private func tile(_ tiles: Tensor, _ piece: Int, rows: Int, columns: Int) -> Matrix {
    let (height, width) = (tiles.shape[1], tiles.shape[2])
    return Matrix(
      buffer: tiles.buffer, offset: tiles.offset + piece * height * width, rows: rows, columns: columns,
      stride: width)
  }

  /// out = softmax(q·kᵀ/√channels)·v per head within the window. `most` and `sums` [batch·heads, positions] are kept for
  /// backward: the largest logit of each position, and the sum of exp(logit − most).
  public func windowAttention(
    _ shape: WindowShape, _ values: AttentionValues, into out: Tensor, most: Tensor, sums: Tensor
  ) {
    let (q, k, v) = (values.q, values.k, values.v)
    precondition(most.count == shape.pieces * shape.positions && sums.count == most.count)
    let scores = tiles(shape)
    let factors = tensor([shape.pieces, WindowShape.tileRows])
    forEachTile(shape, bytes: 4 * out.byteCount) { piece, rows in
      let start = piece * shape.positions + rows.lowerBound
      let (most, sums) = (most.pointer + start, sums.pointer + start)
      let factor = factors.pointer + piece * WindowShape.tileRows
      most.update(repeating: -.greatestFiniteMagnitude, count: rows.count)
      sums.update(repeating: 0, count: rows.count)
      let result = shape.head(piece, of: out).rows(rows)
      func scale(_ factor: (Int) -> Float) {
        for row in 0..<rows.count {
          let x = result.pointer + row * result.stride
          kernels.scale(x, x, factor(row), shape.channels)
        }
      }
      for (index, columns) in shape.blocks(rows).enumerated() {
        let s = tile(scores, piece, rows: rows.count, columns: columns.count)
        backend.multiply(
          shape.head(piece, of: q).rows(rows).plain, shape.keyHead(piece, of: k).rows(columns).transposed, into: s,
          accumulate: false)
        var window = shape.kernel(rows, columns)
        kernels.window_softmax(&window, s.pointer, s.stride, most, sums, factor, rows.count, columns.count)
        if index > 0 { scale { factor[$0] } }
        backend.multiply(
          s.plain, shape.keyHead(piece, of: v).rows(columns).plain, into: result, accumulate: index > 0)
      }
      scale { 1 / sums[$0] }
    }
  }

  /// The gradients of queries, keys and values are stored.
  public func windowAttentionBackward(
    _ shape: WindowShape, _ values: AttentionValues, out: Tensor, dout: Tensor, most: Tensor, sums: Tensor,
    into gradients: AttentionValues
  ) {
    let (q, k, v) = (values.q, values.k, values.v)
    for gradient in [gradients.q, gradients.k, gradients.v] { gradient.fill() }
    let (scores, dscores) = (tiles(shape), tiles(shape))
    let means = tensor([shape.pieces, WindowShape.tileRows])
    forEachTile(shape, bytes: 8 * out.byteCount) { piece, rows in
      let start = piece * shape.positions + rows.lowerBound
      let mean = means.pointer + piece * WindowShape.tileRows
      let (result, d) = (shape.head(piece, of: out).rows(rows), shape.head(piece, of: dout).rows(rows))
      for row in 0..<rows.count {
        let (x, y) = (result.pointer + row * result.stride, d.pointer + row * d.stride)
        var sum: Float = 0
        for channel in 0..<shape.channels { sum += x[channel] * y[channel] }
        mean[row] = sum
      }
      let query = shape.head(piece, of: q).rows(rows)
      for columns in shape.blocks(rows) {
        let key = shape.keyHead(piece, of: k).rows(columns)
        let p = tile(scores, piece, rows: rows.count, columns: columns.count)
        let dp = tile(dscores, piece, rows: rows.count, columns: columns.count)
        backend.multiply(query.plain, key.transposed, into: p, accumulate: false)
        backend.multiply(d.plain, shape.keyHead(piece, of: v).rows(columns).transposed, into: dp, accumulate: false)
        var window = shape.kernel(rows, columns)
        kernels.window_softmax_backward(
          &window, p.pointer, dp.pointer, p.stride, most.pointer + start, sums.pointer + start, mean, rows.count,
          columns.count)
        backend.multiply(
          dp.plain, key.plain, into: shape.head(piece, of: gradients.q).rows(rows), accumulate: true)
        backend.multiply(
          dp.transposed, query.plain, into: shape.keyHead(piece, of: gradients.k).rows(columns), accumulate: true)
        backend.multiply(
          p.transposed, d.plain, into: shape.keyHead(piece, of: gradients.v).rows(columns), accumulate: true)
      }
    }
  }
}
