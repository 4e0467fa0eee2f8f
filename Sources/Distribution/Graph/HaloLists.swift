import Basics
import Tensors

/// Which rows of sources the ranks of the domain axis need of each other. Sources and destinations are split into contiguous
/// ranges; an edge belongs to the rank of its destination, so that its source may lie on another. Made from the incoming edges
/// of all ranks: nothing is assumed of edges in the opposite direction.
public struct HaloLists: Sendable {
  public let edges: EdgeLists
  public let ranks: Int
  /// Sources that edges into a rank's rows come from.
  public let remote: RemoteRows

  public init(_ edges: EdgeLists, ranks: Int) {
    self.edges = edges
    self.ranks = ranks
    var lastReceiver = [Int](repeating: -1, count: edges.sourceCount)
    remote = RemoteRows(edges.sourceDimension, ranks: ranks) { receiver in
      let own = edges.sourceDimension.domainRange(ranks, receiver)
      var needed: [Int32] = []
      for edge in HaloLists.edgeRange(edges, ranks, receiver) {
        let source = edges.sources[edge]
        if own.contains(source) || lastReceiver[source] == receiver { continue }
        lastReceiver[source] = receiver
        needed.append(Int32(source))
      }
      return needed.sorted()
    }
  }

  private static func edgeRange(_ edges: EdgeLists, _ ranks: Int, _ rank: Int) -> Range<Int> {
    let destinations = chunk(edges.destinationCount, into: ranks, rank)
    return edges.starts[destinations.lowerBound]..<edges.starts[destinations.upperBound]
  }

  /// The edges into the destinations of a rank, whose sources are its own rows and behind them the received ones, by owner.
  public func localEdges(_ rank: Int) -> EdgeLists {
    let own = edges.sourceDimension.domainRange(ranks, rank)
    var numbers: [Int: Int32] = [:]
    for (index, source) in remote.rows[rank].joined().enumerated() { numbers[Int(source)] = Int32(own.count + index) }
    let destinations = chunk(edges.destinationCount, into: ranks, rank)
    let range = HaloLists.edgeRange(edges, ranks, rank)
    let starts = (destinations.lowerBound...destinations.upperBound).map { Int32(edges.starts[$0] - range.lowerBound) }
    let sources = range.map { edge -> Int32 in
      let source = edges.sources[edge]
      if own.contains(source) { return Int32(source - own.lowerBound) }
      guard let number = numbers[source] else { preconditionFailure("a source that nobody sends") }
      return number
    }
    return EdgeLists(destinationStarts: starts, sources: sources, sourceCount: own.count + remote.received(rank))
  }
}

extension EdgeLists {
  /// The sources, which the domain axis splits.
  var sourceDimension: Dimension { Dimension(sourceCount, starts: sourceGroups) }
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
