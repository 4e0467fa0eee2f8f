import Basics
import Communication
import Tensors

/// An axis of the mesh of ranks: model instances, parts of the domain (tokens), parts of the channels.
public enum MeshAxis: String, Sendable, CaseIterable {
  case replica, domain, tensor
}

/// Ranks ordered replica × domain × tensor, the tensor axis fastest, so that the ranks of one instance are neighbours.
public struct Mesh: Sendable, Hashable, CustomStringConvertible {
  public let replica, domain, tensor: Int

  public init(replica: Int = 1, domain: Int = 1, tensor: Int = 1) {
    precondition(replica >= 1 && domain >= 1 && tensor >= 1)
    self.replica = replica
    self.domain = domain
    self.tensor = tensor
  }

  /// The mesh of `ranks` ranks whose model instances are domain × tensor; the replicas follow.
  ///
  /// - Parameters:
  ///   - tokens: which the domain axis splits.
  ///   - fields: predicted fields, which the tensor axis splits.
  /// - Throws: when there is none, listing those that there are.
  public init(ranks: Int, domain: Int, tensor: Int, tokens: Int, fields: Int) throws {
    let isPossible = ranks % (domain * tensor) == 0 && domain <= tokens && tensor <= fields
    guard isPossible else {
      var possible: [String] = []
      for p in 1...min(ranks, tokens) where ranks % p == 0 {
        for q in 1...min(ranks, fields) where ranks / p % q == 0 {
          possible.append("\(p) × \(q) (replicas: \(ranks / p / q))")
        }
      }
      throw JigsawError(
        "parallel", "asks for model instances of \(domain) × \(tensor) (domain × tensor) ranks",
        expected: "a mesh for \(ranks) \(ranks == 1 ? "rank" : "ranks"), \(tokens) tokens and \(fields) fields: "
          + possible.joined(separator: ", "),
        remedy: ranks == 1
          ? "start it on \(domain * tensor) ranks, for example with mpirun -n \(domain * tensor)"
          : "set parallel.domain and parallel.tensor to one of these, or start another number of ranks")
    }
    self.init(replica: ranks / (domain * tensor), domain: domain, tensor: tensor)
  }

  public var count: Int { replica * domain * tensor }
  public var instance: Int { domain * tensor }
  public var description: String { "\(replica) × \(domain) × \(tensor)" }

  public struct Position: Sendable, Hashable {
    public let replica, domain, tensor: Int
  }

  public func position(of rank: Int) -> Position {
    Position(replica: rank / (domain * tensor), domain: rank / tensor % domain, tensor: rank % tensor)
  }
}

/// One rank's place in the mesh, and the communicators along its axes. One rank's property, on one thread.
public final class RankContext {
  public let mesh: Mesh
  public let position: Mesh.Position
  public let world: any Communicator
  /// The ranks of the same model instance, domain × tensor.
  public let instance: any Communicator
  /// Same replica and tensor part; same replica and domain part; same parts of all instances.
  public let domain, tensor, replica: any Communicator
  /// Where this rank's phases are noted; nil: nowhere.
  public let trace: Trace?

  /// Splits the ranks of the world along the axes; all of them call it together.
  public init(_ mesh: Mesh, _ world: any Communicator, trace: Trace? = nil) throws {
    precondition(mesh.count == world.size)
    self.mesh = mesh
    self.world = world
    self.trace = trace
    let p = mesh.position(of: world.rank)
    position = p
    instance = try world.split(color: p.replica, key: world.rank)
    domain = try world.split(color: p.replica * mesh.tensor + p.tensor, key: p.domain)
    tensor = try world.split(color: p.replica * mesh.domain + p.domain, key: p.tensor)
    replica = try world.split(color: p.domain * mesh.tensor + p.tensor, key: p.replica)
  }

  /// A context of communicators that are there already: `split` would have made the same.
  public init(
    _ mesh: Mesh, _ world: any Communicator, instance: any Communicator, domain: any Communicator,
    tensor: any Communicator, replica: any Communicator, trace: Trace?
  ) {
    precondition(mesh.count == world.size)
    self.mesh = mesh
    self.world = world
    position = mesh.position(of: world.rank)
    self.instance = instance
    self.domain = domain
    self.tensor = tensor
    self.replica = replica
    self.trace = trace
  }

  /// Alone.
  public static func single() throws -> RankContext { try RankContext(Mesh(), SingleRank()) }

  /// Sent by this rank in all.
  public var traffic: Traffic {
    [world, instance, domain, tensor, replica].reduce(Traffic()) { $0 + $1.traffic }
  }

  /// Bytes per second between neighbours when all ranks exchange at once and do nothing else.
  public func measureLinkRate() throws -> Double {
    guard world.size > 1 else { return .infinity }
    let (outgoing, incoming) = (Buffer(zeroed: 1 << 22), Buffer(zeroed: 1 << 22))
    var best = Double.infinity
    for _ in 0..<4 {
      try world.barrier()
      let start = monotonicSeconds()
      let arrival = try world.receive(
        Region(incoming, byteCount: incoming.byteCount), from: (world.rank + 1) % world.size, tag: 60)
      try world.send(
        Region(outgoing, byteCount: outgoing.byteCount), to: (world.rank + world.size - 1) % world.size, tag: 60
      ).wait()
      try arrival.wait()
      best = min(best, try world.allReduce([monotonicSeconds() - start], .maximum)[0])
    }
    return Double(outgoing.byteCount) / best
  }

  /// Measures the link and sets the linkEstimate by it.
  ///
  /// - Parameter peak: of this rank's units, FLOP/s.
  /// - Returns: the link's rate.
  public func estimateLink(peak: Double) throws -> Double {
    let rate = try measureLinkRate()
    linkEstimate = LinkEstimate(bytesPerSecond: rate, peak: try world.allReduce([peak])[0] / Double(world.size))
    return rate
  }

  /// Speeds that decide how finely exchanges are cut; the same on all ranks. Without them exchanges are taken to be fast.
  public var linkEstimate: LinkEstimate?

  /// Messages that a block of a GEMM is cut into. A block that takes longer than half of the GEMM, which is what hides
  /// it, goes in several, so that what depends on a part of it need not wait for the rest.
  ///
  /// - Parameters:
  ///   - bytes: that a rank sends for the GEMM.
  ///   - flops: of the GEMM on one rank.
  func slices(bytes: Int, flops: Int) -> Int { linkEstimate.map { $0.slices(bytes: bytes, flops: flops) } ?? 1 }

  /// Work to progress during matrix products, such as gradients on their way to other replicas.
  public var background: (() throws -> Void)?

  /// Progresses transfers; called between slices of GEMMs.
  func progress() throws {
    try instance.progress()
    try background?()
  }

  func communicator(_ axis: SplitAxis) -> any Communicator { axis == .domain ? domain : tensor }
  func index(_ axis: SplitAxis) -> Int { axis == .domain ? position.domain : position.tensor }
  func size(_ axis: SplitAxis) -> Int { axis == .domain ? mesh.domain : mesh.tensor }
}

/// How fast ranks exchange and compute.
public struct LinkEstimate: Sendable, Equatable {
  public let bytesPerSecond, flopsPerSecond: Double

  public init(bytesPerSecond: Double, flopsPerSecond: Double) {
    self.bytesPerSecond = bytesPerSecond
    self.flopsPerSecond = flopsPerSecond
  }

  /// - Parameter peak: of one rank's units, FLOP/s. GEMMs reach about three quarters of it.
  public init(bytesPerSecond: Double, peak: Double) {
    self.init(bytesPerSecond: bytesPerSecond, flopsPerSecond: 0.75 * peak)
  }

  /// More would make GEMMs too small to be fast.
  private static let mostSlices = 4

  func slices(bytes: Int, flops: Int) -> Int {
    let hidden = Double(flops) / flopsPerSecond / 2
    return Double(bytes) / bytesPerSecond <= 0.8 * hidden ? 1 : LinkEstimate.mostSlices
  }
}

extension Traffic {
  static func + (a: Traffic, b: Traffic) -> Traffic {
    var sum = a
    sum.bytesSent += b.bytesSent
    sum.messagesSent += b.messagesSent
    sum.waitSeconds += b.waitSeconds
    return sum
  }
}
