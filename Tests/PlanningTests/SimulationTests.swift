import Basics
import Communication
import Distribution
import Geometry
import Models
import Settings
import Tensors
import Testing
import Training

@testable import Planning

/// A simulated training does what a real one does.
struct SimulationTests {
  static let even = description(
    rows: 8, columns: 16, patch: 4, variables: 6, auxiliaries: 4, channels: 24, tokens: 36, hidden: 48)
  static let uneven = description(
    rows: 10, columns: 14, patch: 2, variables: 7, auxiliaries: 3, channels: 13, tokens: 11, hidden: 17)

  static func description(
    rows: Int, columns: Int, patch: Int, variables: Int, auxiliaries: Int, channels: Int, tokens: Int, hidden: Int,
    output: WeatherMixerSettings.Output = .blend, dropout: Double = 0, blocks: Int = 2
  ) -> ModelDescription {
    ModelDescription(
      WeatherMixerSettings(
        patch: [patch, patch], channels: channels, tokenWidth: tokens, channelWidth: hidden, blocks: blocks,
        output: output, dropout: dropout),
      ModelFields(
        gridRows: rows, gridColumns: columns, variables: variables, auxiliaries: auxiliaries,
        tendencyScale: [Float](repeating: 1, count: variables)))
  }

  /// A graph model on 8 × 16 points, its layers in groups unless there are none.
  static func graph(_ family: String, chunks: Int, groups: Int) -> ModelDescription {
    let heads = family == "gnn" ? "" : "heads: 2, "
    var lines = [
      "channels: 12", "trainableData: 2", "trainableHidden: 2", "graph: {level: 1}", "mapperChunks: \(chunks)",
      "encoder: {\(heads)mlpRatio: 2}", "decoder: {\(heads)mlpRatio: 2}",
      "processor: {\(heads)layers: 4, mlpRatio: 2}",
    ]
    if groups > 0 { lines.append("processorChunks: \(groups)") }
    var fields = ModelFields(
      gridRows: 8, gridColumns: 16, variables: 3, auxiliaries: 2, tendencyScale: [1, 1, 1],
      points: GridPoints(
        latitudes: (0..<8).flatMap { row in [Double](repeating: 78.75 - 22.5 * Double(row), count: 16) },
        longitudes: (0..<8).flatMap { _ in (0..<16).map { 22.5 * Double($0) } }))
    do {
      guard let type = ModelFamilies.named(family) else { preconditionFailure("no family \(family)") }
      let settings = try type.init(parsing: lines)
      if case .recipe(let recipe)? = try settings.graphSource(fields) {
        fields.graph = try GraphBuilder.build(recipe, team: ThreadTeam(count: 1))
      }
      return ModelDescription(settings, fields)
    } catch { preconditionFailure("\(error)") }
  }

  /// Products at a constant rate, nothing else takes time.
  static func machine(
    flopsPerSecond: Double = 1e9, bytesPerSecond: Double = .infinity, latencySeconds: Double = 0, threads: Int = 1,
    ranksPerNode: Int = 1_000
  ) -> MachineModel {
    let link = MachineModel.Link(latencySeconds: latencySeconds, bytesPerSecond: bytesPerSecond)
    var machine = MachineModel(
      productSeconds: { Double($0.flops) / flopsPerSecond }, passSeconds: { _ in 0 },
      peakFLOPsPerSecond: flopsPerSecond,
      ranksPerNode: ranksPerNode, withinNode: link, betweenNodes: link)
    machine.threads = threads
    return machine
  }

  static func layout(_ replica: Int, _ domain: Int, _ tensor: Int, _ change: (inout Layout) -> Void = { _ in })
    -> Layout
  {
    var layout = Layout(mesh: Mesh(replica: replica, domain: domain, tensor: tensor))
    change(&layout)
    return layout
  }

  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let description: ModelDescription
    let layout: Layout
    var threads = 1
    var rollout = RolloutPlan.Kind.autoregressive
    /// A link so slow that every block travels in pieces.
    var isSlow = false
    var precision = Precision.fp32
    /// Not those of tiles of self-attention, which are part of its passes.
    var countsProducts: Bool { !name.hasPrefix("transformer") }
    var testDescription: String { "\(name), \(layout.mesh)" }

    init(
      _ name: String, _ description: ModelDescription, _ layout: Layout, threads: Int = 1,
      rollout: RolloutPlan.Kind = .autoregressive, isSlow: Bool = false, precision: Precision = .fp32
    ) {
      self.name = name
      self.description = description
      self.layout = layout
      self.threads = threads
      self.rollout = rollout
      self.isSlow = isSlow
      self.precision = precision
    }

    func measured() throws -> [RealUpdates.Measured] {
      try RealUpdates.run(
        description, layout, threads: threads, precision, rollout: rollout,
        linkEstimate: isSlow ? LinkEstimate(bytesPerSecond: 1, flopsPerSecond: 1e9) : nil)
    }

    var simulator: TrainingSimulator { get throws { try TrainingSimulator(description, rollout: rollout) } }
    var machine: MachineModel {
      var machine = SimulationTests.machine(bytesPerSecond: isSlow ? 1e3 : .infinity, threads: threads)
      machine.activationType = precision.activationType
      return machine
    }
  }

  static let cases: [Case] = {
    var cases: [Case] = []
    for (replica, domain, tensor) in [
      (1, 1, 1), (1, 1, 2), (1, 2, 1), (1, 2, 2), (1, 2, 3), (1, 1, 4), (2, 1, 2), (3, 1, 1), (2, 2, 2),
    ] {
      cases.append(Case("even", even, layout(replica, domain, tensor)))
      cases.append(Case("uneven", uneven, layout(replica, domain, tensor) { $0.batch = 3 }))
    }
    for (replica, domain, tensor) in [(1, 1, 1), (1, 2, 2), (2, 1, 2)] {
      cases.append(
        Case("checkpointing", even, layout(replica, domain, tensor) { $0.checkpointsActivations = true }))
      cases.append(Case("accumulation", uneven, layout(replica, domain, tensor) { $0.accumulation = 2 }))
      cases.append(Case("rollout", even, layout(replica, domain, tensor) { $0.rolloutSteps = 3 }))
      cases.append(Case("no overlap", uneven, layout(replica, domain, tensor) { $0.overlaps = false }))
      cases.append(
        Case("latent rollout", even, layout(replica, domain, tensor) { $0.rolloutSteps = 2 }, rollout: .latent))
      cases.append(Case("slow link", uneven, layout(replica, domain, tensor), isSlow: true))
      cases.append(Case("two threads", even, layout(replica, domain, tensor) { $0.batch = 2 }, threads: 2))
      cases.append(Case("bf16", even, layout(replica, domain, tensor), precision: .bf16))
      cases.append(
        Case(
          "bf16, rollout, two threads", uneven, layout(replica, domain, tensor) { $0.rolloutSteps = 2 }, threads: 2,
          precision: .bf16))
      let dropout = description(
        rows: 8, columns: 8, patch: 2, variables: 5, auxiliaries: 0, channels: 12, tokens: 9, hidden: 14,
        output: .residual, dropout: 0.1)
      cases.append(Case("dropout, residual", dropout, layout(replica, domain, tensor)))
    }
    for family in ["graph-transformer", "gnn", "transformer"] {
      for (mesh, chunks, groups) in [
        ((1, 1, 1), 1, 0), ((1, 1, 1), 3, 0), ((1, 1, 1), 16, 2), ((2, 1, 1), 3, 2), ((1, 2, 2), 1, 0),
        ((1, 1, 2), 3, 2),
        ((1, 2, 1), 3, 0), ((1, 2, 2), 3, 2),
      ] {
        cases.append(
          Case(
            "\(family), \(chunks) chunks, \(groups) groups", graph(family, chunks: chunks, groups: groups),
            layout(mesh.0, mesh.1, mesh.2) {
              $0.checkpointsActivations = chunks > 1
              $0.batch = 2
            }))
      }
    }
    cases.append(
      Case(
        "split optimiser", uneven,
        layout(2, 1, 2) {
          $0.splitsOptimizer = true
          $0.averagesWeights = true
        }))
    return cases
  }()

  @Test("Operations, messages, bytes and memory are those of a real update", arguments: cases)
  func counts(_ test: Case) throws {
    var measured = try test.measured()
    let simulated = try test.simulator.simulate(test.layout, on: test.machine, extent: .mesh)
    // When threads let go of what they send depends on who copies it, and when: the least of some runs counts, nearly.
    for _ in 0..<(test.layout.mesh.count == 1 ? 0 : 20) {
      let isReached = zip(simulated, measured).allSatisfy { own, real in
        guard let pool = own.pool else { return true }
        return Double(real.poolPeak) <= 1.05 * Double(pool.peakBytesInUse)
          && Double(real.poolBytes) <= 1.05 * Double(pool.bytesInUse + pool.bytesIdle)
      }
      if isReached { break }
      let again = try test.measured()
      for rank in measured.indices {
        measured[rank].poolBytes = min(measured[rank].poolBytes, again[rank].poolBytes)
        measured[rank].poolPeak = min(measured[rank].poolPeak, again[rank].poolPeak)
      }
    }
    #expect(simulated.count == measured.count)
    for (rank, (own, real)) in zip(simulated, measured).enumerated() {
      if test.countsProducts {
        #expect(real.productFLOPs ?? own.work.productFLOPs == own.work.productFLOPs, "rank \(rank)")
      }
      #expect(own.work.bytesSent == real.bytesSent, "rank \(rank)")
      #expect(own.messagesSent == real.messagesSent, "rank \(rank)")
      let pool = try #require(own.pool)
      let held = pool.bytesInUse + pool.bytesIdle
      let tolerance = test.layout.mesh.count == 1 ? 0 : 0.05
      for (own, real) in [(held, real.poolBytes), (pool.peakBytesInUse, real.poolPeak)] {
        #expect(Double(abs(own - real)) <= tolerance * Double(real), "rank \(rank): \(own) and \(real)")
      }
    }
  }

  @Test("One replica stands for all", arguments: cases.filter { $0.layout.mesh.replica > 1 })
  func mirror(_ test: Case) throws {
    let simulator = try test.simulator
    for machine in [Self.machine(), Self.machine(bytesPerSecond: 1e8, latencySeconds: 1e-5)] {
      let all = try simulator.predict(test.layout, on: machine, extent: .mesh)
      let one = try simulator.predict(test.layout, on: machine)
      #expect(abs(one.seconds - all.seconds) <= 0.01 * all.seconds, "\(one.seconds) and \(all.seconds)")
      #expect(one.work.productFLOPs == all.work.productFLOPs)
      #expect(one.memory.total == all.memory.total)
      #expect(one.samples == all.samples)
    }
  }

  @Test("Over a link without limits an update takes as long as its products", arguments: cases)
  func ideal(_ test: Case) throws {
    let simulator = try test.simulator
    let reports = try simulator.simulate(test.layout, on: Self.machine(threads: test.threads), extent: .instance)
    let most = reports.map(\.work.productFLOPs).max() ?? 0
    let seconds = Prediction(reports, samples: 1).seconds
    #expect(seconds >= Double(most) / 1e9 * 0.999_999)
    // Where work is shared unevenly ranks wait for each other within a step, too.
    #expect(seconds <= Double(most) / 1e9 * (test.description == Self.even ? 1.15 : 1.6))
    if test.layout.mesh.count == 1 { #expect(abs(seconds - Double(most) / 1e9) < 1e-12) }
  }

  @Test("A slow link takes its time, a slower one more, and each simulation repeats")
  func links() throws {
    let simulator = try TrainingSimulator(Self.even)
    for mesh in [Self.layout(1, 1, 2), Self.layout(1, 2, 2), Self.layout(4, 1, 1), Self.layout(2, 2, 3)] {
      var last = 0.0
      for rate in [1e12, 1e9, 1e8, 1e7, 1e6] {
        let machine = Self.machine(bytesPerSecond: rate, latencySeconds: 1e-6)
        let prediction = try simulator.predict(mesh, on: machine)
        let bytes = MeshAxis.allCases.map { prediction.work.bytesSent[$0] ?? 0 }.max() ?? 0
        #expect(prediction.seconds >= Double(bytes) / rate)
        #expect(prediction.seconds >= last * 0.999)
        last = prediction.seconds
        let again = try simulator.predict(mesh, on: machine)
        #expect(again.seconds == prediction.seconds && again.waitSeconds == prediction.waitSeconds)
        #expect(again.memory == prediction.memory && again.work == prediction.work)
      }
    }
  }
}
