import Communication
import Execution
import Tensors

/// Picked rows of a value or parameter on their way, over the domain axis, to the ranks that compute with them; backward their
/// gradients are returned to the owners of the rows, and added.
struct RowGather {
  private let remote: RemoteRows
  private let rank: Int
  /// The rows of the whole that this rank holds.
  private let held: Range<Int>
  /// Rows of the whole that are held here and picked here, by their place among the held ones, and where they stand among the picked
  /// ones: behind those of ranks before this one.
  private let own: [Int32]
  private let ownStart: Int
  /// Picked rows here.
  let rowCount: Int
  private let communicator: any Communicator
  private let compute: Compute

  private static let tag = 14

  /// - Parameter shape: of the picked rows.
  init(_ picked: PickedRows, _ shape: ValueShape, _ operations: DistributedOperations) {
    rank = operations.context.position.domain
    communicator = operations.context.domain
    compute = operations.compute
    remote = operations.remoteRows(picked, shape.rowDimension)
    let held = picked.wholeDimension.domainRange(operations.mesh.domain, rank)
    let rows = operations.rowRange(shape)
    self.held = held
    own = rows.compactMap { held.contains(picked.list[$0]) ? Int32(picked.list[$0] - held.lowerBound) : nil }
    ownStart = remote.rows[rank][..<rank].reduce(0) { $0 + $1.count }
    rowCount = rows.count
  }

  private var peers: [Int] {
    (1..<max(1, communicator.size)).map { (rank + $0) % communicator.size }
  }

  /// A peer's rows among the picked ones.
  private func places(_ peer: Int) -> Range<Int> {
    let before = remote.rows[rank][..<peer].reduce(0) { $0 + $1.count } + (peer > rank ? own.count : 0)
    return before..<before + remote.rows[rank][peer].count
  }

  /// Rows held here that a peer needs, by their place among the held ones.
  private func outgoing(_ peer: Int) -> [Int32] { remote.rows[peer][rank].map { $0 - Int32(held.lowerBound) } }

  private func rows(_ x: Tensor, _ range: Range<Int>, _ length: Int) -> Tensor {
    Tensor(
      shape: [range.count, length], type: x.type, buffer: x.buffer, offset: x.offset + range.lowerBound * length)
  }

  /// The picked rows [rowCount, length] from the held ones, x [held rows, length].
  func gather(_ x: Tensor, length: Int) throws -> Tensor {
    let result = compute.tensor([rowCount, length])
    if length == 0 { return result }
    var transfers: [any Transfer] = []
    for peer in peers where !places(peer).isEmpty {
      transfers.append(
        try communicator.receive(Region(rows(result, places(peer), length)), from: peer, tag: RowGather.tag))
    }
    for peer in peers.reversed() {
      let list = outgoing(peer)
      if list.isEmpty { continue }
      let part = compute.tensor([list.count, length], for: .exchange)
      compute.takeRows(list, of: x, length: length, into: part)
      transfers.append(try communicator.send(Region(part), to: peer, tag: RowGather.tag))
    }
    let ownRows = rows(result, ownStart..<ownStart + own.count, length)
    compute.takeRows(own, of: x, length: length, into: ownRows)
    for transfer in transfers { try transfer.wait() }
    return result
  }

  /// Adds the gradients of picked rows, d [rowCount, length], to those of the held ones, `sum` [held rows, length]: first those
  /// picked here, then those of the other ranks, in their order.
  func giveBack(_ d: Tensor, length: Int, to sum: Tensor) throws {
    if length == 0 { return }
    var arriving: [(peer: Int, list: [Int32], part: Tensor, transfer: any Transfer)] = []
    for peer in peers {
      let list = outgoing(peer)
      if list.isEmpty { continue }
      let part = compute.tensor([list.count, length], for: .exchange)
      arriving.append((peer, list, part, try communicator.receive(Region(part), from: peer, tag: RowGather.tag + 1)))
    }
    var sends: [any Transfer] = []
    for peer in peers.reversed() where !places(peer).isEmpty {
      sends.append(try communicator.send(Region(rows(d, places(peer), length)), to: peer, tag: RowGather.tag + 1))
    }
    compute.addRows(rows(d, ownStart..<ownStart + own.count, length), to: own, of: sum, length: length)
    for (_, list, part, transfer) in arriving.sorted(by: { $0.peer < $1.peer }) {
      try transfer.wait()
      compute.addRows(part, to: list, of: sum, length: length)
    }
    for send in sends { try send.wait() }
  }
}
