import Basics
import Checkpoints
import Communication
import Datasets
import Distribution
import Execution
import Models
import Stepping
import Synchronization
import Tensors
import Training

@testable import Planning

/// What a simulation is compared with: updates of a small model on ranks as threads, with numbers.
enum RealUpdates {
  struct Measured: Sendable {
    /// Nil where nobody counts.
    var productFLOPs: Int?
    var bytesSent: [MeshAxis: Int] = [:]
    var messagesSent: [MeshAxis: Int] = [:]
    var poolBytes = 0
    var poolPeak = 0
  }

  /// Products that count what they are asked for.
  private final class CountingProducts: ProductBackend {
    let name = "counting"
    private let flops = Atomic<Int>(0)
    var count: Int { flops.load(ordering: .relaxed) }

    func multiply(_ a: Operand, _ b: Operand, into c: Matrix, accumulate: Bool, pause: (() -> Void)?) {
      flops.add(2 * c.rows * c.columns * a.columns, ordering: .relaxed)
      standardProducts().multiply(a, b, into: c, accumulate: accumulate, pause: pause)
    }
  }

  /// The last of two updates, by rank.
  static func run(
    _ description: ModelDescription, _ layout: Layout, threads: Int = 1, _ precision: Precision = .fp32,
    rollout: RolloutPlan.Kind, linkEstimate: LinkEstimate?
  ) throws -> [Measured] {
    @Sendable func run(_ world: any Communicator) throws -> Measured {
      try RealUpdates.run(description, layout, threads, precision, rollout, linkEstimate, world)
    }
    return layout.mesh.count == 1 ? [try run(SingleRank())] : try ThreadRanks.run(layout.mesh.count, run)
  }

  private static func run(
    _ description: ModelDescription, _ layout: Layout, _ threads: Int, _ precision: Precision,
    _ rollout: RolloutPlan.Kind, _ linkEstimate: LinkEstimate?, _ world: any Communicator
  ) throws -> Measured {
    let world = world.with(CommunicationPolicy(overlaps: layout.overlaps), trace: nil)
    let model = try description.makeModel()
    let tiling = try description.tiling()
    let counting = precision == .fp32 ? CountingProducts() : nil
    let compute = Compute(threads: threads, backend: try counting ?? precision.products().backend)
    let rank = try ModelRank(RankContext(layout.mesh, world), compute, model.parameters) {
      try model.dryStep($0, batch: layout.batch, isTraining: true)
    }
    rank.checkpointsActivations = layout.checkpointsActivations
    rank.context.linkEstimate = linkEstimate
    rank.initialize(seed: 1)
    let reduction = GradientReduction(rank, splitsOptimizer: layout.splitsOptimizer)
    var options = OptimizerOptions()
    options.averageDecay = layout.averagesWeights ? 0.999 : 0
    let optimizer = Optimizer(rank.parameters, compute, options, shard: reduction.shard)
    let grid = FieldGrid.raster(
      LatLonGrid(
        latitudes: (0..<tiling.rows).map { 80 - Double($0) }, longitudes: (0..<tiling.columns).map { Double($0) }))
    let fields = description.fields
    let stepper = Stepper(
      model: model, fields: fields, rank: rank,
      auxiliary: AuxiliaryFields(
        grid: grid, statics: [Float](repeating: 0.5, count: fields.auxiliaries * grid.count), forcings: []),
      tiling: tiling, stepHours: 6)
    let runner = StepRunner(
      stepper,
      weights: LossWeights(
        rows: Tensor([Float](repeating: 1, count: tiling.fieldSize), shape: [tiling.fieldSize]),
        columns: Tensor([Float](repeating: 1, count: fields.variables), shape: [fields.variables])))
    let training = TrainingUpdate(runner, optimizer, reduction)
    let state = Tensor(
      zeros: [runner.block.tokens.count, layout.batch, tiling.pointsPerToken * runner.block.fields.count])
    RandomStream(seed: 2, name: "state").fillNormal(state.floats, deviation: 1, row: 0, columns: 0..<state.count)
    let frame = Frame(
      state: state, times: Array(repeating: Timestamp(year: 2001, month: 1, day: 1), count: layout.batch))
    var measured = Measured()
    for update in 0..<2 {
      let (flops, context) = (counting?.count, rank.context)
      let axes: [MeshAxis: any Communicator] = [
        .replica: context.replica, .domain: context.domain, .tensor: context.tensor,
      ]
      let before = axes.mapValues(\.traffic)
      let plan = TrainingUpdate.Plan(
        batchSize: layout.batch, accumulation: layout.accumulation, kind: rollout,
        steps: layout.rolloutSteps)
      let sums = try training.gradients(update, plan) { frame }
      try training.apply(update, learningRate: 1e-4, sums)
      measured.productFLOPs = counting.map { $0.count - flops! }
      for (axis, communicator) in axes {
        measured.bytesSent[axis] = communicator.traffic.bytesSent - before[axis]!.bytesSent
        measured.messagesSent[axis] = communicator.traffic.messagesSent - before[axis]!.messagesSent
      }
    }
    let pool = compute.pool.counters
    measured.poolBytes = pool.bytesInUse + pool.bytesIdle
    measured.poolPeak = pool.peakBytesInUse
    return measured
  }
}
