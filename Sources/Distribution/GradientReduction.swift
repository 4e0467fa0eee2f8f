import Basics
import Communication
import Execution
import Tensors

/// Makes the gradients of an update whole: sums them over model instances (replicas) in buckets, each on its way as soon
/// as backward has completed it, and sums what several ranks of an instance hold.
///
/// A bucket is cut into one slice per replica. Every replica receives its slice from the others and sums it
/// (reduce-scatter); then the sums are handed round (all-gather) – those of the gradients, or, when the optimiser is split
/// over replicas (ZeRO stage 1, Rajbhandari et al. 2020), the updated weights. Both send 2·n·(R − 1)/R elements.
public final class GradientReduction {
  /// About 32 MiB: long enough for the link's bandwidth, short enough that the last one is soon done.
  public static let bucketElements = 8 << 20
  private static let mostInFlight = 4
  /// Tags of buckets start here; the GEMMs use those below.
  private static let firstTag = 64

  /// The ranges that this rank's optimiser updates.
  public let shard: OptimizerShard
  public let splitsOptimizer: Bool
  private let rank: ModelRank
  private let buckets: [Bucket]
  private var missing: [Int] = []
  private var bucketOf: [ParameterID: Int] = [:]
  private var waiting: ArraySlice<Int> = []
  private var underway: [BucketSum] = []
  private var isCollecting = false

  private struct Bucket {
    /// Parameters that must be complete before it goes.
    var parameters: Set<ParameterID> = []
    var range: Range<Int>
  }

  public init(_ rank: ModelRank, splitsOptimizer: Bool = false, bucketElements: Int = GradientReduction.bucketElements)
  {
    self.rank = rank
    let replica = rank.context.replica
    self.splitsOptimizer = splitsOptimizer && replica.size > 1
    let parameters = rank.parameters
    buckets = replica.size > 1 ? GradientReduction.buckets(parameters, bucketElements) : []
    if self.splitsOptimizer {
      let slices = buckets.map { GradientReduction.slice($0.range, replica.size, replica.rank) }
      shard = OptimizerShard(slices + [parameters.unsharedLength..<parameters.length])
    } else {
      shard = OptimizerShard([0..<parameters.length])
    }
    reset()
  }

  /// Backward completes the last parameters first.
  private static func buckets(_ parameters: ParameterStore, _ limit: Int) -> [Bucket] {
    var buckets: [Bucket] = []
    let ids = parameters.table.specs.indices.map(ParameterID.init)
      .filter { parameters.range($0).upperBound <= parameters.unsharedLength && !parameters.range($0).isEmpty }
    var upper = parameters.unsharedLength
    var members: Set<ParameterID> = []
    for id in ids.reversed() {
      members.insert(id)
      let lower = parameters.range(id).lowerBound
      if upper - lower < limit && id != ids[0] { continue }
      // Gradients larger than a bucket go in several.
      let pieces = max(1, (upper - lower + limit - 1) / limit)
      for piece in (0..<pieces).reversed() {
        let part = chunk(upper - lower, into: pieces, piece)
        buckets.append(Bucket(parameters: members, range: lower + part.lowerBound..<lower + part.upperBound))
      }
      upper = lower
      members = []
    }
    return buckets
  }

  static func slice(_ range: Range<Int>, _ count: Int, _ index: Int) -> Range<Int> {
    let part = chunk(range.count, into: count, index)
    return range.lowerBound + part.lowerBound..<range.lowerBound + part.upperBound
  }

  private func reset() {
    missing = buckets.map(\.parameters.count)
    waiting = []
    isCollecting = true
  }

  /// To be called for every parameter whose gradient is complete, in the last backward pass of an update.
  public func completed(_ id: ParameterID) throws {
    if buckets.isEmpty { return }
    for index in buckets.indices where buckets[index].parameters.contains(id) {
      missing[index] -= 1
      if missing[index] == 0 {
        try rank.finishGradients()
        waiting.append(index)
      }
    }
    // Without overlap everything goes at the end.
    guard rank.context.world.policy.overlaps else { return }
    rank.context.background = { [unowned self] in try progress() }
    try progress()
  }

  /// Moves transfers on and starts new ones.
  private func progress() throws {
    try underway.removeAll { try $0.isDone() }
    while underway.count < GradientReduction.mostInFlight, let index = waiting.popFirst() {
      underway.append(try makeSum(index))
    }
  }

  private func makeSum(_ index: Int) throws -> BucketSum {
    try BucketSum(
      rank.parameters.gradients, buckets[index].range, rank.context.replica, rank.compute, gathers: !splitsOptimizer,
      tag: GradientReduction.firstTag + 2 * index)
  }

  /// Returns when all local gradients are those of the whole batch: in the slices owned if the optimiser is split, else
  /// everywhere.
  public func finish() throws {
    let replica = rank.context.replica
    if replica.size > 1 {
      precondition(missing.allSatisfy { $0 == 0 }, "a gradient was never completed")
      while !waiting.isEmpty || !underway.isEmpty {
        try progress()
        try underway.first?.wait()
      }
      rank.context.background = nil
      let shared = rank.parameters.gradients.elements(rank.parameters.unsharedLength..<rank.parameters.length)
      try replica.allReduce(Region(shared), of: .float32, .sum).wait()
      reset()
    }
    try rank.sumSharedGradients()
  }

  /// This rank's share of the squared norm of all gradients: summed over all ranks of the mesh it is the norm's square.
  public func gradientSquares() -> Double {
    if splitsOptimizer || rank.context.position.replica == 0 {
      // Gradients that all replicas hold count once.
      let shared = rank.parameters.unsharedLength
      let counted =
        rank.context.position.replica == 0 ? shard : OptimizerShard(shard.ranges.map { $0.clamped(to: 0..<shared) })
      return rank.gradientSquares(shard: counted)
    }
    return 0
  }

  /// After a split optimiser's update: hands the updated slices of a piece (the weights) round to all replicas.
  public func gatherShards(_ piece: Tensor) throws {
    guard splitsOptimizer else { return }
    let replica = rank.context.replica
    for bucket in buckets {
      let parts = (0..<replica.size).map {
        Region(piece.elements(GradientReduction.slice(bucket.range, replica.size, $0)))
      }
      try replica.allGather(parts).wait()
    }
  }
}

/// One bucket on its way.
private final class BucketSum: Transfer {
  private let piece: Tensor
  private let slices: [Range<Int>]
  private let communicator: any Communicator
  private let compute: Compute
  private let gathers: Bool
  private let tag: Int
  private var incoming: [Tensor] = []
  private var transfers: TransferGroup
  private var isSummed = false

  init(
    _ piece: Tensor, _ range: Range<Int>, _ communicator: any Communicator, _ compute: Compute, gathers: Bool, tag: Int
  ) throws {
    self.piece = piece
    self.communicator = communicator
    self.compute = compute
    self.gathers = gathers
    self.tag = tag
    let (rank, size) = (communicator.rank, communicator.size)
    slices = (0..<size).map { GradientReduction.slice(range, size, $0) }
    var started: [any Transfer] = []
    for step in 1..<size {
      let part = compute.tensor([slices[rank].count], for: .buckets)
      started.append(try communicator.receive(Region(part), from: (rank + step) % size, tag: tag))
      incoming.append(part)
    }
    for step in 1..<size {
      let peer = (rank + size - step) % size
      started.append(try communicator.send(Region(piece.elements(slices[peer])), to: peer, tag: tag))
    }
    transfers = TransferGroup(started)
  }

  func isDone() throws -> Bool {
    guard try transfers.isDone() else { return false }
    if isSummed { return true }
    try sum()
    return try transfers.isDone()
  }

  func wait() throws {
    try transfers.wait()
    if isSummed { return }
    try sum()
    try transfers.wait()
  }

  private func sum() throws {
    let (rank, size) = (communicator.rank, communicator.size)
    let own = piece.elements(slices[rank])
    for part in incoming { compute.add(part, to: own) }
    incoming = []
    isSummed = true
    guard gathers else { return }
    var started: [any Transfer] = []
    for step in 1..<size {
      let peer = (rank + step) % size
      started.append(try communicator.receive(Region(piece.elements(slices[peer])), from: peer, tag: tag + 1))
    }
    for step in 1..<size {
      started.append(try communicator.send(Region(own), to: (rank + size - step) % size, tag: tag + 1))
    }
    transfers = TransferGroup(started)
  }
}
