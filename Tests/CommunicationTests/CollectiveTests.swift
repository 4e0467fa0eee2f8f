import Basics
import RankChecks
import Synchronization
import Tensors
import Testing

@testable import Communication

#if canImport(Glibc)
  import Glibc
#endif

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

@Suite struct TogetherTests {
  private struct Stop: Error {}

  /// How far each rank came, in steps of a millisecond, when one failed at its first.
  private func steps(ranks: Int, failing: Int) -> [Int] {
    let steps = Mutex([Int](repeating: 0, count: ranks))
    for _ in 0..<3 {
      #expect(throws: Stop.self) {
        _ = try ThreadRanks.run(ranks) { world in
          try world.togetherAsking { ask in
            for step in 0..<2_000 {
              try ask()
              if world.rank == failing { throw Stop() }
              steps.withLock { $0[world.rank] = step }
              usleep(1_000)
            }
          }
        }
      }
    }
    return steps.withLock { $0 }
  }

  /// All stop soon after one failed, and what is thrown is the cause.
  @Test(arguments: [(2, 0), (2, 1), (5, 0), (5, 3)]) func aFailureStopsAllSoon(ranks: Int, failing: Int) {
    #expect(steps(ranks: ranks, failing: failing).allSatisfy { $0 < 1_000 })
  }

  @Test(arguments: [1, 2, 5]) func withoutFailuresAllComeToTheEnd(ranks: Int) throws {
    let sums = try ThreadRanks.run(ranks) { world in
      var done = 0
      for round in 0..<20 {
        try world.togetherAsking { ask in
          for _ in 0...(world.rank * round % 7) {
            try ask()
            done += 1
          }
        }
      }
      return try world.allReduce([Double(done)])[0]
    }
    #expect(Set(sums).count == 1)
  }

  /// A rank that fails last is as good a reason as one that fails first.
  @Test func theLastMayFail() {
    #expect(throws: Stop.self) {
      _ = try ThreadRanks.run(3) { world in
        try world.togetherAsking { _ in
          if world.rank == 2 {
            usleep(20_000)
            throw Stop()
          }
        }
      }
    }
  }

  /// The cause is reported, whichever rank comes out first.
  @Test func theCauseIsReported() {
    for failing in 0..<40 {
      #expect(throws: Stop.self) {
        _ = try ThreadRanks.run(4) { world in try world.together { if world.rank == failing % 4 { throw Stop() } } }
      }
    }
  }
}
