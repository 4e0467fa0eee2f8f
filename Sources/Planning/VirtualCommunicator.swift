import Basics
import Communication
import Distribution

/// One simulated rank's view of a group of ranks. Carries no bytes: regions keep what they hold, and reductions return the
/// rank's own numbers. Counts as ranks on threads count.
final class VirtualCommunicator: Communicator {
  let rank: Int
  var size: Int { members.count }
  var traffic = Traffic()
  let name = "simulated ranks"
  let policy: CommunicationPolicy
  let trace: Trace?
  private let world: VirtualWorld
  private let own: VirtualRank
  /// Ranks of the world, by rank here.
  private let members: [Int]
  /// Number of the group.
  private let group: Int
  private var gatherings = 0
  private var splits = 0

  init(
    _ world: VirtualWorld, _ own: VirtualRank, members: [Int], group: Int, policy: CommunicationPolicy, trace: Trace?
  ) {
    self.world = world
    self.own = own
    self.members = members
    self.group = group
    self.policy = policy
    self.trace = trace
    guard let rank = members.firstIndex(of: own.index) else { preconditionFailure("a group without its own rank") }
    self.rank = rank
  }

  // MARK: Messages

  /// Who stands for a rank of the group.
  private func image(_ peer: Int) -> Int {
    let member = members[peer]
    if world.isSimulated(member) { return member }
    precondition(member % world.mesh.instance == own.index, "only its counterparts in other replicas mirror a rank")
    return own.index
  }

  private func post(_ region: Region, _ peer: Int, _ tag: Int, isSend: Bool) -> VirtualTransfer {
    let message = world.post(
      own, peer: members[peer], image: image(peer), group: group, tag: tag, bytes: region.byteCount, isSend: isSend)
    return VirtualTransfer(
      self, message, isSend ? .sent(to: members[peer], tag: tag) : .received(from: members[peer], tag: tag), region,
      copySeconds: isSend ? 0 : world.copySeconds(region.byteCount, own.index, from: members[peer]))
  }

  func send(_ region: Region, to peer: Int, tag: Int) -> any Transfer {
    traffic.bytesSent += region.byteCount
    traffic.messagesSent += 1
    return post(region, peer, tag, isSend: true)
  }

  func receive(_ region: Region, from peer: Int, tag: Int) -> any Transfer { post(region, peer, tag, isSend: false) }

  func progress() {}

  // MARK: Collectives

  func allReduce(_ region: Region, of type: NumberType, _ operation: ReductionOperation) throws -> any Transfer {
    if size == 1 || region.byteCount == 0 { return TransferGroup([]) }
    let count = region.byteCount / type.byteCount
    let part = (count * (rank + 1) / size - count * rank / size) * type.byteCount
    // Parts to their ranks, the own sum to all.
    traffic.bytesSent += region.byteCount - part + (size - 1) * part
    traffic.messagesSent += 2 * (size - 1)
    return meet(seconds: world.reductionSeconds(members, bytes: region.byteCount), "reduction").transfer
  }

  func broadcast(_ region: Region, from root: Int) throws {
    if size == 1 { return }
    if rank == root {
      traffic.bytesSent += (size - 1) * region.byteCount
      traffic.messagesSent += size - 1
    }
    try meet(seconds: world.reductionSeconds(members, bytes: region.byteCount), "broadcast").transfer.wait()
  }

  func barrier() throws {
    try meet(seconds: world.reductionSeconds(members, bytes: 0), "barrier").transfer.wait()
  }

  func split(color: Int, key: Int) throws -> any Communicator {
    guard members.allSatisfy(world.isSimulated) else {
      throw JigsawError("simulated ranks", "can't be split where one replica stands for all")
    }
    splits += 1
    let (gathering, transfer) = meet(saying: [color, key], seconds: 0, "split")
    try transfer.wait()
    let said = gathering.said
    let alike = members.filter { said[$0]?[0] == color }.sorted { (said[$0]?[1] ?? 0, $0) < (said[$1]?[1] ?? 0, $1) }
    return VirtualCommunicator(
      world, own, members: alike, group: world.group([group, splits, color]), policy: policy, trace: trace)
  }

  func with(_ policy: CommunicationPolicy, trace: Trace?) -> any Communicator {
    splits += 1
    return VirtualCommunicator(
      world, own, members: members, group: world.group([group, splits, 0]), policy: policy, trace: trace)
  }

  private func meet(saying words: [Int] = [], seconds: Double, _ what: String) -> (
    gathering: VirtualWorld.Gathering, transfer: VirtualTransfer
  ) {
    gatherings += 1
    let gathering = world.gather(own, members, group: group, number: gatherings, saying: words, seconds: seconds)
    let transfer = VirtualTransfer(
      self, gathering.message, .gathering(what, ranks: size), nil, copySeconds: 0)
    return (gathering, transfer)
  }

  /// The transfer, in words for people.
  private enum Subject {
    case sent(to: Int, tag: Int)
    case received(from: Int, tag: Int)
    case gathering(String, ranks: Int)

    var text: String {
      switch self {
      case .sent(let peer, let tag): "message to rank \(peer) (tag \(tag))"
      case .received(let peer, let tag): "message from rank \(peer) (tag \(tag))"
      case .gathering(let what, let ranks): "\(what) of \(ranks) ranks"
      }
    }
  }

  /// One rank's end of a message.
  private final class VirtualTransfer: Transfer {
    private let communicator: VirtualCommunicator
    private let message: VirtualNetwork.Message
    /// Held as long as a real transfer would hold it.
    private let region: Region?
    private let copySeconds: Double
    private let what: Subject
    private let start: Double
    private var isFinished = false

    init(
      _ communicator: VirtualCommunicator, _ message: VirtualNetwork.Message, _ what: Subject, _ region: Region?,
      copySeconds: Double
    ) {
      self.communicator = communicator
      self.message = message
      self.region = region
      self.copySeconds = copySeconds
      self.what = what
      start = communicator.own.clock
    }

    private var own: VirtualRank { communicator.own }

    func isDone() throws -> Bool {
      if isFinished { return true }
      if message.end == nil { try communicator.world.ranks.catchUp(own) }
      if let end = message.end, end <= own.clock { finish() }
      return isFinished
    }

    func wait() throws {
      if isFinished { return }
      let start = own.clock
      try communicator.world.ranks.wait(own, for: message, what.text)
      finish()
      communicator.traffic.waitSeconds += own.clock - start
      if communicator.world.isTraced, own.clock > start {
        communicator.trace?.add(.waiting, what.text, since: start)
      }
    }

    private func finish() {
      isFinished = true
      own.advance(by: copySeconds)
      guard communicator.world.isTraced else { return }
      communicator.trace?.addTransfer(what.text, since: start, bytes: region?.byteCount ?? 0)
    }
  }
}

extension VirtualWorld {
  /// A rank's place in the mesh, with the communicators along its axes.
  ///
  /// - Parameter trace: of the rank; transfers and waiting are noted there if the simulation is traced.
  func context(
    _ rank: VirtualRank, _ policy: CommunicationPolicy = CommunicationPolicy(), trace: Trace? = nil
  ) throws -> RankContext {
    let everyone = Array(0..<mesh.count)
    let noted = isTraced ? trace : nil
    let world = VirtualCommunicator(self, rank, members: everyone, group: group([]), policy: policy, trace: noted)
    guard isMirrored else { return try RankContext(mesh, world, trace: trace) }
    let own = mesh.position(of: rank.index)
    func communicator(_ name: Int, _ isMember: (Mesh.Position) -> Bool) -> VirtualCommunicator {
      let members = everyone.filter { isMember(mesh.position(of: $0)) }
      return VirtualCommunicator(
        self, rank, members: members, group: group([name, members[0]]), policy: policy, trace: noted)
    }
    return RankContext(
      mesh, world,
      instance: communicator(1) { $0.replica == own.replica },
      domain: communicator(2) { $0.replica == own.replica && $0.tensor == own.tensor },
      tensor: communicator(3) { $0.replica == own.replica && $0.domain == own.domain },
      replica: communicator(4) { $0.domain == own.domain && $0.tensor == own.tensor }, trace: trace)
  }
}
