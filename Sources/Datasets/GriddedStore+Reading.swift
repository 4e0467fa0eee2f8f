import CKernels
import Stores

/// How stored numbers come to their places on the grid.
extension GriddedStore {
  /// Reads a box of one array at consecutive times (ignored for static fields). `target` tells where the part of a time,
  /// level and rectangle goes, and how far its rows lie apart; our order and units, missing values NaN.
  ///
  /// - Parameters:
  ///   - only: those of the times that matter; nil: all.
  ///   - member: of the ensemble, if there is one.
  /// - Returns: by time, whether all of it is numbers.
  @discardableResult
  public func read(
    _ binding: Binding, times: Range<Int>, only: Set<Int>? = nil, box: Box, levels: [Int], member: Int = 0,
    _ scratch: ReadingScratch,
    into target: (_ time: Int, _ level: Int, _ part: Rectangle) -> (UnsafeMutablePointer<Float>, stride: Int)
  ) throws -> [Bool] {
    if let refusal = binding.refusal { throw refusal }
    var stored = ArrayPart(binding.array.shape.map { 0..<$0 })
    if let dimension = binding.time { stored.box[dimension] = times }
    if let dimension = binding.member { stored.box[dimension] = member..<member + 1 }
    if let dimension = binding.level {
      stored.box[dimension] = (levels.min() ?? 0)..<(levels.max() ?? 0) + 1
      stored.only = ArrayPart.Only(dimension: dimension, indices: Set(levels))
    }
    stored.box[binding.latitude] = box.rows
    stored.box[binding.longitude] = box.columns
    let rectangles = rectangles(box)
    var isComplete = [Bool](repeating: true, count: binding.time == nil ? 1 : times.count)
    try store.read(binding.array.name, stored, scratch) { piece in
      let pieceTimes = binding.time.map { piece.box[$0] } ?? 0..<1
      let pieceLevels = binding.level.map { piece.box[$0] } ?? 0..<1
      for (i, time) in pieceTimes.enumerated() where only?.contains(time) ?? true {
        for (j, level) in pieceLevels.enumerated() where levels.contains(level) {
          let ahead =
            i * (binding.time.map { piece.strides[$0] } ?? 0) + j * (binding.level.map { piece.strides[$0] } ?? 0)
          let field = StoredField(piece, binding, piece.start + ahead * piece.type.byteCount)
          let plane = field.plane(binding, scratch)
          let index = binding.time == nil ? 0 : time - times.lowerBound
          for part in rectangles {
            let (out, stride) = target(index, level, part)
            if !copy(plane, field, part, to: out, stride) { isComplete[index] = false }
          }
        }
      }
    }
    return isComplete
  }

  /// Rows and columns of one time and level in a piece of what is stored.
  private struct StoredField {
    let type: ScalarType
    let start: UnsafeRawPointer
    let rows, columns: Range<Int>
    let rowStride, columnStride: Int

    init(_ piece: StoredPiece, _ binding: Binding, _ start: UnsafeRawPointer) {
      type = piece.type
      self.start = start
      (rows, columns) = (piece.box[binding.latitude], piece.box[binding.longitude])
      (rowStride, columnStride) = (piece.strides[binding.latitude], piece.strides[binding.longitude])
    }

    /// The values in our units, as they lie in the store or in scratch memory.
    func plane(_ binding: Binding, _ scratch: ReadingScratch) -> Plane {
      let conversion = binding.conversion
      if type == .float32 && binding.packing.isPlain && conversion == .none {
        return Plane(
          start: start.assumingMemoryBound(to: Float.self), rowStride: rowStride, columnStride: columnStride)
      }
      let count = rows.count * columns.count
      let out = scratch.numbers.reserve(max(1, count) * MemoryLayout<Float>.size).assumingMemoryBound(to: Float.self)
      // In the order in which they lie.
      let isTransposed = columnStride > rowStride
      let (across, along) = ((rows.count, rowStride), (columns.count, columnStride))
      binding.packing.unpack(
        start, type, rows: isTransposed ? along : across, columns: isTransposed ? across : along, into: out)
      if conversion != .none {
        for i in 0..<count { out[i] = Float(Double(out[i]) * conversion.factor + conversion.offset) }
      }
      return Plane(
        start: out, rowStride: isTransposed ? 1 : columns.count, columnStride: isTransposed ? rows.count : 1)
    }
  }

  private struct Plane {
    let start: UnsafePointer<Float>
    let rowStride, columnStride: Int
  }

  /// Copies what a stored field has of a part of the grid.
  /// - Returns: whether all of it is numbers.
  private func copy(
    _ plane: Plane, _ field: StoredField, _ part: Rectangle, to out: UnsafeMutablePointer<Float>, _ stride: Int
  ) -> Bool {
    let first = flipsLatitude ? storedRows - part.rows.upperBound : part.rows.lowerBound
    let rows = field.rows.clamped(to: first..<first + part.rows.count)
    let left = (part.columns.lowerBound + firstColumn) % grid.columns
    let columns = eastwards(field.columns).clamped(to: left..<left + part.columns.count)
    if rows.isEmpty || columns.isEmpty { return true }
    let stored = eastwards(columns)
    let source =
      plane.start + (rows.lowerBound - field.rows.lowerBound) * plane.rowStride
      + ((isWestward ? stored.upperBound - 1 : stored.lowerBound) - field.columns.lowerBound) * plane.columnStride
    let line = flipsLatitude ? first + part.rows.count - 1 - rows.lowerBound : rows.lowerBound - first
    return jk_current().pointee.copy_plane(
      source, plane.rowStride, isWestward ? -plane.columnStride : plane.columnStride,
      out + line * stride + columns.lowerBound - left,
      flipsLatitude ? -stride : stride, 1, rows.count, columns.count)
  }

  /// Reads whole fields of one array at consecutive times (ignored for static fields) and one level (ignored without
  /// a dimension of levels): `out(i)` is where the field of the i-th time goes, [rows, columns].
  public func read(
    _ binding: Binding, times: Range<Int>, level: Int?, into out: (Int) -> UnsafeMutablePointer<Float>
  ) throws {
    let shape = binding.array.shape
    precondition(binding.level == nil || level != nil, "a level is needed for \(binding.array.name)")
    let box = Box(
      levels: (level ?? 0)..<(level ?? 0) + 1, rows: 0..<shape[binding.latitude], columns: 0..<shape[binding.longitude])
    try read(binding, times: times, box: box, levels: [level ?? 0], ReadingScratch()) { time, _, part in
      (out(time) + part.rows.lowerBound * grid.columns + part.columns.lowerBound, grid.columns)
    }
  }
}
