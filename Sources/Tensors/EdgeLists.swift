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
  /// [sources + 1] and [edges]: the edges that leave source j, ascending.
  public let sourceStarts, sourceEdges: IndexList
  /// Neighbouring destinations, and neighbouring sources, with about equally many edges.
  public let destinationParts, sourceParts: [Range<Int>]

  static let partCount = 16

  public static func == (a: EdgeLists, b: EdgeLists) -> Bool { a.starts == b.starts }
  public func hash(into hasher: inout Hasher) { hasher.combine(starts) }

  /// - Parameters:
  ///   - destinationStarts: [destinations + 1], ascending from 0 to the number of edges.
  ///   - sources: [edges], each below `sourceCount`.
  public init(destinationStarts: [Int32], sources: [Int32], sourceCount: Int) {
    precondition(destinationStarts.first == 0 && destinationStarts.last.map(Int.init) == sources.count)
    precondition(sources.allSatisfy { $0 >= 0 && $0 < sourceCount }, "an edge from a node that is not there")
    self.sourceCount = sourceCount
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
    let nodes = starts.count - 1
    let total = Int(starts[nodes]) + nodes
    var parts: [Range<Int>] = []
    var node = 0
    for part in 1...partCount {
      let first = node
      let end = total * part / partCount
      while node < nodes && Int(starts[node + 1]) + node + 1 <= end { node += 1 }
      parts.append(first..<node)
    }
    precondition(node == nodes)
    return parts
  }
}
