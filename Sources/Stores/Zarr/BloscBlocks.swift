import CBlosc

/// The blocks of a c-blosc container, decoded one after the other, and only those that are needed.
struct BloscBlocks: PiecewiseBytes {
  private let input: UnsafeRawBufferPointer
  let byteCount: Int
  let blockSize: Int
  /// The item size in the header: the unit in which blosc counts.
  private let itemSize: Int
  let elementSize: Int

  /// Nil when the container can't be decoded by blocks of whole elements; it may be damaged then, too.
  init?(_ input: UnsafeRawBufferPointer, elementSize: Int) {
    var (length, compressed, block, flags, type) = (0, 0, 0, Int32(0), 0)
    guard let start = input.baseAddress, blosc_cbuffer_validate(start, input.count, &length) == 0 else { return nil }
    blosc_cbuffer_sizes(start, &length, &compressed, &block)
    blosc_cbuffer_metainfo(start, &type, &flags)
    guard length > 0, block > 0, block <= length, type > 0, block % type == 0, length % type == 0,
      block % elementSize == 0, length % elementSize == 0,
      // Each call of blosc goes through all blocks; so many come from damaged headers alone.
      length / block <= 1 << 16
    else { return nil }
    self.input = input
    byteCount = length
    blockSize = block
    itemSize = type
    self.elementSize = elementSize
  }

  func decode(_ range: Range<Int>, into out: UnsafeMutableRawPointer) -> Bool {
    if range.count == byteCount { return Int(blosc_decompress_ctx(input.baseAddress, out, byteCount, 1)) == byteCount }
    let (first, count) = (Int32(range.lowerBound / itemSize), Int32(range.count / itemSize))
    return Int(blosc_getitem(input.baseAddress, first, count, out)) == range.count
  }

  func finish() -> Bool { true }
}
