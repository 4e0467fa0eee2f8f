import Basics

/// How a chunk of numbers becomes bytes: its dimensions are put in order, the numbers become bytes or a shard of smaller
/// chunks, the bytes are compressed.
struct ChunkPipeline: Sendable {
  /// Extents as the array has them.
  let shape: [Int]
  /// Dimension of the array that dimension i of what is stored is.
  let order: [Int]
  let form: Form
  /// In the order of encoding.
  let compressors: [BytesCodec]

  indirect enum Form: Sendable {
    /// C order of the ordered dimensions.
    case numbers(isBigEndian: Bool)
    case shard(Shard)
    /// Numbers that went through filters.
    case filtered(Filters)
  }

  struct Filters: Sendable {
    /// In the order of encoding.
    let list: [ArrayFilter]
    /// The byte order of what the last filter makes.
    let isBigEndian: Bool

    /// Nil if a chunk of so many numbers is too long on the way.
    init?(_ list: [ArrayFilter], isBigEndian: Bool, count: Int) {
      guard list.allSatisfy({ $0.encodedByteCount(count) <= ZarrMetadata.chunkLimit }) else { return nil }
      self.list = list
      self.isBigEndian = isBigEndian
    }
  }

  /// A chunk of chunks (Zarr 3, codec sharding_indexed): inner chunks in any order, and an index of where they are.
  struct Shard: Sendable {
    /// The pipeline of the inner chunks; extents are those of the ordered dimensions.
    let inner: ChunkPipeline
    let grid: [Int]
    let indexIsFirst: Bool
    let indexIsBigEndian: Bool
    let indexHasChecksum: Bool

    var count: Int { grid.reduce(1, *) }
    /// Offset and length of each inner chunk, 64 bits each.
    var indexByteCount: Int { 16 * count + (indexHasChecksum ? 4 : 0) }
  }

  var storedShape: [Int] { order.map { shape[$0] } }
  var count: Int { shape.reduce(1, *) }

  /// The smallest piece that can be decoded alone, in the array's dimensions.
  var innermostShape: [Int] {
    guard case .shard(let shard) = form else { return shape }
    let inner = shard.inner.innermostShape
    var result = shape
    for (i, dimension) in order.enumerated() { result[dimension] = inner[i] }
    return result
  }

  /// Whether nothing less than all bytes of a chunk can be decoded.
  var needsWholeChunks: Bool {
    if case .filtered = form { return true }
    return !compressors.isEmpty
  }

  /// The most bytes that a chunk has as stored. What doesn't compress gets longer by less than an eighth and some headers, with any
  /// codec.
  func storedLimit(elementSize: Int) -> Int {
    let content: Int
    switch form {
    case .numbers: content = count * elementSize
    case .filtered(let filters): content = filters.list.last?.encodedByteCount(count) ?? 0
    case .shard(let shard):
      content = shard.indexByteCount + shard.count * shard.inner.storedLimit(elementSize: elementSize)
    }
    let longest = compressors.reduce(content) { bytes, _ in bytes + bytes / 8 + 1 << 16 }
    return min(longest, ZarrMetadata.chunkLimit + ZarrMetadata.chunkLimit / 4)
  }

  /// For people: "blosc(lz4, 5, shuffle)", "shards of zstd(3), crc32c".
  var description: String {
    var parts: [String] = []
    if order != Array(order.indices) { parts.append("transpose") }
    if case .filtered(let filters) = form { parts += filters.list.map(\.name) }
    if case .shard(let shard) = form { parts.append("shards of \(shard.inner.description)") }
    parts += compressors.map(\.description)
    return parts.isEmpty ? "none" : parts.joined(separator: ", ")
  }
}
