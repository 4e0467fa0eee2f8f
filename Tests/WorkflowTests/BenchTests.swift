import Basics
import Communication
import Configuration
import Synchronization
import Tensors
import TestSupport
import Testing

@testable import Workflow

@Suite struct BenchTests {
  private static func configuration(output: String = "residual", _ settings: String...) throws -> RunConfiguration {
    var configuration = RunConfiguration()
    configuration.threads = 1
    let fixed = [
      "data.static=[lsm, orog, slt]", "model.patch=[4, 4]", "model.channels=64", "model.tokenWidth=32",
      "model.channelWidth=64", "model.blocks=3", "model.output=\(output)", "training.batchSize=1",
      "training.learningRate=0.0001", "training.weightDecay=0", "training.averageDecay=0",
    ]
    for setting in fixed + settings { try configuration.apply(setting) }
    return configuration
  }

  private static func request(updates: Int = 3, isForecast: Bool = false) -> BenchStep.Request {
    var request = BenchStep.Request()
    request.grid = .boxes(rows: 32, columns: 64)
    request.variables = 14
    request.updates = updates
    request.isForecast = isForecast
    return request
  }

  private static func report(_ configuration: RunConfiguration, _ request: BenchStep.Request, ranks: Int = 1) throws
    -> BenchStepReport
  {
    let found = Mutex<BenchStepReport?>(nil)
    try Ranks.run(asThreads: ranks) { world in
      let report = try BenchStep(configuration, request, on: world, console: .silent).run()
      if world.rank == 0 { found.withLock { $0 = report } }
    }
    return try #require(found.withLock { $0 })
  }

  /// PyTorch 2.13: Benchmarks/peers/pytorch_step.py --json --rows 32 --columns 64 --patch-rows 4 --patch-columns 4
  /// --variables 14 --auxiliaries 3 --channels 64 --token-width 32 --channel-width 64 --batch 1 --updates 3 --output …
  @Test(arguments: [
    (
      "residual",
      [0.012248197570443153, 0.01219235174357891, 0.01213685143738985, 0.012081712484359741, 0.012026946060359478]
    ),
    ("blend", [1.326979398727417, 1.320737600326538, 1.3145328760147095, 1.3083678483963013, 1.3022452592849731]),
  ])
  func stepsAreThoseOfPyTorch(output: String, losses: [Double]) throws {
    let report = try Self.report(Self.configuration(output: output), Self.request())
    MeshTrainingTests.expectAlike(report.losses, losses, 2e-6, "\(output)")
    #expect(report.model.parameters == (output == "blend" ? 97_770 : 97_280))
  }

  /// Diagnostics, boundary and loss are those of the configuration and its data, as a training has them.
  @Test func stepsKnowWhatIsReadPredictedAndLost() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    func loss(_ settings: String...) throws -> Double {
      var configuration = try RunConfiguration.parse(
        """
        threads: 1
        data: {sources: [{path: \(folder.path)/data.nc}], variables: [z, t, msl], levels: [850, 500]}
        model: {patch: [2, 4], channels: 16, tokenWidth: 12, channelWidth: 20, blocks: 1, output: blend}
        training: {batchSize: 2}
        """, file: "test")
      for setting in settings { try configuration.apply(setting) }
      var request = BenchStep.Request()
      request.updates = 1
      return try Self.report(configuration, request).losses[0]
    }
    let plain = try loss()
    #expect(try loss("data.diagnostic=[msl]") != plain)
    #expect(try loss("training.loss.kind=absolute") != plain)
  }

  @Test func machinesAreMediansOfRounds() {
    let rounds = [3.0, 1, 2].map { x in
      var rates = MachineRates(measured: "now", host: "h", processor: "p", kernels: "avx2", cpus: 2)
      rates.peaks = [.init(type: "fp32", unit: "fused multiply-add", threads: 1, flopsPerSecond: x)]
      rates.products = [1, 2].map {
        .init(type: "fp32", m: $0, n: 1, k: 1, operands: "nn", threads: 1, flopsPerSecond: x * 10)
      }
      rates.memory = [.init(operation: "copy", level: "L2", workingSetBytes: 1, threads: 1, bytesPerSecond: 4 - x)]
      rates.links = [.init(isOnSameHost: true, carrier: "threads", latencySeconds: x, bytesPerSecond: x + 1)]
      rates.calls = [.init(threads: 1, seconds: x)]
      rates.gelus = [.init(threads: 1, numbersPerSecond: x)]
      rates.norms = [.init(threads: 1, columns: 64, numbersPerSecond: x)]
      return rates
    }
    let medians = MachineRates.medians(of: rounds)
    #expect(medians == rounds[2])
    #expect(MachineRates.medians(of: [rounds[0]]) == rounds[0])
    // What else ran meanwhile is said.
    for (load, isSaid) in [(0.1, false), (1.5, true)] {
      var loaded = medians
      loaded.otherLoad = load
      #expect(BenchMachine.tables(loaded).contains("warning: others kept \(load) of 2 CPUs busy") == isSaid)
    }
  }

  @Test func phasesMakeTheStep() throws {
    let report = try Self.report(Self.configuration(output: "blend"), Self.request(updates: 5))
    #expect(report.steps == 5 && report.ownSeconds.count == 5 && report.losses.count == 7)
    #expect(report.poolAllocationsPerStep == 0, "a step takes no memory from the system")
    let names = report.phases.map(\.name)
    #expect(Set(names).count == names.count && names.last == "other")
    for phase in report.phases where phase.name != "gradient reduction" && phase.name != "other" {
      #expect(phase.seconds > 0 && phase.bytes > 0, "\(phase.name)")
      #expect(phase.productSeconds <= phase.seconds)
      #expect((phase.flops > 0) == (phase.name.hasSuffix("ward")), "\(phase.name)")
    }
    let named = report.phases.dropLast().reduce(0) { $0 + $1.seconds }
    #expect(named > 0.3 * report.secondsPerStep, "\(named) of \(report.secondsPerStep)")
    // Products of the forward pass, three times, but for the gradient of the encoder's input.
    func flops(_ m: Int, _ n: Int, _ k: Int) -> Int { 2 * m * n * k }
    let mixing = 3 * (2 * flops(32, 64, 128) + 2 * flops(128, 64, 64))
    let others = flops(128, 224, 128) + flops(2_048, 14, 28)
    #expect(report.flopsPerStep == 2 * flops(128, 64, 16 * 17) + 3 * (mixing + others))
    let json = try JSONValue(parsing: Array(report.json().utf8), place: "report")
    #expect(json["flopsPerStep"]?.integer == report.flopsPerStep)
    #expect(json["phases"]?.array?.count == names.count)
    #expect(json["kind"]?.string == "training" && json["secondsPerStep"]?.double == report.secondsPerStep)
    for name in names { #expect(report.table.contains(name)) }
  }

  @Test(arguments: [
    (ranks: 2, settings: ["parallel.domain=2"]), (2, ["parallel.tensor=2"]),
    (4, ["parallel.domain=2", "parallel.splitOptimizer=true"]),
  ])
  func ranksStepTheSameModel(ranks: Int, settings: [String]) throws {
    var configuration = try Self.configuration("training.batchSize=2")
    let one = try Self.report(configuration, Self.request())
    for setting in settings { try configuration.apply(setting) }
    let several = try Self.report(configuration, Self.request(), ranks: ranks)
    // Replicas get the same samples, so that their mean is that of one.
    MeshTrainingTests.expectAlike(several.losses, one.losses, 1e-5, "\(settings)")
    #expect(several.samplesPerStep == 2 * several.ranks / 2 && several.ranks == ranks)
    #expect(several.flopsPerStep == one.flopsPerStep * ranks / 2)
  }

  @Test func forecastsHaveNoBackward() throws {
    let report = try Self.report(Self.configuration(), Self.request(isForecast: true))
    #expect(report.kind == "forecast" && report.losses == [])
    #expect(
      report.phases.map(\.name) == [
        "encoder forward", "token mixing forward", "channel mixing forward", "decoder forward", "output forward",
        "other",
      ])
  }

  // MARK: The machine

  @Test func machineIsMeasuredAndStored() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/below/machine.json"
    let text = try BenchMachine(output: path, isQuick: true, threads: 1, console: .silent).run()
    #expect(text.hasSuffix("saved \(path)"))
    var rates = try MachineRates(file: path)
    #expect(rates.peaks.count == 1 && rates.links == [])
    #expect(Set(rates.products.map(\.operands)) == ["nn", "nt", "tn"])
    #expect(Set(rates.memory.map(\.level)) == ["L1", "L2", "L3", "memory"] && rates.memory.count == 8)
    #expect(rates.norms?.map(\.columns) == [64, 1_024] && rates.gelus?.count == 1)
    let peak = try #require(rates.multiplyAddPeak(threads: 1))
    #expect(peak > 1e8 && peak < 1e13 && rates.multiplyAddPeak(threads: 3) == nil)

    // Ranks add their links, once.
    for _ in 0..<2 {
      try Ranks.run(asThreads: 2) {
        _ = try BenchMachine(output: path, isQuick: true, on: $0, console: .silent).run()
      }
    }
    let linked = try MachineRates(file: path)
    #expect(linked.links.map(\.isOnSameHost) == [true] && linked.links[0].carrier == "threads")
    rates.links = linked.links
    #expect(linked == rates)
  }

  /// Stored for this processor and count of threads it is believed, else measured.
  @Test func trainingsTakeTheStoredPeak() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/machine.json"
    var rates = MachineRates(
      measured: "2001-01-01T00:00:00", host: "here", processor: Machine.processorName, kernels: Compute.kernelSet,
      cpus: 1)
    rates.peaks = [.init(type: "fp32", unit: "fused multiply-add", threads: 1, flopsPerSecond: 123e15)]
    try rates.write(to: path)
    func peak(threads: Int, file: String? = path) -> Double {
      Assembly.multiplyAddPeak(Compute(threads: threads), processors: Double(threads), .silent, file: file)
    }
    #expect(peak(threads: 1) == 123e15)
    #expect(peak(threads: 2) < 1e15)
    #expect(peak(threads: 1, file: nil) < 1e15)
    rates.processor = "another"
    try rates.write(to: path)
    #expect(peak(threads: 1) < 1e15)
    rates.processor = Machine.processorName
    rates.peaks[0].flopsPerSecond = -1
    try rates.write(to: path)
    #expect(peak(threads: 1) < 1e15)
    #expect(throws: JigsawError.self) { try MachineRates(file: path) }
  }
}
