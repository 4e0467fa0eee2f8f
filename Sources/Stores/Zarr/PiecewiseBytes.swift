/// The bytes of a chunk, decoded some at a time.
protocol PiecewiseBytes {
  var byteCount: Int { get }
  /// Where decoding can begin and end: at its multiples, and at the end.
  var blockSize: Int { get }
  /// Bytes of one number.
  var elementSize: Int { get }

  /// Decodes a range; ranges ascend. False when something is damaged.
  /// - Throws: where the chunk can't be read.
  func decode(_ range: Range<Int>, into out: UnsafeMutableRawPointer) throws -> Bool
  /// Called when no more is wanted. False when what is known of the rest shows damage.
  func finish() -> Bool
}

/// Bytes that are decoded at once at least, about what a core's cache holds beside their compressed form.
private let pieceBytes = 256 << 10

extension PiecewiseBytes {
  /// Hands on what is wanted of a chunk of this shape, which has at least one dimension.
  /// - Returns: false when a block is damaged.
  func decode(_ shape: [Int], _ wanted: ChunkPipeline.Wanted, _ memory: RawBytes) throws -> Bool {
    let strides = Stores.strides(shape, isFortranOrder: false)
    // Pieces are runs along one dimension, each step a whole number of the dimensions below it, and small.
    let small = pieceBytes / 4 / elementSize
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
        guard let available = try window.content(from: from, atLeast: unit, upTo: base + end * unit) else {
          return false
        }
        let steps = available.count / (unit * elementSize)
        let part = index.map { $0..<$0 + 1 } + [step..<step + steps] + below
        wanted.give(part, at: available.baseAddress! + offset * elementSize, strides: strides)
        step += steps
      }
    }
    return finish()
  }
}

/// A run of decoded bytes; each block is decoded once as long as runs ascend.
private struct Window<Bytes: PiecewiseBytes> {
  private let blocks: Bytes
  private let memory: RawBytes
  /// Bytes of the container that lie in the memory, from its start.
  private var held = 0..<0

  init(_ blocks: Bytes, _ memory: RawBytes) {
    self.blocks = blocks
    self.memory = memory
  }

  /// A whole number of times `unit` elements from `from` on, at least one and at most up to `end`.
  mutating func content(from: Int, atLeast unit: Int, upTo end: Int) throws -> UnsafeRawBufferPointer? {
    let size = blocks.elementSize
    let (start, need, limit) = (from * size, (from + unit) * size, end * size)
    let blockSize = blocks.blockSize
    let atOnce = max(1, pieceBytes / blockSize)
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
      guard try blocks.decode(held.upperBound..<upper, into: out) else { return nil }
      held = held.lowerBound..<upper
    }
    let available = (min(held.upperBound, limit) - start) / (unit * size) * (unit * size)
    return UnsafeRawBufferPointer(start: memory.pointer + (start - held.lowerBound), count: available)
  }
}
