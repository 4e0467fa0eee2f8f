import Tensors

/// Which rows of sources the ranks of the domain axis need of each other. Sources and destinations are split into contiguous
/// ranges; an edge belongs to the rank of its destination, so that its source may lie on another. Made from the incoming edges
/// of all ranks: nothing is assumed of edges in the opposite direction.
public struct HaloLists: Sendable {
  public let edges: EdgeLists
  public let ranks: Int
  /// [receiver][owner]: sources that edges into the receiver's rows come from, ascending; none where both are the same.
  public let rows: [[[Int32]]]

  public init(_ edges: EdgeLists, ranks: Int) {
    self.edges = edges
    self.ranks = ranks
    var lastReceiver = [Int](repeating: -1, count: edges.sourceCount)
    rows = (0..<ranks).map { receiver in
      let own = chunk(edges.sourceCount, into: ranks, receiver)
      var remote: [Int32] = []
      for edge in HaloLists.edgeRange(edges, ranks, receiver) {
        let source = edges.sources[edge]
        if own.contains(source) || lastReceiver[source] == receiver { continue }
        lastReceiver[source] = receiver
        remote.append(Int32(source))
      }
      remote.sort()
      var rest = remote[...]
      return (0..<ranks).map { owner in
        let end = Int32(chunk(edges.sourceCount, into: ranks, owner).upperBound)
        let part = rest.prefix { $0 < end }
        rest = rest.dropFirst(part.count)
        return Array(part)
      }
    }
  }

  private static func edgeRange(_ edges: EdgeLists, _ ranks: Int, _ rank: Int) -> Range<Int> {
    let destinations = chunk(edges.destinationCount, into: ranks, rank)
    return edges.starts[destinations.lowerBound]..<edges.starts[destinations.upperBound]
  }

  /// Rows that a rank receives from all others.
  public func received(_ rank: Int) -> Int { rows[rank].reduce(0) { $0 + $1.count } }

  /// Rows that a rank sends, counted once for each rank that needs them.
  public func sent(_ rank: Int) -> Int { rows.reduce(0) { $0 + $1[rank].count } }

  /// The edges into the destinations of a rank, whose sources are its own rows and behind them the received ones, by owner.
  public func localEdges(_ rank: Int) -> EdgeLists {
    let own = chunk(edges.sourceCount, into: ranks, rank)
    var numbers: [Int: Int32] = [:]
    for (index, source) in rows[rank].joined().enumerated() { numbers[Int(source)] = Int32(own.count + index) }
    let destinations = chunk(edges.destinationCount, into: ranks, rank)
    let range = HaloLists.edgeRange(edges, ranks, rank)
    let starts = (destinations.lowerBound...destinations.upperBound).map { Int32(edges.starts[$0] - range.lowerBound) }
    let sources = range.map { edge -> Int32 in
      let source = edges.sources[edge]
      if own.contains(source) { return Int32(source - own.lowerBound) }
      guard let number = numbers[source] else { preconditionFailure("a source that nobody sends") }
      return number
    }
    return EdgeLists(destinationStarts: starts, sources: sources, sourceCount: own.count + received(rank))
  }
}

/// The edges into a rank's destinations, and which of these can be computed before rows of other ranks arrive.
struct LocalEdges {
  let edges: EdgeLists
  /// Neighbouring destinations all of whose sources are local, and the others, in parts of about equally many edges.
  let interior, boundary: [Range<Int>]
  /// Number of local sources, and of received ones.
  let ownSources, receivedSources: [Range<Int>]

  /// - Parameter ownSources: number of local sources, which come first.
  init(_ edges: EdgeLists, ownSources: Int) {
    self.edges = edges
    func isInterior(_ destination: Int) -> Bool {
      (edges.starts[destination]..<edges.starts[destination + 1]).allSatisfy { edges.sources[$0] < ownSources }
    }
    var runs: [Bool: [Range<Int>]] = [:]
    for part in edges.destinationParts {
      var start = part.lowerBound
      while start < part.upperBound {
        let kind = isInterior(start)
        let end = (start..<part.upperBound).first { isInterior($0) != kind } ?? part.upperBound
        runs[kind, default: []].append(start..<end)
        start = end
      }
    }
    interior = runs[true] ?? []
    boundary = runs[false] ?? []
    func parts(_ range: Range<Int>) -> [Range<Int>] {
      edges.sourceParts.map { $0.clamped(to: range) }.filter { !$0.isEmpty }
    }
    self.ownSources = parts(0..<ownSources)
    receivedSources = parts(ownSources..<edges.sourceCount)
  }
}
