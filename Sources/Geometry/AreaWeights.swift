import Basics
import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// The share of the globe, or of a plane, that each point stands for.
public enum AreaWeights: Sendable, Equatable {
  /// The areas of the cells of the spherical Voronoi diagram.
  case spherical
  /// 0.999 · cos φ + 0.001
  case cosine
  /// The areas of the cells of the Voronoi diagram of the points of a mask in the plane of latitude and longitude; 0 for the
  /// others. Cells at the edge have the area of the nearest that is not. nil: of all points.
  case planar(mask: String?)

  /// [points]: FP64 areas, rounded to FP32 and then normalised.
  func values(_ space: PointSpace, _ norm: Normalisation, team: ThreadTeam, place: String) throws -> [Float] {
    let areas: [Double]
    switch self {
    case .cosine: areas = space.latitudes.map { 0.999 * cos(Double($0)) + 0.001 }
    case .spherical: areas = try SphericalVoronoi.areas(space, team: team, place: place)
    case .planar(let mask):
      let isWanted = try mask.map { try space.mask($0, place: place) }
      areas = PlanarVoronoi.areas(space, isWanted, team: team)
    }
    return try norm.apply(areas.map { Float($0) }, place: place)
  }
}

extension PointSpace {
  /// - Throws: when there is no such mask.
  func mask(_ name: String, place: String) throws -> [Bool] {
    if let mask = masks[name] { return mask }
    throw JigsawError(
      place, "no mask '\(name)' at these points",
      found: masks.isEmpty ? "no masks" : masks.keys.sorted().joined(separator: ", "))
  }
}

/// Cells of points on the sphere: each holds what is nearer to its point than to any other.
enum SphericalVoronoi {
  /// Points nearer to each other than this are one: they have no cells.
  static let smallestDistance = 1e-6

  /// How far a cell reaches, from its point to the furthest corner, on a chord; its area as far as neighbours alone close it.
  struct Outline {
    let reach: Double
    let area: Double?
  }

  /// The cells of points of which no two are at the same place. The effort hardly grows with what lies beyond them.
  static func outlines(_ tree: PointTree, _ team: ThreadTeam) -> [Outline] {
    var outlines = [Outline](repeating: Outline(reach: 2, area: 4 * .pi), count: tree.points.count)
    guard outlines.count > 1 else { return outlines }
    outlines.withUnsafeMutableBufferPointer { outlines in
      let out = outlines
      team.split(outlines.count) { range in
        for point in range {
          guard let outline = outline(point, tree) else { preconditionFailure("two points at the same place") }
          out[point] = outline
        }
      }
    }
    return outlines
  }

  /// Nil where another point is at the same place.
  private static func outline(_ index: Int, _ tree: PointTree) -> Outline? {
    let centre = tree.points[index]
    guard let begun = begin(index, tree, CubeFaces(around: centre)) else { return nil }
    var cell = begun.cell
    func furthest() -> SpherePoint? {
      cell.corners.max { centre.squaredDistance(to: $0) < centre.squaredDistance(to: $1) }
    }
    if begun.isClosed && !cell.reachesOutside {
      let reach = furthest().map { centre.squaredDistance(to: $0).squareRoot() } ?? 0
      return Outline(reach: reach, area: cell.solidAngle(around: centre))
    }
    // The furthest corner that belongs to the cell ends the search: all others are nearer.
    var used: Set<Int> = [index]
    while let corner = furthest(), let other = nearer(to: corner, than: centre, tree, used) {
      used.insert(other)
      guard cut(&cell, centre, tree.points[other], by: other) else { return nil }
    }
    if cell.reachesOutside { return Outline(reach: 2, area: nil) }
    return Outline(reach: furthest().map { centre.squaredDistance(to: $0).squareRoot() } ?? 0, area: nil)
  }

  static func areas(_ space: PointSpace, team: ThreadTeam, place: String) throws -> [Double] {
    let tree = PointTree(space.positions)
    let points = tree.points
    guard points.count > 1 else { return points.map { _ in 4 * .pi } }
    var areas = [Double](repeating: 0, count: points.count)
    areas.withUnsafeMutableBufferPointer { areas in
      let out = areas
      team.split(points.count) { range in
        for point in range { out[point] = area(point, tree) ?? -1 }
      }
    }
    if let twin = areas.firstIndex(where: { $0 < 0 }) {
      let other = tree.nearest(to: points[twin], count: 2).first { $0.index != twin }
      throw JigsawError(
        place, "points that coincide have no areas of their own",
        found: "points \(twin) and \(other?.index ?? twin), \(space.place(twin))",
        remedy: "leave out rows at the poles, or take weights by the cosine of latitude (CosineLatWeightedAttribute)")
    }
    return areas
  }

  /// The area of a point's cell; nil where another point is at the same place.
  static func area(_ index: Int, _ tree: PointTree) -> Double? {
    let centre = tree.points[index]
    let faces = CubeFaces(around: centre)
    guard let begun = begin(index, tree, faces) else { return nil }
    var cell = begun.cell
    if !begun.isClosed { guard finish(&cell, index, tree) else { return nil } }
    let area = cell.solidAngle(around: centre)
    return cell.reachesOutside ? area + beyond(index, faces, tree) : area
  }

  /// A cell as far as up to 256 neighbours bound it, and whether it is closed so that points further away cut nothing off; nil
  /// where another point is at the same place.
  private static func begin(_ index: Int, _ tree: PointTree, _ faces: CubeFaces) -> (cell: ConvexCell, isClosed: Bool)?
  {
    let centre = tree.points[index]
    var cell = faces.cell(0)
    var count = 16
    repeat {
      let neighbours = tree.nearest(to: centre, count: min(count + 1, tree.points.count))
      for neighbour in neighbours where neighbour.index != index {
        guard cut(&cell, centre, tree.points[neighbour.index], by: neighbour.index) else { return nil }
      }
      // A point further away than twice the furthest corner cuts nothing off.
      let reach = cell.corners.map { centre.squaredDistance(to: $0) }.max() ?? 0
      let farthest = neighbours.last?.squaredDistance ?? 0
      if farthest > 4 * reach { return (cell, true) }
      count *= 2
    } while count < min(256, tree.points.count)
    return (cell, false)
  }

  /// A point that is nearer to a corner of a cell than the cell's own.
  private static func nearer(
    to corner: SpherePoint, than centre: SpherePoint, _ tree: PointTree, _ used: Set<Int>
  ) -> Int? {
    guard let nearest = tree.nearest(to: corner, count: 1).first, !used.contains(nearest.index),
      nearest.squaredDistance < centre.squaredDistance(to: corner)
    else { return nil }
    return nearest.index
  }

  /// Cuts off what is nearer to other points: a corner that belongs to the cell has none that is nearer to it, and where all
  /// corners belong to the cell, so does what is between them.
  /// - Returns: false where another point is at the same place.
  private static func finish(_ cell: inout ConvexCell, _ index: Int, _ tree: PointTree) -> Bool {
    let centre = tree.points[index]
    var used: Set<Int> = [index]
    while let other = cell.corners.lazy.compactMap({ nearer(to: $0, than: centre, tree, used) }).first {
      used.insert(other)
      guard cut(&cell, centre, tree.points[other], by: other) else { return false }
    }
    return true
  }

  /// Limits the cell of a point where points are few, or all lie on one side.
  private static func beyond(_ index: Int, _ faces: CubeFaces, _ tree: PointTree) -> Double {
    (1..<6).reduce(0) { sum, face in
      var cell = faces.cell(face)
      guard finish(&cell, index, tree) else { preconditionFailure("a point at the same place was not seen") }
      return sum + cell.solidAngle(around: faces.axes[face].axis)
    }
  }

  private static func cut(_ cell: inout ConvexCell, _ centre: SpherePoint, _ other: SpherePoint, by label: Int) -> Bool
  {
    let normal = centre - other
    if normal.dot(normal) < smallestDistance * smallestDistance { return false }
    cell.cut(normal, by: label)
    return true
  }

  /// The sphere in six parts, seen through the faces of a cube that stands on a point: no side of a part, nor what is cut off
  /// it, spans half a circle.
  private struct CubeFaces {
    let axes: [(across: SpherePoint, along: SpherePoint, axis: SpherePoint)]

    /// The first face is that around the point.
    init(around pole: SpherePoint) {
      let least =
        abs(pole.x) <= min(abs(pole.y), abs(pole.z))
        ? SpherePoint(1, 0, 0) : abs(pole.y) <= abs(pole.z) ? SpherePoint(0, 1, 0) : SpherePoint(0, 0, 1)
      let across = pole.cross(least)
      let u = (1 / across.length) * across
      let v = pole.cross(u)
      axes = [(u, v, pole), (v, pole, u), (pole, u, v), (v, u, -1 * pole), (pole, v, -1 * u), (u, pole, -1 * v)]
    }

    func cell(_ face: Int) -> ConvexCell {
      let (u, v, w) = axes[face]
      let scale = 1 / 3.0.squareRoot()
      return ConvexCell(
        [(-1.0, -1.0), (1, -1), (1, 1), (-1, 1)].map { scale * ($0.0 * u + $0.1 * v + w) }, isSpherical: true)
    }
  }
}

/// Cells of points in the plane of latitude and longitude, radians.
enum PlanarVoronoi {
  /// A cell counts when none of its corners is further from its point than so many times the median distance of the point
  /// to its neighbours.
  private static let reach = 1.2

  /// - Parameter isWanted: which points are looked at; others have no area. nil: all.
  static func areas(_ space: PointSpace, _ isWanted: [Bool]?, team: ThreadTeam) -> [Double] {
    let wanted = space.latitudes.indices.filter { isWanted?[$0] ?? true }
    let points = plane(space, wanted)
    let tree = PointTree(points)
    var found = [Double](repeating: .nan, count: points.count)
    found.withUnsafeMutableBufferPointer { found in
      let out = found
      team.split(points.count) { range in
        for point in range { out[point] = area(point, tree) ?? .nan }
      }
    }
    let good = points.indices.filter { !found[$0].isNaN }
    var areas = [Double](repeating: 0, count: space.count)
    let goodTree = PointTree(good.map { points[$0] })
    for (place, point) in wanted.enumerated() {
      // Without any good cell all points count the same.
      let nearest = goodTree.nearest(to: points[place], count: 1).first.map { found[good[$0.index]] } ?? 1
      areas[point] = found[place].isNaN ? nearest : found[place]
    }
    return areas
  }

  /// Points as (latitude, longitude, 0), the longitudes around their mean.
  private static func plane(_ space: PointSpace, _ wanted: [Int]) -> [SpherePoint] {
    let longitudes = wanted.map { Double(space.longitudes[$0]) }
    let count = Double(max(1, wanted.count))
    let (south, west) = (longitudes.reduce(0) { $0 + sin($1) }, longitudes.reduce(0) { $0 + cos($1) })
    let middle = atan2(south / count, west / count)
    return zip(wanted, longitudes).map { point, longitude in
      let offset = longitude - middle + .pi
      let turned = offset - 2 * .pi * (offset / (2 * .pi)).rounded(.down)
      return SpherePoint(Double(space.latitudes[point]), turned - .pi + middle, 0)
    }
  }

  /// Nil where the cell is open or reaches too far.
  private static func area(_ index: Int, _ tree: PointTree) -> Double? {
    let centre = tree.points[index]
    let far = 100.0
    var cell = ConvexCell(
      [(-far, -far), (far, -far), (far, far), (-far, far)].map { SpherePoint($0.0, $0.1, 1) }, isSpherical: false)
    var count = 16
    while true {
      let neighbours = tree.nearest(to: centre, count: count + 1)
      for neighbour in neighbours where neighbour.index != index {
        let offset = tree.points[neighbour.index] - centre
        let square = offset.dot(offset)
        if square == 0 { return nil }
        cell.cut(SpherePoint(-offset.x, -offset.y, square / 2), by: neighbour.index)
      }
      let corner = cell.corners.map { $0.x * $0.x + $0.y * $0.y }.max() ?? 0
      if neighbours.count <= count || (neighbours.last?.squaredDistance ?? 0) > 4 * corner { break }
      // Such a cell reaches far beyond its neighbours: it lies at the edge.
      if count >= 256 { return nil }
      count *= 2
    }
    if cell.reachesOutside || cell.isEmpty { return nil }
    let distances = Set(cell.sides).map { (tree.points[$0] - centre).length }.sorted()
    let median = (distances[(distances.count - 1) / 2] + distances[distances.count / 2]) / 2
    let furthest = cell.corners.map { ($0.x * $0.x + $0.y * $0.y).squareRoot() }.max() ?? 0
    return furthest > reach * median ? nil : cell.planarArea
  }
}
