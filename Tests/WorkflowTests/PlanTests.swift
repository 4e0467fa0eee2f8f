import Basics
import Configuration
import Forecasting
import Foundation
import Planning
import Stores
import TestSupport
import Testing

@testable import Workflow

@Suite struct PlanTests {
  private static func configuration(_ settings: String...) throws -> RunConfiguration {
    var configuration = RunConfiguration()
    let fixed = [
      "data.static=[lsm]", "model.patch=[4, 4]", "model.channels=64", "model.tokenWidth=64", "model.channelWidth=64",
      "model.blocks=2", "training.batchSize=2",
    ]
    for setting in fixed + settings { try configuration.apply(setting) }
    return configuration
  }

  private static func request(ranks: Int = 1, machine: String = "horeka-a100-40") -> PlanWorkflow.Request {
    var request = PlanWorkflow.Request(machine: machine)
    request.ranks = ranks
    request.grid = .boxes(rows: 32, columns: 64)
    request.variables = 14
    request.samplesPerEpoch = 1_000
    return request
  }

  private static func plan(_ configuration: RunConfiguration, _ request: PlanWorkflow.Request) throws -> PlanReport {
    try PlanWorkflow(configuration, request, console: .silent).run()
  }

  @Test func theAnswerHoldsTogether() throws {
    let report = try Self.plan(Self.configuration(), Self.request(ranks: 4))
    let best = report.best
    #expect(report.ranks == 4 && best.replica * best.domain * best.tensor == 4)
    #expect(report.considered == 18 && report.simulated == 9 && report.runnersUp.count == 5)
    #expect(best.globalBatch == 2 * best.replica)
    for layout in [best] + report.runnersUp {
      #expect(layout.samplesPerSecond <= best.samplesPerSecond)
      #expect(layout.memory.parts.reduce(0) { $0 + $1.1 } == layout.memory.total && layout.memory.verdict == "fits")
      #expect(abs(layout.samplesPerSecond * layout.secondsPerUpdate / Double(layout.globalBatch) - 1) < 1e-9)
      #expect(layout.shareOfPeak > 0 && layout.shareOfPeak < 1)
      let epoch = try #require(layout.secondsPerEpoch)
      #expect(abs(epoch * layout.samplesPerSecond / 1_000 - 1) < 1e-9)
      // 400 W, and a quarter of a node's 800 W.
      #expect(abs(layout.kilowattHoursPerEpoch! / (4 * 600 * epoch / 3.6e6) - 1) < 1e-9)
    }
    let json = try JSONValue(parsing: Array(report.json().utf8), place: "plan")
    #expect(json["format"]?.string == "jigsaw-plan-1" && json["best"]?["mesh"]?.string == best.mesh)
    for text in ["This program runs on processors", "memory per rank", "samples/s", "is bound by", "an epoch of 1000"] {
      #expect(report.text.contains(text), "\(text) in \(report.text)")
    }
    #expect(report.counts.contains("\(best.productFLOPs)"))
  }

  /// Decoded fields that are kept, up to the limit, and frames read ahead.
  @Test func memoryHoldsWhatIsReadAgain() throws {
    var configuration = try Self.configuration()
    func memory(_ reads: Bool = true) throws -> PlanReport.Memory {
      var request = Self.request()
      request.reads = reads
      request.mesh = (1, 1, 1)
      return try Self.plan(configuration, request).best.memory
    }
    // 1 000 states of 14 fields of 32 × 64 points.
    let (kept, none) = (try memory(), try memory(false))
    #expect(kept.fields == 1_000 * 14 * 32 * 64 * 4 && none.fields == 0)
    configuration.data.cacheGiB = 0.01
    #expect(try memory().fields == Int(0.01 * Double(1 << 30)))
    configuration.data.cacheGiB = 0
    #expect(try memory().fields == 0)
    // 16 frames of two samples, where there is memory for so many, in place of two.
    configuration.training.prefetch = 2
    #expect(try kept.frames - memory().frames == 14 * 2 * 14 * 32 * 64 * 4)
  }

  /// The plan has the memory of all three verbs from metadata alone: chunks of ten times are decoded whole, and HDF5 keeps them.
  @Test func memoryIsThatOfWholeRuns() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    var configuration = try ResumeTests.configuration(folder.path, run: "run", rollout: "autoregressive")
    configuration.forecast.leadHours = 24
    var request = PlanWorkflow.Request(machine: "sapphire-rapids")
    (request.mesh, request.threads) = ((1, 1, 1), 1)
    let report = try Self.plan(configuration, request)
    let (training, forecast) = (report.best.memory, try #require(report.forecastMemory))
    let evaluation = try #require(report.evaluationMemory)
    let (plane, chunk) = (5 * 8 * 16 * 4, 5 * 8 * 16 * 4 * 10)
    // 37 times are trained on and two days validated; forecasts start in the last two chunks; all are verified against.
    #expect(training.fields == 50 * plane && training.libraries == 5 * chunk)
    #expect(forecast.fields == 20 * plane && forecast.libraries == 2 * chunk)
    #expect(evaluation.fields == 60 * plane && evaluation.libraries == 6 * chunk)
    #expect(forecast.weights == training.weights && forecast.gradients == 0 && forecast.activations > 0)
    #expect(evaluation.weights == 0 && evaluation.climatology > 0 && evaluation.scores > 0)
    for memory in [training, forecast, evaluation] {
      #expect(memory.parts.reduce(0) { $0 + $1.1 } == memory.total && memory.program > 30_000_000)
    }
    #expect(report.text.contains("forecast") && report.text.contains("evaluate: fits"))
    // Forecasts to NetCDF stay in HDF5 until the file is closed: two initial times of four leads.
    configuration.forecast.format = .netcdf
    let written = try #require(try Self.plan(configuration, request).forecastMemory)
    #expect(written.libraries == forecast.libraries + 2 * 4 * plane)
    // In files of their own, those of a batch; ecCodes takes less to write than to read.
    configuration.forecast.layout = .perForecast
    for batch in [1, 2] {
      configuration.forecast.batchSize = batch
      let apart = try #require(try Self.plan(configuration, request).forecastMemory)
      #expect(apart.libraries == forecast.libraries + batch * 4 * plane)
    }
    (configuration.forecast.layout, configuration.forecast.format) = (.together, .grib2)
    let messages = try Self.plan(configuration, request)
    #expect(messages.forecastMemory?.libraries == forecast.libraries + GRIBWriter.measuredLibraryBytes)
    #expect(messages.evaluationMemory?.libraries == evaluation.libraries + GRIBStore.measuredLibraryBytes)
    #expect(GRIBWriter.measuredLibraryBytes < GRIBStore.measuredLibraryBytes / 2)
    // The longest rollout decides, whatever the first one is.
    try configuration.apply("training.rollout.stages=[{fraction: 0, steps: 1}]")
    #expect(try Self.plan(configuration, request).best.memory.total < training.total)
  }

  /// Checkpointing computes blocks again; one rank sends nothing.
  @Test func aMeshIsPredictedAsConfigured() throws {
    var request = Self.request()
    request.mesh = (1, 1, 1)
    let plain = try Self.plan(Self.configuration(), request)
    let again = try Self.plan(Self.configuration("training.checkpointActivations=true"), request)
    #expect(again.best.checkpointActivations && again.best.productFLOPs > plain.best.productFLOPs)
    #expect(again.best.memory.activations < plain.best.memory.activations)
    #expect(plain.best.bytesSent.values.allSatisfy { $0 == 0 } && plain.runnersUp.isEmpty)
    request.globalBatch = 12
    let larger = try Self.plan(Self.configuration(), request)
    #expect(larger.best.batch == 2 && larger.best.accumulation == 6 && larger.best.globalBatch == 12)
    request.reads = false
    #expect(try Self.plan(Self.configuration(), request).best.bytesRead == 0 && larger.best.bytesRead > 0)
  }

  /// Graph models are planned in as many chunks as memory asks for, which is said; what no way takes is refused.
  @Test(arguments: [1, 2]) func chunksAreChosenByMemory(domain: Int) throws {
    var request = Self.request(ranks: domain)
    request.grid = .boxes(rows: 64, columns: 128 * domain)
    request.mesh = (1, domain, 1)
    request.reads = false
    func plan(_ settings: String...) throws -> PlanReport {
      var configuration = RunConfiguration()
      let fixed = [
        "data.static=[lsm]", "model={family: graph-transformer, channels: 64, graph: {level: 2}}",
        "model.processor.layers=4",
      ]
      for setting in fixed + settings { try configuration.apply(setting) }
      return try Self.plan(configuration, request)
    }
    let whole = try plan()
    // Edges alone have two ends and, three numbers and four of lists each: three out of every point, nine into the hidden nodes of level 2.
    #expect(whole.best.memory.graph > 8_192 * domain * 3 * 4 * (2 + 3 + 3 + 4))
    func bytes(_ report: PlanReport) -> Int {
      report.best.memory.total - report.best.memory.frames - report.best.memory.fields
    }
    func gigabytes(_ share: Double) -> Double { share * Double(bytes(whole)) / Double(1 << 30) }
    let roomy = try plan("model.memoryGiB=\(gigabytes(1.01))")
    #expect(bytes(roomy) == bytes(whole) && roomy.text.contains("encoder and decoder whole"))
    let tight = try plan("model.memoryGiB=\(gigabytes(0.6))")
    #expect(Double(bytes(tight)) <= 0.6 * Double(bytes(whole)))
    #expect(tight.best.checkpointActivations && tight.text.contains("chunks, blocks checkpointed"), "\(tight.text)")
    // As they would have to be set by hand.
    let chunks = try #require(tight.model.settings["mapperChunks"])
    let groups = try #require(tight.model.settings["processorChunks"])
    let byHand = try plan(
      "model.mapperChunks=\(chunks)", "model.processorChunks=\(groups)", "training.checkpointActivations=true")
    #expect(bytes(byHand) == bytes(tight))
    let error = #expect(throws: JigsawError.self) { try plan("model.memoryGiB=\(gigabytes(0.01))") }
    #expect(
      "\(try #require(error))".hasPrefix("model.memoryGiB: is less than an update takes"),
      "\(String(describing: error))")
  }

  /// What can't fit is refused with what does.
  @Test func tooLittleMemoryIsSaid() throws {
    let folder = try TemporaryFolder()
    var machine = try MachineCatalogue.named("horeka-a100-40")
    machine.name = "small"
    machine.programBytes.value = 0
    machine.memoryBytes.value = 2.3e6
    let path = "\(folder.path)/small.json"
    try Files.writeAtomically(machine.json(), to: path)
    let configuration = try Self.configuration("model.blocks=1")
    var request = Self.request(machine: path)
    let alone = #expect(throws: JigsawError.self) { try Self.plan(configuration, request) }
    let sentence = "\(try #require(alone))"
    #expect(
      sentence.hasPrefix("plan: every layout of 1 rank needs more memory than a rank of small has; expected at most"))
    #expect(sentence.contains(" ranks ") && sentence.contains(" fits, with "), "\(sentence)")
    request.mesh = (16, 1, 1)
    let mesh = #expect(throws: JigsawError.self) { try Self.plan(configuration, request) }
    #expect("\(try #require(mesh))".hasPrefix("plan: the mesh 16 × 1 × 1 needs more memory"))
  }

  @Test func aSweepWritesATableAndPictures() throws {
    let folder = try TemporaryFolder()
    let workflow = PlanWorkflow(try Self.configuration(), Self.request(), console: .silent)
    let text = try PlanSweep(workflow, ranks: PlanSweep.powers(1...9), console: .silent).run(into: folder.path)
    #expect(text.contains("strong") && text.contains("weak"))
    let rows = try Files.readText("\(folder.path)/scaling.csv").split(separator: "\n").map { $0.split(separator: ",") }
    #expect(rows.map(\.count) == [Int](repeating: 23, count: 9))
    #expect(
      rows.dropFirst().map { "\($0[0]) \($0[1])" }
        == ["strong", "weak"].flatMap { s in [1, 2, 4, 8].map { "\(s) \($0)" } })
    for row in rows.dropFirst() {
      #expect(Int(row[9]) == (row[0] == "strong" ? 2 : 2 * Int(row[1])!), "samples per update")
      if row[1] == "1" { #expect(Double(row[12]) == 1) }
    }
    for name in ["throughput", "efficiency", "roofline"] {
      let svg = try Files.readText("\(folder.path)/\(name).svg")
      #expect(svg.hasPrefix("<svg") && svg.hasSuffix("</svg>\n") && svg.contains("horeka-a100-40"))
    }
    #expect(PlanSweep.powers(3...20) == [4, 8, 16])
  }
}
