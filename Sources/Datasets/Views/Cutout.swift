import Basics
import Geometry

#if canImport(Glibc)
  import Glibc
#endif

/// Limited areas in a global dataset: the points of the areas, then the global points outside them. Which these are follows
/// anemoi-transform's `cutout_mask`: a global point is inside an area when the line from the centre of the earth through it
/// hits a triangle of its nearest points there, or when it lies next to one of them.
struct Cutout {
  var minimumDistanceKm: Double?
  var maximumDistanceKm: Double?
  /// Degrees around an area in which global points are looked at.
  var croppingDistance = 2.0
  /// Nearest points that triangles are made of.
  var neighbours = 5

  /// - Parameter parts: areas, the most important first, then the globe.
  func combine(_ parts: [any FieldView], key: String) throws -> any FieldView {
    guard parts.count > 1, let globe = parts.last else {
      throw JigsawError(key, "needs a limited area and a global dataset", found: "\(parts.count) datasets")
    }
    let areas = parts.dropLast()
    var isKept = [Bool](repeating: true, count: globe.points.count)
    var pieces: [any FieldView] = []
    for (number, area) in areas.enumerated() {
      remove(area.points, from: globe.points, &isKept)
      var isOwn = [Bool](repeating: true, count: area.points.count)
      for earlier in areas.prefix(number) where Cutout.overlap(earlier.points, area.points) {
        remove(earlier.points, from: area.points, &isOwn)
      }
      pieces.append(subset(area, isOwn))
    }
    pieces.append(subset(globe, isKept))
    let rest = pieces.filter { $0.points.count > 0 }
    if rest.isEmpty { throw JigsawError(key, "leaves no points") }
    return try GridUnion(rest, key: key)
  }

  private func subset(_ view: any FieldView, _ isKept: [Bool]) -> any FieldView {
    isKept.contains(false) ? PointSubset(view, isKept.indices.filter { isKept[$0] }) : view
  }

  /// Whether points of two areas lie within a degree of latitude and longitude of each other, as Anemoi asks.
  private static func overlap(_ first: PointGrid, _ second: PointGrid) -> Bool {
    // Degrees as a plane: a tree of flat points serves.
    let tree = PointTree(zip(first.latitudes, first.longitudes).map { SpherePoint($0, $1, 0) })
    return zip(second.latitudes, second.longitudes).contains { latitude, longitude in
      tree.nearest(to: SpherePoint(latitude, longitude, 0), count: 1).contains { $0.squaredDistance < 1 }
    }
  }

  /// Marks the points of a grid that lie in an area as not kept.
  private func remove(_ area: PointGrid, from globe: PointGrid, _ isKept: inout [Bool]) {
    guard let north = area.latitudes.max(), let south = area.latitudes.min() else { return }
    let (west, east) = Cutout.extent(area.longitudes)
    var margin = croppingDistance
    if let maximumDistanceKm {
      let degree = SpherePoint.earthRadiusKm * cos(max(abs(north), abs(south)) * .pi / 180) * .pi / 180
      margin = max(margin, 1.1 * maximumDistanceKm / degree)
    }
    let box = Area(
      north: min(90, north + margin), west: west - margin, south: max(-90, south - margin), east: east + margin)
    let candidates = globe.latitudes.indices.filter {
      box.contains(latitude: globe.latitudes[$0], longitude: globe.longitudes[$0])
    }
    let tree = PointTree(area)
    let targets = candidates.map { SpherePoint(latitude: globe.latitudes[$0], longitude: globe.longitudes[$0]) }
    let nearby = minimumDistanceKm.map { $0 / SpherePoint.earthRadiusKm } ?? Cutout.smallestSpacing(targets)
    let limit = maximumDistanceKm.map { $0 / SpherePoint.earthRadiusKm }
    // A point in an area is within a few of its spacings of one of its points.
    let spacing =
      tree.points.map { point in
        tree.nearest(to: point, count: 2).dropFirst().first.map { $0.squaredDistance.squareRoot() } ?? 0
      }.max() ?? 0
    let radius = max(2 * sin(margin * .pi / 360), nearby, limit ?? 0, 3 * spacing)
    if limit != nil {
      let inBox = Set(candidates)
      for point in isKept.indices where !inBox.contains(point) { isKept[point] = false }
    }
    for (candidate, target) in zip(candidates, targets) {
      let found = tree.nearest(to: target, count: neighbours)
      let distance = found.first.map { $0.squaredDistance.squareRoot() } ?? .infinity
      let isNear = distance < radius
      let isInside =
        isNear && found.count == neighbours
        && found.indices.contains { first in
          let corners = (0..<3).map { tree.points[found[(first + $0) % found.count].index] }
          return Cutout.hits(target, corners[0], corners[1], corners[2])
        }
      let isTooFar = limit.map { !isNear || distance > $0 } ?? false
      if isInside || isNear && distance <= nearby || isTooFar { isKept[candidate] = false }
    }
  }

  /// The smallest distance between two points.
  private static func smallestSpacing(_ points: [SpherePoint]) -> Double {
    let tree = PointTree(points)
    return points.compactMap { tree.nearest(to: $0, count: 2).dropFirst().first?.squaredDistance }.min()?.squareRoot()
      ?? .infinity
  }

  /// West and east of the longitudes, with the widest gap outside.
  private static func extent(_ longitudes: [Double]) -> (west: Double, east: Double) {
    let sorted = Set(longitudes.map { $0 - 360 * ($0 / 360).rounded(.down) }).sorted()
    guard let first = sorted.first, let last = sorted.last, sorted.count > 1 else {
      return (sorted.first ?? 0, sorted.first ?? 0)
    }
    let gaps = zip(sorted, sorted.dropFirst()).map { $1 - $0 }
    let widest = gaps.indices.max { (gaps[$0], $1) < (gaps[$1], $0) } ?? 0
    return first + 360 - last >= gaps[widest] ? (first, last) : (sorted[widest + 1], sorted[widest] + 360)
  }

  /// Whether a ray from the centre of the earth hits a triangle (Möller and Trumbore 1997).
  private static func hits(_ ray: SpherePoint, _ v0: SpherePoint, _ v1: SpherePoint, _ v2: SpherePoint) -> Bool {
    let epsilon = 1e-7
    let (edge1, edge2) = (v1 - v0, v2 - v0)
    let h = ray.cross(edge2)
    let a = edge1.dot(h)
    if abs(a) < epsilon { return false }
    let s = SpherePoint(-v0.x, -v0.y, -v0.z)
    let u = s.dot(h) / a
    if u < 0 || u > 1 { return false }
    let q = s.cross(edge1)
    let v = ray.dot(q) / a
    if v < 0 || u + v > 1 { return false }
    return edge2.dot(q) / a > epsilon
  }
}
