import Basics
import Communication
import Datasets
import Distribution
import Execution
import Models
import Stepping
import Tensors
import Training

/// Predicts what a training would cost, by running it: the real trainer, on ranks that compute nothing, hold nothing and send nothing,
/// but whose clocks move on as if they did.
public struct TrainingSimulator: Predictor {
  /// Which ranks are simulated.
  public enum Extent: Sendable {
    /// One model instance that stands for all: its cost does not grow with the replicas.
    case instance
    /// All ranks of the mesh.
    case mesh
  }

  let model: any ForecastModel
  let tiling: Tiling
  let description: ModelDescription
  /// States kept when back-propagating through several steps.
  private let storedStates: Int
  private let rollout: RolloutPlan.Kind
  /// Replicas simulated at most where one stands for all: messages between them stand for those of more.
  public var mostReplicas = 64

  /// - Throws: when the patch does not divide the grid.
  public init(_ description: ModelDescription, rollout: RolloutPlan.Kind = .autoregressive, storedStates: Int = 3)
    throws
  {
    self.description = description
    self.rollout = rollout
    self.storedStates = storedStates
    tiling = try description.tiling()
    model = try description.makeModel()
  }

  public func predict(_ layout: Layout, on machine: MachineModel) throws -> Prediction {
    try predict(layout, on: machine, extent: .instance)
  }

  /// - Parameters:
  ///   - traceFolder: where the simulated ranks' traces go, if they are wanted: `rank-N.json`.
  public func predict(
    _ layout: Layout, on machine: MachineModel, extent: Extent, traceFolder: String? = nil
  ) throws -> Prediction {
    let machine = extent == .mesh ? machine : shrunk(machine, layout.mesh)
    let reports = try simulate(layout, on: machine, extent: extent, traceFolder: traceFolder)
    var prediction = Prediction(reports, samples: layout.batch * layout.accumulation * layout.mesh.replica)
    let (all, some) = (layout.mesh.replica, simulated(layout.mesh, machine, extent).replica)
    if some < all {
      // 2·n·(R − 1)/R; a split optimiser holds 1/R.
      let sent = Double(all - 1) / Double(all) * Double(some) / Double(some - 1)
      prediction.work.bytesSent[.replica] = prediction.work.bytesSent[.replica].map { Int(Double($0) * sent) }
      if layout.splitsOptimizer {
        prediction.memory.optimizer = Int(Double(prediction.memory.optimizer) * Double(some) / Double(all))
      }
    }
    return prediction
  }

  /// A machine with nodes of half as many replicas as are simulated at most: larger ones, of which several are in use, would ask for
  /// a simulation of all their ranks. The ranks of a node share what it has as they did.
  private func shrunk(_ machine: MachineModel, _ mesh: Mesh) -> MachineModel {
    let most = max(1, mostReplicas / 2) * mesh.instance
    guard machine.ranksPerNode > most, mesh.count > machine.ranksPerNode else { return machine }
    var smaller = machine
    let share = Double(most) / Double(machine.ranksPerNode)
    smaller.ranksPerNode = most
    smaller.nodeBytesPerSecond = machine.nodeBytesPerSecond.map { $0 * share }
    smaller.readingBytesPerSecond.node *= share
    return smaller
  }

  /// A mesh with as many replicas as take part in a simulation.
  private func simulated(_ mesh: Mesh, _ machine: MachineModel, _ extent: Extent) -> Mesh {
    // More than a node has, where there are several.
    let most =
      mesh.count <= machine.ranksPerNode
      ? mostReplicas : max(mostReplicas, 2 * ((machine.ranksPerNode + mesh.instance - 1) / mesh.instance))
    return extent == .mesh
      ? mesh : Mesh(replica: min(mesh.replica, most), domain: mesh.domain, tensor: mesh.tensor)
  }

  /// The reports of the simulated ranks on the last update.
  func simulate(
    _ layout: Layout, on machine: MachineModel, extent: Extent, traceFolder: String? = nil
  ) throws -> [RankReport] {
    try check(layout, machine)
    let world = VirtualWorld(
      simulated(layout.mesh, machine, extent), machine, isMirrored: extent == .instance, replicas: layout.mesh.replica,
      isTraced: traceFolder != nil)
    // From the second update on nothing changes but what has been read ahead.
    let updates = layout.storedBytesPerFrame > 0 ? layout.prefetch + 3 : 2
    let slowness = Straggling(layout.mesh, machine.straggling, updates: updates)
    return try world.ranks.run { own in
      let rank = try SimulatedRank(self, world, own, layout)
      for update in 0..<updates {
        own.slowness =
          world.isMirrored
          ? slowness.ofSlowestReplica(update, rank: own.index) : slowness.of(update, rank: own.index)
        try rank.update(update)
      }
      try rank.restOfRun(after: updates)
      if let traceFolder { try rank.writeTrace(traceFolder) }
      return rank.report
    }
  }

  private func check(_ layout: Layout, _ machine: MachineModel) throws {
    let mesh = layout.mesh
    _ = try Mesh(
      ranks: mesh.count, domain: mesh.domain, tensor: mesh.tensor, tokens: tiling.tokens,
      fields: description.fields.variables)
    func require(_ name: String, _ value: Double, _ isFine: Bool, _ expected: String) throws {
      if isFine { return }
      throw JigsawError("plan", "can't simulate such a \(name)", expected: expected, found: "\(value)")
    }
    for (name, value) in [
      ("batch", layout.batch), ("number of micro-batches", layout.accumulation), ("rollout", layout.rolloutSteps),
      ("number of ranks per node", machine.ranksPerNode), ("number of threads", machine.threads),
    ] {
      try require(name, Double(value), value >= 1, "at least 1")
    }
    try require("number of frames read ahead", Double(layout.prefetch), layout.prefetch >= 0, "at least 0")
    try require(
      "size of frames", Double(layout.storedBytesPerFrame), layout.storedBytesPerFrame >= 0, "at least 0 bytes")
    for link in [machine.withinNode, machine.betweenNodes] {
      try require("bandwidth", link.bytesPerSecond, link.bytesPerSecond > 0, "more than 0 bytes per second")
      try require("latency", link.latencySeconds, link.latencySeconds >= 0, "at least 0 s")
    }
    let reading = machine.readingBytesPerSecond
    for rate in [reading.rank, reading.node, reading.job, machine.nodeBytesPerSecond ?? .infinity] {
      try require("bandwidth", rate, rate > 0, "more than 0 bytes per second")
    }
    try require("straggling", machine.straggling, machine.straggling >= 0 && machine.straggling < 1, "0 … 1")
  }

  /// The model on one simulated rank, with memory that is none.
  func makeRank(_ context: RankContext, _ compute: Compute, _ layout: Layout, trains: Bool = true) throws -> ModelRank {
    let rank = try ModelRank(context, compute, model.parameters, trains: trains) {
      try model.dryStep($0, batch: layout.batch, isTraining: true)
    }
    rank.checkpointsActivations = layout.checkpointsActivations
    return rank
  }

  func makeStepper(_ rank: ModelRank) -> Stepper {
    let grid = FieldGrid.raster(
      LatLonGrid(
        latitudes: Array(repeating: 0, count: tiling.rows), longitudes: Array(repeating: 0, count: tiling.columns)))
    return Stepper(
      model: model, fields: description.fields, rank: rank,
      // Never computed, so any will do.
      auxiliary: AuxiliaryFields(
        grid: grid, statics: [], forcings: Array(repeating: .insolation, count: description.fields.auxiliaries)),
      tiling: tiling, stepHours: 6)
  }

  func makeRunner(_ rank: ModelRank) -> StepRunner {
    StepRunner(
      makeStepper(rank),
      weights: LossWeights(
        rows: rank.compute.zeros([tiling.fieldSize]), columns: rank.compute.zeros([description.fields.variables])),
      slots: storedStates)
  }

  func plan(_ layout: Layout) -> TrainingUpdate.Plan {
    TrainingUpdate.Plan(
      batchSize: layout.batch, accumulation: layout.accumulation, kind: rollout, steps: layout.rolloutSteps)
  }
}

/// How much longer than usual ranks take for the work of an update: normally distributed, seeded.
private struct Straggling {
  private let mesh: Mesh
  /// By update and rank.
  private let factors: [[Double]]

  init(_ mesh: Mesh, _ deviation: Double, updates: Int) {
    self.mesh = mesh
    guard deviation > 0 else {
      factors = Array(repeating: Array(repeating: 1, count: mesh.count), count: updates)
      return
    }
    let stream = RandomStream(seed: 0, name: "straggling")
    var numbers = [Float](repeating: 0, count: mesh.count)
    factors = (0..<updates).map { update in
      numbers.withUnsafeMutableBufferPointer {
        stream.fillNormal($0, deviation: Float(deviation), row: update, columns: 0..<mesh.count)
      }
      // Nobody is faster than the work allows.
      return numbers.map { max(0.1, 1 + Double($0)) }
    }
  }

  func of(_ update: Int, rank: Int) -> Double { factors[update][rank] }

  /// All wait for the replica whose slowest rank is the slowest of all.
  func ofSlowestReplica(_ update: Int, rank: Int) -> Double {
    let all = factors[update]
    let slowest = all.indices.max { all[$0] < all[$1] } ?? 0
    return all[slowest / mesh.instance * mesh.instance + rank % mesh.instance]
  }
}
