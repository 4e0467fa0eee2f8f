/// Finds the nearest of many points on the sphere: a k-d tree without pointers, the median of a range in its middle.
public struct PointTree: Sendable {
  public let points: [SpherePoint]
  /// Points in the order of the tree.
  private var order: [Int32]
  /// The least and the greatest coordinates of all points.
  private let least, greatest: SpherePoint

  public init(_ points: [SpherePoint]) {
    self.points = points
    func extreme(_ axis: Int, _ choose: (Double, Double) -> Double) -> Double {
      points.dropFirst().reduce(points.first?.coordinate(axis) ?? 0) { choose($0, $1.coordinate(axis)) }
    }
    least = SpherePoint(extreme(0, min), extreme(1, min), extreme(2, min))
    greatest = SpherePoint(extreme(0, max), extreme(1, max), extreme(2, max))
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

  public struct Neighbour: Sendable {
    public let index: Int
    public let squaredDistance: Double
  }

  /// How far values reach beyond the points: to the twelfth neighbour, on a chord, of the point where it is farthest. That is two
  /// spacings of a square grid and three at its corners, and covers the cells of grids up to twelve times as high as wide.
  public var reach: Double {
    let samples = min(20_000, points.count)
    let squares = (0..<samples).map { sample in
      nearest(to: points[points.count * sample / samples], count: 13).last?.squaredDistance ?? 0
    }
    return squares.max()?.squareRoot() ?? 0
  }

  /// The `count` nearest points, the nearest first; fewer when there are no more.
  public func nearest(to target: SpherePoint, count: Int) -> [Neighbour] {
    var best: [Neighbour] = []
    best.reserveCapacity(count + 1)
    func outside(_ axis: Int) -> Double {
      let value = target.coordinate(axis)
      return max(0, least.coordinate(axis) - value, value - greatest.coordinate(axis))
    }
    search(0, points.count, 0, target, count, SpherePoint(outside(0), outside(1), outside(2)), &best)
    return best
  }

  /// - Parameter away: how far the target is outside the box of these points along each axis (Arya and Mount 1993), so that
  ///   what is far from all points is not compared with all of them.
  private func search(
    _ low: Int, _ high: Int, _ axis: Int, _ target: SpherePoint, _ count: Int, _ away: SpherePoint,
    _ best: inout [Neighbour]
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
    search(near.0, near.1, next, target, count, away, &best)
    let beyond = away.replacing(axis, by: difference)
    // Less than it is by what rounding may add.
    if best.count < count || beyond.dot(beyond) * (1 - 1e-12) < best[best.count - 1].squaredDistance {
      search(far.0, far.1, next, target, count, beyond, &best)
    }
  }

  /// All points at most `radius` away, on a chord, the nearest first; of more than `most` the nearest.
  public func within(_ radius: Double, of target: SpherePoint, most: Int = .max) -> [Neighbour] {
    var found: [Neighbour] = []
    collect(0, points.count, 0, target, radius * radius, &found)
    found.sort { ($0.squaredDistance, $0.index) < ($1.squaredDistance, $1.index) }
    return found.count > most ? Array(found.prefix(most)) : found
  }

  private func collect(
    _ low: Int, _ high: Int, _ axis: Int, _ target: SpherePoint, _ limit: Double, _ found: inout [Neighbour]
  ) {
    if low >= high { return }
    let middle = (low + high) / 2
    let index = Int(order[middle])
    let distance = points[index].squaredDistance(to: target)
    if distance <= limit { found.append(Neighbour(index: index, squaredDistance: distance)) }
    let difference = target.coordinate(axis) - points[index].coordinate(axis)
    let next = (axis + 1) % 3
    if difference <= 0 || difference * difference <= limit { collect(low, middle, next, target, limit, &found) }
    if difference >= 0 || difference * difference <= limit { collect(middle + 1, high, next, target, limit, &found) }
  }
}
