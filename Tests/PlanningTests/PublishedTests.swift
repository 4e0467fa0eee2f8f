import Models
import Planning
import Testing

@testable import PublishedRuns

/// The published scheme as it is, and what its figures would be.
@Suite struct PublishedTests {
  private static let free = PublishedProducts.Costs(flopsPerSecond: 1e12, bytesPerSecond: .infinity)

  private static func products(_ kind: PublishedProducts.Kind, ways: Int) -> PublishedProducts {
    var scheme = PublishedProducts(ways: ways, costs: free)
    scheme.product(kind, m: 4000, n: 2000, k: 1000)
    return scheme
  }

  private static func seconds(_ scheme: PublishedProducts, bytesPerSecond: Double) -> [Double] {
    scheme.streams.run(latencySeconds: 0, bytesPerSecond: bytesPerSecond).seconds
  }

  @Test func errors() throws {
    let experiments = PublishedExperiments()
    let errors = experiments.meanErrors
    #expect(errors.strongScaling <= 0.05, "asked for are 10 %")
    #expect(errors.dataParallelSeconds <= 0.06, "asked for are 10 %")
    #expect(errors.efficiencies <= 0.03, "asked for are 5 points")
  }

  /// The steps on one GPU, and two efficiencies; what they determine is physically possible.
  @Test func calibration() throws {
    let strong = PublishedFigures.strongScaling.flatMap { row in
      PublishedFigures.ways.filter { PublishedExperiments.calibrates(row, gpus: $0) }
    }
    let parallel = PublishedFigures.dataParallel.flatMap { row in
      PublishedFigures.gpus.filter { PublishedExperiments.calibrates(row, gpus: $0) }
    }
    #expect(strong.filter { $0 == 1 }.count == 8)
    #expect(strong.filter { $0 > 1 }.count + parallel.count == 2)

    let experiments = PublishedExperiments()
    #expect((72e9..<100e9).contains(experiments.machine.link.bytesPerSecond), "measured elsewhere, documented")
    #expect((8e9..<16e9).contains(experiments.machine.allReduceBytesPerSecond(groups: 1)))
    #expect((16e9..<25e9).contains(4 * experiments.machine.allReduceBytesPerSecond(groups: 4)))
    for row in PublishedFigures.strongScaling {
      let rate = experiments.flopsPerSecond(row.sizes, row.precision)
      #expect((0.25..<0.9).contains(rate / row.precision.peak), "\(row.name) \(row.precision)")
      #expect(abs(experiments.secondsPerStep(row, gpus: 1) / row.secondsPerStep[0] - 1) < 1e-9)
    }
  }

  /// 2-way: balanced. 4-way: X·W is, the other two take ranks 1 and 2 three block products and the others one.
  @Test func blocksPerRank() {
    for kind in [PublishedProducts.Kind.xw, .xwt, .xtw] {
      let whole = Self.products(kind, ways: 1).flops[0]
      #expect(whole == 2 * 4000 * 2000 * 1000)
      #expect(Self.products(kind, ways: 2).flops == [whole / 2, whole / 2])
      let blocks = Self.products(kind, ways: 4).flops.map { $0 / (whole / 8) }
      #expect(blocks == (kind == .xw ? [2, 2, 2, 2] : [1, 3, 3, 1]))
    }
  }

  /// Forward, gradient of the input and of the weight are one product of each kind: with links that cost nothing 2 GPUs are twice
  /// as fast as one, 4 no more than three times.
  @Test func ceilings() {
    func seconds(_ ways: Int) -> Double {
      var scheme = PublishedProducts(ways: ways, costs: Self.free)
      scheme.product(.xwt, m: 4000, n: 2000, k: 1000)
      scheme.product(.xw, m: 4000, n: 1000, k: 2000)
      scheme.product(.xtw, m: 2000, n: 1000, k: 4000)
      return Self.seconds(scheme, bytesPerSecond: .infinity).max() ?? 0
    }
    #expect(abs(seconds(1) / seconds(2) - 2) < 1e-9)
    #expect(abs(seconds(1) / seconds(4) - 3) < 1e-9)
  }

  /// Sums of both partners take turns on the link; the second half of the product hides as much as it lasts.
  @Test func twoWayOverlap() {
    let scheme = Self.products(.xwt, ways: 2)
    let half = 16e9 / 4 / 1e12
    let bytes = 4.0 * 4000 * 1000
    #expect(scheme.bytesSent == 2 * bytes)
    for rate in [1e9, 4e9, 1e12] {
      let expected = half + max(half, 2 * bytes / rate)
      for seconds in Self.seconds(scheme, bytesPerSecond: rate) { #expect(abs(seconds - expected) < 1e-9) }
    }
  }

  /// Operands to the partner of the same row and of the same column, each way.
  @Test func fourWayBytes() {
    let (x, w, c) = (4000.0 * 1000, 2000.0 * 1000, 4000.0 * 2000)  // bytes of quarters
    #expect(Self.products(.xw, ways: 4).bytesSent == 4 * x + 4 * w)
    #expect(Self.products(.xwt, ways: 4).bytesSent == 2 * x + 4 * w + 2 * c)
    #expect(Self.products(.xtw, ways: 4).bytesSent == 4 * x + 2 * w + 2 * c)
  }

  @Test func messagesOfAPairTakeTurns() {
    var streams = StreamSimulation(ranks: 2)
    let there = streams.message(between: 0, and: 1, bytes: 2)
    let back = streams.message(between: 1, and: 0, bytes: 3)
    for rank in 0..<2 {
      streams.append(.post(message: there), rank: rank)
      streams.append(.post(message: back), rank: rank)
      streams.append(.work(Double(1 + rank)), rank: rank)
      streams.append(.wait(message: rank == 0 ? back : there), rank: rank)
      streams.append(.mark, rank: rank)
    }
    let outcome = streams.run(latencySeconds: 0.5, bytesPerSecond: 1)
    #expect(outcome.seconds == [6, 2.5])
    #expect(outcome.working == [1, 2])
    #expect(outcome.marks == [[6], [2.5]])
  }

  /// Known values of the expected maximum of standard normal numbers.
  @Test func slowestOfMany() {
    #expect(Straggler.expectedMaximum(of: 1) == 0)
    for (count, expected) in [(2, 0.5642), (4, 1.0294), (10, 1.5388), (256, 2.8)] {
      #expect(abs(Straggler.expectedMaximum(of: count) - expected) < 0.03, "\(count)")
    }
  }

  /// More GPUs never cost less per step; a free network leaves what one instance takes.
  @Test func replicas() {
    let sizes = PublishedFigures.model(teraFLOP: 2)
    var machine = PublishedMachine()
    let run = PublishedRun(sizes, ways: 2, flopsPerSecond: 5e13, machine: machine)
    let seconds = [2, 4, 8, 64, 256].map { run.seconds(gpus: $0) }
    #expect(seconds == seconds.sorted())
    machine.portBytesPerSecond = .infinity
    machine.ringLatencySeconds = 0
    machine.straggling = 0
    let free = PublishedRun(sizes, ways: 2, flopsPerSecond: 5e13, machine: machine)
    #expect(abs(free.seconds(gpus: 256) / free.instance.seconds - 1) < 1e-9)
    // A floor of reading holds for small models only; then comes the first sample of an epoch.
    let loading = PublishedRun.Loading(floorSeconds: 10)
    #expect(abs(free.seconds(gpus: 2, loading: loading) - (10 + 10 * 20 / 100)) < 1e-9)
  }
}
