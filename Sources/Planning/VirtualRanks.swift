import Basics
import Communication
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// Simulated ranks, each on a thread of its own, of which one runs at a time: whenever the others' doings matter, the one
/// whose clock is furthest behind. So everything happens in the order of simulated time, and each simulation repeats.
final class VirtualRanks: @unchecked Sendable {
  let ranks: [VirtualRank]
  let network: VirtualNetwork
  private let turns: [Turn]
  private var failure: (rank: Int?, error: any Error)?

  init(_ ranks: [VirtualRank], nodes: Int) {
    self.ranks = ranks
    network = VirtualNetwork(ranks: ranks.count, nodes: nodes)
    turns = ranks.map { _ in Turn() }
  }

  /// Runs `body` for all ranks; results by rank.
  /// - Throws: what the first one to fail threw, or who waits for whom when none can proceed.
  func run<R: Sendable>(_ body: @escaping @Sendable (VirtualRank) throws -> R) throws -> [R] {
    let results = Mutex([R?](repeating: nil, count: ranks.count))
    turns[0].give()
    try runOnThreads(ranks.count) { [self] index in
      turns[index].await()
      if failure == nil {
        do {
          let result = try body(ranks[index])
          results.withLock { $0[index] = result }
        } catch {
          fail(index, error)
        }
      }
      ranks[index].state = .finished
      passOn(from: index)
    }
    if let failure { throw failure.error }
    return results.withLock { $0.compactMap { $0 } }
  }

  /// Returns when all that others do before this rank's time is done.
  func catchUp(_ rank: VirtualRank) throws {
    // Once at a time is enough, unless messages can start that the rank itself has added since.
    if rank.isCaughtUp, network.nextTime.map({ $0 > rank.clock }) ?? true, failure == nil { return }
    rank.isCatchingUp = true
    try yield(rank)
    rank.isCatchingUp = false
    rank.isCaughtUp = true
  }

  /// Returns when `message` is through, with the rank's clock at that time or later.
  func wait(_ rank: VirtualRank, for message: VirtualNetwork.Message, _ what: @autoclosure () -> String) throws {
    if message.end == nil {
      message.waiting.append(rank)
      rank.state = .waiting(for: what())
      try yield(rank)
    }
    if let end = message.end { rank.advance(to: end) }
  }

  private func yield(_ rank: VirtualRank) throws {
    if failure == nil { passOn(from: rank.index) }
    if let failure {
      throw FailedElsewhere("rank \(rank.index): stopped, since \(failure.rank.map { "rank \($0)" } ?? "all") failed")
    }
  }

  /// Lets the rank that is next run, and returns when it is the turn of `index` again (at once if that has finished).
  private func passOn(from index: Int) {
    let next = chooseNext()
    if next == index { return }
    // From the moment that another rank runs, this one's state is no longer its own.
    let hasFinished = if case .finished = ranks[index].state { true } else { false }
    if let next { turns[next].give() }
    if !hasFinished { turns[index].await() }
  }

  private func chooseNext() -> Int? {
    while true {
      var next: VirtualRank?
      var isUnfinished = false
      for rank in ranks {
        if case .finished = rank.state { continue }
        isUnfinished = true
        if case .ready = rank.state, next.map({ isBefore(rank, $0) }) ?? true { next = rank }
      }
      if !isUnfinished { return nil }
      if failure == nil, let time = network.nextTime, next.map({ isBefore(time, $0) }) ?? true {
        network.step()
      } else if let next {
        return next.index
      } else {
        fail(nil, standstill())
      }
    }
  }

  private func isBefore(_ a: VirtualRank, _ b: VirtualRank) -> Bool {
    a.clock < b.clock || a.clock == b.clock && !a.isCatchingUp && b.isCatchingUp
  }

  /// Ranks do all that they do at a time before messages start at it, and then see which are through.
  private func isBefore(_ time: Double, _ rank: VirtualRank) -> Bool {
    time < rank.clock || time == rank.clock && rank.isCatchingUp
  }

  private func fail(_ rank: Int?, _ error: any Error) {
    if failure == nil { failure = (rank, error) }
    // They run until they find the error.
    for rank in ranks { if case .waiting = rank.state { rank.state = .ready } }
  }

  private func standstill() -> JigsawError {
    let waits = ranks.compactMap { rank -> String? in
      guard case .waiting(let what) = rank.state else { return nil }
      return "rank \(rank.index) waits for a \(what)"
    }
    return JigsawError("simulated ranks", "none can proceed: \(waits.joined(separator: ", "))")
  }
}

/// A thread waits for its turn.
private final class Turn: @unchecked Sendable {
  private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

  init() { sem_init(semaphore, 0, 0) }

  deinit {
    sem_destroy(semaphore)
    semaphore.deallocate()
  }

  func give() { sem_post(semaphore) }
  func await() { while sem_wait(semaphore) != 0 {} }
}
