import Datasets

/// Power of a field by zonal wavenumber: S_k = 2·|F_k|² with F the Fourier coefficients along a circle of latitude (S_0 =
/// F_0²), so that S_1 + S_2 + … is the variance along the circle; averaged with area weights over 30° … 60° of both
/// hemispheres, or over all rows if there are none.
public struct ZonalSpectrum: Sendable {
  private let columns: Int
  private let rowWeights: [(row: Int, weight: Double)]
  private let transform: FourierTransform

  /// Nil when the grid doesn't go around the globe.
  public init?(_ grid: LatLonGrid) {
    guard grid.isPeriodic else { return nil }
    columns = grid.columns
    let areas = grid.areaWeights
    let band = grid.latitudes.indices.filter { (30...60).contains(abs(grid.latitudes[$0])) }
    let rows = band.isEmpty ? Array(grid.latitudes.indices) : band
    let sum = rows.reduce(0) { $0 + areas[$1] }
    rowWeights = rows.map { ($0, areas[$0] / sum) }
    transform = FourierTransform(grid.columns)
  }

  /// Wavenumbers 0 … columns/2.
  public var count: Int { columns / 2 + 1 }

  /// S_k of a field [rows, columns].
  public func power(_ field: ArraySlice<Float>) -> [Double] {
    field.withUnsafeBufferPointer { field in
      guard let start = field.baseAddress, rowWeights.allSatisfy({ ($0.row + 1) * columns <= field.count }) else {
        preconditionFailure("a field that is not of the grid")
      }
      return power(start)
    }
  }

  private func power(_ field: UnsafePointer<Float>) -> [Double] {
    var result = [Double](repeating: 0, count: count)
    // Two rows are the real and imaginary parts of one transform, and four transforms are made at once.
    let lanes = FourierTransform.Lanes.scalarCount
    withUnsafeTemporaryAllocation(
      of: FourierTransform.Lanes.self, capacity: 2 * columns + transform.scratchCount
    ) { memory in
      guard let start = memory.baseAddress else { return }
      let values = FourierTransform.Values(real: start, imaginary: start + columns)
      for first in stride(from: 0, to: rowWeights.count, by: 2 * lanes) {
        var (realWeights, imaginaryWeights) = (FourierTransform.Lanes.zero, FourierTransform.Lanes.zero)
        values.real.initialize(repeating: .zero, count: 2 * columns)
        for (place, (row, weight)) in rowWeights[first..<min(first + 2 * lanes, rowWeights.count)].enumerated() {
          let (line, lane) = (field + row * columns, place / 2)
          let target = place % 2 == 0 ? values.real : values.imaginary
          for column in 0..<columns { target[column][lane] = Double(line[column]) }
          if place % 2 == 0 { realWeights[lane] = weight } else { imaginaryWeights[lane] = weight }
        }
        transform.transform(values, scratch: start + 2 * columns)
        add(values, realWeights, imaginaryWeights, to: &result)
      }
    }
    return result
  }

  /// Adds the power of rows a and b from transforms of a + i·b: 2·A_k = Z_k + conj(Z_(n−k)), 2i·B_k = Z_k − conj(Z_(n−k)).
  private func add(
    _ z: FourierTransform.Values, _ realWeights: FourierTransform.Lanes, _ imaginaryWeights: FourierTransform.Lanes,
    to result: inout [Double]
  ) {
    for k in 0..<count {
      let mirror = k == 0 ? 0 : columns - k
      let (sumRe, sumIm) = (z.real[k] + z.real[mirror], z.imaginary[k] - z.imaginary[mirror])
      let (difRe, difIm) = (z.real[k] - z.real[mirror], z.imaginary[k] + z.imaginary[mirror])
      let ofReal = realWeights * (sumRe * sumRe + sumIm * sumIm)
      let ofImaginary = imaginaryWeights * (difRe * difRe + difIm * difIm)
      let isSingle = k == 0 || 2 * k == columns
      result[k] += (isSingle ? 1 : 2) * (ofReal + ofImaginary).sum() / Double(4 * columns * columns)
    }
  }
}
