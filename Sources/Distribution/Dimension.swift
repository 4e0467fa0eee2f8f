/// A dimension of values or weights as the mesh sees it: `groups` groups of `unit` positions each.
///
/// The tensor axis splits the units, so that groups stay alike on every rank: of the columns (point, variable) of a patch
/// matrix each tensor rank has all points of some variables. Internally positions are ordered by tensor rank, then group,
/// then position in the rank's unit; the domain axis splits that order evenly.
public struct Dimension: Sendable, Hashable {
  public let groups, unit: Int

  public init(_ extent: Int, groups: Int = 1) {
    precondition(extent % groups == 0)
    self.groups = groups
    unit = extent / groups
  }

  public var extent: Int { groups * unit }

  public func cuts(_ mesh: Mesh) -> Cuts {
    Cuts(
      domain: (0..<mesh.domain).map { chunk(extent, into: mesh.domain, $0).lowerBound } + [extent],
      tensor: (0..<mesh.tensor).map { chunk(unit, into: mesh.tensor, $0).lowerBound * groups } + [extent])
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
      let part = chunk(unit, into: mesh.tensor, rank)
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
}
