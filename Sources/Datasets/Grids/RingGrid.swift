import Basics

#if canImport(Glibc)
  import Glibc
#endif

/// A grid of rings of cells: regular, Gaussian and reduced Gaussian grids. A cell reaches half-way to the neighbours of its
/// centre on its ring, and from ring to ring half-way too; the outermost rings of a global grid reach the poles.
struct RingGrid {
  struct Ring {
    /// Sines of the edges.
    let south, north: Double
    /// Degrees: the west edge of the first cell, and how wide each is.
    let west, width: Double
    /// Cells; their points are first ..< first + count.
    let first, count: Int
    var isClosed: Bool { abs(width * Double(count) - 360) < 1e-6 * width + 1e-6 }
  }

  let rings: [Ring]

  /// Nil when the points are not rings one after the other, from north to south or from south to north, or a single column.
  init?(_ grid: PointGrid) {
    var lines: [(latitude: Double, range: Range<Int>)] = []
    for (point, latitude) in grid.latitudes.enumerated() {
      if let last = lines.last, abs(last.latitude - latitude) < 1e-5 {
        lines[lines.count - 1].range = last.range.lowerBound..<point + 1
      } else {
        lines.append((latitude, point..<point + 1))
      }
    }
    // A single column does not tell how wide its cells are.
    guard lines.count > 1, lines.contains(where: { $0.range.count > 1 }) else { return nil }
    let steps = zip(lines, lines.dropFirst()).map { $1.latitude - $0.latitude }
    guard steps.allSatisfy({ $0 > 0 }) || steps.allSatisfy({ $0 < 0 }) else { return nil }
    func between(_ upper: Int) -> Double { (lines[upper].latitude + lines[upper - 1].latitude) / 2 }
    /// Beyond the first or last line: the pole when less than a spacing away from it.
    func outer(_ line: Int, _ neighbour: Int) -> Double {
      let spacing = lines[line].latitude - lines[neighbour].latitude
      let edge = lines[line].latitude + spacing / 2
      return abs(lines[line].latitude + spacing) > 90 - 1e-3 ? (spacing > 0 ? 90 : -90) : edge
    }
    var rings: [Ring] = []
    for (number, line) in lines.enumerated() {
      let edges = [
        number == 0 ? outer(0, 1) : between(number),
        number == lines.count - 1 ? outer(number, number - 1) : between(number + 1),
      ]
      let longitudes = grid.longitudes[line.range]
      let count = line.range.count
      guard let start = longitudes.first else { return nil }
      let second = longitudes.dropFirst().first ?? start + 360
      let width = second - start - 360 * ((second - start) / 360).rounded(.down)
      let isCircle = Meridians.closesCircle(Array(longitudes))
      let closed = 360 / Double(count)
      let spacing = isCircle ? closed : width > 0 ? width : 360
      for (step, longitude) in longitudes.enumerated() {
        let off = remainder(longitude - start - Double(step) * spacing, 360)
        // Coordinates in single precision; those of a circle may be rounded to fewer decimals.
        guard abs(off) < (isCircle ? 0.3 : 0.02) * spacing else { return nil }
      }
      // Evenly around the circle, if it is one.
      let exact = abs(closed - spacing) < 0.02 * spacing ? closed : spacing
      guard exact * Double(count) < 360 + 0.5 * exact else { return nil }
      rings.append(
        Ring(
          south: sin(min(edges[0], edges[1]) * .pi / 180), north: sin(max(edges[0], edges[1]) * .pi / 180),
          west: start - exact / 2, width: exact, first: line.range.lowerBound, count: count))
    }
    self.rings = rings
  }
}

extension RingGrid.Ring {
  /// The cells that overlap an interval of degrees, and by how many degrees.
  func overlaps(west from: Double, east to: Double, _ body: (_ cell: Int, _ degrees: Double) -> Void) {
    // Shifted by whole circles so that the interval begins within a circle from the west edge.
    let turned = from - west - 360 * ((from - west) / 360).rounded(.down)
    let length = to - from
    for start in isClosed ? [turned] : [turned, turned - 360] {
      let end = start + length
      let first = max(Int(saturating: (start / width).rounded(.down)), isClosed ? .min : 0)
      let last = min(Int(saturating: (end / width).rounded(.up)).addingSaturating(-1), isClosed ? .max : count - 1)
      if first > last { continue }
      for cell in first...last {
        let shared = min(end, Double(cell + 1) * width) - max(start, Double(cell) * width)
        if shared > 1e-12 { body(isClosed ? (cell % count + count) % count : cell, shared) }
      }
    }
  }
}
