import Basics
import Tensors
import Testing

@testable import Communication

@Suite struct CollectiveTests {
  private static func tensor(_ count: Int, _ value: (Int) -> Float) -> Tensor {
    Tensor((0..<count).map(value), shape: [count])
  }

  @Test(arguments: [1, 2, 3, 5]) func collectivesDoWhatTheySay(ranks: Int) throws {
    _ = try ThreadRanks.run(ranks) { world in
      let rank = world.rank
      // All-reduce, more and fewer numbers than ranks.
      for count in [1, 3, 17] {
        let x = Self.tensor(count) { Float(rank * 100 + $0) }
        try world.allReduce(Region(x), of: .float32, .sum).wait()
        let offset = Float((0..<ranks).reduce(0, +) * 100)
        #expect(x.values == (0..<count).map { offset + Float(ranks * $0) })
      }
      #expect(try world.allReduce([Double(rank), 1], .maximum) == [Double(ranks - 1), 1])
      #expect(try world.allReduce([Double(rank)], .minimum) == [0])
      #expect(try world.all(true) && !world.all(rank > 0))
      // Gather parts of unlike sizes.
      let parts = (0..<ranks).map { peer in Self.tensor(peer + 1) { peer == rank ? Float(10 * peer + $0) : -1 } }
      try world.allGather(parts.map { Region($0) }).wait()
      for peer in 0..<ranks { #expect(parts[peer].values == (0...peer).map { Float(10 * peer + $0) }) }
      // Exchange.
      let outgoing = (0..<ranks).map { peer in Self.tensor(2) { Float(100 * rank + 10 * peer + $0) } }
      let incoming = (0..<ranks).map { _ in Self.tensor(2) { _ in -1 } }
      try world.allToAll(outgoing.map { Region($0) }, into: incoming.map { Region($0) }).wait()
      for peer in 0..<ranks { #expect(incoming[peer].values == (0..<2).map { Float(100 * peer + 10 * rank + $0) }) }
      // Broadcast.
      for root in 0..<ranks {
        let bytes = try world.broadcast(rank == root ? [7, UInt8(root)] : [], from: root)
        #expect(bytes == [7, UInt8(root)])
      }
      try world.barrier()
      // Halves, in reverse order.
      let half = try world.split(color: rank % 2, key: -rank)
      let members = (0..<ranks).filter { $0 % 2 == rank % 2 }.reversed() as [Int]
      #expect(half.size == members.count && members[half.rank] == rank)
      #expect(try half.allReduce([Double(rank)]) == [Double(members.reduce(0, +))])
    }
  }

  @Test func messagesKeepTheirOrderAndAreCounted() throws {
    let traffic = try ThreadRanks.run(2) { world in
      let peer = 1 - world.rank
      let out = (0..<5).map { i in Self.tensor(3) { Float(i * 10 + $0 + world.rank) } }
      let sends = try out.map { try world.send(Region($0), to: peer, tag: 1) }
      for i in 0..<5 {
        let x = Tensor(zeros: [3])
        try world.receive(Region(x), from: peer, tag: 1).wait()
        #expect(x.values == (0..<3).map { Float(i * 10 + $0 + peer) })
      }
      for send in sends { try send.wait() }
      return world.traffic
    }
    #expect(traffic.allSatisfy { $0.bytesSent == 60 && $0.messagesSent == 5 })
  }

  /// A rank that fails ends the wait of the others, and its error is the one that is reported.
  @Test func aRankThatFailsEndsAll() throws {
    let error = #expect(throws: JigsawError.self) {
      _ = try ThreadRanks.run(3) { world in
        if world.rank == 1 { throw JigsawError("data.nc", "is damaged") }
        try world.barrier()
      }
    }
    #expect(error?.place == "data.nc")
  }
}
