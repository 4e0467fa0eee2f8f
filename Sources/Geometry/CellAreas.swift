import Tensors

/// How much of the globe each of some points stands for: the areas of the cells of the spherical Voronoi diagram, in which
/// each point has what is nearer to it than to any other.
///
/// Where points end, as at the edge of a limited area, a cell would reach as far as the next points, however far away these
/// are. Such open cells have the area of the nearest that is closed. Points at the same place share their cell.
public struct CellAreas: Sendable {
  /// [points]: mean 1.
  public let weights: [Double]
  /// [points]: how far each point's values hold, on a chord of the unit sphere: to the farthest corner of a closed cell; from
  /// a point with an open one three quarters of the side of a square of its area.
  public let reaches: [Double]
  /// Whether no cell is open.
  public let isGlobal: Bool

  /// A cell is open if it reaches so many times as far as the least of its neighbours, and so many times as far as the
  /// farthest of those cells of which the first is not true: where a fine grid borders on a coarse one, cells are as large
  /// as those of the coarse one.
  private static let (neighbourRatio, closedRatio) = (3.0, 1.5)
  private static let neighbourCount = 24

  public init(_ points: GridPoints, threads: Int) {
    let all = zip(points.latitudes, points.longitudes).map { SpherePoint(latitude: $0, longitude: $1) }
    guard all.count > 1 else {
      weights = all.map { _ in 1 }
      reaches = all.map { _ in 2 }
      isGlobal = true
      return
    }
    let team = ThreadTeam(count: max(1, threads))
    let places = CellAreas.distinct(all, team)
    let tree = PointTree(places.distinct.map { all[$0] })
    let cells = SphericalVoronoi.outlines(tree, team)
    let isOpen = CellAreas.open(cells.map(\.reach), tree, team)
    let closed = isOpen.indices.filter { !isOpen[$0] }
    let closedTree = PointTree(closed.map { tree.points[$0] })
    var areas = cells.map { $0.area ?? 0 }
    for place in closed where cells[place].area == nil { areas[place] = SphericalVoronoi.area(place, tree) ?? 0 }
    for place in isOpen.indices where isOpen[place] {
      let nearest = closedTree.nearest(to: tree.points[place], count: 1).first
      areas[place] = nearest.map { areas[closed[$0.index]] } ?? 1
    }
    let ownReaches = isOpen.indices.map { isOpen[$0] ? 0.75 * areas[$0].squareRoot() : cells[$0].reach }
    reaches = places.ofPoint.map { ownReaches[$0] }
    var sharing = [Double](repeating: 0, count: areas.count)
    for place in places.ofPoint { sharing[place] += 1 }
    let own = places.ofPoint.map { areas[$0] / sharing[$0] }
    let mean = own.reduce(0, +) / Double(own.count)
    weights = own.map { $0 / mean }
    isGlobal = closed.count == isOpen.count
  }

  /// The points of which no other is at the same place, or the first of those that are, and to which of them each belongs.
  private static func distinct(_ points: [SpherePoint], _ team: ThreadTeam) -> (distinct: [Int], ofPoint: [Int]) {
    let tree = PointTree(points)
    var first = [Int](repeating: 0, count: points.count)
    first.withUnsafeMutableBufferPointer { first in
      let out = first
      team.split(points.count) { range in
        for point in range {
          let twins = tree.within(SphericalVoronoi.smallestDistance, of: points[point])
          out[point] = twins.reduce(point) { min($0, $1.index) }
        }
      }
    }
    // Points at one place may be a chain of such.
    for point in points.indices { first[point] = first[first[point]] }
    let distinct = points.indices.filter { first[$0] == $0 }
    var places = [Int](repeating: 0, count: points.count)
    for (place, point) in distinct.enumerated() { places[point] = place }
    return (distinct, first.map { places[$0] })
  }

  private static func open(_ reaches: [Double], _ tree: PointTree, _ team: ThreadTeam) -> [Bool] {
    var isFar = [Bool](repeating: false, count: reaches.count)
    isFar.withUnsafeMutableBufferPointer { isFar in
      let out = isFar
      team.split(reaches.count) { range in
        for place in range {
          let least = tree.nearest(to: tree.points[place], count: neighbourCount).map { reaches[$0.index] }.min() ?? 0
          out[place] = reaches[place] > neighbourRatio * least
        }
      }
    }
    let farthest = reaches.indices.reduce(0) { isFar[$1] ? $0 : max($0, reaches[$1]) }
    return reaches.indices.map { isFar[$0] && reaches[$0] > closedRatio * farthest }
  }
}
