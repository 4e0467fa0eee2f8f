import Basics
import Geometry

/// For each of some points, the nearest of others.
struct NearestSources: Sendable {
  /// −1 where none is near enough.
  private var indices: [Int32] = []

  /// - Parameters:
  ///   - candidates: which points to choose from; nil: all.
  ///   - limit: largest distance on a unit sphere; nil: any.
  init(from source: PointGrid, candidates: [Int]? = nil, to target: PointGrid, within limit: Double? = nil) {
    let all = candidates ?? Array(0..<source.count)
    let tree = PointTree(all.map { SpherePoint(latitude: source.latitudes[$0], longitude: source.longitudes[$0]) })
    indices = target.latitudes.indices.map { point in
      let place = SpherePoint(latitude: target.latitudes[point], longitude: target.longitudes[point])
      guard let found = tree.nearest(to: place, count: 1).first,
        limit.map({ found.squaredDistance.squareRoot() < $0 }) ?? true
      else { return -1 }
      return Int32(all[found.index])
    }
  }

  /// The source of a point; nil where none is near enough.
  subscript(point: Int) -> Int? { indices[point] < 0 ? nil : Int(indices[point]) }

  /// From the first to the last source of some points.
  func window(_ points: Range<Int>) -> Range<Int> {
    let sources = indices[points].lazy.filter { $0 >= 0 }
    guard let first = sources.min(), let last = sources.max() else { return 0..<0 }
    return Int(first)..<Int(last) + 1
  }
}

/// A view at the points of another, each with the value of the nearest point of its own: `complement` with
/// `interpolation: nearest`.
struct NearestPoints: DerivedView {
  let base: any FieldView
  let points: PointGrid
  var gridSizes: [Int] { [points.count] }
  let storedRuns: [Range<Int>]
  var pointsOnTheWay: Int { base.pointsOnTheWay + base.points.count }
  private let sources: NearestSources

  init(_ base: any FieldView, at points: PointGrid, _ sources: NearestSources) {
    self.base = base
    self.points = points
    self.sources = sources
    let pieces = max(1, min(points.count, base.storedRuns.count))
    storedRuns = (0..<pieces).map { points.count * $0 / pieces..<points.count * ($0 + 1) / pieces }
  }

  func read(_ wanted: WantedPart, into target: (_ date: Int, _ variable: Int) -> UnsafeMutablePointer<Float>) throws {
    let (window, lines) = (sources.window(wanted.points), wanted.variables.count)
    var inBase = wanted
    inBase.points = window
    try withTemporary(wanted.dates.count * lines * window.count) { values in
      if !window.isEmpty { try base.read(inBase) { values + ($0 * lines + $1) * window.count } }
      for date in wanted.dates.indices {
        for line in 0..<lines {
          let (own, out) = (values + (date * lines + line) * window.count, target(date, line))
          for (place, point) in wanted.points.enumerated() {
            out[place] = sources[point].map { own[$0 - window.lowerBound] } ?? .nan
          }
        }
      }
    }
  }
}
