import Tensors

/// A part of a grid.
public struct Rectangle: Sendable, Hashable {
  public let rows, columns: Range<Int>

  public init(rows: Range<Int>, columns: Range<Int>) {
    self.rows = rows
    self.columns = columns
  }

  public var count: Int { rows.count * columns.count }

  public func shared(with other: Rectangle) -> Rectangle? {
    let shared = Rectangle(rows: rows.clamped(to: other.rows), columns: columns.clamped(to: other.columns))
    return shared.count == 0 ? nil : shared
  }
}

/// Copies rows of `count` numbers each, which begin every so many numbers; what lies side by side on both sides at once.
func copyRows(
  _ rows: Int, of count: Int, from source: UnsafePointer<Float>, every sourceStride: Int,
  to target: UnsafeMutablePointer<Float>, every targetStride: Int
) {
  if sourceStride == count && targetStride == count { return target.update(from: source, count: rows * count) }
  for row in 0..<rows { (target + row * targetStride).update(from: source + row * sourceStride, count: count) }
}

/// The part of every state that one rank holds: some fields, at the points of some tokens.
public struct FieldBlock: Sendable, Hashable {
  public let fields: Range<Int>
  public let tokens: Range<Int>

  public init(fields: Range<Int>, tokens: Range<Int>) {
    self.fields = fields
    self.tokens = tokens
  }

  /// All of it.
  public static func whole(_ tiling: Tiling, fields: Int) -> FieldBlock {
    FieldBlock(fields: 0..<fields, tokens: 0..<tiling.tokens)
  }
}

extension Tiling {
  /// The parts of the grid that tokens cover when tiles are counted from column `columnShift`, around the globe.
  func rectangles(_ tokens: Range<Int>, columnShift: Int = 0) -> [Rectangle] {
    let across = columns / tileColumns
    var result: [Rectangle] = []
    func add(_ lines: Range<Int>, _ tiles: Range<Int>) {
      if lines.isEmpty || tiles.isEmpty { return }
      let rows = lines.lowerBound * tileRows..<lines.upperBound * tileRows
      if tiles.count == across { return result.append(Rectangle(rows: rows, columns: 0..<columns)) }
      let first = (tiles.lowerBound * tileColumns + columnShift) % columns
      let last = first + tiles.count * tileColumns
      result.append(Rectangle(rows: rows, columns: first..<min(last, columns)))
      if last > columns { result.append(Rectangle(rows: rows, columns: 0..<last - columns)) }
    }
    if tokens.isEmpty { return [] }
    let (first, last) = (tokens.lowerBound / across, (tokens.upperBound - 1) / across)
    let (start, end) = (tokens.lowerBound - first * across, tokens.upperBound - last * across)
    if first == last {
      add(first..<first + 1, start..<end)
    } else {
      // Whole lines of tiles join.
      let whole = (start == 0 ? first : first + 1)..<(end == across ? last + 1 : last)
      if start > 0 { add(first..<first + 1, start..<across) }
      add(whole, 0..<across)
      if end < across { add(last..<last + 1, 0..<end) }
    }
    return result
  }
}
