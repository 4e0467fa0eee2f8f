import Execution
import Tensors

extension HeadNorm: DistributedOperation {
  /// The few parameters that all heads share are on every rank. Nothing travels, as every rank has whole heads.
  public func place(in plan: inout ParallelPlan) { plan.place(scale, .whole) }
}

extension ConditionalNorm: DistributedOperation {
  public func traffic(_ plan: ParallelPlan, _ place: Mesh.Position) -> SentElements {
    LayerNorm.traffic(x, plan.mesh, place)
  }

  public func run(on operations: DistributedOperations) throws -> Value {
    let compute = operations.compute
    let y = operations.newTensor(x.shape)
    let columns = operations.unitRange(x.shape, groups: 1).count
    let affine = compute.tensor([2, columns])
    let (ones, zeros) = (affine.elements(0..<columns), affine.elements(columns..<2 * columns))
    compute.setIdentity(scale: ones, shift: zeros)
    let statistics = try operations.normalize(x, scale: ones, shift: zeros, into: y)
    compute.scaleAndShift(y, by: scale.tensor, shift.tensor)
    let output = operations.result(y, x.shape)
    guard let tape = operations.tape else { return output }
    let slot = output.slot
    tape.record { [x, scale, shift] in
      let dy = slot.take()
      let (dscale, dnormal) = (operations.newTensor(x.shape), operations.newTensor(x.shape))
      compute.scaleAndShiftBackward(
        x.tensor, scale: scale.tensor, statistics, dy, into: (dscale, dnormal))
      let target = operations.gradientTarget(x)
      let unused = compute.tensor([2, columns])
      unused.fill()
      try operations.normalizeBackward(
        x, scale: ones, statistics, dnormal,
        into: (target.tensor, unused.elements(0..<columns), unused.elements(columns..<2 * columns)),
        accumulate: target.accumulate)
      operations.contribute(dscale, to: scale)
      operations.contribute(dy, to: shift)
    }
    return output
  }
}
