import Datasets
import Tensors

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

  /// Points in the middles of equal boxes around the globe.
  static func grid(rows: Int, columns: Int) -> FieldGrid {
    .raster(
      LatLonGrid(
        latitudes: (0..<rows).map { 90 - 180 * (Double($0) + 0.5) / Double(rows) },
        longitudes: (0..<columns).map { 360 * Double($0) / Double(columns) }))
  }
}
