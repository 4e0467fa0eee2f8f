import Basics
import Configuration
import Foundation
import Planning
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
    request.grid = (32, 64)
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
    #expect(report.considered == 9 && report.simulated == 9 && report.runnersUp.count == 5)
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

  /// What can't fit is refused with what does.
  @Test func tooLittleMemoryIsSaid() throws {
    let folder = try TemporaryFolder()
    var machine = try MachineCatalogue.named("horeka-a100-40")
    machine.name = "small"
    machine.programBytes.value = 0
    machine.memoryBytes.value = 2.5e6
    let path = "\(folder.path)/small.json"
    try Files.writeAtomically(machine.json(), to: path)
    var request = Self.request(machine: path)
    let alone = #expect(throws: JigsawError.self) { try Self.plan(Self.configuration(), request) }
    let sentence = "\(try #require(alone))"
    #expect(
      sentence.hasPrefix("plan: every layout of 1 rank needs more memory than a rank of small has; expected at most"))
    #expect(sentence.contains(" ranks ") && sentence.contains(" fits, with "), "\(sentence)")
    request.mesh = (16, 1, 1)
    let mesh = #expect(throws: JigsawError.self) { try Self.plan(Self.configuration(), request) }
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
