#if canImport(Glibc)
  import Glibc
#endif

/// A convex polygon, as the rays through its corners, from which half-spaces are cut off: the cell of a point in a Voronoi
/// diagram, on the sphere or in a plane.
struct ConvexCell {
  /// In order around the polygon.
  private(set) var corners: [SpherePoint]
  /// The plane that cut off each side, from a corner to the next.
  private(set) var sides: [Int]
  /// Whether corners are points of the sphere; otherwise they are points of the plane z = 1.
  private let isSpherical: Bool

  /// The sides of the polygon at the beginning.
  static let outside = -1

  init(_ corners: [SpherePoint], isSpherical: Bool) {
    self.corners = corners
    sides = [Int](repeating: Self.outside, count: corners.count)
    self.isSpherical = isSpherical
  }

  var isEmpty: Bool { corners.isEmpty }
  /// Whether nothing has cut off some side of the first polygon.
  var reachesOutside: Bool { sides.contains(Self.outside) }

  /// Cuts off what lies on the negative side of the plane through the origin with this normal.
  mutating func cut(_ normal: SpherePoint, by label: Int) {
    let distances = corners.map { normal.dot($0) }
    if !distances.contains(where: { $0 < 0 }) { return }
    var (kept, labels): ([SpherePoint], [Int]) = ([], [])
    for index in corners.indices {
      let next = index + 1 < corners.count ? index + 1 : 0
      let (here, there) = (distances[index], distances[next])
      if here >= 0 {
        kept.append(corners[index])
        labels.append(sides[index])
      }
      if (here < 0) == (there < 0) { continue }
      if here == 0 {
        // The polygon leaves through a corner.
        labels[labels.count - 1] = label
        continue
      }
      if there == 0 { continue }
      let share = here / (here - there)
      let crossing = (1 - share) * corners[index] + share * corners[next]
      kept.append(isSpherical ? (1 / crossing.length) * crossing : crossing)
      labels.append(here >= 0 ? label : sides[index])
    }
    corners = kept.count < 3 ? [] : kept
    sides = kept.count < 3 ? [] : labels
  }

  /// The solid angle of a spherical polygon (Van Oosterom and Strackee 1983), as a fan of triangles around a point in it.
  func solidAngle(around centre: SpherePoint) -> Double {
    corners.indices.reduce(0) { sum, index in
      let (a, b) = (corners[index], corners[index + 1 < corners.count ? index + 1 : 0])
      return sum + 2 * atan2(centre.dot(a.cross(b)), 1 + centre.dot(a) + a.dot(b) + b.dot(centre))
    }
  }

  /// The area of a polygon in the plane (shoelace formula).
  var planarArea: Double {
    0.5
      * corners.indices.reduce(0) { sum, index in
        let (a, b) = (corners[index], corners[index + 1 < corners.count ? index + 1 : 0])
        return sum + a.x * b.y - b.x * a.y
      }
  }
}
