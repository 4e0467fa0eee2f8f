import Basics
import Communication
import Tensors

/// The exchange of rows over the domain axis: forward each rank gets the rows of others that it needs, backward it returns
/// what it has computed of their gradients, and they add it.
///
/// Extended values hold the received rows and this rank's own in one piece of memory. Rows are of `length` elements.
struct RowExchange {
  /// A rank's message: its rows here, the own ones of an outgoing message, or a range of the extended rows of an incoming one.
  private let outgoing: [[Int32]]
  private let incoming: [Range<Int>]
  /// Where this rank's rows lie among the extended ones.
  let own: Range<Int>
  /// Rows of extended values.
  let rowCount: Int
  private let communicator: any Communicator
  private let compute: Compute

  private static let tag = 10

  /// - Parameters:
  ///   - outgoing: by peer: local rows that it needs, ascending.
  ///   - incoming: by peer: where its rows go among the extended ones.
  ///   - own: where the local rows go.
  init(
    outgoing: [[Int32]], incoming: [Range<Int>], own: Range<Int>, _ communicator: any Communicator, _ compute: Compute
  ) {
    self.outgoing = outgoing
    self.incoming = incoming
    self.own = own
    rowCount = own.count + incoming.reduce(0) { $0 + $1.count }
    self.communicator = communicator
    self.compute = compute
  }

  private var peers: [Int] {
    (1..<max(1, communicator.size)).map { (communicator.rank + $0) % communicator.size }
  }

  private func rows(_ x: Tensor, _ range: Range<Int>, _ length: Int) -> Tensor {
    x.elements(range.lowerBound * length..<range.upperBound * length)
  }

  /// The own rows of extended values, in the same memory.
  func ownRows(_ x: Tensor, _ length: Int) -> Tensor { rows(x, own, length) }

  /// The received rows of extended values, in memory of their own.
  func received(_ extended: Tensor, _ length: Int) -> Tensor {
    let copy = compute.tensor([rowCount - own.count, length])
    for (part, rest) in zip(parts(copy, length), rest) { part.copy(from: rows(extended, rest, length)) }
    return copy
  }

  /// Extended values from own rows and received ones.
  func extended(_ own: Tensor, _ received: Tensor, _ length: Int) -> Tensor {
    let extended = compute.tensor([rowCount, length])
    ownRows(extended, length).copy(from: own)
    for (part, rest) in zip(parts(received, length), rest) { rows(extended, rest, length).copy(from: part) }
    return extended
  }

  /// The extended rows before and behind the own ones, and where a tensor of received rows has them.
  private var rest: [Range<Int>] { [0..<own.lowerBound, own.upperBound..<rowCount] }
  private func parts(_ received: Tensor, _ length: Int) -> [Tensor] {
    [0..<own.lowerBound, own.lowerBound..<rowCount - own.count].map { rows(received, $0, length) }
  }

  /// Extended values on their way.
  final class Pending {
    let extended: [Tensor]
    fileprivate var transfers: [any Transfer] = []
    fileprivate init(_ extended: [Tensor]) { self.extended = extended }

    /// Returns when all rows are there.
    func finish() throws {
      for transfer in transfers { try transfer.wait() }
      transfers = []
    }
  }

  /// Sends rows of the values [own rows, length] and starts to receive; the own rows of the result are there at once.
  func start(_ values: [Tensor], length: Int) throws -> Pending {
    let pending = Pending(values.map { _ in compute.tensor([rowCount, length]) })
    for peer in peers where !incoming[peer].isEmpty && length > 0 {
      for extended in pending.extended {
        pending.transfers.append(
          try communicator.receive(
            Region(rows(extended, incoming[peer], length)), from: peer, tag: RowExchange.tag))
      }
    }
    for peer in peers.reversed() where !outgoing[peer].isEmpty && length > 0 {
      for value in values {
        let part = pack(value, outgoing[peer], length)
        pending.transfers.append(try communicator.send(Region(part), to: peer, tag: RowExchange.tag))
      }
    }
    for (value, extended) in zip(values, pending.extended) { ownRows(extended, length).copy(from: value) }
    if !communicator.policy.overlaps { try pending.finish() }
    return pending
  }

  private func pack(_ x: Tensor, _ list: [Int32], _ length: Int) -> Tensor {
    let part = compute.tensor([list.count, length], for: .exchange)
    compute.takeRows(list, of: x, length: length, into: part)
    return part
  }

  /// Gradients on their way back to the owners of rows.
  final class Return {
    fileprivate var arriving: [(peer: Int, index: Int, part: Tensor, transfer: any Transfer)] = []
    fileprivate var sends: [any Transfer] = []
  }

  /// Returns the gradients of received rows to their owners and adds what others return to those of the own rows.
  ///
  /// - Returns: the gradients of the own rows, in the memory of `gradients`.
  func giveBack(_ gradients: [Tensor], length: Int) throws -> [Tensor] {
    try finishReturn(startReturn(gradients, length: length), gradients, length: length)
  }

  /// Starts to return the gradients of received rows. Those of the own rows need not be there yet.
  func startReturn(_ gradients: [Tensor], length: Int) throws -> Return {
    let back = Return()
    for peer in peers where !outgoing[peer].isEmpty && length > 0 {
      for index in gradients.indices {
        let part = compute.tensor([outgoing[peer].count, length], for: .exchange)
        back.arriving.append(
          (peer, index, part, try communicator.receive(Region(part), from: peer, tag: RowExchange.tag + 1)))
      }
    }
    for peer in peers.reversed() where !incoming[peer].isEmpty && length > 0 {
      for gradient in gradients {
        back.sends.append(
          try communicator.send(
            Region(rows(gradient, incoming[peer], length)), to: peer, tag: RowExchange.tag + 1))
      }
    }
    if !communicator.policy.overlaps { for send in back.sends { try send.wait() } }
    return back
  }

  /// Adds what others return to the gradients of the own rows, in the order of ranks.
  ///
  /// - Returns: the gradients of the own rows, in the memory of `gradients`.
  func finishReturn(_ back: Return, _ gradients: [Tensor], length: Int) throws -> [Tensor] {
    let results = gradients.map { ownRows($0, length) }
    for (peer, index, part, transfer) in back.arriving.sorted(by: { ($0.peer, $0.index) < ($1.peer, $1.index) }) {
      try transfer.wait()
      compute.addRows(part, to: outgoing[peer], of: results[index], length: length)
    }
    for send in back.sends { try send.wait() }
    return results
  }
}

extension DistributedOperations {
  /// The edges into the local destinations; their sources are local and received rows, see `HaloLists`.
  func localEdges(_ edges: EdgeLists) -> EdgeLists { mesh.domain == 1 ? edges : localPart(edges).edges }

  func localPart(_ edges: EdgeLists) -> LocalEdges {
    if let local = localParts[edges] { return local }
    let rank = context.position.domain
    let own = edges.sourceDimension.domainRange(mesh.domain, rank)
    let local = LocalEdges(plan.halo(edges).localEdges(rank), ownSources: own.count)
    localParts[edges] = local
    return local
  }

  /// The exchange of source rows for edges; nil where every rank holds all sources.
  func halo(_ edges: EdgeLists) -> RowExchange? {
    if mesh.domain == 1 { return nil }
    let (rows, rank) = (plan.halo(edges).remote.rows, context.position.domain)
    let own = edges.sourceDimension.domainRange(mesh.domain, rank)
    var end = own.count
    return RowExchange(
      outgoing: rows.map { needed in needed[rank].map { $0 - Int32(own.lowerBound) } },
      incoming: rows[rank].map { rows in
        defer { end += rows.count }
        return end..<end + rows.count
      }, own: 0..<own.count, context.domain, compute)
  }
}
