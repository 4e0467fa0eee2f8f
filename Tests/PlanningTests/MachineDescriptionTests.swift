import Basics
import Foundation
import Testing

@testable import Planning

@Suite struct MachineDescriptionTests {
  @Test func everyMachineOfTheCatalogueIsSoundAndSaysWhereItsFiguresAreFrom() throws {
    let machines = try MachineCatalogue.all()
    #expect(
      machines.map(\.name) == ["horeka-a100-40", "h100", "h200", "gh200", "mi250x", "sapphire-rapids"])
    for machine in machines {
      for (key, figure) in machine.figures {
        let isDocumented = figure.source.contains("http") || figure.source.contains("arXiv")
        #expect(isDocumented || figure.isAssumed == true, "\(machine.name): \(key)")
      }
      for precision in machine.precisions.keys {
        let model = try machine.model(precision: precision)
        let cube = MachineModel.Product(m: 4_096, n: 4_096, k: 4_096)
        let rate = Double(cube.flops) / model.productSeconds(cube)
        #expect(
          rate > 0.1 * model.peakFLOPsPerSecond && rate < model.peakFLOPsPerSecond, "\(machine.name) \(precision)")
        let pass = 1e9 / model.passSeconds(1_000_000_000)
        #expect(pass > 1e10 && pass < 1e13, "\(machine.name)")
      }
      #expect(try MachineDescription(json: Array(machine.json().utf8), place: "again") == machine)
    }
  }

  /// The published machine: 4 GPUs per node, TF32 156 and FP32 19.5 TFLOP/s.
  @Test func horeka() throws {
    let machine = try MachineCatalogue.named("horeka-a100-40").planned(precision: "tf32", threads: 0, place: "")
    #expect(machine.model.peakFLOPsPerSecond == 156e12 && machine.model.ranksPerNode == 4)
    #expect(machine.memoryBytes == 40_000_000_000)
    #expect(machine.watts == 600)
    #expect(machine.model.withinNode.bytesPerSecond == 80e9)
    #expect(machine.model.nodeBytesPerSecond == 20e9)
    // A cube of side halfSize reaches half of the share, apart from the launch.
    let half = MachineModel.Product(m: 700, n: 700, k: 700)
    let seconds = machine.model.productSeconds(half) - 4e-6
    #expect(abs(Double(half.flops) / seconds / (0.5 * 0.78 * 156e12) - 1) < 1e-9)
  }

  @Test func threadsDivideANodeOfProcessors() throws {
    let machine = try MachineCatalogue.named("sapphire-rapids")
    let whole = try machine.planned(precision: "fp32", threads: 0, place: "")
    let quarter = try machine.planned(precision: "fp32", threads: 14, place: "")
    #expect(whole.model.ranksPerNode == 2 && quarter.model.ranksPerNode == 8)
    #expect(quarter.model.peakFLOPsPerSecond * 4 == whole.model.peakFLOPsPerSecond)
    #expect(quarter.memoryBytes! * 4 == whole.memoryBytes!)
    // Halves in two parts: three products.
    let split = try machine.planned(precision: "bf16x3", threads: 0, place: "")
    #expect(split.model.peakFLOPsPerSecond == 114.7e12 / 3)
    #expect(throws: JigsawError.self) { try machine.planned(precision: "fp32", threads: 113, place: "") }
    #expect(throws: JigsawError.self) {
      try MachineCatalogue.named("h100").planned(precision: "fp32", threads: 4, place: "")
    }
  }

  /// What is wrong, and the sentence that says so.
  @Test(arguments: [
    ("\"ranksPerNode\"", "\"ranksPerNodes\"", "m.json: ranksPerNode: is missing"),
    ("\"isGPU\" : true", "\"isGPU\" : true, \"isGpu\": 1", "m.json: isGpu: unknown setting; expected one of"),
    ("\"isGPU\" : true", "\"isGPU\" : \"yes\"", "m.json: isGPU: has a value that doesn't fit; expected true or false"),
    (
      "\"value\" : 4\n", "\"value\" : 4.5\n",
      "m.json: ranksPerNode: has a value that doesn't fit; expected a whole number"
    ),
    (
      "\"value\" : 40000000000", "\"value\" : -1", "m.json: memoryBytes: has a value that doesn't fit; expected above 0"
    ),
    (
      "\"value\" : 0.85", "\"value\" : 1.5",
      "m.json: memoryShareReached: has a value that doesn't fit; expected at most 1"
    ),
    (
      "\"value\" : 40000000000", "\"value\" : 1e25",
      "m.json: memoryBytes: has a value that doesn't fit; expected at most 1e24"
    ),
    (
      "\"value\" : 4e-06", "\"value\" : 4e6",
      "m.json: launchSeconds: has a value that doesn't fit; expected at most 3600 s"
    ),
    ("jigsaw-machine-description-1", "jigsaw-machine-9", "m.json: is not a description of a machine"),
  ])
  func mistakesAreNamed(_ found: String, _ replacement: String, _ message: String) throws {
    let text = try MachineCatalogue.named("horeka-a100-40").json()
    let damaged = text.replacing(found, with: replacement)
    #expect(damaged != text)
    do {
      _ = try MachineDescription(json: Array(damaged.utf8), place: "m.json")
      Issue.record("accepted: \(replacement)")
    } catch let error as JigsawError {
      #expect("\(error)".hasPrefix(message), "\(error)")
    }
  }

  @Test func unknownMachinesAreNamedWithThoseThereAre() throws {
    let error = #expect(throws: JigsawError.self) {
      try PlannedMachine.open("horeka-a100", precision: "fp32", ranks: 1)
    }
    #expect("\(error!)".contains("did you mean 'horeka-a100-40'?"))
    let precision = #expect(throws: JigsawError.self) {
      try PlannedMachine.open("mi250x", precision: "tf32", ranks: 1)
    }
    #expect("\(precision!)".contains("has no rates of tf32 products; found bf16, fp32"))
  }
}
