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
    /// The same of numbers that went through filters.
    case filtered(Filters)
  }

  struct Filters: Sendable {
    /// In the order of encoding.
    let list: [ArrayFilter]
    /// Of what the last one makes.
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
    /// Of the inner chunks; extents are those of the ordered dimensions.
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

  /// For people: "blosc(lz4, 5, shuffle)", "shards of zstd(3), crc32c".
  var description: String {
    var parts: [String] = []
    if order != Array(order.indices) { parts.append("transpose") }
    if case .filtered(let filters) = form { parts += filters.list.map(\.name) }
    if case .shard(let shard) = form { parts.append("shards of \(shard.inner.description)") }
    parts += compressors.map(\.description)
    return parts.isEmpty ? "none" : parts.joined(separator: ", ")
  }

  // MARK: Decoding

  /// Why bytes can't be decoded.
  struct Damage: Error {
    let expected: String
  }

  /// Bytes that have all been read, or wait to be read as far as needed. Nil: there is no value.
  struct Source {
    let read: (ByteRange) throws -> PartOfValue?
    let readAll: () throws -> [UInt8]?

    init(read: @escaping (ByteRange) throws -> PartOfValue?, readAll: @escaping () throws -> [UInt8]?) {
      self.read = read
      self.readAll = readAll
    }

    /// No value.
    static var absent: Source { Source(read: { _ in nil }, readAll: { nil }) }

    init(_ bytes: [UInt8]) {
      read = { PartOfValue(bytes, $0) }
      readAll = { bytes }
    }
  }

  /// The numbers of a box of the chunk, to be put into an array with strides.
  struct Wanted {
    var box: [Range<Int>]
    var strides: [Int]
    /// Where the box begins in the target, in elements.
    var start: Int
    let width: Int
    /// What missing inner chunks hold, one element.
    let fill: [UInt8]
    /// Told of each chunk that is decoded.
    let decoded: () -> Void
  }

  /// Decodes what is wanted of the chunk.
  /// - Returns: false when the source has no value: all of it is fill.
  func decode(_ source: Source, _ wanted: Wanted, into target: inout [UInt8]) throws -> Bool {
    var inner = wanted
    inner.box = order.map { wanted.box[$0] }
    inner.strides = order.map { wanted.strides[$0] }
    switch form {
    case .numbers(let isBigEndian):
      return try decodeNumbers(source, inner, isBigEndian: isBigEndian, into: &target)
    case .filtered(let filters): return try decodeFiltered(source, inner, filters, into: &target)
    case .shard(let shard):
      if compressors.isEmpty { return try decode(shard, source, inner, into: &target) }
      guard let bytes = try source.readAll() else { return false }
      // How long a shard is does not follow from its shape; chunks that don't compress make it a little longer.
      let length = count * wanted.width + count * wanted.width / 8 + shard.indexByteCount + 1 << 20
      let limit = min(length, ZarrMetadata.chunkLimit + ZarrMetadata.chunkLimit / 8)
      return try decode(shard, Source(decompressed(bytes, limit: limit)), inner, into: &target)
    }
  }

  private func decodeNumbers(_ source: Source, _ wanted: Wanted, isBigEndian: Bool, into target: inout [UInt8]) throws
    -> Bool
  {
    let strides = Stores.strides(storedShape, isFortranOrder: false)
    let byteCount = count * wanted.width
    var bytes: [UInt8]
    var first = zip(wanted.box, strides).reduce(0) { $0 + $1.0.lowerBound * $1.1 }
    if compressors.isEmpty {
      // From the first to the last number wanted.
      let last = zip(wanted.box, strides).reduce(0) { $0 + ($1.0.upperBound - 1) * $1.1 }
      let part = first * wanted.width..<(last + 1) * wanted.width
      guard let read = try source.read(.range(part)) else { return false }
      guard read.length == byteCount, read.bytes.count == part.count else {
        throw Damage(expected: "\(byteCount) bytes")
      }
      bytes = read.bytes
      first = 0
    } else {
      guard let read = try source.readAll() else { return false }
      bytes = try decompressed(read, limit: byteCount)
      guard bytes.count == byteCount else { throw Damage(expected: "\(byteCount) bytes from \(description)") }
    }
    wanted.decoded()
    if isBigEndian { swapBytes(&bytes, width: wanted.width) }
    copyBox(
      from: bytes, strides, first, to: &target, wanted.strides, wanted.start, extent: wanted.box.map(\.count),
      width: wanted.width)
    return true
  }

  private func decode(_ shard: Shard, _ source: Source, _ wanted: Wanted, into target: inout [UInt8]) throws -> Bool {
    let length = shard.indexByteCount
    let place: ByteRange = shard.indexIsFirst ? .range(0..<length) : .last(length)
    guard let stored = try source.read(place)?.bytes else { return false }
    guard stored.count == length else { throw Damage(expected: "a shard with an index of \(length) bytes") }
    guard let index = shard.indexHasChecksum ? BytesCodec.crc32c.decode(stored, capacity: 16 * shard.count) : stored
    else { throw Damage(expected: "a shard whose index has its checksum") }
    func entry(_ position: Int) -> UInt64 {
      let value = index.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 8 * position, as: UInt64.self) }
      return shard.indexIsBigEndian ? UInt64(bigEndian: value) : UInt64(littleEndian: value)
    }
    let extents = shard.inner.shape
    let gridStrides = Stores.strides(shard.grid, isFortranOrder: false)
    let first = zip(wanted.box, extents).map { $0.lowerBound / $1 }
    let last = zip(wanted.box, extents).map { ($0.upperBound - 1) / $1 }
    for position in BoxIterator(first, last) {
      let origin = zip(position, extents).map(*)
      var part = wanted
      part.box = wanted.box.indices.map { i in
        max(wanted.box[i].lowerBound, origin[i]) - origin[i]..<min(wanted.box[i].upperBound, origin[i] + extents[i])
          - origin[i]
      }
      for i in wanted.box.indices {
        part.start += (origin[i] + part.box[i].lowerBound - wanted.box[i].lowerBound) * wanted.strides[i]
      }
      let place = zip(position, gridStrides).reduce(0) { $0 + $1.0 * $1.1 }
      let (offset, size) = (entry(2 * place), entry(2 * place + 1))
      if offset == .max && size == .max {
        fillBox(&target, part.strides, part.start, extent: part.box.map(\.count), with: part.fill)
        continue
      }
      let limit = UInt64(ZarrMetadata.chunkLimit)
      guard offset < 1 << 60, size <= limit + limit / 8 else { throw Damage(expected: "a shard with a sound index") }
      let bytes = Int(offset)..<Int(offset + size)
      func read(_ part: ByteRange) throws -> PartOfValue {
        let inside = part.range(bytes.count)
        let range = bytes.lowerBound + inside.lowerBound..<bytes.lowerBound + inside.upperBound
        guard let found = try source.read(.range(range)), found.bytes.count == range.count else {
          throw Damage(expected: "a shard of at least \(bytes.upperBound) bytes")
        }
        return PartOfValue(bytes: found.bytes, length: bytes.count)
      }
      let chunk = Source(read: read, readAll: { try read(.range(0..<bytes.count)).bytes })
      guard try shard.inner.decode(chunk, part, into: &target) else {
        throw Damage(expected: "the inner chunk at \(bytes)")
      }
    }
    return true
  }

  /// Undoes the compressors.
  private func decompressed(_ bytes: [UInt8], limit: Int) throws -> [UInt8] {
    var bytes = bytes
    for (position, codec) in compressors.enumerated().reversed() {
      // What comes out of an outer codec may be a little longer than the numbers.
      let capacity = position == 0 ? limit : limit + limit / 8 + 1 << 16
      guard let decoded = codec.decode(bytes, capacity: capacity) else {
        throw Damage(expected: "\(limit) bytes from \(description)")
      }
      bytes = decoded
    }
    return bytes
  }
}
