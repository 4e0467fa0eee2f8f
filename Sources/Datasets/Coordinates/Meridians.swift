/// Longitudes of a grid's columns: whether they go west, close the circle, cross 0° or the date line, or hold a meridian twice.
struct Meridians {
  /// Ascending; those beyond a jump at 0° or the date line 360 more than stored.
  private(set) var longitudes: [Double]
  /// Column of the first one, counted as `isWestward` says.
  private(set) var first = 0
  /// Whether columns are stored from east to west; they are counted from the last stored one then.
  private(set) var isWestward = false
  /// Sentences on changes that were made, for people.
  private(set) var notes: [String] = []

  /// Nil for what is no list of columns eastwards, or of evenly spaced ones westwards, once around at most.
  init?(_ stored: [Double]) {
    if let eastwards = Meridians(eastwards: stored) {
      self = eastwards
      return
    }
    guard let turned = Meridians(eastwards: stored.reversed()) else { return nil }
    let circle = turned.longitudes + (turned.isClosed ? [turned.longitudes[0] + 360] : [])
    let gaps = zip(circle, circle.dropFirst()).map { $1 - $0 }
    guard let least = gaps.min(), let most = gaps.max(), most <= 1.5 * least else { return nil }
    self = turned
    isWestward = true
    notes.insert("columns turned from westwards to eastwards", at: 0)
  }

  private var isClosed: Bool { Meridians.closesCircle(longitudes) }

  private init?(eastwards stored: [Double]) {
    guard !stored.isEmpty, stored.allSatisfy({ abs($0) <= 1_080 }) else { return nil }
    longitudes = stored
    let drops = stored.indices.dropFirst().filter { stored[$0] <= stored[$0 - 1] }
    guard drops.count <= 1 else { return nil }
    if let drop = drops.first {
      for column in drop..<stored.count { longitudes[column] += 360 }
      let gaps = zip(longitudes, longitudes.dropFirst()).map { $1 - $0 }
      let others = gaps.indices.filter { $0 != drop - 1 }.map { gaps[$0] }
      guard gaps[drop - 1] > 0, others.max().map({ gaps[drop - 1] <= 1.5 * $0 }) ?? true else { return nil }
    }
    if Meridians.isCyclic(longitudes) {
      longitudes.removeLast()
      notes.append("the meridian \(stored[0])° is stored twice: one of its columns is left out")
    }
    guard longitudes[longitudes.count - 1] - longitudes[0] < 360 - 1e-9 else { return nil }
    if isClosed {
      roll(stored[0])
    } else if !drops.isEmpty, longitudes[0] >= 180, longitudes[longitudes.count - 1] >= 360 {
      longitudes = longitudes.map { $0 - 360 }
    }
  }

  /// Ascending from 0.
  private mutating func roll(_ start: Double) {
    let tolerance = 0.01 * 360 / Double(longitudes.count)
    longitudes = longitudes.map { longitude in
      let turned = longitude - 360 * (longitude / 360).rounded(.down)
      return turned > 360 - tolerance ? turned - 360 : longitude >= 0 && longitude < 360 ? longitude : turned
    }
    first = longitudes.indices.min { longitudes[$0] < longitudes[$1] } ?? 0
    longitudes = Array(longitudes[first...] + longitudes[..<first])
    if first != 0 { notes.append("longitudes rolled from \(start)° to start at \(longitudes[0])°") }
  }

  /// The mean distance between columns, and how far single ones are off: by as much as they were rounded.
  private static func spacing(_ longitudes: [Double]) -> (mean: Double, deviation: Double)? {
    guard longitudes.count > 1 else { return nil }
    let mean = (longitudes[longitudes.count - 1] - longitudes[0]) / Double(longitudes.count - 1)
    let off = zip(longitudes, longitudes.dropFirst()).map { abs($1 - $0 - mean) }.max() ?? 0
    return mean > 0 ? (mean, off) : nil
  }

  private static func tolerance(_ spacing: (mean: Double, deviation: Double)) -> Double {
    max(0.01 * spacing.mean, 1.01 * min(spacing.deviation, 0.3 * spacing.mean))
  }

  /// Whether the gap between the last and the first of ascending longitudes is one spacing, as far as rounding lets see.
  static func closesCircle(_ longitudes: [Double]) -> Bool {
    guard let first = longitudes.first, let last = longitudes.last else { return false }
    guard let spacing = spacing(longitudes), spacing.deviation < 0.4 * spacing.mean else { return false }
    return abs(first + 360 - last - spacing.mean) <= tolerance(spacing)
  }

  /// Whether the last of ascending longitudes is the first, once around.
  private static func isCyclic(_ longitudes: [Double]) -> Bool {
    guard longitudes.count > 2, let spacing = spacing(longitudes) else { return false }
    return abs(longitudes[longitudes.count - 1] - longitudes[0] - 360) <= 0.01 * spacing.mean
  }
}
