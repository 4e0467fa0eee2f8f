import Basics
import Communication
import Execution
import Tensors

/// One rank's share of a model: its place in the mesh, its parts of the parameters, and the operations that it computes
/// with. Whoever trains or runs a model does so through this, on one rank as on many.
public final class ModelRank {
  public let context: RankContext
  public let compute: Compute
  public let parameters: ParameterStore
  public let operations: any Operations
  /// Nil on a single rank, which needs none.
  public let plan: ParallelPlan?
  private let local: LocalOperations?
  private let distributed: DistributedOperations?

  /// - Parameters:
  ///   - compute: where its trace is set, operations are noted there, too.
  ///   - table: of the model's parameters, zero until `initialize` or a checkpoint fills them.
  ///   - trains: whether there is memory for gradients.
  ///   - dryRun: one recorded forward pass of the model, without data.
  public init(
    _ context: RankContext, _ compute: Compute, _ table: ParameterTable, trains: Bool = true,
    dryRun: (any Operations) throws -> Void
  ) rethrows {
    self.context = context
    self.compute = compute
    func traced(_ operations: any Operations) -> any Operations {
      compute.trace.map { TracedOperations(operations, table, $0) } ?? operations
    }
    if context.mesh.count == 1 {
      plan = nil
      distributed = nil
      parameters = ParameterStore(table, hasGradients: trains, makeZeros: compute.zeros)
      let operations = LocalOperations(compute: compute, parameters: parameters)
      local = operations
      self.operations = traced(operations)
    } else {
      let plan = try ParallelPlan.make(context.mesh, table, dryRun: dryRun)
      self.plan = plan
      local = nil
      parameters = plan.makeParameters(context.position, hasGradients: trains, makeZeros: compute.zeros)
      let operations = DistributedOperations(context, compute, plan, parameters)
      distributed = operations
      self.operations = traced(operations)
    }
  }

  public var randomKey = RandomKey() {
    didSet {
      local?.randomKey = randomKey
      distributed?.randomKey = randomKey
    }
  }

  /// Whether training keeps only the inputs of the model's segments for backward.
  public var checkpointsActivations = false {
    didSet {
      local?.checkpointsActivations = checkpointsActivations
      distributed?.checkpointsActivations = checkpointsActivations
    }
  }

  /// Bytes of lists of a graph's edges and rows that a rank of several makes beside the graph.
  public var listBytes: Int {
    guard let plan, let distributed else { return 0 }
    return distributed.localParts.values.reduce(plan.listBytes) { $0 + $1.edges.byteCount }
      + distributed.pickedRows.values.reduce(0) { $0 + $1.byteCount }
  }

  /// Floating-point operations of this rank's GEMMs so far; nil on a single rank, where nobody counts.
  public var productFLOPs: Int? { distributed?.products.flops }

  // MARK: Blocks of values

  /// The local ones of `count` tokens.
  public func tokens(_ count: Int) -> Range<Int> { chunk(count, into: context.mesh.domain, context.position.domain) }

  /// The local ones of `count` fields, at every point of a token.
  public func fields(_ count: Int) -> Range<Int> { chunk(count, into: context.mesh.tensor, context.position.tensor) }

  /// A patch matrix [T, B, s·V] from this rank's block of it.
  public func patches(_ block: Tensor, tokens: Int, points: Int, fields: Int, requiresGradient: Bool = false) -> Value {
    precondition(
      block.shape == [self.tokens(tokens).count, block.shape[1], points * self.fields(fields).count],
      "a block of \(block.shape) is not this rank's part of [\(tokens), B, \(points) · \(fields)]")
    return Value(
      shape: ValueShape(rows: tokens, batch: block.shape[1], columns: points * fields), groups: points, data: block,
      requiresGradient: requiresGradient)
  }

  // MARK: Parts of parameters

  /// Calls `body` for all elements of the local part of a parameter.
  public func forEachRun(_ id: ParameterID, _ body: (ParameterStore.Run) -> Void) {
    if let plan {
      plan.placement(id).forEachRun(plan.table[id], plan.mesh, context.position, body)
    } else {
      parameters.forEachRun(id, body)
    }
  }

  /// Whether this rank is the first of those of its instance that hold the same part.
  public func isFirstHolder(_ id: ParameterID) -> Bool {
    plan?.placement(id).sharedAxes.allSatisfy { context.index($0) == 0 } ?? true
  }

  /// Draws all parameters anew, the same numbers on every mesh.
  public func initialize(seed: UInt64) { parameters.initialize(seed: seed) { forEachRun($0, $1) } }

  // MARK: Sums

  /// Runs a forward and backward pass of training, during which parameters stay as they are.
  public func trainingPass<T>(_ body: () throws -> T) throws -> T {
    try distributed?.trainingPass(body) ?? body()
  }

  /// Parameters stay as they are while `body` runs, which applies the model `uses` times.
  public func withFrozenWeights<T>(uses: Int, _ body: () throws -> T) rethrows -> T {
    if let local { try local.withFrozenWeights(uses: uses, body) } else { try body() }
  }

  /// Returns when this rank has added all that others compute of its gradients.
  func finishGradients() throws { try distributed?.finishGradients() }

  /// Sums the gradients of parameters that several ranks of the instance hold.
  func sumSharedGradients() throws { try distributed?.sumSharedGradients() }

  /// Sum of squares of all local gradients within the shard, each element of the instance on one rank only.
  func gradientSquares(shard: OptimizerShard) -> Double {
    var sum = 0.0
    for index in parameters.table.specs.indices {
      let id = ParameterID(index: index)
      guard isFirstHolder(id) else { continue }
      for part in shard.overlaps(parameters.range(id)) {
        sum += compute.sumOfSquares(parameters.gradients.elements(part.piece))
      }
    }
    return sum
  }
}

extension Tensor {
  /// Elements of a tensor as a vector.
  public func elements(_ range: Range<Int>) -> Tensor {
    precondition(range.upperBound <= count)
    return Tensor(shape: [range.count], type: type, buffer: buffer, offset: offset + range.lowerBound)
  }
}

/// The ranges of a parameter piece that a rank's optimizer updates (ZeRO stage 1), and where they lie in the compact memory of
/// moments and average, which holds just these.
public struct OptimizerShard: Sendable, Hashable {
  /// Ascending.
  public let ranges: [Range<Int>]
  private let starts: [Int]
  public let count: Int

  public init(_ ranges: [Range<Int>]) {
    var end = 0
    self.ranges = ranges.filter { !$0.isEmpty }.sorted { $0.lowerBound < $1.lowerBound }
    starts = self.ranges.map { range in
      defer { end += range.count }
      return end
    }
    count = end
  }

  /// The parts of a range that other ranks update.
  public func others(in range: Range<Int>) -> [Range<Int>] {
    var (start, gaps): (Int, [Range<Int>]) = (range.lowerBound, [])
    for owned in ranges.map({ $0.clamped(to: range) }) where !owned.isEmpty {
      if start < owned.lowerBound { gaps.append(start..<owned.lowerBound) }
      start = owned.upperBound
    }
    if start < range.upperBound { gaps.append(start..<range.upperBound) }
    return gaps
  }

  /// The shard's parts of a range: where they lie in the piece, and from where in the compact memory.
  public func overlaps(_ range: Range<Int>) -> [(piece: Range<Int>, compact: Int)] {
    zip(ranges, starts).compactMap { owned, start in
      let shared = owned.clamped(to: range)
      return shared.isEmpty ? nil : (shared, start + shared.lowerBound - owned.lowerBound)
    }
  }
}
