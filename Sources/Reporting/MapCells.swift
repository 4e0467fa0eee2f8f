import Basics
import Datasets
import Geometry

#if canImport(Glibc)
  import Glibc
#endif

/// How points that are no raster are drawn: each pixel of a raster has the value of the nearest point, if that is near enough.
public struct MapCells: Sendable, Equatable {
  /// Points of the grid that some pixel shows.
  public let points: GridPoints
  /// The area that each of them stands for.
  public let weights: [Float]
  /// [row, column]: which of `points` a pixel shows; −1 for none.
  public let pointOfPixel: [Int32]
  /// Whether every point of the grid is shown.
  public let areAll: Bool
  /// Which of the grid's points they are.
  private let indices: [Int]

  /// Chooses the pixels around some points, and the nearest point of each.
  public static func raster(of grid: PointGrid) -> (raster: LatLonGrid, isPeriodic: Bool, cells: MapCells) {
    let frame = MapFrame(grid)
    let tree = PointTree(zip(grid.latitudes, grid.longitudes).map { SpherePoint(latitude: $0, longitude: $1) })
    let reaches = grid.areas.reaches
    var shown: [Int: Int32] = [:]
    var indices: [Int] = []
    let pointOfPixel = frame.raster.latitudes.flatMap { latitude in
      frame.raster.longitudes.map { longitude -> Int32 in
        let place = SpherePoint(latitude: latitude, longitude: longitude)
        guard let nearest = tree.nearest(to: place, count: 1).first,
          nearest.squaredDistance.squareRoot() <= reaches[nearest.index] * 1.001
        else { return -1 }
        if let known = shown[nearest.index] { return known }
        let number = Int32(indices.count)
        shown[nearest.index] = number
        indices.append(nearest.index)
        return number
      }
    }
    let cells = MapCells(
      points: GridPoints(
        latitudes: indices.map { grid.latitudes[$0] }, longitudes: indices.map { grid.longitudes[$0] }),
      weights: indices.map { Float(grid.areas.weights[$0]) }, pointOfPixel: pointOfPixel,
      areAll: indices.count == grid.count, indices: indices)
    return (frame.raster, frame.isPeriodic, cells)
  }

  /// The shown points of a field [points of the grid], scaled as shown.
  public func values(_ field: [Float], _ display: ChannelDisplay) -> [Float] {
    let (factor, offset) = (Float(display.factor), Float(display.offset))
    return indices.map { field[$0] * factor + offset }
  }
}

/// The pixels of a map of some points: of the globe, or of the area in which they lie.
private struct MapFrame {
  let raster: LatLonGrid
  let isPeriodic: Bool

  /// Degrees of longitude without points beyond which a map doesn't go around the globe.
  private static let widestGap = 30.0
  /// Pixels are no finer than so much of the finest points' spacing.
  private static let pixelsPerSpacing = 10.0

  init(_ grid: PointGrid) {
    let areas = grid.areas
    let margin = areas.isGlobal ? 0 : (areas.reaches.filter { $0 < 0.5 }.max() ?? 0.1) * 180 / .pi
    let north = areas.isGlobal ? 90 : min(90, (grid.latitudes.max() ?? 90) + margin)
    let south = areas.isGlobal ? -90 : max(-90, (grid.latitudes.min() ?? -90) - margin)
    let aspect = cos((north + south) / 2 * .pi / 180)
    var (west, east) = MapFrame.longitudes(grid)
    isPeriodic = areas.isGlobal || 360 - (east - west) < MapFrame.widestGap
    if isPeriodic {
      (west, east) = (-180, 180)
    } else {
      west -= margin / max(0.1, aspect)
      east += margin / max(0.1, aspect)
    }
    // Square pixels, as many as are seen.
    let spacing = (areas.reaches.min() ?? 1) * 1.4 * 180 / .pi
    let height = max(
      (north - south) / Double(MapPlan.largestRows), (east - west) * aspect / Double(MapPlan.largestColumns),
      spacing / MapFrame.pixelsPerSpacing)
    let rows = max(2, Int(saturating: ((north - south) / height).rounded()))
    let columns = max(2, Int(saturating: ((east - west) * aspect / height).rounded()))
    raster = LatLonGrid(
      latitudes: (0..<rows).map { north - (Double($0) + 0.5) * (north - south) / Double(rows) },
      longitudes: (0..<columns).map { west + (Double($0) + 0.5) * (east - west) / Double(columns) })
  }

  /// The longitudes between which points lie, the widest gap outside.
  private static func longitudes(_ grid: PointGrid) -> (west: Double, east: Double) {
    let sorted = grid.longitudes.map { $0 - 360 * ($0 / 360).rounded(.down) }.sorted()
    guard let first = sorted.first, let last = sorted.last else { return (-180, 180) }
    var (gap, west, east) = (first + 360 - last, first, last)
    for (left, right) in zip(sorted, sorted.dropFirst()) where right - left > gap {
      (gap, west, east) = (right - left, right - 360, left)
    }
    return (west, east)
  }
}
