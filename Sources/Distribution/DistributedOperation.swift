import Execution

/// An operation that runs on a mesh: where its parameters lie, what it sends, and how a rank runs it on its blocks.
///
/// The facets of the core operations are in Core and Graph of this room, those of a family's own operations in its folder. An
/// operation that treats every element by itself needs none of its own: its `run(on: some ExecutingOperations)` serves both, and
/// the conformance is one line.
public protocol DistributedOperation: Operation {
  /// Says where its parameters lie (`ParallelPlan.place`), which may depend on what each placement would send.
  ///
  /// - Throws: a sentence where the operation can't run on this mesh.
  func place(in plan: inout ParallelPlan) throws

  /// FP32 elements that the rank at `place` sends within its model instance.
  func traffic(_ plan: ParallelPlan, _ place: Mesh.Position) -> SentElements

  /// Computes this rank's block of the result and, where `operations.tape` is set, records its backward step there. All
  /// ranks of an instance run the same operations in the same order.
  func run(on operations: DistributedOperations) throws -> Value
}

extension DistributedOperation {
  public func place(in plan: inout ParallelPlan) {}
  public func traffic(_ plan: ParallelPlan, _ place: Mesh.Position) -> SentElements { SentElements() }
}

/// The FP32 elements that a rank sends for an operation.
public struct SentElements: Sendable, Hashable {
  public var forward, backward: Int

  public init(forward: Int = 0, backward: Int = 0) {
    self.forward = forward
    self.backward = backward
  }

  public static func += (sum: inout SentElements, other: SentElements) {
    sum.forward += other.forward
    sum.backward += other.backward
  }
}
