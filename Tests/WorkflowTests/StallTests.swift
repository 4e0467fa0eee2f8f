import Basics
import Communication
import Configuration
import Synchronization
import TestSupport
import Testing

@testable import Workflow

#if canImport(Glibc)
  import Glibc
#endif

/// Jobs that hang say where each rank is.
@Suite struct StallTests {
  /// Runs ranks that are watched, and returns what each said.
  private static func said(minutes: Double, ranks: Int, _ body: @escaping @Sendable (any Communicator) throws -> Void)
    throws
    -> [Int: String]
  {
    let said = Mutex<[Int: String]>([:])
    _ = try ThreadRanks.run(ranks) { world in
      let trace = Trace(keepsEvents: false)
      let world = world.with(CommunicationPolicy(), trace: trace)
      let rank = world.rank
      let watch = try StallWatch(minutes: minutes, rank: rank, trace) { text in said.withLock { $0[rank] = text } }
      defer { watch.stop() }
      try body(world)
    }
    return said.withLock { $0 }
  }

  @Test func ranksSayWhatTheyWaitForAndWhatTheyRead() throws {
    let said = try Self.said(minutes: 0.4 / 60, ranks: 2) { world in
      try world.trace.measure(.phases, "next samples") {
        if world.rank == 1 {
          world.trace.measure(.io, "reading slow.nc at 2001-01-01") { _ = usleep(1_500_000) }
        }
        _ = try world.allReduce([1])
      }
    }
    #expect(said.count == 2)
    let (first, second) = (try #require(said[0]), try #require(said[1]))
    #expect(first.hasPrefix("error: rank 0: training.stallMinutes: no progress for "))
    #expect(first.contains("in 'next samples' for ") && first.contains("waiting from 1 for "), "\(first)")
    #expect(
      second.contains("in 'next samples' for ") && second.contains("reading slow.nc at 2001-01-01 for "), "\(second)")
    #expect(!second.contains("waiting"), "\(second)")
  }

  @Test func whoGoesOnIsLeftAlone() throws {
    let said = try Self.said(minutes: 0.5 / 60, ranks: 2) { world in
      for _ in 0..<12 {
        usleep(100_000)
        if world.rank == 0 { world.trace.measure(.compute, "product") {} } else { world.trace?.goOn() }
      }
    }
    #expect(said.isEmpty)
  }

  /// A watched training is the same as another, and knows its phases.
  @Test func watchedTrainingsAreTheSame() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    func losses(_ run: String, _ more: String) throws -> [Substring] {
      let configuration = try RunConfiguration.parse(
        """
        run: \(folder.path)/\(run)
        threads: 1
        data:
          sources: [{path: \(folder.path)/data.nc}]
          variables: [z, msl]
          levels: [500]
          train: {start: 2001-01-01, end: 2001-01-05}
        model: {patch: [2, 4], channels: 8, tokenWidth: 8, channelWidth: 8, blocks: 1}
        training: {updates: 3, batchSize: 2\(more)}
        """, file: "test")
      _ = try ThreadRanks.run(2) { try TrainWorkflow(configuration, on: $0, console: .silent).start() }
      return try Files.readText("\(folder.path)/\(run)/metrics.csv").split(separator: "\n").map {
        $0.split(separator: ",", omittingEmptySubsequences: false)[4]
      }
    }
    #expect(try losses("plain", "") == losses("watched", ", stallMinutes: 5"))
  }
}
