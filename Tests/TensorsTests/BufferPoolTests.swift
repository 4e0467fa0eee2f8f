import Tensors
import Testing

/// Memory that is handed out again.
@Suite struct BufferPoolTests {
  /// Parts of a model that differ in size by some percent take the same pieces; the counters count what pieces are.
  @Test func largePiecesServeSlightlySmallerOnes() {
    let pool = BufferPool()
    let sizes = [9 << 20, (9 << 20) - 4_096, (9 << 20) - (1 << 20), 9 << 20]
    for size in sizes {
      let buffer = pool.buffer(byteCount: size)
      #expect(buffer.byteCount == 9 << 20 && pool.counters.bytesInUse == 9 << 20)
    }
    #expect(pool.counters.allocations == 1 && pool.counters.bytesIdle == 9 << 20)
    // An eighth more at most, the best of several; small ones only of their own size.
    _ = pool.buffer(byteCount: 7 << 20)
    #expect(pool.counters.allocations == 2)
    _ = pool.buffer(byteCount: (7 << 20) - 64)
    #expect(pool.counters.allocations == 2 && pool.counters.bytesIdle == 16 << 20)
    for size in [4_096, 4_032] { _ = pool.buffer(byteCount: size) }
    #expect(pool.counters.allocations == 4)
    pool.trim()
    #expect(pool.counters.bytesIdle == 0 && pool.counters.bytesInUse == 0)
  }

  /// Sizes that never come again, as those of the parts of a large model, would fill the machine with idle pieces.
  @Test func idlePiecesAreBounded() {
    let megabyte = 1 << 20
    let pool = BufferPool()
    for size in stride(from: 100, through: 1_000, by: 50) { _ = pool.buffer(byteCount: size * megabyte) }
    #expect(pool.counters.peakBytesInUse == 1_000 * megabyte)
    #expect(pool.counters.peakBytesHeld <= 1_256 * megabyte)
    // What was used last stays, and is used again.
    let allocations = pool.counters.allocations
    _ = pool.buffer(byteCount: 1_000 * megabyte)
    #expect(pool.counters.allocations == allocations)
  }

  /// What was held at most is counted by its use, whatever the pieces serve later.
  @Test func memoryIsCountedByUseAtItsMost() {
    let pool = BufferPool()
    do {
      let frame = pool.buffer(byteCount: 4_096, for: .frames)
      let activation = pool.buffer(byteCount: 8_192)
      #expect(frame.byteCount + activation.byteCount == pool.counters.peakBytesHeld)
    }
    _ = pool.buffer(byteCount: 4_096, for: .exchange)
    #expect(pool.counters.peakBytesHeld == 12_288)
    #expect(pool.counters[.frames] == 4_096 && pool.counters[.activations] == 8_192 && pool.counters[.exchange] == 0)
    // From then on anew.
    pool.trim()
    _ = pool.buffer(byteCount: 4_096, for: .exchange)
    #expect(pool.counters.peakBytesHeld == 4_096 && pool.counters[.exchange] == 4_096 && pool.counters[.frames] == 0)
  }
}
