import CBlosc

/// The blocks of a c-blosc container, decoded one after the other, and only those that are needed.
struct BloscBlocks {
  private let input: UnsafeRawBufferPointer
  let byteCount: Int
  private let blockSize: Int
  /// As the header has it: the unit in which blosc counts.
  private let itemSize: Int
  private let elementSize: Int

  /// Bytes that are decoded at once at least, about what a core's cache holds beside their compressed form.
  private static let pieceBytes = 256 << 10

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

  /// Hands on what is wanted of a chunk of this shape, which has at least one dimension.
  /// - Returns: false when a block is damaged.
  func decode(_ shape: [Int], _ wanted: ChunkPipeline.Wanted, _ memory: RawBytes) -> Bool {
    let strides = Stores.strides(shape, isFortranOrder: false)
    // Pieces are runs along one dimension, each step a whole number of the dimensions below it, and small.
    let small = BloscBlocks.pieceBytes / 4 / elementSize
    let cut = shape.indices.first { strides[$0] <= small } ?? shape.count - 1
    let unit = strides[cut]
    let below = wanted.box[(cut + 1)...]
    let offset = below.indices.reduce(0) { $0 + below[$1].lowerBound * strides[$1] }
    let isWhole = wanted.only.map { wanted.dimensions[cut] != $0.dimension } ?? true
    var window = Window(self, memory)
    for index in BoxIterator(
      wanted.box[..<cut].map(\.lowerBound), wanted.box[..<cut].map { $0.upperBound - 1 })
    where index.indices.allSatisfy({ wanted.needs(index[$0], along: $0) }) {
      let base = zip(index, strides).reduce(0) { $0 + $1.0 * $1.1 }
      var step = wanted.box[cut].lowerBound
      while step < wanted.box[cut].upperBound {
        if !wanted.needs(step, along: cut) {
          step += 1
          continue
        }
        var end = isWhole ? wanted.box[cut].upperBound : step + 1
        while end < wanted.box[cut].upperBound, wanted.needs(end, along: cut) { end += 1 }
        let from = base + step * unit
        guard let available = window.content(from: from, atLeast: unit, upTo: base + end * unit) else { return false }
        let steps = available.count / (unit * elementSize)
        let part = index.map { $0..<$0 + 1 } + [step..<step + steps] + below
        wanted.give(part, at: available.baseAddress! + offset * elementSize, strides: strides)
        step += steps
      }
    }
    return true
  }

  /// A run of decoded bytes; each block is decoded once as long as runs ascend.
  private struct Window {
    private let blocks: BloscBlocks
    private let memory: RawBytes
    /// Bytes of the container that lie in the memory, from its start.
    private var held = 0..<0

    init(_ blocks: BloscBlocks, _ memory: RawBytes) {
      self.blocks = blocks
      self.memory = memory
    }

    /// A whole number of times `unit` elements from `from` on, at least one and at most up to `end`.
    mutating func content(from: Int, atLeast unit: Int, upTo end: Int) -> UnsafeRawBufferPointer? {
      let size = blocks.elementSize
      let (start, need, limit) = (from * size, (from + unit) * size, end * size)
      let blockSize = blocks.blockSize
      let atOnce = max(1, BloscBlocks.pieceBytes / blockSize)
      // A unit may begin within a block and end within another.
      memory.reserve(unit * size + (atOnce + 1) * blockSize)
      if start < held.lowerBound || start >= held.upperBound {
        held = start / blockSize * blockSize..<start / blockSize * blockSize
      } else if need > held.upperBound {
        // The rest goes to the front.
        let rest = held.upperBound - start
        memory.pointer.copyMemory(from: memory.pointer + (start - held.lowerBound), byteCount: rest)
        held = start..<held.upperBound
      }
      while held.upperBound < need {
        let wanted = max(need, min(limit, held.upperBound + atOnce * blockSize))
        let count = min((wanted - held.upperBound + blockSize - 1) / blockSize, atOnce)
        let upper = min(held.upperBound + count * blockSize, blocks.byteCount)
        let out = memory.pointer + (held.upperBound - held.lowerBound)
        guard blocks.decode(held.upperBound..<upper, into: out) else { return nil }
        held = held.lowerBound..<upper
      }
      let available = (min(held.upperBound, limit) - start) / (unit * size) * (unit * size)
      return UnsafeRawBufferPointer(start: memory.pointer + (start - held.lowerBound), count: available)
    }
  }

  private func decode(_ range: Range<Int>, into out: UnsafeMutableRawPointer) -> Bool {
    if range.count == byteCount { return Int(blosc_decompress_ctx(input.baseAddress, out, byteCount, 1)) == byteCount }
    let (first, count) = (Int32(range.lowerBound / itemSize), Int32(range.count / itemSize))
    return Int(blosc_getitem(input.baseAddress, first, count, out)) == range.count
  }
}
