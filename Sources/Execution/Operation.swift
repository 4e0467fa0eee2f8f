import Tensors

/// One operation of a model, such as a linear layer: what it reads, what it gives, what it costs, and how one process
/// runs it.
///
/// An operation is a value that holds its inputs. Models write `operations.apply(SomeOperation(…))`; whoever interprets
/// models (runs, counts, traces, prices, plans them) is generic over the facets below and knows no operation by name. A
/// new operation is therefore one type. On several ranks per model instance it also needs the facets of
/// `DistributedOperation`; without them it runs on one rank, and on any number of replicas.
///
/// ```
/// struct Square: Operation {
///   let x: Value
///   var inputs: [Value] { [x] }
///   func output(_ table: ParameterTable) -> OutputForm { OutputForm(x.shape, groups: x.groups) }
///   func phase(_ table: ParameterTable) -> StepPhase? { .output }
///   func cost(_ table: ParameterTable) -> OperationCost { … }
///   func run(on operations: some ExecutingOperations) -> Value { … }
/// }
/// extension Square: DistributedOperation {}
/// ```
/// The last line, in Distribution or beside a family's model, says that it runs on blocks as on whole values, as what treats every
/// element by itself does.
public protocol Operation {
  /// The values that it reads.
  var inputs: [Value] { get }
  /// The parameters that it reads and whose gradients its backward adds to. None by default.
  var parameters: [ParameterID] { get }

  /// Shape of the result, of all ranks together.
  func output(_ table: ParameterTable) -> OutputForm

  /// The part of a step that it is traced and counted as; nil for what takes no time, such as another view of memory.
  func phase(_ table: ParameterTable) -> StepPhase?

  /// Operations and memory traffic of all ranks together.
  func cost(_ table: ParameterTable) -> OperationCost

  /// Its large matrix products, of all ranks together, by which layouts are compared before they are simulated. None by
  /// default; an operation whose `cost` has such products and names none here counts as free when layouts are compared.
  func layers(_ table: ParameterTable) -> [LayerSizes]

  /// Elements of all ranks together that are kept for backward: the result, unless it is another view of memory, and what
  /// else the operation keeps. The result alone by default; an operation that keeps more says so.
  func storedElements(_ table: ParameterTable) -> Int

  /// Computes the result and, where `operations.tape` is set, records its backward step there.
  func run(on operations: LocalOperations) throws -> Value
}

extension Operation {
  public var parameters: [ParameterID] { [] }
  public func layers(_ table: ParameterTable) -> [LayerSizes] { [] }
  public func storedElements(_ table: ParameterTable) -> Int { output(table).shape.count }

  /// The result of a dry run: a shape without data.
  public func dryResult(_ table: ParameterTable) -> Value {
    let form = output(table)
    return Value(
      shape: form.shape, groups: form.groups, data: nil,
      requiresGradient: !parameters.isEmpty || inputs.contains(where: \.requiresGradient))
  }
}

/// Shape of an operation's result, and the groups that its columns consist of (`Value.groups`).
public struct OutputForm: Sendable, Hashable {
  public let shape: ValueShape
  public let groups: Int

  public init(_ shape: ValueShape, groups: Int = 1) {
    self.shape = shape
    self.groups = groups
  }
}

/// The least work of one pass of an operation.
public struct Work: Sendable, Hashable {
  /// Floating-point operations of matrix products, 2·m·n·k each.
  public var flops: Int
  /// Elements that are read or written if each operand is touched once; what is added to is read and written.
  public var elements: Int

  public init(flops: Int = 0, elements: Int = 0) {
    self.flops = flops
    self.elements = elements
  }

  public static func += (sum: inout Work, other: Work) {
    sum.flops += other.flops
    sum.elements += other.elements
  }
}

/// The work of an operation, forward and backward.
public struct OperationCost: Sendable, Hashable {
  public let forward, backward: Work

  public init(forward: Work = Work(), backward: Work = Work()) {
    self.forward = forward
    self.backward = backward
  }
}

/// The GEMMs of a linear layer: Y [rows, outputs] = X [rows, inputs]·Wᵀ, in backward the weight's gradient, and that of X
/// if needed.
public struct LayerSizes: Sendable, Hashable {
  public let rows, inputs, outputs: Int
  public let needsInputGradient: Bool

  public init(rows: Int, inputs: Int, outputs: Int, needsInputGradient: Bool) {
    self.rows = rows
    self.inputs = inputs
    self.outputs = outputs
    self.needsInputGradient = needsInputGradient
  }
}
