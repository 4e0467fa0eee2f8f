import Basics

/// One rank alone: nothing to send, every collective is done at once.
public final class SingleRank: Communicator {
  public let rank = 0
  public let size = 1
  public var traffic = Traffic()
  public let name = "one process"
  public let policy: CommunicationPolicy
  public let trace: Trace?

  public init() {
    policy = CommunicationPolicy()
    trace = nil
  }

  private init(_ policy: CommunicationPolicy, _ trace: Trace?) {
    self.policy = policy
    self.trace = trace
  }

  public func with(_ policy: CommunicationPolicy, trace: Trace?) -> any Communicator { SingleRank(policy, trace) }

  public func send(_ region: Region, to peer: Int, tag: Int) throws -> any Transfer {
    preconditionFailure("a single rank has no peers")
  }

  public func receive(_ region: Region, from peer: Int, tag: Int) throws -> any Transfer {
    preconditionFailure("a single rank has no peers")
  }

  public func allReduce(_ region: Region, of type: NumberType, _ operation: ReductionOperation) -> any Transfer {
    TransferGroup([])
  }

  public func broadcast(_ region: Region, from root: Int) { precondition(root == 0) }
  public func barrier() {}
  public func split(color: Int, key: Int) -> any Communicator { SingleRank(policy, trace) }
  public func progress() {}
}
