import CKernels
import Testing

@testable import Tensors

/// Kernels that read and write bf16, on every instruction set of this CPU, against plain arithmetic on the rounded numbers.
@Suite struct RoundedValueTests {
  private static func rounded(_ x: [Float]) -> [UInt16] {
    x.map { UInt16(BF16ConversionTests.nearest($0).bitPattern >> 16) }
  }
  private static func widened(_ x: [UInt16]) -> [Float] { x.map { Float(bitPattern: UInt32($0) << 16) } }

  private static func gelu(_ x: Float) -> Double { Double(x) * KernelTests.cdf(Double(x)) }
  private static func slope(_ x: Float) -> Double {
    KernelTests.cdf(Double(x)) + Double(x) * KernelTests.density(Double(x))
  }

  /// Whether each number is a bf16 number as near to the exact one as these are, but for an error of what was rounded.
  private static func areNearest(_ found: [UInt16], _ exact: [Double], _ error: Double = 2e-6) -> Bool {
    zip(widened(found), exact).allSatisfy { abs(Double($0) - $1) <= 0x1p-8 * abs($1) + error }
  }

  @Test(arguments: KernelTests.sets, KernelTests.lengths) func sums(set: String, columns: Int) {
    let (kernels, rows) = (KernelTests.kernels(set), 7)
    let x = Self.rounded(KernelTests.numbers(rows * columns, 1))
    let values = Self.widened(x)
    var (perColumn, perRow) = (KernelTests.numbers(columns, 2), KernelTests.numbers(rows, 3))
    let (column, row) = (perColumn, perRow)
    kernels.column_sums_of_rounded(x, &perColumn, rows, columns)
    kernels.row_sums_of_rounded(x, &perRow, rows, columns)
    func value(_ r: Int, _ c: Int) -> Double { Double(values[r * columns + c]) }
    let columnSums = (0..<columns).map { c in (0..<rows).reduce(Double(column[c])) { $0 + value($1, c) } }
    let rowSums = (0..<rows).map { r in (0..<columns).reduce(Double(row[r])) { $0 + value(r, $1) } }
    #expect(KernelTests.close(perColumn, columnSums, 1e-6) && KernelTests.close(perRow, rowSums, 1e-5))
  }

  @Test(arguments: KernelTests.sets, KernelTests.lengths) func layerNorm(set: String, columns: Int) {
    let (kernels, rows) = (KernelTests.kernels(set), 3)
    let x = KernelTests.numbers(rows * columns, 1, scale: 4)
    let (scale, shift) = (KernelTests.numbers(columns, 2), KernelTests.numbers(columns, 3))
    var y = [Float](repeating: 0, count: x.count)
    var rounded = [UInt16](repeating: 0, count: x.count)
    func rowNumbers() -> [Float] { [Float](repeating: 0, count: rows) }
    var (mean, rstd, mean16, rstd16) = (rowNumbers(), rowNumbers(), rowNumbers(), rowNumbers())
    kernels.layer_norm_forward(x, columns, scale, shift, 1e-5, &y, columns, &mean, &rstd, rows, columns)
    kernels.layer_norm_rounded(x, scale, shift, 1e-5, &rounded, &mean16, &rstd16, rows, columns)
    #expect(mean == mean16 && rstd == rstd16)
    #expect(Self.areNearest(rounded, y.map(Double.init)))
  }

  @Test(arguments: KernelTests.sets, KernelTests.lengths) func gelu(set: String, count: Int) {
    let kernels = KernelTests.kernels(set)
    let u = Self.rounded(KernelTests.numbers(count, 1, scale: 5))
    let values = Self.widened(u)
    var y = [Float](repeating: 0, count: count)
    kernels.gelu_of_rounded(u, &y, count)
    #expect(KernelTests.close(y, values.map(Self.gelu), 1e-6))
    var d = KernelTests.numbers(count, 2)
    let expected = zip(d, values).map { Double($0) * Self.slope($1) }
    kernels.gelu_backward_of_rounded(u, &d, count)
    #expect(d.allSatisfy { $0.bitPattern & 0xffff == 0 } && Self.areNearest(Self.rounded(d), expected))
  }

  /// Of a part of a product, at a place of its own, with everything at a stride.
  @Test(arguments: KernelTests.sets, KernelTests.lengths) func finishes(set: String, columns: Int) {
    let kernels = KernelTests.kernels(set)
    let (rows, top, left, stride) = (3, 2, 4, columns + 9)
    let sums = KernelTests.numbers(rows * columns, 1, scale: 3)
    let addend = KernelTests.numbers((top + rows) * stride, 2)
    let input = Self.rounded(KernelTests.numbers((top + rows) * stride, 3, scale: 4))
    for perRow in [false, true] {
      let bias = KernelTests.numbers(top + rows + stride, 4)
      for isBackward in [false, true] {
        var c = [UInt16](repeating: 7, count: rows * stride)
        var output = [UInt16](repeating: 7, count: (top + rows) * stride)
        bias.withUnsafeBufferPointer { bias in
          addend.withUnsafeBufferPointer { addend in
            input.withUnsafeBufferPointer { input in
              output.withUnsafeMutableBufferPointer { output in
                var epilogue = jk_epilogue()
                (epilogue.gelu_output, epilogue.gelu_output_stride) = (
                  UnsafeMutableRawPointer(output.baseAddress), stride
                )
                if isBackward {
                  (epilogue.gelu_input, epilogue.gelu_input_stride) = (UnsafeRawPointer(input.baseAddress), stride)
                } else {
                  (epilogue.bias, epilogue.bias_per_row) = (bias.baseAddress, perRow)
                  (epilogue.addend, epilogue.addend_stride) = (addend.baseAddress, stride)
                }
                kernels.rounded_epilogue(&epilogue, top, left, sums, columns, &c, stride, rows, columns)
              }
            }
          }
        }
        var (expectedC, expectedOutput) = ([Double](), [Double]())
        var (foundC, foundOutput) = ([UInt16](), [UInt16]())
        for r in 0..<rows {
          for i in 0..<columns {
            let sum = sums[r * columns + i]
            let place = (top + r) * stride + left + i
            (foundC, foundOutput) = (foundC + [c[r * stride + i]], foundOutput + [output[place]])
            if isBackward {
              let u = Self.widened([input[place]])[0]
              expectedC.append(Double(sum) * Self.slope(u))
              expectedOutput.append(Self.gelu(u))
            } else {
              expectedC.append(Double(sum) + Double(bias[perRow ? top + r : left + i]) + Double(addend[place]))
              // Of what has been stored.
              expectedOutput.append(Self.gelu(Self.widened([c[r * stride + i]])[0]))
            }
          }
          #expect(c[r * stride + columns..<(r + 1) * stride].allSatisfy { $0 == 7 })
        }
        #expect(Self.areNearest(foundC, expectedC) && Self.areNearest(foundOutput, expectedOutput))
      }
    }
  }
}
