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
    #expect(pool.counters.bytesIdle == 0 && pool.counters[.activations] == 0)
  }
}
