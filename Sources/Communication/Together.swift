import Basics
import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// Another rank failed and says why.
public struct FailedElsewhere: Error, CustomStringConvertible {
  public let description: String

  public init(_ description: String = "stopped, since another rank failed") { self.description = description }
}

extension Communicator {
  /// Runs `body` on all ranks, or on one, and returns when all are through.
  /// - Throws: on every rank if it failed on any: the cause where it did, elsewhere a `FailedElsewhere`.
  public func together(onlyOn only: Int? = nil, _ body: () throws -> Void) throws {
    var failure: (any Error)?
    if only == nil || only == rank {
      do { try body() } catch { failure = error }
    }
    try conclude(failure) { try all($0) }
  }

  /// Runs `body` on all ranks as `together` does, for work that takes long: `body` is given a question to ask now and then, which throws soon after
  /// another rank failed, so that none works on in vain. Asking costs next to nothing, and no rank waits for another.
  public func togetherAsking(_ body: (_ ask: @escaping () throws -> Void) throws -> Void) throws {
    let outcomes = try Outcomes(self)
    var failure: (any Error)?
    do { try body { try outcomes.ask() } } catch { failure = error }
    try conclude(failure) { try outcomes.end($0) }
  }

  private func conclude(_ failure: (any Error)?, _ agree: (Bool) throws -> Bool) throws {
    let isFine: Bool
    // The cause says more than that others have stopped since.
    do { isFine = try agree(failure == nil) } catch { throw failure ?? error }
    if let failure { throw failure }
    if !isFine { throw FailedElsewhere() }
  }
}

/// How ranks that work side by side learn of each other's failures: each tells the first how its work ended, and the first
/// tells all when one failed, or else when all are through.
private final class Outcomes {
  private struct Message {
    let region = Region(Buffer(zeroed: 1), byteCount: 1)
    var transfer: (any Transfer)?
    var isFine: Bool { region.pointer.load(as: UInt8.self) == 1 }
  }

  private static let tag = collectiveTag + 4
  /// Between two looks at what others say, when there is nothing else to do.
  private static let napMicroseconds: UInt32 = 200

  private let communicator: any Communicator
  /// The ranks that this one hears from and tells: the first all others, these the first.
  private let peers: [Int]
  private var incoming: [Message] = []
  private var outgoing: [Message] = []
  /// Whether no rank has failed, as far as this rank has heard.
  private var isFine = true

  init(_ communicator: any Communicator) throws {
    self.communicator = communicator
    peers = communicator.rank == 0 ? Array(1..<max(1, communicator.size)) : [0]
    for peer in peers {
      var message = Message()
      message.transfer = try communicator.receive(message.region, from: peer, tag: Outcomes.tag)
      incoming.append(message)
    }
  }

  /// - Throws: when another rank is known to have failed.
  func ask() throws {
    try look()
    if !isFine { throw FailedElsewhere() }
  }

  /// Returns when all ranks are through: whether all were fine.
  func end(_ isOwnFine: Bool) throws -> Bool {
    if communicator.rank > 0 { try tell(isOwnFine) } else if !isOwnFine { isFine = false }
    try look()
    let trace = communicator.trace
    let number = trace?.begin(
      .waiting, "for \(communicator.rank == 0 ? "other ranks" : "rank 0") to end its part of the work")
    // The stall watch sees this wait; the trace draws no transfer for it.
    defer { if let number { trace?.end(number, isNoted: false) } }
    while incoming.contains(where: { $0.transfer != nil }) {
      usleep(Outcomes.napMicroseconds)
      try look()
    }
    try tell(isFine)
    for message in outgoing { try message.transfer?.wait() }
    return isFine
  }

  /// Takes note of what has arrived.
  private func look() throws {
    for index in incoming.indices {
      guard let transfer = incoming[index].transfer, try transfer.isDone() else { continue }
      incoming[index].transfer = nil
      if !incoming[index].isFine { isFine = false }
    }
    if communicator.rank == 0 && !isFine { try tell(false) }
  }

  /// Once: what was said stays.
  private func tell(_ isFine: Bool) throws {
    guard outgoing.isEmpty else { return }
    for peer in peers {
      var message = Message()
      message.region.pointer.storeBytes(of: isFine ? 1 : 0, as: UInt8.self)
      message.transfer = try communicator.send(message.region, to: peer, tag: Outcomes.tag)
      outgoing.append(message)
    }
  }
}
