import Basics
import Geometry

/// A linear map from the points of one grid to those of another: each target value is a weighted sum of source values.
public struct Regridding: Sendable, Equatable {
  public let sourceCount: Int
  /// The entries of target i are starts[i] ..< starts[i + 1].
  let starts: [Int]
  let sources: [Int32]
  let weights: [Float]

  public var targetCount: Int { starts.count - 1 }

  public enum Method: String, Sendable, CaseIterable {
    /// Means over the target's cells, weighted by area: integrals are kept (first order; Jones 1999).
    case conservative
    /// The value of the nearest point, if it lies near enough.
    case nearest
  }

  /// - Parameter rows: of each target, its sources and weights.
  init(sourceCount: Int, rows: [[(source: Int, weight: Double)]]) {
    self.sourceCount = sourceCount
    starts = rows.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }
    sources = rows.flatMap { $0.map { Int32($0.source) } }
    weights = rows.flatMap { $0.map { Float($0.weight) } }
  }

  /// - Parameter limit: of `nearest`, the largest distance on a unit sphere; nil: some two spacings of the source.
  /// - Throws: when cells are needed and a grid has none that are known.
  public init(
    from source: PointGrid, to target: PointGrid, _ method: Method, within limit: Double? = nil, place: String
  ) throws {
    switch method {
    case .nearest:
      let tree = PointTree(source)
      let reach = limit ?? tree.reach
      self.init(
        sourceCount: source.count,
        rows: zip(target.latitudes, target.longitudes).map { latitude, longitude in
          tree.nearest(to: SpherePoint(latitude: latitude, longitude: longitude), count: 1)
            .filter { $0.squaredDistance <= reach * reach }.map { ($0.index, 1) }
        })
    case .conservative:
      guard let from = RingGrid(source), let to = RingGrid(target) else {
        throw JigsawError(
          place, "conservative regridding needs grids whose cells are known",
          expected: "regular, Gaussian or reduced Gaussian grids", found: "\(source.summary) and \(target.summary)",
          remedy: "take method: nearest, or name weights that ESMF or CDO made")
      }
      self.init(sourceCount: source.count, rows: Regridding.overlaps(from, to, count: target.count))
    }
  }

  /// The shares of source cells in target cells. What no source covers has no weights.
  private static func overlaps(_ source: RingGrid, _ target: RingGrid, count: Int) -> [[(source: Int, weight: Double)]]
  {
    var rows = [[(source: Int, weight: Double)]](repeating: [], count: count)
    for ring in target.rings {
      for other in source.rings {
        let height = min(ring.north, other.north) - max(ring.south, other.south)
        if height <= 1e-14 { continue }
        for cell in 0..<ring.count {
          let west = ring.west + Double(cell) * ring.width
          other.overlaps(west: west, east: west + ring.width) { index, degrees in
            rows[ring.first + cell].append((other.first + index, degrees * height))
          }
        }
      }
    }
    return rows.map { row in
      let area = row.reduce(0) { $0 + $1.weight }
      return row.map { ($0.source, $0.weight / area) }
    }
  }

  /// The first source that some targets need, and one beyond the last.
  func window(_ targets: Range<Int>) -> Range<Int> {
    let entries = sources[starts[targets.lowerBound]..<starts[targets.upperBound]]
    guard let first = entries.min(), let last = entries.max() else { return 0..<0 }
    return Int(first)..<Int(last) + 1
  }

  /// Targets that no source reaches: they have no values.
  var uncoveredCount: Int { zip(starts, starts.dropFirst()).reduce(0) { $0 + ($1.0 == $1.1 ? 1 : 0) } }

  /// How many weights some targets have.
  func entries(_ targets: Range<Int>) -> Int { starts[targets.upperBound] - starts[targets.lowerBound] }

  /// Values at some targets from those of their window of sources; NaN where no source reaches.
  func apply(
    _ values: UnsafePointer<Float>, window: Range<Int>, targets: Range<Int>, into out: UnsafeMutablePointer<Float>
  ) {
    for target in targets {
      let entries = starts[target]..<starts[target + 1]
      var sum = entries.isEmpty ? Double.nan : 0
      for entry in entries {
        sum += Double(weights[entry]) * Double(values[Int(sources[entry]) - window.lowerBound])
      }
      out[target - targets.lowerBound] = Float(sum)
    }
  }
}
