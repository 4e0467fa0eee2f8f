import Basics
import Communication
import Distribution
import Tensors
import Testing

@testable import Planning

/// Times of simulated ranks against times by hand.
struct ScheduleTests {
  static let (m, k, n) = (400, 600, 800)
  static let flopsPerSecond = 1e9

  /// A fast link, and one on which a block takes longer than the product that should hide it.
  @Test("Two ranks hide a transfer behind the first of two products", arguments: [1e9, 1e7])
  func products(_ bytesPerSecond: Double) throws {
    let latency = 1e-4
    let machine = SimulationTests.machine(
      flopsPerSecond: Self.flopsPerSecond, bytesPerSecond: bytesPerSecond, latencySeconds: latency)
    let (m, k, n) = (Self.m, Self.k, Self.n)
    // How A and B lie, with C's rows on the domain axis, and the numbers that one rank sends.
    let schedules: [(a: SplitAxis, b: SplitAxis, sent: Int)] = [
      (.domain, .domain, m * k / 2), (.domain, .tensor, m * n / 2), (.tensor, .domain, m * k / 2),
    ]
    for (a, b, sent) in schedules {
      let seconds = try Self.run(a, b, machine)
      let product = Double(m * k * n) / Self.flopsPerSecond / 2
      let transfer = latency + Double(4 * sent) / bytesPerSecond
      let expected = product + max(product, transfer)
      #expect(seconds.count == 2)
      for own in seconds { #expect(abs(own / expected - 1) < 1e-9, "\(a), \(b): \(own), expected \(expected)") }
    }
  }

  private static func run(_ a: SplitAxis, _ b: SplitAxis, _ machine: MachineModel) throws -> [Double] {
    let mesh = Mesh(tensor: 2)
    let world = VirtualWorld(mesh, machine, isMirrored: false)
    return try world.ranks.run { own in
      let context = try world.context(own)
      let compute = Compute(threads: 1, pool: BufferPool(on: DryDevice(own)))
      func matrix(_ rows: Int, _ columns: Int, _ axis: SplitAxis) -> DistributedMatrix {
        let (r, c) = (Cuts(rows, mesh: mesh), Cuts(columns, mesh: mesh))
        func count(_ cuts: Cuts, _ axis: SplitAxis) -> Int {
          cuts.range(axis, axis == .domain ? context.position.domain : context.position.tensor).count
        }
        let block = compute.tensor([count(r, axis), count(c, axis.other)]).matrix
        return DistributedMatrix(block, rows: r, columns: c, rowAxis: axis)
      }
      try DistributedProducts(context, compute).multiply(
        matrix(m, k, a).plain, matrix(k, n, b).plain, into: matrix(m, n, .domain))
      return own.clock
    }
  }

  @Test("What a receiver copies itself can't be hidden")
  func copies() throws {
    var machine = SimulationTests.machine(flopsPerSecond: Self.flopsPerSecond, bytesPerSecond: 1e9)
    machine.transfersTakeProcessor = true
    let seconds = try Self.run(.tensor, .domain, machine)
    let product = Double(2 * Self.m * Self.k * Self.n) / Self.flopsPerSecond / 2
    let expected = product + Double(4 * Self.m * Self.k / 2) / 1e9
    for own in seconds { #expect(abs(own / expected - 1) < 1e-9, "\(own), expected \(expected)") }
  }

  @Test("One rank sends one message at a time, and a node's ranks share its connection")
  func ports() throws {
    let bytes = 1_000_000
    // Ranks 0 and 1 of one node each send to both ranks of another.
    func run(nodeBytesPerSecond: Double?) throws -> Double {
      var machine = SimulationTests.machine(bytesPerSecond: 1e9, ranksPerNode: 2)
      machine.nodeBytesPerSecond = nodeBytesPerSecond
      let world = VirtualWorld(Mesh(tensor: 4), machine, isMirrored: false)
      return try world.ranks.run { own in
        let all = try world.context(own).world
        let buffer = BufferPool(on: DryDevice(own)).buffer(byteCount: bytes)
        let region = Region(buffer, byteCount: bytes)
        var transfers: [any Transfer] = []
        for step in 0..<2 {
          let peer = 2 + (own.index + step) % 2
          let back = (own.index + step) % 2
          transfers.append(
            own.index < 2
              ? try all.send(region, to: peer, tag: 1) : try all.receive(region, from: back, tag: 1))
        }
        for transfer in transfers { try transfer.wait() }
        return own.clock
      }.max() ?? 0
    }
    #expect(abs(try run(nodeBytesPerSecond: nil) - 2e-3) < 1e-9)
    #expect(abs(try run(nodeBytesPerSecond: 1e9) - 4e-3) < 1e-9)
  }

  @Test("Ranks that wait for each other without end are named")
  func standstill() throws {
    let world = VirtualWorld(Mesh(tensor: 2), SimulationTests.machine(), isMirrored: false)
    let error = try #require(throws: JigsawError.self) {
      try world.ranks.run { own in
        let all = try world.context(own).world
        let region = Region(BufferPool(on: DryDevice(own)).buffer(byteCount: 8), byteCount: 8)
        try all.receive(region, from: 1 - own.index, tag: 7).wait()
      }
    }
    #expect(
      "\(error)".contains(
        "rank 0 waits for a message from rank 1 (tag 7), rank 1 waits for a message from rank 0 (tag 7)"))
  }

  @Test("When one rank fails the others end, and its reason is the one given")
  func failure() throws {
    let world = VirtualWorld(Mesh(tensor: 3), SimulationTests.machine(), isMirrored: false)
    let error = try #require(throws: JigsawError.self) {
      try world.ranks.run { own in
        let all = try world.context(own).world
        if own.index == 1 { throw JigsawError("rank 1", "has had enough") }
        try all.barrier()
      }
    }
    #expect("\(error)".contains("has had enough"))
  }
}
