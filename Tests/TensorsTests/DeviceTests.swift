import Synchronization
import Testing

@testable import Tensors

/// Where memory is, and who works on it.
@Suite struct DeviceTests {
  /// A device whose memory the host's processors can't touch: its addresses are far from those of the memory behind them.
  private struct DistantDevice: Device {
    private static let distance = 1 << 47
    private func near(_ address: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
      address - DistantDevice.distance
    }

    var isHost: Bool { false }
    func allocate(_ byteCount: Int, zeroed: Bool) -> UnsafeMutableRawPointer {
      HostDevice().allocate(byteCount, zeroed: zeroed) + DistantDevice.distance
    }
    func release(_ address: UnsafeMutableRawPointer, _ byteCount: Int) {
      HostDevice().release(near(address), byteCount)
    }
    func zero(_ address: UnsafeMutableRawPointer, _ byteCount: Int) { HostDevice().zero(near(address), byteCount) }
    func copy(_ address: UnsafeMutableRawPointer, from source: UnsafeMutableRawPointer, _ byteCount: Int) {
      HostDevice().copy(near(address), from: near(source), byteCount)
    }
    func read(_ address: UnsafeMutableRawPointer, into host: UnsafeMutableRawBufferPointer) {
      HostDevice().read(near(address), into: host)
    }
    func write(_ host: UnsafeRawBufferPointer, to address: UnsafeMutableRawPointer) {
      HostDevice().write(host, to: near(address))
    }
    func makeTeam(_ threads: Int) -> ThreadTeam { ThreadTeam(count: threads) }
    func run(_ work: DeviceWork, onHost: () -> Void) { preconditionFailure("no kernels") }
  }

  @Test func memoryOfAnotherDeviceIsReadWrittenCopiedAndUsedAgain() {
    let pool = BufferPool(on: DistantDevice())
    do {
      let compute = Compute(threads: 1, pool: pool)
      let (a, b) = (compute.tensor([2, 3]), compute.zeros([6]))
      a.updateOnHost { _ = $0.update(fromContentsOf: [1, 2, 3, 4, 5, 6]) }
      #expect(b.readOnHost(Array.init) == [0, 0, 0, 0, 0, 0])
      b.copy(from: a.reshaped([6]))
      let middle = Tensor(shape: [2], buffer: b.buffer, offset: 2)
      middle.fill()
      middle.updateOnHost { $0[1] += 7 }
      #expect(b.readOnHost(Array.init) == [1, 2, 0, 7, 5, 6] && a.readOnHost { $0[3] } == 4)
    }
    #expect(pool.counters.bytesInUse == 0 && pool.counters.allocations == 1)
    _ = pool.buffer(byteCount: 24)
    #expect(pool.counters.allocations == 1)
  }

  @Test func theHostsMemoryIsReadAndChangedInPlace() {
    let tensor = Tensor([1, 2], shape: [2])
    let address = tensor.pointer
    tensor.updateOnHost { #expect($0.baseAddress == address) }
    tensor.readOnHost { #expect($0.baseAddress.map { UnsafeMutablePointer(mutating: $0) } == address) }
  }

  @Test func addressesOfAnotherDeviceAreNoPointers() async {
    await #expect(processExitsWith: .failure) { _ = Buffer(zeroed: 64, on: DistantDevice()).pointer }
    await #expect(processExitsWith: .failure) { _ = Tensor(zeros: [4], on: DistantDevice()).floats }
  }

  private final class Notes: WorkMeter {
    private let lines = Mutex<[String]>([])
    var all: [String] { lines.withLock { $0 } }

    func product(m: Int, n: Int, k: Int, pause: (() -> Void)?) {
      lines.withLock { $0.append("product \(m) \(n) \(k)") }
      pause?()
    }
    func pass(bytes: Int, _ arithmetic: PassArithmetic) { lines.withLock { $0.append("pass \(bytes) \(arithmetic)") } }
  }

  /// A dry run notes what would be done, in its order, and touches nothing.
  @Test func dryWorkIsNoted() {
    let notes = Notes()
    let compute = Compute(threads: 2, pool: BufferPool(on: DryDevice(notes)))
    let (a, b, c) = (compute.tensor([4, 8]), compute.tensor([8, 2]), compute.tensor([4, 2]))
    let u = compute.tensor([4, 2])
    var pauses = 0
    compute.multiply(a.matrix.plain, b.matrix.plain, into: c.matrix, pause: { pauses += 1 })
    compute.multiply(
      a.matrix.plain, b.matrix.plain, into: c.matrix, epilogue: Epilogue(activation: .gelu(into: u.matrix)))
    c.fill()
    c.copy(from: u)
    compute.gelu(c, into: u)
    #expect(compute.sum(over: 8, grain: 1, bytes: 32) { _ in 1 } == 0)
    #expect(compute.zeros([3]).count == 3)
    #expect(
      notes.all == [
        "product 4 2 8", "product 4 2 8", "pass 32 gelu(8)", "pass 32 little", "pass 64 little", "pass 64 gelu(8)",
        "pass 32 little",
      ])
    #expect(pauses == 1)
    withExtendedLifetime((a, b, c, u)) { #expect(compute.pool.counters.bytesInUse == 128 + 64 + 64 + 64) }
  }
}

/// Columns and rows moved about.
@Suite struct PointKernelTests {
  private let compute = Compute(threads: 2)

  private func numbered(_ shape: [Int], from first: Int = 0) -> Tensor {
    Tensor((0..<shape.reduce(1, *)).map { Float(first + $0) }, shape: shape)
  }

  @Test func columnsAreStoredAddedAndSummedOverSamples() {
    let x = numbered([2, 2, 3])  // rows, samples, columns
    // One sample for all, of another row.
    let shared = numbered([2, 1, 2], from: 100)
    let y = Tensor(zeros: [2, 2, 4])
    compute.moveColumns(
      PointColumns(x, width: 3, .list([2, 0]), samples: 2), to: PointColumns(y, width: 4, .range(0..<2), samples: 2),
      rows: 2, batch: 2)
    compute.moveColumns(
      PointColumns(shared, width: 2, .range(0..<2), rows: IndexList([1, 0])),
      to: PointColumns(y, width: 4, .range(2..<4), samples: 2), rows: 2, batch: 2)
    #expect(y.values == [2, 0, 102, 103, 5, 3, 102, 103, 8, 6, 100, 101, 11, 9, 100, 101])
    // Back: sums over samples, stored and added, for the rows that take part.
    let sum = Tensor([9, 9, 1, 1], shape: [2, 2])
    compute.moveColumns(
      PointColumns(y, width: 4, .range(0..<2), samples: 2), to: PointColumns(sum, width: 2, .range(0..<2)), rows: 2,
      batch: 2, where: [true, false])
    #expect(sum.values == [7, 3, 1, 1])
    compute.moveColumns(
      PointColumns(y, width: 4, .range(0..<2), samples: 2), to: PointColumns(sum, width: 2, .list([1, 0])), rows: 2,
      batch: 2, accumulate: true)
    #expect(sum.values == [10, 10, 16, 20])
    compute.fillColumns(PointColumns(sum, width: 2, .list([1])), with: -1, rows: 2)
    #expect(sum.values == [10, -1, 16, -1])
  }

  @Test func rowsAndElementsAreTakenAddedAndSet() {
    let x = numbered([3, 2])
    let y = Tensor(zeros: [2, 2])
    compute.takeRows([2, 0], of: x, length: 2, into: y)
    #expect(y.values == [4, 5, 0, 1])
    compute.addRows(y, to: [0, 1], of: x, length: 2)
    #expect(x.values == [4, 6, 2, 4, 4, 5])
    compute.setElements(from: [0, 4], length: 2, of: x, to: nil)
    #expect(x.values == [0, 0, 2, 4, 0, 0])
    compute.setElements(from: [1], of: x, to: Tensor([8, 9, 8, 8, 8, 8], shape: [6]))
    #expect(x.values == [0, 9, 2, 4, 0, 0])
    let joined = Tensor(zeros: [2, 3])
    compute.join(y, columns: 2, Tensor([7, 8], shape: [2, 1]), columns: 1, into: joined)
    #expect(joined.values == [4, 5, 7, 0, 1, 8])
    compute.raiseColumns(joined, to: [1, 2, 7.5])
    #expect(joined.values == [4, 5, 7.5, 1, 2, 8])
    compute.clamp(joined, to: 4.5)
    #expect(joined.values == [4, 4.5, 4.5, 1, 2, 4.5])
    let other = Tensor(zeros: [2, 3])
    compute.exchange(joined, other)
    #expect(joined.values.allSatisfy { $0 == 0 } && other.values == [4, 4.5, 4.5, 1, 2, 4.5])
  }

  /// A floor, a range, and a fraction of a total, with their derivatives.
  @Test func columnsAreLimited() {
    let limits = [
      ColumnLimit(.floor(least: 1, slope: 0.5), column: 0, total: nil),
      ColumnLimit(.range(least: 0, most: 1, slope: 0), column: 1, total: 2),
    ]
    let x = Tensor([-1, 0.5, 4, 3, 2, 10], shape: [2, 3])
    let y = Tensor(zeros: [2, 3])
    compute.limitColumns(x, width: 3, limits, totals: x, totalWidth: 3, into: y)
    #expect(y.values == [0, 2, 4, 3, 10, 10])
    let d = Tensor([1, 1, 1, 1, 1, 1], shape: [2, 3])
    compute.limitColumnsBackward(x, width: 3, limits, totals: x, totalWidth: 3, (d, d), bytes: 0)
    #expect(d.values == [0.5, 4, 1.5, 1, 0, 2])
  }

  /// Moments of parts give those of the whole.
  @Test func momentsAreMerged() {
    let parts = [[1, 2, 3, 4], [10], []].map { ($0 as [Float]) }
    let moments = parts.map { part in
      let mean = part.isEmpty ? 0 : part.reduce(0, +) / Float(part.count)
      return Tensor([mean, part.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }], shape: [1, 2])
    }
    let merged = compute.rowStatistics(1)
    compute.mergeMoments(moments, counts: parts.map { Float($0.count) }, epsilon: 0, into: merged)
    #expect(merged.mean.values == [4] && abs(merged.rstd.values[0] - 1 / Float(10).squareRoot()) < 1e-6)
  }
}
