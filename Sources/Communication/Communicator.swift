import Basics
import Tensors

/// A transfer under way. Its memory must not be touched (received into) or changed (sent from) until it is done.
public protocol Transfer: AnyObject {
  /// Whether it is done. Asking moves transfers on.
  func isDone() throws -> Bool

  /// Returns when it is done.
  func wait() throws
}

/// Bytes and messages that one rank sent through one communicator. Collectives count what their bandwidth-optimal form
/// sends: an all-reduce of n bytes over S ranks 2·n·(S − 1)/S, a broadcast n at its root.
public struct Traffic: Sendable, Equatable {
  public var bytesSent = 0
  public var messagesSent = 0
  /// Time spent waiting in `wait`, and in collectives that return when they are done.
  public var waitSeconds = 0.0

  public init() {}
}

/// How one rank communicates.
public struct CommunicationPolicy: Sendable, Equatable {
  /// Whether transfers may overlap with the rank's computation. If not they are waited for where they are started: for
  /// comparison.
  public var overlaps: Bool
  /// Whether more ranks than processors compute on this machine: a waiting rank then sleeps, so that others may compute.
  public var sharesProcessors: Bool

  public init(overlaps: Bool = true, sharesProcessors: Bool = false) {
    self.overlaps = overlaps
    self.sharesProcessors = sharesProcessors
  }
}

/// Ranks 0 ..< size that exchange memory. A rank calls it from one thread; all ranks call the collectives in the same
/// order. Communicators are passed on as arguments, never global.
///
/// Failures of the library or of a peer throw an error that names the rank, the operation and the peer.
public protocol Communicator: AnyObject {
  var rank: Int { get }
  var size: Int { get }
  var traffic: Traffic { get set }
  /// The library or mechanism that carries the messages, for people: "Open MPI v4.1.4", "threads".
  var name: String { get }
  var policy: CommunicationPolicy { get }
  /// Where transfers and waiting are noted; nil: nowhere.
  var trace: Trace? { get }

  /// The same ranks with another policy and trace, which communicators split off later share. It counts its own traffic.
  /// All ranks call it together, and leave this communicator idle from then on.
  func with(_ policy: CommunicationPolicy, trace: Trace?) -> any Communicator

  /// Starts to send. Messages between two ranks with one tag arrive in the order in which they were sent.
  func send(_ region: Region, to peer: Int, tag: Int) throws -> any Transfer

  /// Starts to receive exactly `region.byteCount` bytes.
  func receive(_ region: Region, from peer: Int, tag: Int) throws -> any Transfer

  /// Starts to replace the elements in `region` by their sum (or …) over all ranks, the same bits on every rank.
  func allReduce(_ region: Region, of type: NumberType, _ operation: ReductionOperation) throws -> any Transfer

  /// Replaces `region` on every rank by that of `root`.
  func broadcast(_ region: Region, from root: Int) throws

  /// Returns when all ranks have called it.
  func barrier() throws

  /// The ranks with the same color, ordered by key, as a communicator of their own.
  func split(color: Int, key: Int) throws -> any Communicator

  /// Moves transfers on; to be called now and then during long computations.
  func progress() throws
}

/// Tags below this are for whoever calls; collectives use the ones above (MPI grants 32 767).
let collectiveTag = 32_000

extension Communicator {
  /// Starts to collect the parts of all ranks, of any sizes: part i of `parts` is received from rank i; this rank's own
  /// part is sent.
  public func allGather(_ parts: [Region]) throws -> any Transfer {
    precondition(parts.count == size)
    var transfers: [any Transfer] = []
    for step in 1..<max(size, 1) {
      let source = (rank + step) % size
      transfers.append(try receive(parts[source], from: source, tag: collectiveTag))
    }
    for step in 1..<max(size, 1) {
      transfers.append(try send(parts[rank], to: (rank + size - step) % size, tag: collectiveTag))
    }
    return TransferGroup(transfers)
  }

  /// Starts to exchange: `outgoing[i]` goes to rank i, whose part for this rank arrives in `incoming[i]`. The part that
  /// stays is copied.
  public func allToAll(_ outgoing: [Region], into incoming: [Region]) throws -> any Transfer {
    precondition(outgoing.count == size && incoming.count == size)
    var transfers: [any Transfer] = []
    for step in 1..<max(size, 1) {
      let source = (rank + step) % size
      transfers.append(try receive(incoming[source], from: source, tag: collectiveTag + 1))
    }
    for step in 1..<max(size, 1) {
      let peer = (rank + size - step) % size
      transfers.append(try send(outgoing[peer], to: peer, tag: collectiveTag + 1))
    }
    incoming[rank].copy(from: outgoing[rank])
    return TransferGroup(transfers)
  }

  /// Sums (or …) over all ranks, of a few numbers at a time.
  public func allReduce(_ values: [Double], _ operation: ReductionOperation = .sum) throws -> [Double] {
    if size == 1 || values.isEmpty { return values }
    let buffer = Buffer(zeroed: values.count * 8)
    let numbers = UnsafeMutableBufferPointer(
      start: buffer.pointer.assumingMemoryBound(to: Double.self), count: values.count)
    _ = numbers.update(fromContentsOf: values)
    try allReduce(Region(buffer, byteCount: values.count * 8), of: .float64, operation).wait()
    return Array(numbers)
  }

  /// The bytes of every rank, by rank; all ranks have as many.
  public func allGather(bytes own: [UInt8]) throws -> [[UInt8]] {
    if size == 1 || own.isEmpty { return Array(repeating: own, count: size) }
    let all = Buffer(zeroed: size * own.count)
    let parts = (0..<size).map { Region(all, offset: $0 * own.count, byteCount: own.count) }
    parts[rank].pointer.copyMemory(from: own, byteCount: own.count)
    try allGather(parts).wait()
    return parts.map { Array(UnsafeRawBufferPointer(start: $0.pointer, count: own.count)) }
  }

  /// Whether it is so on all ranks.
  public func all(_ condition: Bool) throws -> Bool { try allReduce([condition ? 1 : 0], .minimum)[0] == 1 }

  /// The bytes that `root` has, on every rank.
  public func broadcast(_ bytes: [UInt8], from root: Int) throws -> [UInt8] {
    if size == 1 { return bytes }
    let count = Buffer(zeroed: 8)
    count.pointer.storeBytes(of: Int64(bytes.count), as: Int64.self)
    try broadcast(Region(count, byteCount: 8), from: root)
    let length = Int(count.pointer.load(as: Int64.self))
    let buffer = Buffer(zeroed: max(length, 1))
    if rank == root { buffer.pointer.copyMemory(from: bytes, byteCount: bytes.count) }
    try broadcast(Region(buffer, byteCount: length), from: root)
    return Array(UnsafeRawBufferPointer(start: buffer.pointer, count: length))
  }
}

extension Communicator {
  /// The text that `root` has, on every rank.
  public func broadcast(_ text: String, from root: Int) throws -> String {
    String(decoding: try broadcast(Array(text.utf8), from: root), as: UTF8.self)
  }
}

extension Region {
  func copy(from other: Region) {
    precondition(byteCount == other.byteCount)
    buffer.device.copy(buffer.address + offset, from: other.buffer.address + other.offset, byteCount)
  }
}

/// Several transfers as one.
public final class TransferGroup: Transfer {
  private var transfers: ArraySlice<any Transfer>

  public init(_ transfers: [any Transfer]) { self.transfers = transfers[...] }

  /// Asks no further than the first that is not: groups may be large.
  public func isDone() throws -> Bool {
    while let first = transfers.first {
      guard try first.isDone() else { return false }
      transfers.removeFirst()
    }
    return true
  }

  public func wait() throws {
    for transfer in transfers { try transfer.wait() }
    transfers = []
  }
}
