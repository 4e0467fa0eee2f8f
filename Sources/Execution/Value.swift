import Tensors

/// Extents of a value: rows (tokens), batch, columns (channels or variables). The memory is [rows, batch, columns], so
/// that one GEMM serves the whole batch whether it adds over rows, in rows x (batch·columns), or over columns, in
/// (rows·batch) x columns.
public struct ValueShape: Hashable, Sendable, CustomStringConvertible {
  public let rows, batch, columns: Int
  /// [groups + 1]: rows starts[i] ..< starts[i + 1] stay on one rank, such as the edges into one destination. nil: rows are
  /// split anywhere.
  public let rowStarts: IndexList?
  /// Neighbouring columns that stay on one rank: the channels of a head of attention.
  public let cell: Int

  public init(rows: Int, batch: Int, columns: Int, rowStarts: IndexList? = nil, cell: Int = 1) {
    precondition(columns % cell == 0 && rowStarts.map { $0[$0.count - 1] == rows } ?? true)
    self.rows = rows
    self.batch = batch
    self.columns = columns
    self.rowStarts = rowStarts
    self.cell = cell
  }

  /// The same rows with other columns.
  public func with(columns: Int, cell: Int = 1) -> ValueShape {
    ValueShape(rows: rows, batch: batch, columns: columns, rowStarts: rowStarts, cell: cell)
  }

  public var count: Int { rows * batch * columns }
  public var dimensions: [Int] { [rows, batch, columns] }
  public var description: String { "[\(rows), \(batch), \(columns)]" }
}

/// Where the gradient of the loss with respect to a value arrives, summed over the value's uses. A backward step that needs no
/// more than the gradient of its output holds this, and not the output with its data.
public final class GradientSlot {
  public var gradient: Tensor?

  /// The gradient, which must have arrived, handed over: the slot gives its reference up.
  public func take() -> Tensor {
    guard let gradient else { preconditionFailure("backward reached a value without a gradient") }
    self.gradient = nil
    return gradient
  }
}

/// An activation in a computation, with a place for its gradient. In dry runs it has a shape but no data.
public final class Value {
  /// Global: a distributed value holds only this rank's block of it in `data`.
  public let shape: ValueShape
  /// Groups that the columns consist of, each with a column for every variable: the points of a patch. One otherwise.
  public let groups: Int
  public let data: Tensor?
  /// Where its gradient arrives during a backward pass.
  public let slot = GradientSlot()
  /// Whether backward has to reach this value.
  public let requiresGradient: Bool

  public init(shape: ValueShape, groups: Int = 1, data: Tensor?, requiresGradient: Bool) {
    precondition(shape.columns % groups == 0)
    self.shape = shape
    self.groups = groups
    self.data = data
    self.requiresGradient = requiresGradient
  }

  /// An input of a computation.
  public convenience init(_ data: Tensor, requiresGradient: Bool = false) {
    precondition(data.shape.count == 3)
    self.init(
      shape: ValueShape(rows: data.shape[0], batch: data.shape[1], columns: data.shape[2]), data: data,
      requiresGradient: requiresGradient)
  }

  /// The data of a value in a real run.
  public var tensor: Tensor {
    guard let data else { preconditionFailure("a dry-run value has no data") }
    return data
  }

  /// The gradient of the loss with respect to this value.
  public var gradient: Tensor? {
    get { slot.gradient }
    set { slot.gradient = newValue }
  }

  /// The gradient, which must have arrived, handed over: the value gives its reference up.
  public func takeGradient() -> Tensor { slot.take() }
}
