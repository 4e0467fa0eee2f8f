import Execution
import Tensors

/// Which rows the ranks of the domain axis need of each other.
public struct RemoteRows: Sendable {
  /// [receiver][owner]: rows that the receiver needs and the owner holds, ascending; none where both are the same.
  public let rows: [[[Int32]]]

  /// - Parameters:
  ///   - held: how rows are split.
  ///   - needed: the rows of others that a rank needs, ascending.
  init(_ held: Dimension, ranks: Int, needed: (Int) -> [Int32]) {
    let ends = (0..<ranks).map { Int32(held.domainRange(ranks, $0).upperBound) }
    rows = (0..<ranks).map { receiver in
      var rest = needed(receiver)[...]
      return ends.map { end in
        let part = rest.prefix { $0 < end }
        rest = rest.dropFirst(part.count)
        return Array(part)
      }
    }
  }

  var byteCount: Int { rows.reduce(0) { $0 + $1.reduce(0) { $0 + 4 * $1.count } } }

  /// Rows that a rank receives from all others.
  public func received(_ rank: Int) -> Int { rows[rank].reduce(0) { $0 + $1.count } }

  /// Rows that a rank sends, counted once for each rank that needs them.
  public func sent(_ rank: Int) -> Int { rows.reduce(0) { $0 + $1[rank].count } }
}

extension PickedRows {
  /// The whole's rows, which the domain axis splits.
  var wholeDimension: Dimension { Dimension(wholeRows, starts: wholeStarts) }

  /// The rows that ranks lack of those that they are to hold.
  ///
  /// - Parameter held: how the picked rows are split.
  func remoteRows(_ held: Dimension, ranks: Int) -> RemoteRows {
    RemoteRows(wholeDimension, ranks: ranks) { receiver in
      let own = wholeDimension.domainRange(ranks, receiver)
      let rows = held.domainRange(ranks, receiver).map { list[$0] }
      precondition(zip(rows, rows.dropFirst()).allSatisfy { $0 < $1 }, "rows of a rank are picked in another order")
      return rows.filter { !own.contains($0) }.map { Int32($0) }
    }
  }
}
