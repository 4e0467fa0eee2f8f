#if canImport(Glibc)
  import Glibc
#endif

/// A point of the unit sphere.
struct SpherePoint: Sendable {
  let x, y, z: Double

  init(latitude: Double, longitude: Double) {
    let (phi, lambda) = (latitude * .pi / 180, longitude * .pi / 180)
    (x, y, z) = (cos(phi) * cos(lambda), cos(phi) * sin(lambda), sin(phi))
  }

  init(_ x: Double, _ y: Double, _ z: Double) { (self.x, self.y, self.z) = (x, y, z) }

  func dot(_ other: SpherePoint) -> Double { x * other.x + y * other.y + z * other.z }

  func cross(_ other: SpherePoint) -> SpherePoint {
    SpherePoint(y * other.z - z * other.y, z * other.x - x * other.z, x * other.y - y * other.x)
  }

  static func - (a: SpherePoint, b: SpherePoint) -> SpherePoint { SpherePoint(a.x - b.x, a.y - b.y, a.z - b.z) }

  func squaredDistance(to other: SpherePoint) -> Double {
    let d = self - other
    return d.dot(d)
  }

  func coordinate(_ axis: Int) -> Double { axis == 0 ? x : axis == 1 ? y : z }

  /// The weighted mean of some points, on the sphere; nil where they cancel each other.
  init?(mean points: [(point: SpherePoint, weight: Double)]) {
    func sum(_ axis: Int) -> Double { points.reduce(0) { $0 + $1.point.coordinate(axis) * $1.weight } }
    let (x, y, z) = (sum(0), sum(1), sum(2))
    let length = (x * x + y * y + z * z).squareRoot()
    guard length > 1e-9, length.isFinite else { return nil }
    self.init(x / length, y / length, z / length)
  }

  /// How far a point of a grid lies from the next, on a chord: the largest distance found of some of its points.
  static func spacing(_ points: [SpherePoint]) -> Double {
    let samples = min(64, points.count)
    let squares = (0..<samples).map { sample -> Double in
      let point = points[points.count * sample / samples]
      // At the poles a row is one point.
      return points.reduce(4) { least, other in
        let square = point.squaredDistance(to: other)
        return square > 1e-16 ? min(least, square) : least
      }
    }
    return squares.max()?.squareRoot() ?? 0
  }
}

/// Finds the nearest of many points on the sphere: a k-d tree without pointers, the median of a range in its middle.
struct PointTree: Sendable {
  let points: [SpherePoint]
  /// Points in the order of the tree.
  private var order: [Int32]

  init(_ grid: PointGrid) {
    self.init(zip(grid.latitudes, grid.longitudes).map { SpherePoint(latitude: $0, longitude: $1) })
  }

  init(_ points: [SpherePoint]) {
    self.points = points
    var order = (0..<Int32(points.count)).map { $0 }
    order.withUnsafeMutableBufferPointer { order in
      points.withUnsafeBufferPointer { points in
        var open = [(0, points.count, 0)]
        while let (low, high, axis) = open.popLast() {
          if high - low < 2 { continue }
          let middle = (low + high) / 2
          PointTree.select(order, points, low, high, middle, axis)
          open.append((low, middle, (axis + 1) % 3))
          open.append((middle + 1, high, (axis + 1) % 3))
        }
      }
    }
    self.order = order
  }

  /// Quickselect (Hoare): what belongs into the middle goes there, smaller before, larger behind.
  private static func select(
    _ order: UnsafeMutableBufferPointer<Int32>, _ points: UnsafeBufferPointer<SpherePoint>, _ low: Int, _ high: Int,
    _ middle: Int, _ axis: Int
  ) {
    var (low, high) = (low, high - 1)
    func value(_ place: Int) -> Double { points[Int(order[place])].coordinate(axis) }
    while low < high {
      let pivot = value((low + high) / 2)
      var (left, right) = (low, high)
      while left <= right {
        while value(left) < pivot { left += 1 }
        while value(right) > pivot { right -= 1 }
        if left <= right {
          order.swapAt(left, right)
          left += 1
          right -= 1
        }
      }
      if middle <= right {
        high = right
      } else if middle >= left {
        low = left
      } else {
        return
      }
    }
  }

  struct Neighbour: Sendable {
    let index: Int
    let squaredDistance: Double
  }

  /// The `count` nearest points, the nearest first; fewer when there are no more.
  func nearest(to target: SpherePoint, count: Int) -> [Neighbour] {
    var best: [Neighbour] = []
    best.reserveCapacity(count + 1)
    search(0, points.count, 0, target, count, &best)
    return best
  }

  private func search(
    _ low: Int, _ high: Int, _ axis: Int, _ target: SpherePoint, _ count: Int, _ best: inout [Neighbour]
  ) {
    if low >= high { return }
    let middle = (low + high) / 2
    let index = Int(order[middle])
    let distance = points[index].squaredDistance(to: target)
    if best.count < count || distance < best[best.count - 1].squaredDistance {
      let place = best.firstIndex { distance < $0.squaredDistance } ?? best.count
      best.insert(Neighbour(index: index, squaredDistance: distance), at: place)
      if best.count > count { best.removeLast() }
    }
    let difference = target.coordinate(axis) - points[index].coordinate(axis)
    let next = (axis + 1) % 3
    let (near, far) = difference < 0 ? ((low, middle), (middle + 1, high)) : ((middle + 1, high), (low, middle))
    search(near.0, near.1, next, target, count, &best)
    if best.count < count || difference * difference < best[best.count - 1].squaredDistance {
      search(far.0, far.1, next, target, count, &best)
    }
  }
}
