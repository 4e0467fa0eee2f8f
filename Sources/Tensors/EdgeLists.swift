/// Integers of 32 bits that kernels read, outside any pool. Lists are equal if they are the same memory.
public struct IndexList: Hashable, @unchecked Sendable {
  public let count: Int
  private let buffer: Buffer

  public init(_ values: [Int32]) {
    count = values.count
    buffer = Buffer(zeroed: max(1, values.count) * MemoryLayout<Int32>.size)
    let start = buffer.pointer.assumingMemoryBound(to: Int32.self)
    for (index, value) in values.enumerated() { start[index] = value }
  }

  /// The first element. Valid while the list (or a copy) lives.
  public var pointer: UnsafePointer<Int32> { UnsafePointer(buffer.pointer.assumingMemoryBound(to: Int32.self)) }

  public subscript(index: Int) -> Int { Int(pointer[index]) }

  public var byteCount: Int { buffer.byteCount }

  public static func == (a: IndexList, b: IndexList) -> Bool { a.buffer === b.buffer }
  public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(buffer)) }
}

/// The edges of a graph as kernels walk along them: by destination, and for backward passes by source.
///
/// Work is shared out in a fixed number of parts of about equally many edges each, whatever the number of threads, so that
/// results do not depend on it. Two are equal if they are copies of one.
public struct EdgeLists: Hashable, Sendable {
  public let sourceCount, destinationCount: Int
  public var count: Int { sources.count }

  /// [destinations + 1] and [edges]: the edges into destination i are starts[i] ..< starts[i + 1].
  public let starts, sources: IndexList
  /// [edges]: where each edge leads.
  public let destinations: IndexList
  /// [groups + 1]: sources that stay on one rank, as groups of rows of a value do; nil: they are split anywhere.
  public let sourceGroups: IndexList?
  /// [sources + 1] and [edges]: the edges that leave source j, ascending.
  public let sourceStarts, sourceEdges: IndexList
  /// Neighbouring destinations, and neighbouring sources, with about equally many edges.
  public let destinationParts, sourceParts: [Range<Int>]

  static let partCount = 16

  public var byteCount: Int {
    [starts, sources, destinations, sourceStarts, sourceEdges].reduce(0) { $0 + $1.byteCount }
  }

  public static func == (a: EdgeLists, b: EdgeLists) -> Bool { a.starts == b.starts }
  public func hash(into hasher: inout Hasher) { hasher.combine(starts) }

  /// - Parameters:
  ///   - destinationStarts: [destinations + 1], ascending from 0 to the number of edges.
  ///   - sources: [edges], each below `sourceCount`.
  public init(destinationStarts: [Int32], sources: [Int32], sourceCount: Int, sourceGroups: IndexList? = nil) {
    precondition(destinationStarts.first == 0 && destinationStarts.last.map(Int.init) == sources.count)
    precondition(sources.allSatisfy { $0 >= 0 && $0 < sourceCount }, "an edge from a node that is not there")
    self.sourceCount = sourceCount
    self.sourceGroups = sourceGroups
    destinationCount = destinationStarts.count - 1
    var destinations = [Int32](repeating: 0, count: sources.count)
    for i in 0..<destinationCount {
      for e in destinationStarts[i]..<destinationStarts[i + 1] { destinations[Int(e)] = Int32(i) }
    }
    var sourceStarts = [Int32](repeating: 0, count: sourceCount + 1)
    for source in sources { sourceStarts[Int(source) + 1] += 1 }
    for j in 0..<sourceCount { sourceStarts[j + 1] += sourceStarts[j] }
    var next = sourceStarts
    var sourceEdges = [Int32](repeating: 0, count: sources.count)
    for (edge, source) in sources.enumerated() {
      sourceEdges[Int(next[Int(source)])] = Int32(edge)
      next[Int(source)] += 1
    }
    starts = IndexList(destinationStarts)
    self.sources = IndexList(sources)
    self.destinations = IndexList(destinations)
    self.sourceStarts = IndexList(sourceStarts)
    self.sourceEdges = IndexList(sourceEdges)
    destinationParts = EdgeLists.parts(destinationStarts)
    sourceParts = EdgeLists.parts(sourceStarts)
  }

  /// Cuts nodes so that each part has about the same number of edges and nodes together.
  private static func parts(_ starts: [Int32]) -> [Range<Int>] {
    parts(partCount, nodes: starts.count - 1) { Int(starts[$0]) }
  }

  private static func parts(_ count: Int, nodes: Int, start: (Int) -> Int) -> [Range<Int>] {
    let total = start(nodes) + nodes
    var parts: [Range<Int>] = []
    var node = 0
    for part in 1...count {
      let first = node
      let end = total * part / count
      while node < nodes && start(node + 1) + node + 1 <= end { node += 1 }
      parts.append(first..<node)
    }
    precondition(node == nodes)
    return parts
  }

  /// Neighbouring destinations in at most so many parts with about equally many edges and nodes, edges in each of them.
  public func destinations(inParts count: Int) -> [Range<Int>] {
    let parts = EdgeLists.parts(count, nodes: destinationCount) { starts[$0] }
    return parts.reduce(into: []) { result, part in
      if let last = result.last,
        starts[last.upperBound] == starts[last.lowerBound] || starts[part.upperBound] == starts[part.lowerBound]
      {
        result[result.count - 1] = last.lowerBound..<part.upperBound
      } else {
        result.append(part)
      }
    }
  }

  /// The edges into some destinations, as lists of their own.
  ///
  /// - Parameter destinations: neighbours, for each rank that is to hold some of them.
  /// - Returns: the lists, and of each rank's destinations the sources that their edges come from, ascending. Sources of the lists are
  ///   these, rank after rank, and stay with their rank.
  public func into(_ destinations: [Range<Int>]) -> (lists: EdgeLists, sources: [[Int32]]) {
    var ownStarts: [Int32] = [0]
    var (ownSources, used, groups): ([Int32], [[Int32]], [Int32]) = ([], [], [0])
    for range in destinations {
      let edges = starts[range.lowerBound]..<starts[range.upperBound]
      let first = groups[groups.count - 1]
      let ranked = Set(edges.map { Int32(sources[$0]) }).sorted()
      let numbers = Dictionary(uniqueKeysWithValues: zip(ranked, first...))
      for edge in edges {
        guard let number = numbers[Int32(sources[edge])] else { preconditionFailure("a source that is not used") }
        ownSources.append(number)
      }
      for destination in range {
        ownStarts.append(ownStarts[ownStarts.count - 1] + Int32(starts[destination + 1] - starts[destination]))
      }
      used.append(ranked)
      groups.append(first + Int32(ranked.count))
    }
    let lists = EdgeLists(
      destinationStarts: ownStarts, sources: ownSources, sourceCount: Int(groups[groups.count - 1]),
      sourceGroups: destinations.count > 1 ? IndexList(groups) : nil)
    return (lists, used)
  }
}
