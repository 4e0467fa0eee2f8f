import Basics

extension ChunkPipeline {
  /// Why bytes can't be decoded.
  struct Damage: Error {
    let expected: String
  }

  /// Where a chunk's bytes are: some of them, or all (nil), are put into memory. Nil: there is no value.
  struct Source {
    let read: (ByteRange?, RawBytes) throws -> StoredBytes?
    /// Where the bytes can be looked at here and there: the same ones, opened.
    var open: (() throws -> (any ValueBytes)?)?

    init(open: (() throws -> (any ValueBytes)?)? = nil, read: @escaping (ByteRange?, RawBytes) throws -> StoredBytes?) {
      self.open = open
      self.read = read
    }

    /// No value.
    static var absent: Source { Source { _, _ in nil } }
  }

  /// The part of a chunk that is wanted, by the dimensions of what is stored.
  struct Wanted {
    var box: [Range<Int>]
    /// For each dimension, which it is of the array, and the array's index of the chunk's first number.
    var dimensions, origin: [Int]
    let type: ScalarType
    /// The element that missing inner chunks consist of.
    let fill: [UInt8]
    var only: ArrayPart.Only?
    /// Told of each chunk that is decoded.
    let decoded: () -> Void
    /// Told of the first number of each chunk that is not there.
    let absent: ([Int]) -> Void
    let take: (StoredPiece) -> Void

    var width: Int { type.byteCount }

    /// Hands on a part of the box, its first number at `start`.
    func give(_ part: [Range<Int>], at start: UnsafeRawPointer, strides: [Int]) {
      var box = part
      var ordered = strides
      for (i, dimension) in dimensions.enumerated() {
        box[dimension] = part[i].lowerBound + origin[i]..<part[i].upperBound + origin[i]
        ordered[dimension] = strides[i]
      }
      take(StoredPiece(type: type, box: box, start: start, strides: ordered))
    }

    func giveFill() {
      absent(origin)
      fill.withUnsafeBytes { give(box, at: $0.baseAddress!, strides: box.map { _ in 0 }) }
    }

    /// Whether something of index `index` of dimension `i` is needed.
    func needs(_ index: Int, along i: Int) -> Bool {
      guard let only, dimensions[i] == only.dimension else { return true }
      return only.indices.contains(origin[i] + index)
    }
  }

  /// Decodes what is wanted of the chunk and hands it on in pieces that fit into a processor's cache, where the codec
  /// allows. Missing chunks give one number that stands for all.
  /// - Throws: `Damage`, or what reading throws; some pieces may have been handed on by then.
  func decode(_ source: Source, _ wanted: Wanted, _ scratch: ReadingScratch) throws {
    if try !decodeIfPresent(source, wanted, scratch) { wanted.giveFill() }
  }

  /// - Returns: false when the source has no value.
  private func decodeIfPresent(_ source: Source, _ wanted: Wanted, _ scratch: ReadingScratch) throws -> Bool {
    var inner = wanted
    inner.box = order.map { wanted.box[$0] }
    inner.dimensions = order.map { wanted.dimensions[$0] }
    inner.origin = order.map { wanted.origin[$0] }
    switch form {
    case .numbers(let isBigEndian): return try decodeNumbers(source, inner, isBigEndian: isBigEndian, scratch)
    case .filtered(let filters): return try decodeFiltered(source, inner, filters, scratch)
    case .shard(let shard):
      if compressors.isEmpty { return try decode(shard, source, inner, scratch) }
      guard let stored = try source.read(nil, scratch.stored) else { return false }
      // How long a shard is does not follow from its shape; chunks that don't compress make it a little longer.
      let length = count * wanted.width + count * wanted.width / 8 + shard.indexByteCount + 1 << 20
      let limit = min(length, ZarrMetadata.chunkLimit + ZarrMetadata.chunkLimit / 8)
      // Inner chunks use the scratch memory anew.
      let bytes = try Array(decompressed(stored.bytes, limit: limit, scratch))
      return try decode(
        shard, Source { part, memory in StoredBytes(bytes, part ?? .range(0..<bytes.count), memory) }, inner, scratch)
    }
  }

  private func decodeNumbers(
    _ source: Source, _ wanted: Wanted, isBigEndian: Bool, _ scratch: ReadingScratch
  ) throws -> Bool {
    let strides = Stores.strides(storedShape, isFortranOrder: false)
    let byteCount = count * wanted.width
    var first = zip(wanted.box, strides).reduce(0) { $0 + $1.0.lowerBound * $1.1 }
    let bytes: UnsafeRawBufferPointer
    if compressors.isEmpty {
      // From the first to the last number wanted.
      let last = zip(wanted.box, strides).reduce(0) { $0 + ($1.0.upperBound - 1) * $1.1 }
      let part = first * wanted.width..<(last + 1) * wanted.width
      guard let stored = try source.read(.range(part), scratch.stored) else { return false }
      guard stored.length == byteCount, stored.bytes.count == part.count else {
        throw Damage(expected: "\(byteCount) bytes")
      }
      bytes = stored.bytes
      first = 0
    } else {
      if !isBigEndian, let open = source.open, byteCount >= ChunkPipeline.readHereAndThere, isBlosc {
        guard let value = try open() else { return false }
        if let streams = try BloscStreams(value, byteCount: byteCount, elementSize: wanted.width) {
          try decode(streams, wanted, scratch)
          return true
        }
      }
      guard let stored = try source.read(nil, scratch.stored) else { return false }
      if !isBigEndian, let pieces = try piecewise(stored.bytes, byteCount, elementSize: wanted.width) {
        guard pieces.byteCount == byteCount else { throw Damage(expected: "\(byteCount) bytes from \(description)") }
        try decode(pieces, wanted, scratch)
        return true
      }
      bytes = try decompressed(stored.bytes, limit: byteCount, scratch)
      guard bytes.count == byteCount else { throw Damage(expected: "\(byteCount) bytes from \(description)") }
    }
    wanted.decoded()
    guard let start = bytes.baseAddress else { return true }
    if isBigEndian {
      // Decoded bytes lie in the scratch memory, which is ours to change.
      swapBytes(UnsafeMutableRawPointer(mutating: start), count: bytes.count / wanted.width, width: wanted.width)
    }
    wanted.give(wanted.box, at: start + first * wanted.width, strides: strides)
    return true
  }

  /// Chunks of so many bytes, decoded, are read where they are needed; smaller ones at once.
  private static let readHereAndThere = 1 << 20

  private var isBlosc: Bool {
    guard !shape.isEmpty, compressors.count == 1, case .blosc = compressors[0] else { return false }
    return true
  }

  private func decode(_ pieces: some PiecewiseBytes, _ wanted: Wanted, _ scratch: ReadingScratch) throws {
    wanted.decoded()
    guard try pieces.decode(storedShape, wanted, scratch.decoded) else {
      throw Damage(expected: "\(pieces.byteCount) bytes from \(description)")
    }
  }

  /// Nil where all has to be decoded at once.
  private func piecewise(_ stored: UnsafeRawBufferPointer, _ byteCount: Int, elementSize: Int) throws -> (
    any PiecewiseBytes
  )? {
    if shape.isEmpty || compressors.count != 1 { return nil }
    switch compressors[0] {
    case .blosc:
      if let streams = try BloscStreams(HeldBytes(stored), byteCount: byteCount, elementSize: elementSize) {
        return streams
      }
      return BloscBlocks(stored, elementSize: elementSize)
    case .zstd: return ZstdStream(stored, byteCount: byteCount, elementSize: elementSize)
    default: return nil
    }
  }

  private func decode(_ shard: Shard, _ source: Source, _ wanted: Wanted, _ scratch: ReadingScratch) throws -> Bool {
    let length = shard.indexByteCount
    let place: ByteRange = shard.indexIsFirst ? .range(0..<length) : .last(length)
    guard let stored = try source.read(place, scratch.stored).map({ Array($0.bytes) }) else { return false }
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
      let corner = zip(position, extents).map(*)
      var part = wanted
      part.box = wanted.box.indices.map { i in
        max(wanted.box[i].lowerBound, corner[i]) - corner[i]..<min(wanted.box[i].upperBound, corner[i] + extents[i])
          - corner[i]
      }
      part.origin = zip(wanted.origin, corner).map(+)
      if wanted.box.indices.contains(where: { i in !part.box[i].contains { part.needs($0, along: i) } }) { continue }
      let place = zip(position, gridStrides).reduce(0) { $0 + $1.0 * $1.1 }
      let (offset, size) = (entry(2 * place), entry(2 * place + 1))
      if offset == .max && size == .max {
        part.giveFill()
        continue
      }
      let limit = UInt64(shard.inner.storedLimit(elementSize: wanted.width))
      guard offset < 1 << 60, size <= limit else { throw Damage(expected: "a shard with a sound index") }
      let bytes = Int(offset)..<Int(offset + size)
      let chunk = Source { part, memory in
        let inside = part?.range(bytes.count) ?? 0..<bytes.count
        let range = bytes.lowerBound + inside.lowerBound..<bytes.lowerBound + inside.upperBound
        guard let found = try source.read(.range(range), memory), found.bytes.count == range.count else {
          throw Damage(expected: "a shard of at least \(bytes.upperBound) bytes")
        }
        return StoredBytes(bytes: found.bytes, length: bytes.count)
      }
      guard try shard.inner.decodeIfPresent(chunk, part, scratch) else {
        throw Damage(expected: "the inner chunk at \(bytes)")
      }
    }
    return true
  }

  /// Undoes the compressors; what comes out lies in the scratch memory.
  func decompressed(
    _ stored: UnsafeRawBufferPointer, limit: Int, _ scratch: ReadingScratch
  ) throws -> UnsafeRawBufferPointer {
    var bytes = stored
    // Where the next codec writes and what it no longer needs.
    var (out, free) = (scratch.decoded, scratch.stored)
    for (position, codec) in compressors.enumerated().reversed() {
      // The bytes out of an outer codec may be a little longer than the numbers.
      let capacity = position == 0 ? limit : limit + limit / 8 + 1 << 16
      guard let decoded = codec.decode(bytes, capacity: capacity, into: out) else {
        throw Damage(expected: "\(limit) bytes from \(description)")
      }
      bytes = decoded
      swap(&out, &free)
    }
    return bytes
  }
}
