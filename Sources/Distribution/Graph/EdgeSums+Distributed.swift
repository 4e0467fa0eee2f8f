import Execution
import Tensors

// Edges belong to the rank of their destination: only the rows of sources travel.

extension EndpointSum: DistributedOperation {
  public func place(in plan: inout ParallelPlan) { plan.addHalo(edges) }

  public func traffic(_ plan: ParallelPlan, _ place: Mesh.Position) -> SentElements {
    plan.halo(edges).traffic(sources, plan.mesh, place)
  }

  public func run(on operations: DistributedOperations) throws -> Value {
    precondition(x.shape.rowStarts == edges.starts, "edges that are not split by their destinations")
    let compute = operations.compute
    let length = x.shape.batch * operations.unitRange(x.shape, groups: 1).count
    let (local, halo, y) = (operations.localEdges(edges), operations.halo(edges), x.tensor)
    let pending = try halo?.start([sources.tensor], length: length)
    compute.addNodesToEdges(destinations.tensor, atSources: false, local, length: length, to: y)
    try pending?.finish()
    compute.addNodesToEdges(
      pending?.extended[0] ?? sources.tensor, atSources: true, local, length: length, to: y)
    let output = operations.result(y, x.shape)
    guard let tape = operations.tape else { return output }
    let slot = output.slot
    tape.record { [x, destinations, sources] in
      let dy = slot.take()
      let d = operations.newTensor(destinations.shape)
      compute.sumEdges(dy, atSources: false, local, length: length, into: d)
      operations.contribute(d, to: destinations)
      var dsources = compute.tensor([local.sourceCount, length])
      compute.sumEdges(dy, atSources: true, local, length: length, into: dsources)
      if let halo { dsources = try halo.giveBack([dsources], length: length)[0] }
      operations.contribute(dsources, to: sources)
      operations.contribute(dy, to: x)
    }
    return output
  }
}

extension IncomingSum: DistributedOperation {
  public func place(in plan: inout ParallelPlan) { plan.addHalo(edges) }

  public func run(on operations: DistributedOperations) throws -> Value {
    precondition(x.shape.rowStarts == edges.starts, "edges that are not split by their destinations")
    let compute = operations.compute
    let length = x.shape.batch * operations.unitRange(x.shape, groups: 1).count
    let local = operations.localEdges(edges)
    let shape = output(operations.parameters.table).shape
    let y = operations.newTensor(shape)
    compute.sumEdges(x.tensor, atSources: false, local, length: length, into: y)
    let output = operations.result(y, shape)
    guard let tape = operations.tape else { return output }
    let slot = output.slot
    tape.record { [x] in
      let dy = slot.take()
      let target = operations.gradientTarget(x)
      if !target.accumulate { target.tensor.fill() }
      compute.addNodesToEdges(dy, atSources: false, local, length: length, to: target.tensor)
    }
    return output
  }
}

extension HaloLists {
  /// Elements that exchanging the rows of one value of sources takes.
  func traffic(_ sources: Value, _ mesh: Mesh, _ place: Mesh.Position) -> SentElements {
    let columns = sources.columnDimension.unitRange(mesh.tensor, place.tensor).count
    let length = sources.shape.batch * columns
    return SentElements(forward: remote.sent(place.domain) * length, backward: remote.received(place.domain) * length)
  }
}
