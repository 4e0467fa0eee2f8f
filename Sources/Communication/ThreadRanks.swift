import Basics
import Synchronization
import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// Ranks as threads of one process: for tests without mpirun, single machines and dry runs of large meshes.
public enum ThreadRanks {
  /// Runs `body` once per rank, each on a thread of its own, and returns the results by rank. If one throws, the
  /// others' transfers fail and the first error is thrown.
  public static func run<Result: Sendable>(
    _ count: Int, _ body: @escaping @Sendable (any Communicator) throws -> Result
  ) throws -> [Result] {
    let exchange = MessageExchange()
    let results = Mutex([Swift.Result<Result, any Error>?](repeating: nil, count: count))
    try runOnThreads(count) { rank in
      let outcome = Swift.Result {
        try body(ThreadCommunicator(exchange, members: Array(0..<count), rank: rank, group: 0))
      }
      if case .failure(let error) = outcome { exchange.fail(rank, error) }
      results.withLock { $0[rank] = outcome }
    }
    // The rank that failed first has the cause; the others only report that it did.
    if let cause = exchange.cause { throw cause }
    return try results.withLock { try $0.map { try $0!.get() } }
  }
}

/// Where the messages of all ranks meet. The later of sender and receiver copies.
private final class MessageExchange: @unchecked Sendable {
  struct Key: Hashable {
    let group, source, destination, tag: Int
  }

  final class Message: @unchecked Sendable {
    let region: Region
    var isDone = false
    init(_ region: Region) { self.region = region }
  }

  private var sends: [Key: [Message]] = [:]
  private var receives: [Key: [Message]] = [:]
  private var groups: [[Int]: Int] = [:]
  private var failed: (rank: Int, error: any Error)?
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(changed, nil)
  }

  deinit {
    pthread_cond_destroy(changed)
    pthread_mutex_destroy(mutex)
    changed.deallocate()
    mutex.deallocate()
  }

  var cause: (any Error)? { locked { failed?.error } }

  private func locked<R>(_ body: () throws -> R) rethrows -> R {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body()
  }

  func fail(_ rank: Int, _ error: any Error) {
    // Where it failed is known there, and that rank ends, too.
    if error is FailedElsewhere { return }
    locked {
      // A rank that stopped because of another one may be the first to say so.
      if failed == nil || failed?.error is FailedElsewhere && !(error is FailedElsewhere) { failed = (rank, error) }
      pthread_cond_broadcast(changed)
    }
  }

  /// A number for the group of ranks that split off with these values, the same on all of them.
  func group(_ key: [Int]) -> Int {
    locked {
      if let number = groups[key] { return number }
      groups[key] = groups.count + 1
      return groups.count
    }
  }

  func post(_ key: Key, _ region: Region, isSend: Bool) -> Message {
    let message = Message(region)
    let partner: Message? = locked {
      if isSend {
        if receives[key]?.isEmpty == false { return receives[key]!.removeFirst() }
        sends[key, default: []].append(message)
      } else {
        if sends[key]?.isEmpty == false { return sends[key]!.removeFirst() }
        receives[key, default: []].append(message)
      }
      return nil
    }
    guard let partner else { return message }
    if isSend { partner.region.copy(from: region) } else { region.copy(from: partner.region) }
    locked {
      partner.isDone = true
      message.isDone = true
      pthread_cond_broadcast(changed)
    }
    return message
  }

  func isDone(_ message: Message, _ rank: Int) throws -> Bool {
    try locked {
      if !message.isDone, let failed { throw failure(failed, rank) }
      return message.isDone
    }
  }

  func wait(_ message: Message, _ rank: Int) throws {
    try locked {
      while !message.isDone {
        if let failed { throw failure(failed, rank) }
        pthread_cond_wait(changed, mutex)
      }
    }
  }

  private func failure(_ failed: (rank: Int, error: any Error), _ rank: Int) -> FailedElsewhere {
    FailedElsewhere("rank \(rank): stopped, since rank \(failed.rank) failed")
  }
}

private final class ThreadCommunicator: Communicator {
  let rank: Int
  var size: Int { members.count }
  var traffic = Traffic()
  let name = "threads"
  let policy: CommunicationPolicy
  let trace: Trace?
  private let exchange: MessageExchange
  /// Ranks of the world, by rank here.
  private let members: [Int]
  private let group: Int
  private var splits = 0

  init(
    _ exchange: MessageExchange, members: [Int], rank: Int, group: Int,
    policy: CommunicationPolicy = CommunicationPolicy(), trace: Trace? = nil
  ) {
    self.policy = policy
    self.trace = trace
    self.exchange = exchange
    self.members = members
    self.rank = rank
    self.group = group
  }

  private func key(from source: Int, to destination: Int, _ tag: Int) -> MessageExchange.Key {
    MessageExchange.Key(group: group, source: source, destination: destination, tag: tag)
  }

  func send(_ region: Region, to peer: Int, tag: Int) -> any Transfer {
    traffic.bytesSent += region.byteCount
    traffic.messagesSent += 1
    return ThreadTransfer(self, exchange.post(key(from: rank, to: peer, tag), region, isSend: true), "to \(peer)")
  }

  func receive(_ region: Region, from peer: Int, tag: Int) -> any Transfer {
    ThreadTransfer(self, exchange.post(key(from: peer, to: rank, tag), region, isSend: false), "from \(peer)")
  }

  /// Every rank sums the elements of all ranks in rank order: each owns a part, which it sums and hands round.
  func allReduce(_ region: Region, of type: NumberType, _ operation: ReductionOperation) throws -> any Transfer {
    if size == 1 || region.byteCount == 0 { return TransferGroup([]) }
    let count = region.byteCount / type.byteCount
    func part(_ index: Int) -> Region {
      region.bytes(count * index / size * type.byteCount..<count * (index + 1) / size * type.byteCount)
    }
    let own = part(rank)
    let others = Buffer(zeroed: max(1, own.byteCount * size))
    let incoming = (0..<size).map { Region(others, offset: $0 * own.byteCount, byteCount: own.byteCount) }
    try allToAll((0..<size).map(part), into: incoming).wait()
    let sources = incoming.map(\.pointer)
    switch type {
    case .float32: reduce(own.pointer, sources, own.byteCount / 4, Float.self, operation)
    case .float64: reduce(own.pointer, sources, own.byteCount / 8, Double.self, operation)
    case .int64: reduce(own.pointer, sources, own.byteCount / 8, Int64.self, operation)
    }
    try allGather((0..<size).map(part)).wait()
    return TransferGroup([])
  }

  private func reduce<Number: Numeric & Comparable>(
    _ result: UnsafeMutableRawPointer, _ sources: [UnsafeMutableRawPointer], _ count: Int, _: Number.Type,
    _ operation: ReductionOperation
  ) {
    let result = result.assumingMemoryBound(to: Number.self)
    let sources = sources.map { $0.assumingMemoryBound(to: Number.self) }
    for i in 0..<count {
      var value = sources[0][i]
      for source in sources.dropFirst() {
        switch operation {
        case .sum: value += source[i]
        case .maximum: value = max(value, source[i])
        case .minimum: value = min(value, source[i])
        }
      }
      result[i] = value
    }
  }

  func broadcast(_ region: Region, from root: Int) throws {
    if rank != root { return try receive(region, from: root, tag: collectiveTag + 3).wait() }
    for transfer in (0..<size).filter({ $0 != root }).map({ send(region, to: $0, tag: collectiveTag + 3) }) {
      try transfer.wait()
    }
  }

  func barrier() throws { _ = try allReduce([0]) }

  func split(color: Int, key: Int) throws -> any Communicator {
    splits += 1
    let own = [Double(color), Double(key)]
    var table = [Double](repeating: 0, count: 2 * size)
    table[2 * rank] = own[0]
    table[2 * rank + 1] = own[1]
    table = try allReduce(table)
    let mine = (0..<size).filter { table[2 * $0] == own[0] }
      .sorted { (table[2 * $0 + 1], $0) < (table[2 * $1 + 1], $1) }
    return ThreadCommunicator(
      exchange, members: mine.map { members[$0] }, rank: mine.firstIndex(of: rank)!,
      group: exchange.group([group, splits, color]), policy: policy, trace: trace)
  }

  func with(_ policy: CommunicationPolicy, trace: Trace?) -> any Communicator {
    splits += 1
    return ThreadCommunicator(
      exchange, members: members, rank: rank, group: exchange.group([group, splits, 0]), policy: policy, trace: trace)
  }

  func progress() {}

  private final class ThreadTransfer: Transfer {
    private let communicator: ThreadCommunicator
    private let message: MessageExchange.Message
    private let what: String
    private let start = monotonicSeconds()
    private var isFinished = false

    init(_ communicator: ThreadCommunicator, _ message: MessageExchange.Message, _ what: String) {
      self.communicator = communicator
      self.message = message
      self.what = what
    }

    func isDone() throws -> Bool {
      if try !isFinished && communicator.exchange.isDone(message, communicator.rank) { finish() }
      return isFinished
    }

    func wait() throws {
      if isFinished { return }
      let start = monotonicSeconds()
      let number = communicator.trace?.begin(.waiting, what)
      defer { if let number { communicator.trace?.end(number) } }
      try communicator.exchange.wait(message, communicator.rank)
      communicator.traffic.waitSeconds += monotonicSeconds() - start
      finish()
    }

    private func finish() {
      isFinished = true
      communicator.trace?.addTransfer(what, since: start, bytes: message.region.byteCount)
    }
  }
}
