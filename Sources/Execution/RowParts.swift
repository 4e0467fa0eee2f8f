import Basics
import Tensors

/// Rows of a value in parts that are computed one after the other. Where several ranks hold rows, each has a share of neighbouring
/// ones, and every part takes some of every share.
public struct RowParts: Sendable {
  /// [parts][shares], rows of the whole: those of a share follow each other from part to part.
  public let ranges: [[Range<Int>]]
  public var count: Int { ranges.count }

  /// - Parameter ranges: all rows, in order, held as one share.
  public init(_ ranges: [Range<Int>]) { self.ranges = ranges.map { [$0] } }

  /// Parts of about equally many rows of each share. Shares of a part differ by one row at most, the longer ones first, as those of
  /// the whole do: the part is a value whose rows are split as evenly.
  public init(rows: Int, shares: Int, count: Int) {
    let whole = (0..<shares).map { chunk(rows, into: shares, $0) }
    ranges = (0..<count).map { part in
      whole.map { share in
        let rows = chunk(share.count, into: count, part)
        return share.lowerBound + rows.lowerBound..<share.lowerBound + rows.upperBound
      }
    }
  }

  /// Rows of a part.
  public func rowCount(_ part: Int) -> Int { ranges[part].reduce(0) { $0 + $1.count } }

  /// The rows of a part, share after share.
  public func rows(_ part: Int) -> IndexList { IndexList(ranges[part].flatMap { $0.map { Int32($0) } }) }

  /// Where a share's rows of a part lie among the rows of the share.
  func local(_ part: Int, share: Int) -> Range<Int> {
    let (start, rows) = (ranges[0][share].lowerBound, ranges[part][share])
    return rows.lowerBound - start..<rows.upperBound - start
  }
}

/// Some rows of a whole, picked for a value of their own: those that a rank is to hold stand together, ascending.
public struct PickedRows: Sendable {
  /// Numbers among the rows of the whole, none twice on a rank.
  public let list: IndexList
  /// Rows of the whole, and which of them stay on one rank, see `ValueShape.rowStarts`.
  public let wholeRows: Int
  public let wholeStarts: IndexList?
  public var count: Int { list.count }

  public init(_ list: IndexList, of wholeRows: Int, wholeStarts: IndexList? = nil) {
    self.list = list
    self.wholeRows = wholeRows
    self.wholeStarts = wholeStarts
  }
}
