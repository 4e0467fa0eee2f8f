import CKernels
import Tensors
import Testing

@Suite struct CopyPlaneTests {
  @Test(arguments: ["baseline", "avx2", "avx512"]) func planesAreCopiedInAnyDirection(kernels: String) throws {
    guard let table = jk_named(kernels) else { return }
    for (rows, columns) in [(1, 1), (7, 5), (16, 16), (33, 50), (40, 16), (9, 100)] {
      let numbers = (0..<rows * columns).map { Float($0) }
      for (inRow, inColumn) in [(columns, 1), (1, rows)] {
        for (outRow, outColumn) in [(columns, 1), (-columns, 1), (1, rows), (columns + 3, 1)] {
          for bad in [nil, Float.nan, -Float.infinity] {
            var source = numbers
            let place = (rows - 1) * inRow + (columns / 2) * inColumn
            if let bad { source[place] = bad }
            var out = [Float](repeating: -1, count: rows * (columns + 3))
            let start = outRow < 0 ? (rows - 1) * -outRow : 0
            let isFinite = out.withUnsafeMutableBufferPointer {
              table.pointee.copy_plane(
                source, inRow, inColumn, $0.baseAddress! + start, outRow, outColumn, rows, columns)
            }
            #expect(isFinite == (bad == nil))
            let isRight = (0..<rows).allSatisfy { row in
              (0..<columns).allSatisfy {
                out[start + row * outRow + $0 * outColumn].bitPattern
                  == source[row * inRow + $0 * inColumn].bitPattern
              }
            }
            #expect(isRight, "\(rows) × \(columns), \(inRow) \(inColumn) to \(outRow) \(outColumn)")
          }
        }
      }
    }
  }

  /// Eight points of eight fields at a time, and what is left over, are the same as one by one.
  @Test(arguments: [1, 8, 19]) func tilesAreTurnedExactly(fields: Int) throws {
    let tiling = try #require(Tiling(rows: 6, columns: 48, tileRows: 3, tileColumns: 16))
    let planes = (0..<fields * 288).map { Float($0 % 1_013) * 0.37 - 100 }
    let (mean, factor) = ((0..<fields).map { Float($0) * 1.3 }, (0..<fields).map { 1 / Float($0 + 2) })
    let scaling = Tiling.Scaling(mean: mean, factor: factor)
    for shift in [0, 8, 16, 40] {
      let (whole, parts) = (Tensor(zeros: [6, 2, 48 * fields]), Tensor(zeros: [6, 2, 48 * fields]))
      tiling.tile(planes, scaling, into: whole, sample: 1, columnShift: shift)
      for only in [0..<1, 1..<4, 4..<6] {
        tiling.tile(
          planes, scaling, into: parts, sample: 1, columnShift: shift, only: only)
      }
      #expect(whole.values == parts.values)
      for token in 0..<6 {
        for point in 0..<48 {
          let row = token / 3 * 3 + point / 16
          let column = (token % 3 * 16 + point % 16 + shift) % 48
          for field in 0..<fields {
            let expected = (planes[field * 288 + row * 48 + column] - mean[field]) * factor[field]
            let found = whole.pointer[((token * 2 + 1) * 48 + point) * fields + field]
            if found != expected { Issue.record("token \(token), point \(point), field \(field): \(found)") }
          }
        }
      }
    }
  }
}
