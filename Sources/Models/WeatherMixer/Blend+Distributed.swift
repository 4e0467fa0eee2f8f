import Basics
import Communication
import Distribution
import Execution
import Tensors

// The blend joins all variables of a grid point, which lie on the ranks of the tensor axis. These exchange: each gets all
// variables of a part of the points, blends them as one process does, and the result goes back.

extension Blend: DistributedOperation {
  /// The few elements per variable are on every rank.
  public func place(in plan: inout ParallelPlan) {
    for id in parameters { plan.place(id, .whole) }
  }

  /// Points travel to the rank that blends them and back: y, x and the result forward; the result's gradient, y's and, if
  /// needed, x's backward.
  public func traffic(_ plan: ParallelPlan, _ place: Mesh.Position) -> SentElements {
    let mesh = plan.mesh
    let points = chunk(y.shape.rows, into: mesh.domain, place.domain).count * y.shape.batch
    let ownPoints = chunk(points, into: mesh.tensor, place.tensor).count
    let ownVariables = chunk(y.shape.columns, into: mesh.tensor, place.tensor).count
    let toPoints = (points - ownPoints) * ownVariables
    let toColumns = ownPoints * (y.shape.columns - ownVariables)
    return SentElements(
      forward: 2 * toPoints + toColumns, backward: toPoints + toColumns * (x.requiresGradient ? 2 : 1))
  }

  public func run(on operations: DistributedOperations) throws -> Value {
    precondition(y.groups == 1 && x.groups == 1)
    let exchange = PointExchange(operations, y.shape)
    let local = LocalOperations(compute: operations.compute, parameters: operations.parameters)
    let (yPoints, xPoints) = (
      Value(try exchange.toPoints(y.tensor), requiresGradient: true),
      Value(try exchange.toPoints(x.tensor), requiresGradient: x.requiresGradient)
    )
    let pointTape = operations.tape == nil ? nil : Tape()
    local.tape = pointTape
    let blended = Blend(yPoints, with: xPoints, inner: inner, outer: outer, p).run(on: local)
    let output = operations.result(try exchange.toColumns(blended.tensor), y.shape)
    guard let tape = operations.tape, let pointTape else { return output }
    let (slot, blendedSlot) = (output.slot, blended.slot)
    tape.record(parameters) { [x, y] in
      blendedSlot.gradient = try exchange.toPoints(slot.take())
      try pointTape.backward()
      operations.contribute(try exchange.toColumns(yPoints.takeGradient()), to: y)
      if x.requiresGradient { operations.contribute(try exchange.toColumns(xPoints.takeGradient()), to: x) }
    }
    return output
  }
}

/// Between [points, local variables] and [local points, variables], over the ranks of the tensor axis.
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
    let count = operations.pointCount(shape)
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
    let result = operations.newTensor(shape)
    try tensor.allToAll(
      parts.map { Region($0) }, into: points.map { Region(rows(result, $0, ownVariables.count)) }
    ).wait()
    return result
  }
}
