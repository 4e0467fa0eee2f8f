// From the numbers of a chunk to bytes.
extension ChunkPipeline {
  /// Encodes the numbers of a whole chunk, C order; nil when a codec fails. For pipelines that this program writes: without
  /// filters.
  ///
  /// - Parameter fill: one element; inner chunks of a shard that hold nothing else are left out.
  func encode(_ numbers: [UInt8], width: Int, fill: [UInt8]) -> [UInt8]? {
    let ordered = inStoredOrder(numbers, width: width)
    var bytes: [UInt8]
    switch form {
    case .numbers(let isBigEndian):
      bytes = ordered
      if isBigEndian {
        bytes.withUnsafeMutableBytes {
          if let start = $0.baseAddress { swapBytes(start, count: $0.count / width, width: width) }
        }
      }
    case .filtered: return nil
    case .shard(let shard):
      guard let encoded = encode(shard, ordered, width: width, fill: fill) else { return nil }
      bytes = encoded
    }
    for codec in compressors {
      guard let encoded = bytes.withUnsafeBytes({ codec.encode($0, elementSize: width) }) else { return nil }
      bytes = encoded
    }
    return bytes
  }

  private func inStoredOrder(_ numbers: [UInt8], width: Int) -> [UInt8] {
    if order == Array(order.indices) { return numbers }
    let from = strides(shape, isFortranOrder: false)
    var result = [UInt8](repeating: 0, count: numbers.count)
    copyBox(
      from: numbers, order.map { from[$0] }, 0, to: &result, strides(storedShape, isFortranOrder: false), 0,
      extent: storedShape, width: width)
    return result
  }

  /// Inner chunks in C order, then the index.
  private func encode(_ shard: Shard, _ numbers: [UInt8], width: Int, fill: [UInt8]) -> [UInt8]? {
    guard !shard.indexIsFirst, !shard.indexIsBigEndian, shard.indexHasChecksum else { return nil }
    let from = strides(storedShape, isFortranOrder: false)
    let inner = shard.inner
    let target = strides(inner.shape, isFortranOrder: false)
    var (bytes, index): ([UInt8], [UInt8]) = ([], [])
    var chunk = [UInt8](repeating: 0, count: inner.count * width)
    let nothing = (0..<inner.count).reduce(into: [UInt8]()) { result, _ in result += fill }
    for position in BoxIterator(shard.grid.map { _ in 0 }, shard.grid.map { $0 - 1 }) {
      let start = position.indices.reduce(0) { $0 + position[$1] * inner.shape[$1] * from[$1] }
      copyBox(from: numbers, from, start, to: &chunk, target, 0, extent: inner.shape, width: width)
      var entry = [UInt64](repeating: .max, count: 2)
      if chunk != nothing {
        guard let encoded = inner.encode(chunk, width: width, fill: fill) else { return nil }
        entry = [UInt64(bytes.count), UInt64(encoded.count)]
        bytes += encoded
      }
      for number in entry { withUnsafeBytes(of: number.littleEndian) { index += $0 } }
    }
    guard let checked = index.withUnsafeBytes({ BytesCodec.crc32c.encode($0, elementSize: 1) }) else { return nil }
    return bytes + checked
  }
}
