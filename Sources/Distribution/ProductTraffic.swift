/// The layout of a distributed matrix: its shape and cuts, without elements.
public struct MatrixLayout: Sendable, Hashable {
  public let rows, columns: Cuts
  public let rowAxis: SplitAxis

  public init(rows: Cuts, columns: Cuts, rowAxis: SplitAxis) {
    self.rows = rows
    self.columns = columns
    self.rowAxis = rowAxis
  }

  public var transposed: MatrixLayout { MatrixLayout(rows: columns, columns: rows, rowAxis: rowAxis.other) }

  public func rowCount(_ place: Mesh.Position) -> Int { rows.range(rowAxis, place.index(rowAxis)).count }
  public func columnCount(_ place: Mesh.Position) -> Int {
    columns.range(rowAxis.other, place.index(rowAxis.other)).count
  }
  public func count(_ place: Mesh.Position) -> Int { rowCount(place) * columnCount(place) }
}

extension Mesh.Position {
  public func index(_ axis: SplitAxis) -> Int { axis == .domain ? domain : tensor }
}

/// Elements that a rank sends for a GEMM C = A·B: the formulas of docs/parallel.md, equal to what is counted.
public struct ProductTraffic {
  let mesh: Mesh
  let place: Mesh.Position

  public init(_ mesh: Mesh, _ place: Mesh.Position) {
    self.mesh = mesh
    self.place = place
  }

  /// The traffic of the first rank, which has the largest parts.
  public static func ofLargestPart(_ mesh: Mesh) -> ProductTraffic { ProductTraffic(mesh, mesh.position(of: 0)) }

  private func others(_ axis: SplitAxis) -> Int { (axis == .domain ? mesh.domain : mesh.tensor) - 1 }

  public func elements(_ a: MatrixLayout, _ b: MatrixLayout, into c: MatrixLayout) -> Int {
    let (alpha, beta) = (c.rowAxis, c.rowAxis.other)
    switch ProductSchedule.of(a.rowAxis, b.rowAxis, c.rowAxis) {
    case .stationaryC: return a.count(place) * others(beta) + b.count(place) * others(alpha)
    case .stationaryA:
      return b.count(place) * others(alpha) + c.rowCount(place) * (c.columns.extent - c.columnCount(place))
    case .stationaryB:
      return a.count(place) * others(beta) + c.columnCount(place) * (c.rows.extent - c.rowCount(place))
    case nil: preconditionFailure("neither operand lies as the product does")
    }
  }

  /// Elements sent for a linear layer, forward.
  public func forward(_ layer: LinearLayout) -> Int { elements(layer.forward.0, layer.forward.1, into: layer.y) }

  /// Elements sent for a linear layer: forward, and backward with the gradient of the output travelling once if it is needed twice.
  public func linear(_ layer: LinearLayout, needsInputGradient: Bool) -> Int {
    var sum = forward(layer)
    sum += elements(layer.weightGradient.0, layer.weightGradient.1, into: layer.w)
    if needsInputGradient {
      sum += elements(layer.inputGradient.0, layer.inputGradient.1, into: layer.x)
      if layer.sharesOutputGradient { sum -= layer.y.count(place) * others(layer.outputAxis) }
    }
    return sum
  }

  /// Elements sent for a linear layer, by direction.
  public func sent(_ layer: LinearLayout, needsInputGradient: Bool) -> SentElements {
    let forward = forward(layer)
    return SentElements(
      forward: forward, backward: linear(layer, needsInputGradient: needsInputGradient) - forward)
  }
}

/// How input, weight and output of a linear layer lie: Y = X·Wᵀ along channels, Y = W·X along tokens.
public struct LinearLayout: Sendable, Hashable {
  public let alongTokens: Bool
  public let x, w, y: MatrixLayout

  public init(alongTokens: Bool, x: MatrixLayout, w: MatrixLayout, y: MatrixLayout) {
    self.alongTokens = alongTokens
    self.x = x
    self.w = w
    self.y = y
  }

  var forward: (MatrixLayout, MatrixLayout) { alongTokens ? (w, x) : (x, w.transposed) }
  var inputGradient: (MatrixLayout, MatrixLayout) { alongTokens ? (w.transposed, y) : (y, w) }
  var weightGradient: (MatrixLayout, MatrixLayout) { alongTokens ? (y, x.transposed) : (y.transposed, x) }

  /// The axis that the layer's outputs lie on within Y.
  var outputAxis: SplitAxis { alongTokens ? y.rowAxis : y.rowAxis.other }

  /// Whether forward and backward GEMMs have an operand that lies as their result does.
  public var isPossible: Bool {
    [(forward, y), (inputGradient, x), (weightGradient, w)].allSatisfy {
      ProductSchedule.of($0.0.rowAxis, $0.1.rowAxis, $1.rowAxis) != nil
    }
  }

  /// Both GEMMs of backward need the blocks of Y's gradient along the same axis.
  var sharesOutputGradient: Bool {
    ProductSchedule.of(inputGradient.0.rowAxis, inputGradient.1.rowAxis, x.rowAxis) == .stationaryC
  }
}
