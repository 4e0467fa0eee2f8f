import Basics
import Execution
import Tensors

/// A dimension of values or weights as the mesh sees it: `groups` groups of `unit` positions each.
///
/// The tensor axis splits the units, so that groups stay alike on every rank: of the columns (point, variable) of a patch
/// matrix each tensor rank has all points of some variables. Internally positions are ordered by tensor rank, then group,
/// then position in the rank's unit; the domain axis splits that order evenly.
public struct Dimension: Sendable, Hashable {
  public let groups, unit: Int
  /// Neighbouring positions of a unit that the tensor axis does not part: the channels of a head of attention.
  public let cell: Int
  /// Positions that neither axis parts, `starts[i] ..< starts[i + 1]`: the edges into one destination.
  public let starts: IndexList?

  public init(_ extent: Int, groups: Int = 1, cell: Int = 1, starts: IndexList? = nil) {
    precondition(extent % (groups * cell) == 0 && (starts == nil || groups * cell == 1))
    self.groups = groups
    self.cell = cell
    self.starts = starts
    unit = extent / groups
  }

  public var extent: Int { groups * unit }

  /// Positions of each unit that a rank of the tensor axis has.
  public func unitRange(_ ranks: Int, _ rank: Int) -> Range<Int> {
    if let starts { return Dimension.range(starts, ranks, rank) }
    let part = chunk(unit / cell, into: ranks, rank)
    return part.lowerBound * cell..<part.upperBound * cell
  }

  /// Positions that a rank of the domain axis has.
  public func domainRange(_ ranks: Int, _ rank: Int) -> Range<Int> {
    starts.map { Dimension.range($0, ranks, rank) } ?? chunk(extent, into: ranks, rank)
  }

  private static func range(_ starts: IndexList, _ ranks: Int, _ rank: Int) -> Range<Int> {
    let part = chunk(starts.count - 1, into: ranks, rank)
    return starts[part.lowerBound]..<starts[part.upperBound]
  }

  public func cuts(_ mesh: Mesh) -> Cuts {
    Cuts(
      domain: (0..<mesh.domain).map { domainRange(mesh.domain, $0).lowerBound } + [extent],
      tensor: (0..<mesh.tensor).map { unitRange(mesh.tensor, $0).lowerBound * groups } + [extent])
  }

  /// Neighbours in both the internal and the natural order.
  public struct Run: Sendable, Hashable {
    public let position, natural, count: Int
  }

  /// The natural positions of a range of internal ones.
  public func runs(_ range: Range<Int>, _ mesh: Mesh) -> [Run] {
    if groups == 1 || mesh.tensor == 1 {
      return range.isEmpty ? [] : [Run(position: range.lowerBound, natural: range.lowerBound, count: range.count)]
    }
    var runs: [Run] = []
    for rank in 0..<mesh.tensor {
      let part = unitRange(mesh.tensor, rank)
      for group in 0..<groups {
        let first = part.lowerBound * groups + group * part.count
        let shared = (first..<first + part.count).clamped(to: range)
        if shared.isEmpty { continue }
        runs.append(
          Run(
            position: shared.lowerBound, natural: group * unit + part.lowerBound + shared.lowerBound - first,
            count: shared.count))
      }
    }
    return runs
  }

  /// The natural positions that a rank of an axis has, in the order in which it holds them.
  public func positions(_ mesh: Mesh, _ axis: SplitAxis, _ rank: Int) -> [Int] {
    runs(cuts(mesh).range(axis, rank), mesh).flatMap { $0.natural..<$0.natural + $0.count }
  }
}

extension ValueShape {
  /// The rows, which the domain axis splits.
  public var rowDimension: Dimension { Dimension(rows, starts: rowStarts) }

  /// Rows of the part at a position, times the batch.
  public func pointCount(_ mesh: Mesh, _ place: Mesh.Position) -> Int {
    rowDimension.domainRange(mesh.domain, place.domain).count * batch
  }
}

extension Value {
  /// The columns, which the tensor axis splits.
  public var columnDimension: Dimension { Dimension(shape.columns, groups: groups, cell: shape.cell) }
}
