import Tensors

/// Operations that compute on memory: what one process and one rank of a mesh have in common. An operation that treats
/// every element by itself is written once on this protocol.
public protocol ExecutingOperations: Operations {
  var compute: Compute { get }
  var parameters: ParameterStore { get }

  /// The rows held here of a value of this shape.
  func rowRange(_ shape: ValueShape) -> Range<Int>

  /// The columns held here of each of the `groups` groups that make up the columns of a value of this shape.
  func unitRange(_ shape: ValueShape, groups: Int) -> Range<Int>
}

extension ExecutingOperations {
  public func value(_ id: ParameterID) -> Tensor { parameters.value(id) }
  public func gradient(_ id: ParameterID) -> Tensor { parameters.gradient(id) }

  /// The shape of the block held here of a value.
  public func block(_ shape: ValueShape, groups: Int) -> [Int] {
    [rowRange(shape).count, shape.batch, groups * unitRange(shape, groups: groups).count]
  }

  /// Uninitialised memory for the block held here of a value.
  public func newTensor(_ shape: ValueShape, _ type: ElementType = .float32, groups: Int = 1) -> Tensor {
    compute.tensor(block(shape, groups: groups), type: type)
  }

  public func newValue(_ form: OutputForm, requiresGradient: Bool) -> Value {
    Value(
      shape: form.shape, groups: form.groups, data: newTensor(form.shape, groups: form.groups),
      requiresGradient: requiresGradient)
  }

  public func releaseIdleMemory() { compute.pool.trim() }

  /// The value of an operation whose backward always has something to do.
  public func result(_ data: Tensor, _ shape: ValueShape, groups: Int = 1) -> Value {
    Value(shape: shape, groups: groups, data: data, requiresGradient: tape != nil)
  }

  /// Memory for a contribution to x's gradient, and whether to add to it: the first contribution stores.
  public func gradientTarget(_ x: Value) -> GradientTarget {
    if let gradient = x.gradient { return (gradient, true) }
    let gradient = newTensor(x.shape, groups: x.groups)
    x.gradient = gradient
    return (gradient, false)
  }

  /// Adds to x's gradient a tensor that nobody else uses.
  public func contribute(_ gradient: Tensor, to x: Value) {
    if let sum = x.gradient { compute.add(gradient, to: sum) } else { x.gradient = gradient }
  }
}
