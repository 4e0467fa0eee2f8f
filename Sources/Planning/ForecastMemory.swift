import Basics
import Communication
import Datasets
import Distribution
import Execution
import Geometry
import Models
import Stepping
import Tensors

extension TrainingSimulator {
  /// The sizes of a forecast that decide its memory.
  public struct Forecast: Sendable {
    public var mesh: Mesh
    /// Initial times that are rolled out at once, and those left for the last batch, which has pieces of memory of its own.
    public var batch: Int
    public var lastBatch = 0
    /// Decoded fields that the run reads, bytes, and how much of them a rank may keep.
    public var decodedBytes = 0
    public var decodedBytesLimit = 0
    /// Rows that ranks write at a time, of all of the grid's.
    public var bands = 1
    public var surroundings = RunSurroundings()

    public init(mesh: Mesh, batch: Int) {
      self.mesh = mesh
      self.batch = batch
    }
  }

  /// - Returns: of the rank that holds most.
  public func memory(of forecast: Forecast, on machine: MachineModel) throws -> RankMemory {
    let mesh = Mesh(replica: 1, domain: forecast.mesh.domain, tensor: forecast.mesh.tensor)
    _ = try Mesh(
      ranks: mesh.count, domain: mesh.domain, tensor: mesh.tensor, tokens: tiling.tokens,
      fields: description.fields.variables)
    let world = VirtualWorld(mesh, machine, isMirrored: false)
    let all = try world.ranks.run { own in try memory(of: forecast, world, own, machine) }
    return all.max { $0.total < $1.total } ?? RankMemory()
  }

  /// The graph that a rank's model computes on, whole, and the rank's lists of its part of it.
  func graphBytes(_ rank: ModelRank) -> Int {
    (description.fields.graph?.byteCount ?? 0) + model.constantBytes(rowShares: rank.context.mesh.domain)
      + rank.listBytes
  }

  private func memory(
    of forecast: Forecast, _ world: VirtualWorld, _ own: VirtualRank, _ machine: MachineModel
  ) throws -> RankMemory {
    var layout = Layout(mesh: world.mesh)
    layout.batch = forecast.batch
    let compute = Compute(
      threads: machine.threads, activationType: machine.activationType, pool: BufferPool(on: DryDevice(own)))
    let rank = try makeRank(try world.context(own), compute, layout, trains: false)
    let stepper = makeStepper(rank)
    try rank.withFrozenWeights(uses: Stepper.drySteps) {
      for batch in [forecast.batch, forecast.lastBatch] where batch > 0 { try stepper.rollOutDry(batch: batch) }
    }
    var memory = RankMemory(rank, own, graphBytes(rank), machine, forecast.surroundings)
    let (fields, rows) = (stepper.block.fields.count, tiling.rows(stepper.block.tokens).count)
    let float = ElementType.float32.byteCount
    let auxiliaries = description.fields.auxiliaries
    // Static fields whole; the local planes are made for each step.
    memory.frames +=
      (auxiliaries * tiling.fieldSize + rank.fields(auxiliaries).count * rows * tiling.columns
        * min(machine.threads, forecast.batch)) * float
    memory.fields = min(forecast.decodedBytes / world.mesh.instance, forecast.decodedBytesLimit)
    // The block as planes; where ranks share fields, the parts sent and received and the fields put together.
    let planes = fields * rows * tiling.columns * float
    memory.output += planes * (world.mesh.instance > 1 ? 4 : 1)
    return memory
  }
}

extension Stepper {
  /// After the second step pools hold what they will.
  static let drySteps = 3

  /// Steps without recording from made-up states, as a forecast or a validation takes them.
  func rollOutDry(batch: Int) throws {
    let shape = [block.tokens.count, batch, tiling.pointsPerToken * block.fields.count]
    let times = Array(repeating: Timestamp(seconds: 0), count: batch)
    let start = RolloutStart(
      (0..<historyCount).map { _ in Frame(state: rank.compute.tensor(shape, for: .frames), times: times) })
    var states = history(start)
    for step in 0..<Stepper.drySteps {
      // The truth that it is compared with.
      let truth = rank.compute.tensor(shape, for: .frames)
      states = try states.dropFirst() + [advance(states, from: start, step: step)]
      withExtendedLifetime(truth) {}
    }
  }
}
