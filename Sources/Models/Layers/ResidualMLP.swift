import Execution
import Tensors

/// Whether a layer mixes tokens (rows) or channels (columns).
public enum MixingDimension: Sendable, Hashable {
  case tokens, channels

  var phase: StepPhase { self == .tokens ? .tokenMixing : .channelMixing }
}

extension StepPhase {
  static let tokenMixing = StepPhase(rawValue: "token mixing")
  static let channelMixing = StepPhase(rawValue: "channel mixing")
}

/// The parameters of x + second(gelu(first(norm(x)))).
public struct MLPParameters: Sendable, Hashable {
  public let name: String
  public let norm: NormParameters
  public let first, second: LinearParameters

  public init(name: String, norm: NormParameters, first: LinearParameters, second: LinearParameters) {
    self.name = name
    self.norm = norm
    self.first = first
    self.second = second
  }

  public var all: [ParameterID] {
    [norm.scale, norm.shift, first.weight, first.bias, second.weight, second.bias]
  }
}

/// x + second(gelu(first(norm(x)))), [R, B, C] → [R, B, C], with both linear layers along tokens (W·X, W₁ [H, R],
/// W₂ [R, H]) or along channels (X·Wᵀ, W₁ [H, C], W₂ [C, H]). Dropout follows gelu and the second layer.
///
/// Fused: bias, GELU, its derivative and the residual are applied to a GEMM's result while it is in the cache. Of the
/// intermediate results only the input of gelu is kept.
public struct ResidualMLP: Operation {
  public let x: Value
  public let dimension: MixingDimension
  public let p: MLPParameters
  public let dropout: Dropout?

  public init(_ x: Value, along dimension: MixingDimension, _ parameters: MLPParameters, dropout: Dropout?) {
    self.x = x
    self.dimension = dimension
    p = parameters
    self.dropout = dropout
  }

  public var inputs: [Value] { [x] }
  public var parameters: [ParameterID] { p.all }
  public func output(_ table: ParameterTable) -> OutputForm { OutputForm(x.shape) }
  public func phase(_ table: ParameterTable) -> StepPhase? { dimension.phase }

  /// Length of the mixed dimension, and how many such vectors there are.
  private var mixed: (length: Int, count: Int) {
    let shape = x.shape
    return dimension == .tokens
      ? (shape.rows, shape.batch * shape.columns) : (shape.columns, shape.rows * shape.batch)
  }

  public func cost(_ table: ParameterTable) -> OperationCost {
    let first = table[p.first.weight]
    let weights = first.count + table[p.second.weight].count
    let (length, others) = mixed
    precondition(first.columns == length)
    let all = parameters.reduce(0) { $0 + table[$1].count }
    let (flops, hidden) = (2 * weights * others, first.rows * others)
    // Forward also writes the input of gelu, which backward reads.
    return OperationCost(
      forward: Work(flops: flops, elements: 2 * x.shape.count + hidden + all),
      backward: Work(flops: 2 * flops, elements: 3 * x.shape.count + hidden + 3 * all))
  }

  /// The result, and the input of gelu, which backward reads.
  public func storedElements(_ table: ParameterTable) -> Int {
    x.shape.count + table[p.first.weight].rows * mixed.count
  }

  public func layers(_ table: ParameterTable) -> [LayerSizes] {
    let hidden = table[p.first.weight].rows
    let (length, others) = mixed
    return [(length, hidden), (hidden, length)].map {
      LayerSizes(rows: others, inputs: $0, outputs: $1, needsInputGradient: true)
    }
  }
}
