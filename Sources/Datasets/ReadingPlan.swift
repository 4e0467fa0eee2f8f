import Distribution
import Tensors

/// Who of the ranks that share a model instance reads which stored chunk, so that each is read and decoded once: the rank
/// that needs most of it, unless it has its share of the work already.
///
/// What a rank reads of one time is its record: the wanted parts of its chunks, one after the other.
struct ReadingPlan: Sendable {
  /// A rectangle of one field, within the record of the rank that reads it.
  struct Piece: Sendable {
    let channel: Int
    let part: Rectangle
    /// Of its first element in the record; rows lie side by side.
    let offset: Int
  }

  /// A chunk to read, and where its pieces begin in the record.
  struct Chunk: Sendable {
    let stored: FieldDataset.StoredChunk
    let offset: Int
  }

  /// By rank.
  let chunks: [[Chunk]]
  let pieces: [[Piece]]
  let recordCounts: [Int]

  /// - Parameter blocks: what each rank needs.
  init(_ stored: [FieldDataset.StoredChunk], _ tiling: Tiling?, _ blocks: [FieldBlock]) {
    let owners = blocks.count == 1 ? stored.map { _ in 0 } : ReadingPlan.owners(stored, tiling, blocks)
    var chunks = [[Chunk]](repeating: [], count: blocks.count)
    var pieces = [[Piece]](repeating: [], count: blocks.count)
    var ends = [Int](repeating: 0, count: blocks.count)
    for (chunk, owner) in zip(stored, owners) {
      chunks[owner].append(Chunk(stored: chunk, offset: ends[owner]))
      for field in chunk.fields {
        for part in chunk.parts {
          pieces[owner].append(Piece(channel: field.channel, part: part, offset: ends[owner]))
          ends[owner] += part.count
        }
      }
    }
    self.chunks = chunks
    self.pieces = pieces
    recordCounts = ends
  }

  private static func owners(
    _ stored: [FieldDataset.StoredChunk], _ tiling: Tiling?, _ blocks: [FieldBlock]
  ) -> [Int] {
    let areas = blocks.map { block in tiling?.rectangles(block.tokens) ?? [] }
    let share = Double(stored.reduce(0) { $0 + $1.count }) / Double(blocks.count)
    var loads = [Double](repeating: 0, count: blocks.count)
    var owners = [Int](repeating: 0, count: stored.count)
    // The largest first, so that small ones even out what is left.
    for index in stored.indices.sorted(by: { (stored[$1].count, $0) < (stored[$0].count, $1) }) {
      let chunk = stored[index]
      let needs = blocks.indices.map { rank in
        let fields = chunk.fields.filter { blocks[rank].fields.contains($0.channel) }.count
        return fields
          * chunk.parts.reduce(0) { sum, part in
            sum + areas[rank].reduce(0) { $0 + (part.shared(with: $1)?.count ?? 0) }
          }
      }
      let size = Double(chunk.count)
      let free = blocks.indices.filter { loads[$0] + size / 2 <= share * 1.001 }
      let owner =
        free.max { (needs[$0], -loads[$0], -Double($0)) < (needs[$1], -loads[$1], -Double($1)) }
        ?? blocks.indices.min { (loads[$0], $0) < (loads[$1], $1) }!
      owners[index] = owner
      loads[owner] += size
    }
    return owners
  }
}
