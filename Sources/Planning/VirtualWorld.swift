import Communication
import Distribution

/// All simulated ranks of a mesh and what connects them.
///
/// Replicas do the same at the same time. So one of them may stand for all (`isMirrored`): what one of its ranks sends to its
/// counterparts in other replicas it receives from there at the same times.
final class VirtualWorld: @unchecked Sendable {
  let machine: MachineModel
  let mesh: Mesh
  let isMirrored: Bool
  /// The messages to other replicas that one stands for, within a node and between nodes.
  private let share: (within: ReplicaShare, between: ReplicaShare)
  /// Whether messages and waiting are noted in the ranks' traces.
  let isTraced: Bool
  let ranks: VirtualRanks
  /// Messages of which one end has been posted.
  private var unmatched: [Key: [VirtualNetwork.Message]] = [:]
  private var gatherings: [[Int]: Gathering] = [:]
  private var groups: [[Int]: Int] = [:]

  struct Key: Hashable {
    let group: Int
    let source, destination, tag: Int
    let isSend: Bool
  }

  /// Ranks that come together for a collective operation.
  final class Gathering {
    let message = VirtualNetwork.Message(posted: 0)
    var count = 0
    var latest = 0.0
    /// The words of the members, by rank.
    var said: [Int: [Int]] = [:]
  }

  /// - Parameter replicas: that there are, where the mesh has fewer to stand for them.
  init(_ mesh: Mesh, _ machine: MachineModel, isMirrored: Bool, replicas: Int? = nil, isTraced: Bool = false) {
    share = ReplicaShare.shares(of: replicas ?? mesh.replica, by: mesh, ranksPerNode: machine.ranksPerNode)
    self.isTraced = isTraced
    self.machine = machine
    self.mesh = mesh
    self.isMirrored = isMirrored && mesh.replica > 1
    let simulated = self.isMirrored ? mesh.instance : mesh.count
    let nodes = (mesh.count - 1) / machine.ranksPerNode + 1
    ranks = VirtualRanks((0..<simulated).map { VirtualRank($0, machine) }, nodes: nodes)
  }

  /// A number for the group of ranks with this name.
  func group(_ name: [Int]) -> Int {
    if let number = groups[name] { return number }
    groups[name] = groups.count
    return groups.count - 1
  }

  func isSimulated(_ rank: Int) -> Bool { !isMirrored || rank < mesh.instance }

  func node(_ rank: Int) -> Int { rank / machine.ranksPerNode }

  /// Ranks on the same node that do the same as this one and are not simulated themselves, and this one.
  private func counterparts(_ rank: Int) -> Int {
    guard isMirrored else { return 1 }
    let first = node(rank) * machine.ranksPerNode
    return (first..<min(mesh.count, first + machine.ranksPerNode)).count { $0 % mesh.instance == rank % mesh.instance }
  }

  // MARK: Messages

  /// Posts one end of a message. `peer` is the other, `image` the rank that stands for it.
  func post(
    _ rank: VirtualRank, peer: Int, image: Int, group: Int, tag: Int, bytes: Int, isSend: Bool
  ) -> VirtualNetwork.Message {
    // The ends of a mirrored message are one rank; the peer tells its messages apart.
    let (source, destination) = isSend ? (rank.index, peer) : (peer, rank.index)
    let isOwn = image == rank.index
    func key(_ isSend: Bool) -> Key {
      Key(
        group: group, source: isOwn ? peer : source, destination: isOwn ? peer : destination, tag: tag, isSend: isSend)
    }
    if let first = unmatched[key(!isSend)]?.first {
      unmatched[key(!isSend)]?.removeFirst()
      if isSend { first.number = rank.nextMessageNumber() }
      let way = self.way(from: isSend ? rank.index : image, to: isSend ? image : rank.index, peer: peer, rank, bytes)
      ranks.network.add(first, way, at: max(first.posted, rank.clock))
      return first
    }
    let message = VirtualNetwork.Message(posted: rank.clock)
    if isSend { message.number = rank.nextMessageNumber() }
    unmatched[key(isSend), default: []].append(message)
    return message
  }

  private func way(from source: Int, to destination: Int, peer: Int, _ rank: VirtualRank, _ bytes: Int)
    -> VirtualNetwork.Way
  {
    var way = VirtualNetwork.Way()
    way.source = source
    way.destination = destination
    way.sourceNode = node(source)
    way.destinationNode = node(destination)
    let isWithin = node(rank.index) == node(peer)
    way.isBetweenNodes = !isWithin
    let link = isWithin ? machine.withinNode : machine.betweenNodes
    let share = share(rank.index, peer)
    let bytes = Double(bytes) * share.bytes
    way.latencySeconds = link.latencySeconds * share.messages
    // Within a node the receiver copies: see `copySeconds`.
    way.rankSeconds = isWithin && machine.transfersTakeProcessor ? 0 : bytes / link.bytesPerSecond
    if !isWithin, let rate = machine.nodeBytesPerSecond {
      way.nodeSeconds = bytes / rate * Double(max(counterparts(source), counterparts(destination)))
    }
    return way
  }

  private func share(_ rank: Int, _ peer: Int) -> ReplicaShare {
    if isSimulated(peer) { return ReplicaShare() }
    return node(rank) == node(peer) ? share.within : share.between
  }

  /// The seconds of the receiver's own time that copying takes.
  func copySeconds(_ bytes: Int, _ rank: Int, from peer: Int) -> Double {
    machine.transfersTakeProcessor
      ? Double(bytes) * share(rank, peer).bytes / machine.withinNode.bytesPerSecond : 0
  }

  // MARK: Collectives

  /// One of `members` comes to their gathering number `number`, `saying` something.
  func gather(
    _ rank: VirtualRank, _ members: [Int], group: Int, number: Int, saying words: [Int] = [], seconds: Double
  ) -> Gathering {
    let key = [group, number]
    let gathering = gatherings[key] ?? Gathering()
    gatherings[key] = gathering
    gathering.count += 1
    gathering.latest = max(gathering.latest, rank.clock)
    gathering.said[rank.index] = words
    if gathering.count == members.count(where: isSimulated) {
      gatherings[key] = nil
      gathering.message.settle(at: gathering.latest + seconds)
    }
    return gathering
  }

  /// The seconds of an all-reduce: libraries take a ring for many bytes and double distances for few.
  func reductionSeconds(_ members: [Int], bytes: Int) -> Double {
    let count = members.count
    if count < 2 { return 0 }
    let isWithin = members.allSatisfy { node($0) == node(members[0]) }
    let link = isWithin ? machine.withinNode : machine.betweenNodes
    let seconds = Double(bytes) / link.bytesPerSecond
    let ring = 2 * Double(count - 1) * (link.latencySeconds + seconds / Double(count))
    let doublings = Double(Int.bitWidth - (count - 1).leadingZeroBitCount)
    return min(ring, doublings * (link.latencySeconds + seconds))
  }
}

/// How many messages, and how many of its bytes, a message to another replica stands for where fewer replicas are simulated
/// than there are. A bucket of n numbers goes in parts of n/R to the others: R' of R replicas send more in each, but fewer, and
/// too many of them to their own node.
struct ReplicaShare {
  var messages = 1.0
  var bytes = 1.0

  static func shares(of replicas: Int, by mesh: Mesh, ranksPerNode: Int) -> (
    within: ReplicaShare, between: ReplicaShare
  ) {
    guard replicas > mesh.replica else { return (ReplicaShare(), ReplicaShare()) }
    let parts = Double(mesh.replica) / Double(replicas)
    let onNode = max(1, ranksPerNode / mesh.instance)
    let others = Double(replicas - onNode) / Double(mesh.replica - onNode)
    return (ReplicaShare(messages: 1, bytes: parts), ReplicaShare(messages: others, bytes: others * parts))
  }
}
