import Datasets
import Geometry
import Tensors

/// A grid that is named instead of read from data.
public enum NamedGrid: Sendable, Equatable {
  /// Points in the middles of equal boxes around the globe.
  case boxes(rows: Int, columns: Int)
  /// The octahedral reduced Gaussian grid O<n>: points without a raster.
  case octahedral(Int)

  private static let largestOctahedral = 8_000

  /// "128x256" or "o96"; nil for anything else.
  public init?(_ text: String) {
    if text.lowercased().hasPrefix("o") {
      guard let n = Int(text.dropFirst()), (1...NamedGrid.largestOctahedral).contains(n) else { return nil }
      self = .octahedral(n)
      return
    }
    let parts = text.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.count == 2, let rows = parts[0], let columns = parts[1], (1...100_000).contains(rows),
      (1...100_000).contains(columns)
    else { return nil }
    self = .boxes(rows: rows, columns: columns)
  }

  var fieldGrid: FieldGrid {
    switch self {
    case .boxes(let rows, let columns):
      return .raster(
        LatLonGrid(
          latitudes: (0..<rows).map { 90 - 180 * (Double($0) + 0.5) / Double(rows) },
          longitudes: (0..<columns).map { 360 * Double($0) / Double(columns) }))
    case .octahedral(let n):
      let (latitudes, longitudes) = GaussianGrid.octahedralPoints(n)
      return .points(PointGrid(latitudes: latitudes, longitudes: longitudes))
    }
  }
}

/// Fields and weights for measurements: numbers that are a function of their index alone, so that other programs can make the
/// same ones and arrive at the same loss (Benchmarks/peers/pytorch_step.py).
enum SyntheticFields {
  /// Uniform in ± 1.
  static func number(_ index: Int, seed: UInt32) -> Float {
    var x = UInt32(truncatingIfNeeded: index) &* 0x9E37_79B9 &+ seed &* 0x85EB_CA6B
    x ^= x >> 16
    x = x &* 0x7FEB_352D
    x ^= x >> 15
    x = x &* 0x846C_A68B
    x ^= x >> 16
    return Float(x >> 8) * 0x1p-23 - 1
  }

  static func fillUniform(_ values: UnsafeMutableBufferPointer<Float>, seed: UInt32, bound: Float, first: Int = 0) {
    for index in values.indices { values[index] = number(first + index, seed: seed) * bound }
  }

  /// FNV-1a, 32 bits: the seed of what has a name.
  static func seed(_ name: String) -> UInt32 { name.utf8.reduce(0x811C_9DC5) { ($0 ^ UInt32($1)) &* 0x0100_0193 } }

  /// Half the width of the uniform distribution with variance 1.
  static let unitBound = Float(3).squareRoot()
}
