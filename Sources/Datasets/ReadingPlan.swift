import Tensors

/// Who of the ranks that share a model instance reads which stored chunk, so that each is read and decoded once: the rank
/// that needs most of it, unless it has its share of the work already.
///
/// A rank's record is the data that it reads of one time: the wanted parts of its chunks, one after the other, or whole planes.
struct ReadingPlan: Sendable {
  /// A rectangle of one field, within the record of the rank that reads it.
  struct Piece: Sendable {
    let channel: Int
    let part: Rectangle
    /// The place of its first element in the record, and the distance from row to row.
    let offset, stride: Int
  }

  /// A chunk to read, and its pieces: field by field, part by part.
  struct Chunk: Sendable {
    let stored: FieldDataset.StoredChunk
    let pieces: Range<Int>

    /// The index of a piece.
    func piece(slot: Int, part: Rectangle) -> Int {
      let field = stored.fields.firstIndex { $0.slot == slot } ?? 0
      return pieces.lowerBound + field * stored.parts.count + (stored.parts.firstIndex(of: part) ?? 0)
    }
  }

  /// By rank.
  let chunks: [[Chunk]]
  let pieces: [[Piece]]
  let recordCounts: [Int]

  /// - Parameters:
  ///   - blocks: what each rank needs.
  ///   - planes: rows and columns of the grid, if the record of a rank alone is to be planes [channel, row, column] of the
  ///     fields of its block.
  init(
    _ stored: [FieldDataset.StoredChunk], _ tiling: Tiling?, _ blocks: [FieldBlock],
    planes: (rows: Int, columns: Int)? = nil
  ) {
    precondition(planes == nil || blocks.count == 1)
    let owners = blocks.count == 1 ? stored.map { _ in 0 } : ReadingPlan.owners(stored, tiling, blocks)
    var chunks = [[Chunk]](repeating: [], count: blocks.count)
    var pieces = [[Piece]](repeating: [], count: blocks.count)
    var ends = [Int](repeating: 0, count: blocks.count)
    for (chunk, owner) in zip(stored, owners) {
      let first = pieces[owner].count
      for field in chunk.fields {
        for part in chunk.parts {
          if let planes {
            let plane = field.channel - blocks[owner].fields.lowerBound
            let corner = (plane * planes.rows + part.rows.lowerBound) * planes.columns + part.columns.lowerBound
            pieces[owner].append(
              Piece(channel: field.channel, part: part, offset: corner, stride: planes.columns))
          } else {
            pieces[owner].append(
              Piece(channel: field.channel, part: part, offset: ends[owner], stride: part.columns.count))
          }
          ends[owner] += part.count
        }
      }
      chunks[owner].append(Chunk(stored: chunk, pieces: first..<pieces[owner].count))
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
