import Basics
import Stores

#if canImport(Glibc)
  import Glibc
#endif

/// Cosine and sine, for each point, of the angle from north, clockwise, to the grid's y axis.
final class RotationAngles: Sendable {
  private let cosines, sines: [Float]

  /// - Parameter dimensions: of the points, one or two.
  init(
    _ rotation: GridComponents.Rotation, _ points: PointGrid, _ store: any ArrayStore, dimensions: Int
  ) throws {
    switch rotation {
    case .projection(let projection):
      let bearings = points.latitudes.indices.map {
        projection.bearing(latitude: points.latitudes[$0], longitude: points.longitudes[$0])
      }
      (cosines, sines) = (bearings.map { Float(cos($0)) }, bearings.map { Float(sin($0)) })
    case .stored(let cosine, let sine):
      // The angle of WRF is from east to the grid's x axis, counterclockwise.
      cosines = try RotationAngles.read(cosine, store, points, dimensions)
      sines = try RotationAngles.read(sine, store, points, dimensions).map { -$0 }
    }
  }

  private static func read(_ name: String, _ store: any ArrayStore, _ points: PointGrid, _ dimensions: Int) throws
    -> [Float]
  {
    let values = try GriddedStore.coordinate(store, name, atMost: 1 << 26).doubles
    let shape = try store.info(name).shape
    guard shape.suffix(dimensions).reduce(1, *) == points.count, values.count >= points.count else {
      throw JigsawError(
        "\(store.location): \(name)", "doesn't fit the grid's points", expected: "\(points.count)", found: "\(shape)")
    }
    return values.prefix(points.count).map(Float.init)
  }

  /// The eastward or northward component at a run of points.
  func rotate(
    x: UnsafePointer<Float>, y: UnsafePointer<Float>, isY: Bool, _ points: Range<Int>,
    into out: UnsafeMutablePointer<Float>
  ) {
    for (place, point) in points.enumerated() {
      let (cosine, sine) = (cosines[point], sines[point])
      out[place] = isY ? y[place] * cosine - x[place] * sine : x[place] * cosine + y[place] * sine
    }
  }
}
