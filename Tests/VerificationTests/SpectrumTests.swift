import Datasets
import Testing

@testable import Verification

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct SpectrumTests {
  static func transformed(_ real: [Double], _ imaginary: [Double]) -> [(Double, Double)] {
    let count = real.count
    let transform = FourierTransform(count)
    var values = [FourierTransform.Lanes](repeating: .zero, count: 2 * count)
    // Every lane has the values shifted by one more element.
    for lane in 0..<4 {
      for i in 0..<count {
        values[i][lane] = real[(i + lane) % count]
        values[count + i][lane] = imaginary[(i + lane) % count]
      }
    }
    var scratch = [FourierTransform.Lanes](repeating: .zero, count: transform.scratchCount)
    values.withUnsafeMutableBufferPointer { values in
      scratch.withUnsafeMutableBufferPointer { scratch in
        transform.transform(
          .init(real: values.baseAddress!, imaginary: values.baseAddress! + count), scratch: scratch.baseAddress!)
      }
    }
    // A shift turns X_k by 2πk/n: all lanes say the same.
    for lane in 1..<4 {
      for k in 0..<count {
        let angle = 2 * Double.pi * Double(k * lane % count) / Double(count)
        let (re, im) = (values[k][0], values[count + k][0])
        #expect(abs(values[k][lane] - re * cos(angle) + im * sin(angle)) < 1e-12 * Double(count))
        #expect(abs(values[count + k][lane] - re * sin(angle) - im * cos(angle)) < 1e-12 * Double(count))
      }
    }
    return (0..<count).map { (values[$0][0], values[count + $0][0]) }
  }

  /// Against the sum that defines it. 67, 127 and 2 · 71 have prime factors that are done as convolutions.
  @Test(arguments: Array(1...34) + [60, 61, 64, 67, 96, 127, 128, 142, 180, 243, 360, 1_440])
  func transformsOfAnyLengthAreThoseOfTheDefinition(count: Int) {
    let real = (0..<count).map { sin(Double($0 * $0)) + 1 }
    let imaginary = (0..<count).map { cos(Double(3 * $0)) }
    let found = Self.transformed(real, imaginary)
    for k in stride(from: 0, to: count, by: max(1, count / 60)) {
      var (re, im) = (0.0, 0.0)
      for j in 0..<count {
        let angle = -2 * Double.pi * Double(j * k % count) / Double(count)
        re += real[j] * cos(angle) - imaginary[j] * sin(angle)
        im += real[j] * sin(angle) + imaginary[j] * cos(angle)
      }
      #expect(abs(found[k].0 - re) < 1e-12 * Double(count) && abs(found[k].1 - im) < 1e-12 * Double(count))
    }
  }

  @Test func lengthsAreSplitIntoFactors() {
    for count in 1...500 { #expect(FourierTransform.factors(count).reduce(1, *) == count) }
    #expect(FourierTransform.factors(1_440) == [4, 4, 2, 3, 3, 5])
  }

  static func grid(_ rows: Int, _ columns: Int) -> LatLonGrid {
    LatLonGrid(
      latitudes: (0..<rows).map { 90 - 180 / Double(rows) * (Double($0) + 0.5) },
      longitudes: (0..<columns).map { 360 / Double(columns) * Double($0) })
  }

  /// A wave of amplitude a has the power a²/2 at its wavenumber; a constant c has c² at 0; the shortest wave has a².
  @Test(arguments: [(12, 16), (19, 30), (7, 25), (36, 71)])
  func wavesHaveTheirPower(rows: Int, columns: Int) throws {
    let grid = Self.grid(rows, columns)
    let spectrum = try #require(ZonalSpectrum(grid))
    #expect(spectrum.count == columns / 2 + 1)
    for k in 1..<spectrum.count {
      let field = (0..<rows * columns).map { i -> Float in
        Float(5 + 3 * cos(2 * Double.pi * Double(k * (i % columns)) / Double(columns)))
      }
      let power = spectrum.power(field[...])
      for (other, found) in power.enumerated() {
        let expected = other == 0 ? 25 : other != k ? 0 : 2 * k == columns ? 9 : 4.5
        #expect(abs(found - expected) < 1e-5, "wavenumber \(other) of a wave of \(k)")
      }
    }
  }

  /// Rows of 30° … 60° in both hemispheres, by area.
  @Test func rowsOfMidLatitudesAreAveraged() throws {
    let grid = Self.grid(18, 12)
    let spectrum = try #require(ZonalSpectrum(grid))
    let areas = grid.areaWeights
    let isInside = grid.latitudes.map { (30...60).contains(abs($0)) }
    let field = (0..<18 * 12).map { Float(isInside[$0 / 12] ? $0 / 12 + 1 : 1_000) }
    let inside = isInside.indices.filter { isInside[$0] }
    let expected =
      inside.reduce(0) { $0 + areas[$1] * Double(($1 + 1) * ($1 + 1)) } / inside.reduce(0) { $0 + areas[$1] }
    #expect(abs(spectrum.power(field[...])[0] - expected) < 1e-9)
  }

  /// The variance along a circle of latitude is the sum over wavenumbers.
  @Test func powerAddsUpToTheVariance() throws {
    let grid = Self.grid(1, 90)
    let spectrum = try #require(ZonalSpectrum(grid))
    let field = (0..<90).map { Float(sin(Double($0 * $0)) + Double($0 % 7)) }
    let mean = field.reduce(0) { $0 + Double($1) } / 90
    let variance = field.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / 90
    #expect(abs(spectrum.power(field[...]).dropFirst().reduce(0, +) - variance) < 1e-9 * variance)
  }

  @Test func limitedAreasHaveNone() {
    #expect(ZonalSpectrum(LatLonGrid(latitudes: [50, 40], longitudes: [0, 10, 20])) == nil)
  }
}
