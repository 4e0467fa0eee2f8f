import Basics
import RankChecks
import Tensors
import Testing

@testable import Communication

@Suite struct CollectiveTests {
  private static func tensor(_ count: Int, _ value: (Int) -> Float) -> Tensor {
    Tensor((0..<count).map(value), shape: [count])
  }

  @Test(arguments: [1, 2, 3, 5]) func collectivesDoWhatTheySay(ranks: Int) throws {
    #expect(try ThreadRanks.run(ranks) { try CollectiveChecks.failures($0) }.flatMap { $0 } == [])
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
