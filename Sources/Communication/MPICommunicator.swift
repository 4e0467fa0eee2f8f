import Basics
import CMPI
import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// Ranks as processes, through MPI. All calls come from one thread (MPI_THREAD_FUNNELED).
public final class MPICommunicator: Communicator {
  public let rank: Int
  public let size: Int
  public var traffic = Traffic()
  public var name: String { MPICommunicator.library }
  public let policy: CommunicationPolicy
  public let trace: Trace?
  private let handle: Handle
  private var mpi: jk_mpi_comm { handle.mpi }

  /// MPI's communicator, freed with the last one here that uses it.
  private final class Handle {
    let mpi: jk_mpi_comm
    let isWorld: Bool

    init(_ mpi: jk_mpi_comm, isWorld: Bool) {
      self.mpi = mpi
      self.isWorld = isWorld
    }

    deinit { if !isWorld { _ = jk_mpi_free(mpi) } }
  }

  private init(_ handle: Handle, _ policy: CommunicationPolicy, _ trace: Trace?, rank: Int, size: Int) {
    self.policy = policy
    self.trace = trace
    self.handle = handle
    self.rank = rank
    self.size = size
  }

  private convenience init(
    _ handle: Handle, _ policy: CommunicationPolicy = CommunicationPolicy(), _ trace: Trace? = nil
  ) throws {
    var (rank, size): (Int32, Int32) = (0, 0)
    try check(jk_mpi_rank(handle.mpi, &rank), "asking for the rank", rank: -1)
    try check(jk_mpi_size(handle.mpi, &size), "asking for the number of ranks", rank: Int(rank))
    self.init(handle, policy, trace, rank: Int(rank), size: Int(size))
  }

  public func with(_ policy: CommunicationPolicy, trace: Trace?) -> any Communicator {
    MPICommunicator(handle, policy, trace, rank: rank, size: size)
  }

  /// Starts MPI and returns all its ranks. To be called once, before any thread is started.
  public static func start() throws -> MPICommunicator {
    try check(jk_mpi_start(), "starting MPI", rank: -1)
    return try MPICommunicator(Handle(jk_mpi_world(), isWorld: true))
  }

  /// Ends MPI on this rank, once all communicators but the world's have gone.
  public func finish() throws {
    precondition(handle.isWorld)
    try check(jk_mpi_finish(), "ending MPI", rank: rank)
  }

  /// Ends the processes of all ranks.
  public static func abort(status: Int32) { jk_mpi_abort(status) }

  public static var library: String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1_024) { text in
      jk_mpi_library(text.baseAddress)
      return String(cString: text.baseAddress!)
    }
  }

  // MARK: Point to point

  public func send(_ region: Region, to peer: Int, tag: Int) throws -> any Transfer {
    traffic.bytesSent += region.byteCount
    traffic.messagesSent += 1
    return try inPieces(region, "sending to", peer) { part, request in
      jk_mpi_send(part.pointer, Int32(part.byteCount), Int32(peer), Int32(tag), mpi, &request)
    }
  }

  public func receive(_ region: Region, from peer: Int, tag: Int) throws -> any Transfer {
    try inPieces(region, "receiving from", peer) { part, request in
      jk_mpi_receive(part.pointer, Int32(part.byteCount), Int32(peer), Int32(tag), mpi, &request)
    }
  }

  /// Counts are ints in MPI: larger regions go in several messages, in order.
  private static let largestPiece = 1 << 30

  private func inPieces(
    _ region: Region, _ what: String, _ peer: Int?, multiple: Int = 1,
    _ start: (Region, inout jk_mpi_request) -> Int32
  ) throws -> any Transfer {
    var transfers: [any Transfer] = []
    var offset = 0
    repeat {
      let part = region.bytes(offset..<min(region.byteCount, offset + MPICommunicator.largestPiece))
      let transfer = MPITransfer(self, part, what, peer)
      try check(start(part, &transfer.request), what, peer: peer, rank: rank)
      transfers.append(transfer)
      offset += part.byteCount
    } while offset < region.byteCount
    return transfers.count == 1 ? transfers[0] : TransferGroup(transfers)
  }

  // MARK: Collectives

  public func allReduce(_ region: Region, of type: NumberType, _ operation: ReductionOperation) throws -> any Transfer {
    if size == 1 || region.byteCount == 0 { return TransferGroup([]) }
    traffic.bytesSent += 2 * region.byteCount * (size - 1) / size
    traffic.messagesSent += 1
    return try inPieces(region, "reducing over all ranks", nil) { part, request in
      jk_mpi_all_reduce(
        part.pointer, Int32(part.byteCount / type.byteCount), type.code, operation.code, mpi, &request)
    }
  }

  public func broadcast(_ region: Region, from root: Int) throws {
    if size == 1 || region.byteCount == 0 { return }
    if rank == root {
      traffic.bytesSent += region.byteCount
      traffic.messagesSent += 1
    }
    try inPieces(region, "broadcasting from", root) { part, request in
      jk_mpi_broadcast(part.pointer, Int32(part.byteCount), Int32(root), mpi, &request)
    }.wait()
  }

  public func barrier() throws {
    let transfer = MPITransfer(self, nil, "waiting at a barrier", nil)
    try check(jk_mpi_barrier(mpi, &transfer.request), "waiting at a barrier", rank: rank)
    try transfer.wait()
  }

  public func split(color: Int, key: Int) throws -> any Communicator {
    var part: jk_mpi_comm = 0
    try check(jk_mpi_split(mpi, Int32(color), Int32(key), &part), "splitting the ranks", rank: rank)
    return try MPICommunicator(Handle(part, isWorld: false), policy, trace)
  }

  public func progress() throws { try check(jk_mpi_progress(mpi), "moving transfers on", rank: rank) }
}

/// A request of MPI's.
private final class MPITransfer: Transfer {
  var request: jk_mpi_request = 0
  private var isFinished = false
  private let communicator: MPICommunicator
  /// Keeps the memory alive.
  private let region: Region?
  private let what: String
  private let peer: Int?
  private let start = monotonicSeconds()
  /// Libraries wait by asking again and again; a nap costs others less, and this rank little beside theirs.
  private static let napMicroseconds: UInt32 = 50

  init(_ communicator: MPICommunicator, _ region: Region?, _ what: String, _ peer: Int?) {
    self.communicator = communicator
    self.region = region
    self.what = what
    self.peer = peer
  }

  func isDone() throws -> Bool {
    if isFinished { return true }
    try check(jk_mpi_test(&request, &isFinished), what, peer: peer, rank: communicator.rank)
    if isFinished { note() }
    return isFinished
  }

  func wait() throws {
    if isFinished { return }
    let start = monotonicSeconds()
    let number = communicator.trace?.begin(.waiting, label)
    defer { if let number { communicator.trace?.end(number) } }
    if communicator.policy.sharesProcessors {
      while true {
        try check(jk_mpi_test(&request, &isFinished), what, peer: peer, rank: communicator.rank)
        if isFinished { break }
        usleep(MPITransfer.napMicroseconds)
      }
    } else {
      try check(jk_mpi_wait(&request), what, peer: peer, rank: communicator.rank)
    }
    communicator.traffic.waitSeconds += monotonicSeconds() - start
    isFinished = true
    note()
  }

  private var label: String { peer.map { "\(what) \($0)" } ?? what }

  private func note() {
    communicator.trace?.addTransfer(label, since: start, bytes: region?.byteCount ?? 0)
  }
}

extension NumberType {
  fileprivate var code: jk_mpi_type {
    switch self {
    case .float32: JK_MPI_FLOAT
    case .float64: JK_MPI_DOUBLE
    case .int64: JK_MPI_INT64
    }
  }
}

extension ReductionOperation {
  fileprivate var code: jk_mpi_operation {
    switch self {
    case .sum: JK_MPI_SUM
    case .maximum: JK_MPI_MAX
    case .minimum: JK_MPI_MIN
    }
  }
}

/// Throws MPI's words for a code other than success.
private func check(_ code: Int32, _ what: String, peer: Int? = nil, rank: Int) throws {
  if code == 0 { return }
  let words = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1_024) { text in
    jk_mpi_error_text(code, text.baseAddress)
    return String(cString: text.baseAddress!)
  }
  throw JigsawError(
    rank < 0 ? "MPI" : "rank \(rank)", "\(what)\(peer.map { " rank \($0)" } ?? "") failed (\(words))")
}
