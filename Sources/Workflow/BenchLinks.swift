import Basics
import Communication
import Tensors

/// Latency and bandwidth between the first rank and one on its host, and one on another host.
enum LinkRates {
  private static let tag = 61
  private static let longMessage = 4 << 20
  private static let shortMessages = 200
  /// Memory of each end, bytes: messages come from places that no cache holds, as in a training.
  private static let workingSet = 64 << 20

  /// - Returns: on every rank the same; no links if there is one rank.
  static func measure(_ world: any Communicator, repetitions: Int) throws -> [MachineRates.Link] {
    let host = try world.broadcast(Array(Machine.hostName.utf8), from: 0)
    let isSame = Array(Machine.hostName.utf8) == host
    var flags = [Double](repeating: 0, count: world.size)
    if isSame { flags[world.rank] = 1 }
    flags = try world.allReduce(flags)
    var links: [MachineRates.Link] = []
    for wanted in [1.0, 0.0] {
      guard let peer = flags.indices.dropFirst().first(where: { flags[$0] == wanted }) else { continue }
      let memory = (outgoing: Buffer(zeroed: workingSet), incoming: Buffer(zeroed: workingSet))
      for buffer in [memory.outgoing, memory.incoming] {
        // Memory that was never written to is in a cache all the same.
        Tensor(shape: [workingSet / 4], buffer: buffer).updateOnHost { $0.update(repeating: 1) }
      }
      func oneWay(bytes: Int, count: Int) throws -> Double {
        var offset = 0
        return try roundTrips(world, peer, count: count, repetitions: repetitions) {
          offset = offset + bytes > workingSet - bytes ? 0 : offset + bytes
          return (
            Region(memory.outgoing, offset: offset, byteCount: bytes),
            Region(memory.incoming, offset: offset, byteCount: bytes)
          )
        } / 2
      }
      let short = try oneWay(bytes: 1, count: shortMessages)
      let long = try oneWay(bytes: longMessage, count: 4)
      links.append(
        MachineRates.Link(
          isOnSameHost: wanted == 1, carrier: world.name, latencySeconds: short,
          bytesPerSecond: Double(longMessage) / long))
    }
    return links
  }

  /// Median seconds of one message there and back, with `next` for each; the other ranks wait.
  private static func roundTrips(
    _ world: any Communicator, _ peer: Int, count: Int, repetitions: Int,
    _ next: () -> (outgoing: Region, incoming: Region)
  ) throws -> Double {
    var seconds: [Double] = []
    for _ in 0...repetitions {
      try world.barrier()
      let start = monotonicSeconds()
      if world.rank == 0 {
        for _ in 0..<count {
          let (outgoing, incoming) = next()
          try world.send(outgoing, to: peer, tag: tag).wait()
          try world.receive(incoming, from: peer, tag: tag).wait()
        }
      } else if world.rank == peer {
        for _ in 0..<count {
          let (outgoing, incoming) = next()
          try world.receive(incoming, from: 0, tag: tag).wait()
          try world.send(outgoing, to: 0, tag: tag).wait()
        }
      }
      seconds.append((monotonicSeconds() - start) / Double(count))
    }
    // The first round sets connections up. The first rank's clock counts.
    return try world.allReduce([world.rank == 0 ? median(Array(seconds.dropFirst())) : 0])[0]
  }
}
