/// Directed edges from the points of one space to those of another, ordered by destination (compressed sparse rows): what
/// a mapper or a processor layer of a graph model walks along.
///
/// The edges into destination i are `destinationStarts[i] ..< destinationStarts[i + 1]`; edge e comes from source
/// `sources[e]` and has the numbers `attributes[e · attributeCount ..< (e + 1) · attributeCount]`.
public struct Graph: Sendable, Equatable {
  public let sourceCount: Int
  /// [destinations + 1], ascending from 0 to the number of edges.
  public let destinationStarts: [Int32]
  /// [edges]
  public let sources: [Int32]
  public let attributeCount: Int
  /// [edges, attributeCount]
  public let attributes: [Float]
  /// [edges]: which edge of the order in which the edges were built each one is.
  public let perm: [Int32]

  public var destinationCount: Int { destinationStarts.count - 1 }
  public var edgeCount: Int { sources.count }

  /// Orders edges by destination; edges of one destination keep their order (a stable sort).
  ///
  /// - Parameters:
  ///   - sources: [edges], each below `sourceCount`.
  ///   - destinations: [edges], each below `destinationCount`.
  ///   - attributes: [edges, attributeCount], in the order of `sources`.
  public init(
    sourceCount: Int, destinationCount: Int, sources: [Int32], destinations: [Int32], attributes: [Float] = [],
    attributeCount: Int = 0
  ) {
    precondition(sources.count == destinations.count && attributes.count == sources.count * attributeCount)
    precondition(sources.allSatisfy { $0 >= 0 && $0 < sourceCount }, "an edge from a point that is not there")
    precondition(destinations.allSatisfy { $0 >= 0 && $0 < destinationCount }, "an edge to a point that is not there")
    self.sourceCount = sourceCount
    self.attributeCount = attributeCount
    var starts = [Int32](repeating: 0, count: destinationCount + 1)
    for destination in destinations { starts[Int(destination) + 1] += 1 }
    for index in 0..<destinationCount { starts[index + 1] += starts[index] }
    var next = starts
    var perm = [Int32](repeating: 0, count: sources.count)
    for (edge, destination) in destinations.enumerated() {
      perm[Int(next[Int(destination)])] = Int32(edge)
      next[Int(destination)] += 1
    }
    destinationStarts = starts
    self.sources = perm.map { sources[Int($0)] }
    self.attributes = perm.flatMap { edge in
      attributes[Int(edge) * attributeCount..<(Int(edge) + 1) * attributeCount]
    }
    self.perm = perm
  }

  /// The edges into a destination.
  public func edges(into destination: Int) -> Range<Int> {
    Int(destinationStarts[destination])..<Int(destinationStarts[destination + 1])
  }

  /// [edges]: where each edge leads, ascending.
  public var destinations: [Int32] {
    (0..<destinationCount).flatMap { [Int32](repeating: Int32($0), count: edges(into: $0).count) }
  }
}
