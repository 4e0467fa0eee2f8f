import Basics
import Distribution
import Models
import TestSupport
import Testing

@testable import Planning

/// What a machine's reading, nodes and unevenness do to an update.
struct MachineEffectTests {
  private static func seconds(_ layout: Layout, _ machine: MachineModel) throws -> Double {
    try TrainingSimulator(SimulationTests.even).predict(layout, on: machine).seconds
  }

  @Test("Reading hides behind computing until it takes longer; then the update takes as long as reading")
  func reading() throws {
    let bytes = 1_000_000
    for mesh in [(1, 1, 1), (1, 1, 2), (2, 2, 2)] {
      var still = SimulationTests.layout(mesh.0, mesh.1, mesh.2) { $0.batch = 2 }
      let without = try Self.seconds(still, SimulationTests.machine())
      still.storedBytesPerFrame = bytes
      var machine = SimulationTests.machine()
      machine.readingBytesPerSecond = (1e12, .infinity, .infinity)
      let fast = try Self.seconds(still, machine)
      #expect(abs(fast - without) < 1e-9, "\(fast), without reading \(without)")
      // States and targets of two samples each, shared by the ranks of an instance.
      machine.readingBytesPerSecond = (1e8, .infinity, .infinity)
      let prediction = try TrainingSimulator(SimulationTests.even).predict(still, on: machine)
      let expected = Double(2 * 2 * bytes / still.mesh.instance) / 1e8
      #expect(abs(prediction.seconds / expected - 1) < 1e-6, "\(prediction.seconds), expected \(expected)")
      #expect(prediction.readingWaitSeconds > 0)
      #expect(prediction.work.bytesRead == 4 * bytes / still.mesh.instance)
      #expect(prediction.memory.frames > 0)
      // All ranks of the job together.
      machine.readingBytesPerSecond = (1e8, .infinity, 1e8)
      let shared = try Self.seconds(still, machine)
      #expect(abs(shared / expected / Double(still.mesh.count) - 1) < 1e-6)
    }
  }

  @Test("GELU takes its time for each hidden value, forward and backward")
  func gelu() throws {
    let layout = SimulationTests.layout(1, 1, 1) { $0.batch = 2 }
    var machine = SimulationTests.machine()
    let without = try Self.seconds(layout, machine)
    machine.geluSeconds = 1e-6
    // Two blocks of [36 of tokens, 24 channels] and [8 tokens, 48], for two samples.
    let hidden = 2 * 2 * (36 * 24 + 8 * 48)
    #expect(abs(try Self.seconds(layout, machine) - without - 2 * Double(hidden) * 1e-6) < 1e-9)
  }

  @Test("LayerNorm takes its time for each row, once forward and twice backward, where it is normalised again")
  func rowSums() throws {
    let layout = SimulationTests.layout(1, 1, 1) { $0.batch = 2 }
    var machine = SimulationTests.machine()
    let without = try Self.seconds(layout, machine)
    machine.rowSumSeconds = { 1e-3 * Double($0) }
    // Two layers in each of two blocks, and the decoder's, whose result is kept; 8 tokens and two samples, 24 channels.
    let numbers = (3 * 2 * 2 + 2) * 8 * 2 * 24
    let more = try Self.seconds(layout, machine) - without
    #expect(abs(more / (1e-3 * Double(numbers)) - 1) < 0.01, "\(more)")
  }

  @Test("Messages within a node and to another one don't wait for each other, alike ones do")
  func connectionsOfARank() {
    func ends(_ between: [Bool]) -> [Double?] {
      let network = VirtualNetwork(ranks: 2, nodes: 2)
      let messages = between.map { isBetweenNodes in
        let message = VirtualNetwork.Message(posted: 0)
        var way = VirtualNetwork.Way()
        (way.destination, way.destinationNode, way.isBetweenNodes, way.rankSeconds) = (1, 1, isBetweenNodes, 1)
        network.add(message, way, at: 0)
        return message
      }
      while network.nextTime != nil { network.step() }
      return messages.map(\.end)
    }
    #expect(ends([false, true]) == [1, 1])
    #expect(ends([false, false]) == [1, 2] && ends([true, true]) == [1, 2])
  }

  @Test("A few replicas stand for many")
  func manyReplicas() throws {
    var few = try TrainingSimulator(SimulationTests.even)
    var all = few
    (few.mostReplicas, all.mostReplicas) = (8, 64)
    for ranksPerNode in [1, 4] {
      for splits in [false, true] {
        let layout = SimulationTests.layout(64, 1, 2) { $0.splitsOptimizer = splits }
        var machine = SimulationTests.machine(bytesPerSecond: 1e7, latencySeconds: 1e-7, ranksPerNode: ranksPerNode)
        machine.nodeBytesPerSecond = 2e7
        let (a, b) = (try few.predict(layout, on: machine), try all.predict(layout, on: machine))
        #expect(abs(a.seconds / b.seconds - 1) < 0.03, "\(ranksPerNode) \(splits): \(a.seconds), all \(b.seconds)")
        #expect(a.samples == b.samples)
        let (sent, allSent) = (a.work.bytesSent[.replica] ?? 0, b.work.bytesSent[.replica] ?? 1)
        #expect(abs(Double(sent) / Double(allSent) - 1) < 0.02, "\(sent), all \(allSent)")
      }
    }
  }

  @Test("Frames that are normalised on the rank's own time take that time")
  func frames() throws {
    var layout = SimulationTests.layout(1, 1, 1)
    var machine = SimulationTests.machine()
    let without = try Self.seconds(layout, machine)
    layout.storedBytesPerFrame = 1
    machine.frameSecondsPerByte = 1e-6
    let values = 8 * 16 * 6
    #expect(abs(try Self.seconds(layout, machine) - without - 2 * Double(4 * values) * 1e-6) < 1e-9)
  }

  @Test("A slower link between nodes costs only meshes that reach across")
  func nodes() throws {
    var machine = SimulationTests.machine(bytesPerSecond: 1e9, ranksPerNode: 4)
    machine.betweenNodes = MachineModel.Link(latencySeconds: 1e-5, bytesPerSecond: 1e8)
    let flat = SimulationTests.machine(bytesPerSecond: 1e9)
    for (mesh, isWithin) in [((1, 2, 2), true), ((2, 1, 2), true), ((1, 2, 4), false), ((4, 1, 2), false)] {
      let layout = SimulationTests.layout(mesh.0, mesh.1, mesh.2)
      let (near, far) = (try Self.seconds(layout, flat), try Self.seconds(layout, machine))
      #expect(isWithin ? near == far : far > near)
    }
    // Four replicas of one rank each on a node share its connection.
    let layout = SimulationTests.layout(8, 1, 1)
    machine.nodeBytesPerSecond = 1e8
    let shared = try Self.seconds(layout, machine)
    machine.nodeBytesPerSecond = nil
    #expect(shared > (try Self.seconds(layout, machine)))
  }

  @Test("Uneven ranks cost more the more there are, and each simulation repeats")
  func straggling() throws {
    var machine = SimulationTests.machine()
    var last = try Self.seconds(SimulationTests.layout(1, 1, 2), machine)
    machine.straggling = 0.05
    for replicas in [4, 64] {
      let layout = SimulationTests.layout(replicas, 1, 2)
      let seconds = try Self.seconds(layout, machine)
      #expect(seconds > last && seconds < 1.5 * last)
      #expect(seconds == (try Self.seconds(layout, machine)))
      last = seconds
    }
  }

  @Test("Phases add up to the update, and a trace of them is written")
  func phases() throws {
    let prediction = try TrainingSimulator(SimulationTests.even).predict(
      SimulationTests.layout(2, 1, 2), on: SimulationTests.machine(bytesPerSecond: 1e8, latencySeconds: 1e-6))
    #expect(abs(prediction.phases.reduce(0) { $0 + $1.seconds } / prediction.seconds - 1) < 0.02)
    let folder = try TemporaryFolder()
    _ = try TrainingSimulator(SimulationTests.even).predict(
      SimulationTests.layout(1, 1, 2), on: SimulationTests.machine(bytesPerSecond: 1e8), extent: .instance,
      traceFolder: folder.path)
    let text = String(decoding: try Files.read("\(folder.path)/rank-1.json"), as: UTF8.self)
    for name in ["token mixing forward", "product", "from rank 0", "optimiser"] { #expect(text.contains(name)) }
  }

  @Test("Layouts and machines that can't be are refused")
  func refusals() throws {
    func refused(_ layout: Layout, _ machine: MachineModel = SimulationTests.machine()) -> String {
      do {
        _ = try Self.seconds(layout, machine)
        return "fine"
      } catch { return "\(error)" }
    }
    #expect(refused(SimulationTests.layout(1, 1, 7)).contains("expected a mesh for 7 ranks, 8 tokens and 6 fields"))
    #expect(refused(SimulationTests.layout(1, 1, 1) { $0.batch = 0 }).contains("can't simulate such a batch"))
    #expect(refused(SimulationTests.layout(1, 1, 1), SimulationTests.machine(bytesPerSecond: 0)).contains("bandwidth"))
    #expect(refused(SimulationTests.layout(1, 1, 1), SimulationTests.machine(ranksPerNode: 0)).contains("per node"))
  }
}
