import Communication
import Execution
import Tensors

// The blend joins all variables of a grid point, which lie on the ranks of the tensor axis. These exchange: each gets all
// variables of a part of the points, blends them as one process does, and the result goes back.

extension DistributedOperations {
  public func blend(
    _ y: Value, with x: Value, inner: NormParameters, outer: NormParameters, _ p: LinearParameters
  ) throws -> Value {
    precondition(y.shape == x.shape && y.groups == 1 && x.groups == 1)
    let exchange = PointExchange(self, y.shape)
    let local = LocalOperations(compute: compute, parameters: parameters)
    let (yPoints, xPoints) = (
      Value(try exchange.toPoints(y.tensor), requiresGradient: true),
      Value(try exchange.toPoints(x.tensor), requiresGradient: x.requiresGradient)
    )
    let pointTape = tape == nil ? nil : Tape()
    local.tape = pointTape
    let blended = local.blend(yPoints, with: xPoints, inner: inner, outer: outer, p)
    let output = result(try exchange.toColumns(blended.tensor), y.shape, groups: 1)
    guard let tape, let pointTape else { return output }
    tape.record([inner.scale, inner.shift, outer.scale, outer.shift, p.weight, p.bias]) { [self] in
      blended.gradient = try exchange.toPoints(output.takeGradient())
      try pointTape.backward()
      contribute(try exchange.toColumns(yPoints.takeGradient()), to: y)
      if x.requiresGradient { contribute(try exchange.toColumns(xPoints.takeGradient()), to: x) }
    }
    return output
  }
}

/// Between [points, variables at hand] and [points at hand, variables], over the ranks of the tensor axis.
private struct PointExchange {
  private let operations: DistributedOperations
  private let shape: ValueShape
  /// Points of this rank's tokens, and their parts by rank.
  private let points: [Range<Int>]
  private let variables: [Range<Int>]

  init(_ operations: DistributedOperations, _ shape: ValueShape) {
    self.operations = operations
    self.shape = shape
    let ranks = operations.mesh.tensor
    let count = operations.rowRange(shape.rows).count * shape.batch
    points = (0..<ranks).map { chunk(count, into: ranks, $0) }
    variables = (0..<ranks).map { chunk(shape.columns, into: ranks, $0) }
  }

  private var tensor: any Communicator { operations.context.tensor }
  private var compute: Compute { operations.compute }
  private var ownPoints: Range<Int> { points[tensor.rank] }
  private var ownVariables: Range<Int> { variables[tensor.rank] }

  private func rows(_ x: Tensor, _ range: Range<Int>, _ columns: Int) -> Tensor {
    Tensor(shape: [range.count, columns], buffer: x.buffer, offset: x.offset + range.lowerBound * columns)
  }

  func toPoints(_ x: Tensor) throws -> Tensor {
    let parts = variables.map { compute.tensor([ownPoints.count, $0.count], for: .exchange) }
    try tensor.allToAll(
      points.map { Region(rows(x, $0, ownVariables.count)) }, into: parts.map { Region($0) }
    ).wait()
    let result = compute.tensor([ownPoints.count, 1, shape.columns])
    let matrix = result.reshaped([ownPoints.count, shape.columns]).matrix
    for (part, range) in zip(parts, variables) {
      matrix.columns(range).take(part.matrix, accumulate: false, compute)
    }
    return result
  }

  func toColumns(_ x: Tensor) throws -> Tensor {
    let matrix = x.reshaped([ownPoints.count, shape.columns]).matrix
    let parts = variables.map { compute.tensor([ownPoints.count, $0.count], for: .exchange) }
    for (part, range) in zip(parts, variables) {
      part.matrix.take(matrix.columns(range), accumulate: false, compute)
    }
    let result = operations.newTensor(shape, groups: 1)
    try tensor.allToAll(
      parts.map { Region($0) }, into: points.map { Region(rows(result, $0, ownVariables.count)) }
    ).wait()
    return result
  }
}
