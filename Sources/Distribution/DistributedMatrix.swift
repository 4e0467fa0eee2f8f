import Basics
import Tensors

/// The axes that matrices are split over.
public enum SplitAxis: Sendable, Hashable {
  case domain, tensor

  public var other: SplitAxis { self == .domain ? .tensor : .domain }
}

/// A dimension of a matrix and where it is cut when it lies on either axis of the mesh.
///
/// Positions are counted in an order of the layer's own, in which every rank's part is contiguous: the columns of a patch
/// matrix, for example, are ordered by tensor rank, then point, then variable.
public struct Cuts: Sendable, Hashable {
  /// Ascending, from 0 to the extent: one more than ranks on the axis.
  public let domain, tensor: [Int]

  public init(domain: [Int], tensor: [Int]) {
    precondition(domain.last == tensor.last && domain.first == 0 && tensor.first == 0)
    self.domain = domain
    self.tensor = tensor
  }

  /// `extent` positions in parts of near-equal numbers of units; each unit is `unit` positions that stay together.
  public init(_ extent: Int, mesh: Mesh, unit: Int = 1) {
    func bounds(_ count: Int) -> [Int] {
      (0..<count).map { chunk(extent / unit, into: count, $0).lowerBound * unit } + [extent]
    }
    self.init(domain: bounds(mesh.domain), tensor: bounds(mesh.tensor))
  }

  public var extent: Int { domain[domain.count - 1] }

  public func range(_ axis: SplitAxis, _ index: Int) -> Range<Int> {
    let bounds = axis == .domain ? domain : tensor
    return bounds[index]..<bounds[index + 1]
  }
}

/// One rank's block of a matrix whose rows are split over one axis of the mesh and whose columns over the other.
public struct DistributedMatrix {
  public let rows, columns: Cuts
  public let rowAxis: SplitAxis
  public var columnAxis: SplitAxis { rowAxis.other }
  /// The local block, contiguous.
  public let block: Matrix
  /// Whether it stays as it is for a whole training pass.
  public let isWeight: Bool

  public init(_ block: Matrix, rows: Cuts, columns: Cuts, rowAxis: SplitAxis, isWeight: Bool = false) {
    precondition(block.stride == block.columns || block.rows <= 1)
    self.block = block
    self.rows = rows
    self.columns = columns
    self.rowAxis = rowAxis
    self.isWeight = isWeight
  }

  var extents: (rows: Int, columns: Int) { (rows.extent, columns.extent) }

  public var plain: DistributedOperand { DistributedOperand(matrix: self, isTransposed: false) }
  public var transposed: DistributedOperand { DistributedOperand(matrix: self, isTransposed: true) }
}

/// A distributed matrix or its transpose as an operand of a GEMM. Nothing moves for a transposition.
public struct DistributedOperand {
  public let matrix: DistributedMatrix
  public let isTransposed: Bool

  public var rows: Cuts { isTransposed ? matrix.columns : matrix.rows }
  public var columns: Cuts { isTransposed ? matrix.rows : matrix.columns }
  public var rowAxis: SplitAxis { isTransposed ? matrix.columnAxis : matrix.rowAxis }
  public var columnAxis: SplitAxis { rowAxis.other }
  public var block: Operand { Operand(matrix.block, transposed: isTransposed) }
}
