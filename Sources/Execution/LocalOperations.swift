import Tensors

/// The operations on one process, which holds every value whole.
public final class LocalOperations: ExecutingOperations {
  public let compute: Compute
  public let parameters: ParameterStore
  public var tape: Tape?
  public var checkpointsActivations = false

  public var randomKey = RandomKey()

  /// While weights stay as they are.
  private var packedWeights: PackedWeights?

  public init(compute: Compute, parameters: ParameterStore) {
    self.compute = compute
    self.parameters = parameters
  }

  /// Weights stay as they are while `body` runs, which applies the model `uses` times, so that they need be packed only once.
  public func withFrozenWeights<T>(uses: Int, _ body: () throws -> T) rethrows -> T {
    // One thread that uses each once packs block by block within the GEMM.
    guard PackedWeights.isUseful(for: compute), compute.team.count > 1 || uses > 1 else { return try body() }
    packedWeights = PackedWeights(compute, keeps: uses > 1)
    defer { packedWeights = nil }
    return try body()
  }

  // MARK: Helpers

  /// A weight as an operand, A or B of A·B.
  public func operand(_ weight: Matrix, transposed: Bool = false, isLeft: Bool) -> Operand {
    let operand = Operand(weight, transposed: transposed)
    return packedWeights?(operand, isLeft: isLeft) ?? operand
  }

  public func rowRange(_ shape: ValueShape) -> Range<Int> { 0..<shape.rows }
  public func unitRange(_ shape: ValueShape, groups: Int) -> Range<Int> { 0..<shape.columns / groups }

  // MARK: Operations

  public func apply(_ operation: some Operation) throws -> Value { try operation.run(on: self) }
}
