import Basics
import Execution
import Synchronization
import Tensors

/// How a model is computed: results are the same to rounding, memory and time are not.
public struct ComputationParts: Sendable, Hashable {
  /// Parts in which encoder and decoder are computed one after the other.
  public var mapper: Int
  /// Groups of the processor's layers of which, where blocks are checkpointed, the inputs are kept; nil: those of all layers are.
  public var processor: Int?

  public init(mapper: Int = 1, processor: Int? = nil) {
    self.mapper = mapper
    self.processor = processor
  }

  /// Consecutive layers in groups. While backward is in group i, the inputs of groups 1 … i and of the layers of group i are
  /// kept: earlier groups are larger, so that the most of these sums is as small as it can be.
  static func layerGroups(_ layers: Int, into count: Int) -> [Range<Int>] {
    var sizes = [Int](repeating: 1, count: count)
    for _ in 0..<layers - count {
      let smallest = sizes.indices.min { $0 + sizes[$0] < $1 + sizes[$1] }
      if let smallest { sizes[smallest] += 1 }
    }
    var start = 0
    return sizes.map { size in
      defer { start += size }
      return start..<start + size
    }
  }
}

/// A part of a mapper: destinations, the edges into them, and the sources of these.
struct MapperChunk: Sendable {
  /// Which rows of all destinations, edges and sources these are; nil: all.
  let rows: (destinations: PickedRows, edges: PickedRows, sources: PickedRows)?
  /// Sources are numbered among those of the chunk.
  let lists: EdgeLists

  /// Some destinations, neighbours in each share of them.
  fileprivate init(_ whole: EdgeLists, _ destinations: [Range<Int>]) {
    let part = whole.into(destinations)
    let edges = destinations.flatMap { whole.starts[$0.lowerBound]..<whole.starts[$0.upperBound] }
    lists = part.lists
    rows = (
      PickedRows(IndexList(destinations.flatMap { $0.map { Int32($0) } }), of: whole.destinationCount),
      PickedRows(IndexList(edges.map { Int32($0) }), of: whole.count, wholeStarts: whole.starts),
      PickedRows(IndexList(part.sources.flatMap { $0 }), of: whole.sourceCount, wholeStarts: whole.sourceGroups)
    )
  }

  fileprivate init(_ whole: EdgeLists) {
    rows = nil
    lists = whole
  }
}

/// A mapper's chunks.
struct MapperChunks: Sendable {
  let chunks: [MapperChunk]
  /// How the destinations are cut.
  let parts: RowParts
  var count: Int { chunks.count }

  /// Bytes of what the chunks have beside the graph.
  var byteCount: Int {
    chunks.reduce(0) { sum, chunk in
      guard let rows = chunk.rows else { return sum }
      return sum + chunk.lists.byteCount + rows.destinations.list.byteCount + rows.edges.list.byteCount
        + rows.sources.list.byteCount
    }
  }

  /// All edges at once, or in so many parts: of about equally many edges and destinations of one share, of equally many
  /// destinations of several.
  init(_ lists: EdgeLists, _ count: Int, shares: Int) {
    let rows = lists.destinationCount
    let parts =
      shares == 1
      ? RowParts(count > 1 ? lists.destinations(inParts: min(count, max(1, rows))) : [])
      : RowParts(rows: rows, shares: shares, count: min(count, max(1, (rows + shares - 1) / shares)))
    if parts.count > 1 {
      self.parts = parts
      chunks = parts.ranges.map { MapperChunk(lists, $0) }
    } else {
      self.parts = RowParts([0..<rows])
      chunks = [MapperChunk(lists)]
    }
  }
}

/// The pieces of a graph that a model computes on in parts: made when first needed, by the number of shares that rows are in, and kept,
/// since lists are known by their memory.
final class ChunkedGraph: Sendable {
  struct Chunks: Sendable {
    let encoder, decoder: MapperChunks
    /// Hidden nodes that perceptrons of the processor take at once: as many as a chunk of the decoder has destinations; nil: all.
    let perceptrons: PerceptronParts?

    var byteCount: Int {
      encoder.byteCount + decoder.byteCount + (perceptrons?.picked.reduce(0) { $0 + $1.list.byteCount } ?? 0)
    }
  }

  private let graph: ModelGraph
  private let count: Int
  private let made = Mutex<[Int: Chunks]>([:])

  init(_ graph: ModelGraph, _ parts: ComputationParts) {
    self.graph = graph
    count = parts.mapper
  }

  func chunks(shares: Int) -> Chunks {
    made.withLock { made in
      if let chunks = made[shares] { return chunks }
      let encoder = MapperChunks(graph.dataToHidden.lists, count, shares: shares)
      let decoder = MapperChunks(graph.hiddenToData.lists, count, shares: shares)
      let most = decoder.chunks.map(\.lists.destinationCount).max() ?? 0
      let chunks = Chunks(
        encoder: encoder, decoder: decoder,
        perceptrons: decoder.count > 1 && most < graph.hiddenNodes
          ? PerceptronParts(rows: graph.hiddenNodes, most: most, shares: shares) : nil)
      made[shares] = chunks
      return chunks
    }
  }
}

/// Parts of all nodes that a perceptron takes one after the other.
struct PerceptronParts: Sendable {
  let parts: RowParts
  let picked: [PickedRows]

  /// - Parameter most: rows of a part.
  init(rows: Int, most: Int, shares: Int) {
    let parts = RowParts(rows: rows, shares: shares, count: (rows + most - 1) / most)
    self.parts = parts
    picked = (0..<parts.count).map { PickedRows(parts.rows($0), of: rows) }
  }
}
