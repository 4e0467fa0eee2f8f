import Basics
import Communication
import Configuration
import Datasets
import Distribution
import Execution
import Models
import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// The ranks that a verb runs on.
public enum Ranks {
  /// Set by the launchers that start MPI programs: Open MPI's, PMIx (also srun --mpi=pmix), PMI (MPICH, srun --mpi=pmi2).
  private static let launcherVariables = ["OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE"]

  public static var isUnderLauncher: Bool { launcherVariables.contains { getenv($0) != nil } }

  /// Runs `body` on every rank: those of mpirun or srun, else `count` ranks as threads of this process.
  /// - Throws: what a rank threw. Under a launcher a failing rank says why and ends the job on all.
  public static func run(asThreads count: Int = 1, _ body: @escaping @Sendable (any Communicator) throws -> Void) throws
  {
    guard isUnderLauncher else {
      if count == 1 { return try body(SingleRank()) }
      _ = try ThreadRanks.run(count, body)
      return
    }
    let world = try MPICommunicator.start()
    guard world.size > 1 else {
      if count == 1 { try body(SingleRank()) } else { _ = try ThreadRanks.run(count, body) }
      return try world.finish()
    }
    if let several = try Agreement.several(count, on: world) {
      if world.rank == 0 {
        Console().say(
          "error: rank \(several.rank): --ranks \(several.count) can't be had under a launcher that started \(world.size) "
            + "ranks; leave it out")
      }
      try world.finish()
      exit(64)
    }
    do {
      try body(world)
    } catch {
      // When all ranks fail for the same reason the first one speaks for them.
      if error is FailedElsewhere { sleep(5) } else if world.rank > 0 { sleep(1) }
      Console().say("error: rank \(world.rank): \(error)")
      MPICommunicator.abort(status: 1)
    }
    try world.finish()
  }
}

/// One rank's share of its machine: memory and processors are shared by the ranks on it.
struct RankResources {
  let threads: Int
  /// Processors' worth of time that this rank can have: its share of those that it may use, within the limits of its control group.
  let processors: Double
  /// Ranks on this machine, and whether this is the first of them.
  let localRanks: Int
  let isFirstOfMachine: Bool
  /// Whether more ranks than processors compute on this machine.
  let sharesProcessors: Bool

  init(_ world: any Communicator, threads: Int) throws {
    let own = RankResources.description
    let ranks = try world.allGather(bytes: own)
    let neighbours = ranks.filter { $0[..<RankResources.nameLength] == own[..<RankResources.nameLength] }
    localRanks = neighbours.count
    isFirstOfMachine =
      ranks.firstIndex { $0[..<RankResources.nameLength] == own[..<RankResources.nameLength] } == world.rank
    // Each processor counts for as many parts as ranks may use it.
    var share = 0.0
    for index in RankResources.nameLength..<own.count {
      for bit in 0..<8 where own[index] >> bit & 1 == 1 {
        share += 1 / Double(neighbours.filter { $0[index] >> bit & 1 == 1 }.count)
      }
    }
    if share == 0 { share = Double(ThreadTeam.availableCPUs) / Double(localRanks) }
    if let quota = Machine.processorQuota { share = min(share, quota / Double(localRanks)) }
    processors = share
    self.threads = threads > 0 ? threads : max(1, Int(share + 1e-9))
    sharesProcessors = share < 1 - 1e-9
  }

  /// Memory for decoded fields: what the configuration says of each rank, or a quarter of what is free, shared.
  func fieldBytes(_ data: DataSection) -> Int {
    data.cacheGiB.map { Int(saturating: $0 * Double(1 << 30)) } ?? (Machine.availableMemory ?? 4 << 30) / 4 / localRanks
  }

  private static let nameLength = 128

  /// The machine's name, then a bit for each processor that this process may use.
  private static var description: [UInt8] {
    var bytes = Array(Machine.hostName.utf8.prefix(nameLength))
    bytes += [UInt8](repeating: 0, count: nameLength - bytes.count)
    return bytes + ThreadTeam.availableCPUMask
  }
}

extension Assembly {
  /// This rank's share of a model.
  ///
  /// - Parameter trains: whether there is memory for gradients.
  static func rank(
    _ parallel: ParallelSection, _ model: any ForecastModel, batch: Int, products: any ProductBackend, trains: Bool,
    _ run: RunContext
  ) throws -> ModelRank {
    let form = model.form
    let mesh = try Mesh(
      ranks: run.world.size, domain: parallel.domain, tensor: parallel.tensor, tokens: form.tokens,
      fields: form.variables
    )
    return try ModelRank(
      RankContext(mesh, run.world, trace: run.trace),
      Compute(threads: run.resources.threads, backend: products, trace: run.trace), model.parameters, trains: trains,
      dryRun: { try model.dryStep($0, batch: batch, isTraining: true) })
  }

  /// Reads with the ranks of the same model instance.
  static func reader(
    _ dataset: FieldDataset, _ normalization: Normalization, _ tiling: Tiling, _ rank: ModelRank, cacheBytes: Int
  ) -> FrameReader {
    let mesh = rank.context.mesh
    guard mesh.instance > 1 else {
      // Alone, the cache of the dataset itself serves.
      return FrameReader(dataset, normalization, tiling, rank.compute, trace: rank.context.trace)
    }
    let blocks = (0..<mesh.instance).map { index in
      FieldBlock(
        fields: chunk(dataset.channels.count, into: mesh.tensor, index % mesh.tensor),
        tokens: chunk(tiling.tokens, into: mesh.domain, index / mesh.tensor))
    }
    return FrameReader(
      dataset, normalization, tiling, rank.compute,
      share: ReadingShare(rank.context.instance, blocks: blocks, cacheBytes: cacheBytes),
      trace: rank.context.trace)
  }

  /// Reads the forcings of a model, each rank those among its static fields and forcings.
  ///
  /// - Parameter auxiliaries: static fields and forcings of the model; the read ones come last.
  static func forcingReader(
    _ dataset: FieldDataset, _ normalization: Normalization, _ tiling: Tiling, _ rank: ModelRank, auxiliaries: Int,
    cacheBytes: Int
  ) -> FrameReader {
    let (mesh, trace) = (rank.context.mesh, rank.context.trace)
    guard mesh.instance > 1 else {
      return FrameReader(dataset, normalization, tiling, rank.compute, trace: trace)
    }
    let first = auxiliaries - dataset.channels.count
    let blocks = (0..<mesh.instance).map { index in
      let own = chunk(auxiliaries, into: mesh.tensor, index % mesh.tensor).clamped(to: first..<auxiliaries)
      return FieldBlock(
        fields: own.lowerBound - first..<own.upperBound - first,
        tokens: chunk(tiling.tokens, into: mesh.domain, index / mesh.tensor))
    }
    return FrameReader(
      dataset, normalization, tiling, rank.compute,
      share: ReadingShare(rank.context.instance, blocks: blocks, cacheBytes: cacheBytes, series: 1), trace: trace)
  }

  /// Memory for decoded fields of one rank, and how much of it the dataset itself may use: nothing where ranks share
  /// the reading.
  static func cacheBytes(_ data: DataSection, _ parallel: ParallelSection, _ resources: RankResources) -> (
    rank: Int, dataset: Int
  ) {
    // Predicted fields and read forcings have a cache each.
    let bytes = resources.fieldBytes(data) / (data.readForcings.isEmpty ? 1 : 2)
    return (bytes, parallel.domain * parallel.tensor > 1 ? 0 : bytes)
  }

  /// How many frames to read ahead where the configuration does not say: as many as fit into an eighth of the free memory,
  /// so that slow reads even out, the same on all ranks.
  static func prefetch(_ rank: ModelRank, tiling: Tiling, fields: Int, batch: Int, _ run: RunContext) throws
    -> Int
  {
    let mesh = rank.context.mesh
    let frame = tiling.fieldSize / mesh.domain * fields / mesh.tensor * batch * ElementType.float32.byteCount
    let eighth = (Machine.availableMemory ?? 4 << 30) / 8 / run.resources.localRanks
    let depth = min(max(eighth / max(1, frame), 2), 16)
    return Int(try run.world.allReduce([Double(depth)], .minimum)[0])
  }
}
