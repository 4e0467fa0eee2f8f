import Communication
import Tensors

#if canImport(Glibc)
  import Glibc
#endif

private struct Failed: Error {}

/// What every communicator has to do, on any number of ranks.
public enum CollectiveChecks {
  private static func tensor(_ count: Int, _ value: (Int) -> Float) -> Tensor {
    Tensor((0..<count).map(value), shape: [count])
  }

  /// Lines of this file whose check failed on this rank.
  public static func failures(_ world: any Communicator) throws -> [String] {
    let ranks = world.size
    var failures: [String] = []
    func check(_ condition: Bool, line: Int = #line) {
      if !condition { failures.append("\(world.name), rank \(world.rank): line \(line)") }
    }
    let rank = world.rank
    // All-reduce, more and fewer numbers than ranks.
    for count in [1, 3, 17] {
      let x = tensor(count) { Float(rank * 100 + $0) }
      try world.allReduce(Region(x), of: .float32, .sum).wait()
      let offset = Float((0..<ranks).reduce(0, +) * 100)
      check(x.values == (0..<count).map { offset + Float(ranks * $0) })
    }
    check(try world.allReduce([Double(rank), 1], .maximum) == [Double(ranks - 1), 1])
    check(try world.allReduce([Double(rank)], .minimum) == [0])
    check(try world.all(true) && !world.all(rank > 0))
    // Gather parts of unlike sizes.
    let parts = (0..<ranks).map { peer in tensor(peer + 1) { peer == rank ? Float(10 * peer + $0) : -1 } }
    try world.allGather(parts.map { Region($0) }).wait()
    for peer in 0..<ranks { check(parts[peer].values == (0...peer).map { Float(10 * peer + $0) }) }
    // Exchange.
    let outgoing = (0..<ranks).map { peer in tensor(2) { Float(100 * rank + 10 * peer + $0) } }
    let incoming = (0..<ranks).map { _ in tensor(2) { _ in -1 } }
    try world.allToAll(outgoing.map { Region($0) }, into: incoming.map { Region($0) }).wait()
    for peer in 0..<ranks { check(incoming[peer].values == (0..<2).map { Float(100 * peer + 10 * rank + $0) }) }
    // Broadcast.
    for root in 0..<ranks {
      let bytes = try world.broadcast(rank == root ? [7, UInt8(root)] : [], from: root)
      check(bytes == [7, UInt8(root)])
    }
    try world.barrier()
    // Work side by side, without a failure, and with one on each of the ranks.
    for failing in [-1] + Array(0..<ranks) {
      var asked = 0
      var outcome = ""
      do {
        try world.togetherAsking { ask in
          while asked < 100 {
            try ask()
            if rank == failing { throw Failed() }
            asked += 1
            if failing >= 0 { usleep(10_000) }
          }
        }
      } catch {
        outcome = "\(type(of: error))"
      }
      check(outcome == (failing < 0 ? "" : rank == failing ? "Failed" : "FailedElsewhere"))
      check(failing < 0 ? asked == 100 : asked < 100)
    }
    // Halves, in reverse order.
    let half = try world.split(color: rank % 2, key: -rank)
    let members = (0..<ranks).filter { $0 % 2 == rank % 2 }.reversed() as [Int]
    check(half.size == members.count && members[half.rank] == rank)
    check(try half.allReduce([Double(rank)]) == [Double(members.reduce(0, +))])
    return failures
  }
}
