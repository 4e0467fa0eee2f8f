import Communication
import Execution
import Tensors

/// Columns of a matrix that lie on the ranks of an axis, brought to where they are needed; backward their gradients are
/// returned and added. For matrices with few columns, such as variables or attributes of edges.
public struct ColumnExchange {
  /// By rank: columns of the whole matrix that it holds and that it needs, each in the order in its memory, none twice.
  public let held, wanted: [[Int]]

  private static let tag = 12

  init(held: [[Int]], wanted: [[Int]]) {
    self.held = held
    self.wanted = wanted
  }

  /// - Parameters:
  ///   - held: the columns of a value, which the tensor axis splits.
  ///   - wanted: what a rank needs of them, in any order; made ascending, each once.
  public init(_ held: Dimension, _ mesh: Mesh, wanted: (Int) -> [Int]) {
    self.init(
      held: (0..<mesh.tensor).map { held.positions(mesh, .tensor, $0) },
      wanted: (0..<mesh.tensor).map { Array(Set(wanted($0))).sorted() })
  }

  /// Pairs (place in the holder's block, place among those needed) of what `holder` has of the needs of `reader`.
  private func shared(_ holder: Int, _ reader: Int) -> [(held: Int, wanted: Int)] {
    let places = Dictionary(uniqueKeysWithValues: held[holder].enumerated().map { ($1, $0) })
    return wanted[reader].enumerated().compactMap { index, column in places[column].map { ($0, index) } }
  }

  /// Columns that a rank sends forward, and backward.
  public func sent(_ rank: Int) -> (forward: Int, backward: Int) {
    let others = held.indices.filter { $0 != rank }
    return (
      others.reduce(0) { $0 + shared(rank, $1).count }, others.reduce(0) { $0 + shared($1, rank).count }
    )
  }

  /// Elements that a rank sends for columns of x, and backward if x needs its gradient.
  public func traffic(_ x: Value, _ mesh: Mesh, _ place: Mesh.Position) -> SentElements {
    let (sent, points) = (sent(place.tensor), x.shape.pointCount(mesh, place))
    return SentElements(forward: sent.forward * points, backward: x.requiresGradient ? sent.backward * points : 0)
  }

  /// The needed columns [rows, needed] from those held, x [rows, held].
  public func gather(_ x: Tensor, rows: Int, _ communicator: any Communicator, _ compute: Compute) throws -> Tensor {
    let rank = communicator.rank
    let result = compute.tensor([rows, wanted[rank].count])
    let columns = Columns(
      outgoing: { shared(rank, $0).map(\.held) }, incoming: { shared($0, rank).map(\.wanted) }, accumulate: false,
      tag: ColumnExchange.tag)
    try exchange(columns, from: Block(x, rows), to: Block(result, rows), communicator, compute)
    return result
  }

  /// Adds to the gradients of held columns, `sum` [rows, held], those of needed columns on all ranks, d [rows, needed].
  public func giveBack(
    _ d: Tensor, rows: Int, to sum: Tensor, _ communicator: any Communicator, _ compute: Compute
  ) throws {
    let rank = communicator.rank
    let columns = Columns(
      outgoing: { shared($0, rank).map(\.wanted) }, incoming: { shared(rank, $0).map(\.held) }, accumulate: true,
      tag: ColumnExchange.tag + 1)
    try exchange(columns, from: Block(d, rows), to: Block(sum, rows), communicator, compute)
  }

  private struct Block {
    let tensor: Tensor
    let rows, width: Int

    init(_ tensor: Tensor, _ rows: Int) {
      self.tensor = tensor
      self.rows = rows
      width = rows == 0 ? 0 : tensor.count / rows
    }

    func columns(_ columns: PointColumns.Columns) -> PointColumns { PointColumns(tensor, width: width, columns) }
  }

  /// Columns of the own block that a peer gets, and that come from it, stored or added.
  private struct Columns {
    let outgoing, incoming: (Int) -> [Int]
    let accumulate: Bool
    let tag: Int
  }

  private func exchange(
    _ moved: Columns, from: Block, to: Block, _ communicator: any Communicator, _ compute: Compute
  ) throws {
    let rows = from.rows
    if rows == 0 { return }
    let (outgoing, incoming, tag) = (moved.outgoing, moved.incoming, moved.tag)
    let (rank, size) = (communicator.rank, communicator.size)
    var arriving: [(peer: Int, columns: [Int], part: Tensor, transfer: any Transfer)] = []
    var sends: [any Transfer] = []
    for step in 1..<max(1, size) {
      let peer = (rank + step) % size
      let columns = incoming(peer)
      if columns.isEmpty { continue }
      let part = compute.tensor([rows, columns.count], for: .exchange)
      arriving.append((peer, columns, part, try communicator.receive(Region(part), from: peer, tag: tag)))
    }
    for step in 1..<max(1, size) {
      let peer = (rank + size - step) % size
      let columns = outgoing(peer)
      if columns.isEmpty { continue }
      let part = compute.tensor([rows, columns.count], for: .exchange)
      let packed = Block(part, rows)
      compute.moveColumns(
        from.columns(.list(columns)), to: packed.columns(.range(columns.indices)), rows: rows)
      sends.append(try communicator.send(Region(part), to: peer, tag: tag))
    }
    // Parts are added in the order of ranks, so that all meshes of a size round alike from run to run.
    var parts = arriving.map { ($0.peer, $0.columns, $0.part, $0.transfer as (any Transfer)?) }
    parts.append((rank, incoming(rank), from.tensor, nil))
    for (_, columns, part, transfer) in parts.sorted(by: { $0.0 < $1.0 }) {
      try transfer?.wait()
      compute.moveColumns(
        transfer == nil ? from.columns(.list(outgoing(rank))) : Block(part, rows).columns(.range(columns.indices)),
        to: to.columns(.list(columns)), rows: rows, accumulate: moved.accumulate)
    }
    for send in sends { try send.wait() }
  }
}
