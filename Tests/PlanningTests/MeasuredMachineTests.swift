import Basics
import Tensors
import TestSupport
import Testing

@testable import Planning

/// Machines as `jigsaw bench machine` measures them; expected numbers are worked out by hand.
@Suite struct MeasuredMachineTests {
  private static let rates: MachineRates = {
    var rates = MachineRates(measured: "2026-01-01", host: "here", processor: "a processor", kernels: "avx2", cpus: 4)
    rates.memoryBytes = 32_000_000_000
    rates.peaks = [1, 4].map {
      .init(type: "fp32", unit: "fused multiply-add", threads: $0, flopsPerSecond: 100e9 * Double($0))
    }
    for (side, rate) in [(64, 40e9), (256, 80e9)] {
      rates.products.append(
        .init(type: "fp32", m: side, n: side, k: side, operands: "nn", threads: 1, flopsPerSecond: rate))
      rates.products.append(
        .init(
          type: "fp32", m: side, n: side, k: side, operands: "nn", threads: 1, copies: 4, flopsPerSecond: rate / 2))
    }
    // The same size twice: the mean of the logarithms, 300 GFLOP/s.
    for rate in [150e9, 600e9] {
      rates.products.append(
        .init(type: "fp32", m: 256, n: 256, k: 256, operands: "nt", threads: 4, flopsPerSecond: rate))
    }
    for (level, bytes, rate) in [("L1", 16_384, 400e9), ("L2", 1 << 18, 100e9), ("memory", 1 << 28, 10e9)] {
      rates.memory.append(
        .init(operation: "copy", level: level, workingSetBytes: bytes, threads: 1, bytesPerSecond: rate))
    }
    rates.calls = [.init(threads: 1, seconds: 1e-8), .init(threads: 4, seconds: 5e-6)]
    rates.links = [.init(isOnSameHost: true, carrier: "threads", latencySeconds: 1e-6, bytesPerSecond: 8e9)]
    return rates
  }()

  private func rate(_ machine: PlannedMachine, _ side: Int) -> Double {
    let product = MachineModel.Product(m: side, n: side, k: side)
    return Double(product.flops) / machine.model.productSeconds(product)
  }

  @Test func productsBetweenMeasuredSizes() throws {
    let one = try Self.rates.planned(precision: "fp32", threads: 1, ranks: 1, place: "m")
    #expect(abs(rate(one, 64) / 40e9 - 1) < 1e-12 && abs(rate(one, 256) / 80e9 - 1) < 1e-12)
    // In the middle, as far from one as from the other: √(40·80).
    #expect(abs(rate(one, 128) / 56.568542494923804e9 - 1) < 1e-12)
    // At 512 distances are 1 : 3, weights 81 : 1, and log₂ 80 − 1/82 follows.
    #expect(abs(rate(one, 512) / (80e9 * 0.991582) - 1) < 1e-5)
    // Neighbours at work slow it down; four threads are what was measured of them.
    let busy = try Self.rates.planned(precision: "fp32", threads: 1, ranks: 4, place: "m")
    #expect(abs(rate(busy, 64) / 20e9 - 1) < 1e-12)
    let all = try Self.rates.planned(precision: "fp32", threads: 4, ranks: 1, place: "m")
    #expect(abs(rate(all, 256) / 300e9 - 1) < 1e-12 && all.model.peakFLOPsPerSecond == 400e9)
    // Three are nearer to four than to one, as a ratio, and three quarters as fast.
    let three = try Self.rates.planned(precision: "fp32", threads: 3, ranks: 1, place: "m")
    #expect(abs(rate(three, 256) / 225e9 - 1) < 1e-12)
  }

  @Test func passesByWhatTheyTouch() throws {
    let model = try Self.rates.planned(precision: "fp32", threads: 1, ranks: 1, place: "m").model
    // Small ones are in the second level, large ones beyond all.
    #expect(abs(model.passSeconds(1 << 14) - (1e-8 + 16_384 / 100e9)) < 1e-15)
    #expect(abs(model.passSeconds(1 << 30) / (1e-8 + 1_073_741_824 / 10e9) - 1) < 1e-12)
    // 2²³ lies in the middle between 2¹⁸ and 2²⁸: √(100·10).
    #expect(abs(model.passSeconds(1 << 23) / (1e-8 + 8_388_608 / 31.622776601683793e9) - 1) < 1e-12)
  }

  @Test func rowsTakeTimeForThemselvesAndForEachNumber() throws {
    var rates = Self.rates
    #expect(try rates.planned(precision: "fp32", threads: 1, ranks: 1, place: "m").model.rowSumSeconds(64) == 0)
    // 40 ns + columns · 0.25 ns.
    rates.norms = [64, 1_024].map { columns in
      let seconds = 40e-9 + 0.25e-9 * Double(columns)
      return .init(threads: 1, columns: columns, numbersPerSecond: Double(columns) / seconds)
    }
    let model = try rates.planned(precision: "fp32", threads: 1, ranks: 1, place: "m").model
    for columns in [32, 256] {
      #expect(abs(model.rowSumSeconds(columns) - (40e-9 + 0.25e-9 * Double(columns))) < 1e-15)
    }
    let two = try rates.planned(precision: "fp32", threads: 2, ranks: 1, place: "m").model
    #expect(abs(two.rowSumSeconds(32) - 24e-9) < 1e-15)
  }

  @Test func ranksShareAMachine() throws {
    let machine = try Self.rates.planned(precision: "fp32", threads: 0, ranks: 2, place: "m")
    #expect(machine.rank == "2 threads" && machine.model.ranksPerNode == 2)
    #expect(machine.memoryBytes == 16_000_000_000)
    #expect(machine.model.withinNode == .init(latencySeconds: 1e-6, bytesPerSecond: 8e9))
    #expect(machine.model.transfersTakeProcessor)
  }

  @Test func moreMachinesThanThisOneMustBeAskedFor() throws {
    for (threads, ranks, most, nodes) in [(1, 5, 4, 2), (2, 4, 2, 2), (4, 3, 1, 3), (0, 9, 4, 3)] {
      let error = #expect(throws: JigsawError.self) {
        try Self.rates.planned(precision: "fp32", threads: threads, ranks: ranks, place: "m.json")
      }
      #expect(error?.expected?.hasPrefix("at most \(most) ranks on 1 machine of 4") == true)
      #expect(error?.remedy?.hasSuffix("--nodes \(nodes)") == true)
      let machine = try Self.rates.planned(
        precision: "fp32", threads: threads, ranks: ranks, nodes: nodes, place: "m.json")
      #expect(machine.model.ranksPerNode == most && machine.assumptions == ["links"])
    }
  }

  /// A processor without units for bf16 multiplies in FP32, measured or described; what GPUs lack is not guessed.
  @Test func withoutUnitsForHalvesProductsAreInFP32() throws {
    for precision in ["bf16", "bf16x3"] {
      let machine = try Self.rates.planned(precision: precision, threads: 1, ranks: 1, place: "m")
      #expect(abs(rate(machine, 64) / 40e9 - 1) < 1e-12 && machine.precision == precision)
      #expect(machine.model.activationType == (precision == "bf16" ? .bfloat16 : .float32))
      var described = try MachineCatalogue.named("sapphire-rapids")
      described.precisions["bf16"] = nil
      let (own, full) = (try described.model(precision: precision), try described.model(precision: "fp32"))
      #expect(own.peakFLOPsPerSecond == full.peakFLOPsPerSecond)
      var gpu = try MachineCatalogue.named("h100")
      gpu.precisions["bf16"] = nil
      #expect(throws: JigsawError.self) { try gpu.model(precision: precision) }
    }
    // Rates that are not kept have no file that a message could name.
    let folder = try TemporaryFolder()
    let path = Temporary.name(for: "\(folder.path)/machine.json")
    try Self.rates.write(to: path)
    let error = #expect(throws: JigsawError.self) { try PlannedMachine.open(path, precision: "tf32", ranks: 1) }
    #expect(error?.place == "this machine")
  }

  @Test func whatWasNotMeasuredIsSaid() throws {
    func message(_ rates: MachineRates, _ precision: String = "fp32", threads: Int = 1, ranks: Int = 1) -> String {
      let error = #expect(throws: JigsawError.self) {
        try rates.planned(precision: precision, threads: threads, ranks: ranks, place: "m.json")
      }
      return error.map { "\($0)" } ?? ""
    }
    #expect(
      message(Self.rates, "tf32")
        == "m.json: has no rates of tf32 products; found fp32; choose one of these with --precision.")
    var unmeasured = Self.rates
    unmeasured.products = []
    #expect(message(unmeasured).hasSuffix("found none; measure anew with 'jigsaw bench machine'."))
    #expect(message(Self.rates, threads: 8).contains("asks for more than m.json has; expected at most 4, found 8"))
    var alone = Self.rates
    alone.links = []
    #expect(message(alone, ranks: 2).contains("has no link between ranks"))
    alone.memory = []
    #expect(message(alone).contains("has no rates of memory"))
  }
}
