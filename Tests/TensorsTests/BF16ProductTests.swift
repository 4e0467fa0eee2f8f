import CKernels
import KernelEmulation
import TestSupport
import Testing

@testable import Tensors

/// Products in bf16 on every unit that this CPU has, and on those with bf16 instructions through their emulation.
@Suite struct BF16ProductTests {
  static let emulated = ["amx", "avx512bf16"]

  static func unit(_ name: String) -> BF16Unit? {
    name.hasPrefix("emulated ") ? emulated_unit(String(name.dropFirst(9))).map(BF16Unit.init(table:)) : BF16Unit(name)
  }

  /// This machine lacks most of them; what it has depends on where tests run.
  static let units = BF16Unit.names.filter { BF16Unit($0) != nil } + emulated.map { "emulated \($0)" }

  /// One product with everything that may vary.
  struct Case {
    let m, n, k: Int
    var transposesA = false
    var transposesB = false
    var accumulates = false
    var parts = 1

    /// Matrices within wider ones, so that rows are not adjacent.
    func matrix(_ rows: Int, _ columns: Int, _ seed: UInt64) -> Matrix {
      let whole = Tensor(KernelTests.numbers(rows * (columns + 5), seed), shape: [rows, columns + 5])
      return whole.matrix(rows: rows).columns(2..<columns + 2)
    }
    var a: Operand { Operand(transposesA ? matrix(k, m, 1) : matrix(m, k, 1), transposed: transposesA) }
    var b: Operand { Operand(transposesB ? matrix(n, k, 2) : matrix(k, n, 2), transposed: transposesB) }

    /// All transpositions, with and without accumulation, in one and two parts.
    static func all(_ m: Int, _ n: Int, _ k: Int) -> [Case] {
      (0..<16).map { bits in
        Case(
          m: m, n: n, k: k, transposesA: bits & 1 > 0, transposesB: bits & 2 > 0, accumulates: bits & 4 > 0,
          parts: bits & 8 > 0 ? 2 : 1)
      }
    }

    /// The largest |found − exact| / Σ|a||b|, where exact is computed in double from the operands as the products see
    /// them: rounded to bf16 when in one part. What surrounds C must be as it was.
    func error(
      _ unit: BF16Unit, _ compute: (BF16Operand, BF16Operand, Matrix) -> Void
    ) -> Double {
      let (a, b) = (self.a, self.b)
      let whole = Tensor(KernelTests.numbers(m * (n + 3), 3), shape: [m, n + 3])
      let before = whole.values
      compute(.stored(a), .stored(b), whole.matrix(rows: m).columns(1..<n + 1))
      func seen(_ x: Float) -> Double { Double(parts == 1 ? BF16ConversionTests.nearest(x) : x) }
      var worst = 0.0
      for i in 0..<m {
        let line = (0..<k).map { seen(a.isTransposed ? a.matrix[$0, i] : a.matrix[i, $0]) }
        for j in 0..<n + 3 {
          let index = i * (n + 3) + j
          guard (1...n).contains(j) else {
            if whole.values[index] != before[index] { return .infinity }
            continue
          }
          var sum = accumulates ? Double(before[index]) : 0
          var magnitude = abs(sum)
          for p in 0..<k {
            let term = line[p] * seen(b.isTransposed ? b.matrix[j - 1, p] : b.matrix[p, j - 1])
            sum += term
            magnitude += abs(term)
          }
          worst = [worst, abs(Double(whole.pointer[index]) - sum) / magnitude].largest
        }
      }
      return worst
    }

    /// Rounding of k (in two parts 3k) sums, each at most 2⁻²⁴ of what is summed; and in two parts: h·l + h·h + l·h lack
    /// l·l, up to 2⁻¹⁶, and what h + l lack of both operands, up to 2⁻¹⁷ each.
    var bound: Double {
      parts == 1 ? Double(k + 2) * 0x1p-24 : 0x1p-15 + Double(3 * k + 2) * 0x1p-24
    }
  }

  /// All transpositions and edges, operands as they are and packed before.
  @Test(arguments: units) func productsAreWithinTheirBounds(name: String) throws {
    let unit = try #require(Self.unit(name))
    for (m, n, k) in [(1, 1, 1), (5, 7, 3), (32, 32, 32), (33, 31, 65)] {
      for (index, test) in Case.all(m, n, k).enumerated() {
        let error = test.error(unit) { a, b, c in
          let x = index % 3 == 1 ? .packed(unit.packed(a, isLeft: true, parts: test.parts)) : a
          let y = index % 5 < 2 ? .packed(unit.packed(b, isLeft: false, parts: test.parts)) : b
          unit.multiply(x, y, parts: test.parts, into: c, accumulate: test.accumulates)
        }
        #expect(error <= test.bound, "\(test)")
      }
    }
    #expect(emulated_faults() == 0)
  }

  /// Over the edges of blocks of all dimensions.
  @Test(arguments: units) func largeProductsAreWithinTheirBounds(name: String) throws {
    let unit = try #require(Self.unit(name))
    let tests = [
      Case(m: 3, n: 40, k: 1_100, transposesB: true), Case(m: 34, n: 2, k: 1_100, transposesA: true, parts: 2),
      Case(m: 520, n: 3, k: 33, accumulates: true), Case(m: 2, n: 4_100, k: 5, accumulates: true),
    ]
    for test in tests {
      let error = test.error(unit) { a, b, c in
        unit.multiply(a, b, parts: test.parts, into: c, accumulate: test.accumulates)
      }
      #expect(error <= test.bound, "\(test)")
      // Far below the bound, which is for the worst numbers: 2⁻¹⁶ is what is promised of sums.
      if test.parts == 2 { #expect(error < 0x1p-18) }
    }
    #expect(emulated_faults() == 0)
  }

  /// The same bits from any number of threads, from packed operands, from operands stored in bf16, however transposed, and
  /// rounded at the end.
  @Test(arguments: units, [1, 2]) func bitsDependOnNumbersAlone(name: String, parts: Int) throws {
    let unit = try #require(Self.unit(name))
    let test = Case(m: 50, n: 70, k: 90, parts: parts)
    var pauses = 0
    func result(_ threads: Int) -> [Float] {
      let c = Tensor(zeros: [test.m, test.n])
      Compute(threads: threads, backend: BF16Products(unit, parts: parts)).multiply(
        test.a, test.b, into: c.matrix, pause: { pauses += 1 })
      return c.values
    }
    let expected = result(1)
    #expect(pauses > 0)
    for threads in 2...4 { #expect(result(threads) == expected) }

    func dense(_ operand: Operand, transposed: Bool) -> Tensor {
      let (rows, columns) = (operand.rows, operand.columns)
      let x = Tensor(zeros: transposed ? [columns, rows] : [rows, columns])
      for i in 0..<rows {
        for j in 0..<columns { x.pointer[transposed ? j * rows + i : i * columns + j] = operand.matrix[i, j] }
      }
      return x
    }
    for transposed in [false, true] {
      let (a, b) = (dense(test.a, transposed: transposed), dense(test.b, transposed: transposed))
      let c = Tensor(zeros: [test.m, test.n])
      let x = BF16Operand.stored(Operand(a.matrix, transposed: transposed))
      let y = BF16Operand.stored(Operand(b.matrix, transposed: transposed))
      unit.multiply(x, y, parts: parts, into: c.matrix)
      #expect(c.values == expected)
      let (packedX, packedY) = (
        BF16Operand.packed(unit.packed(x, isLeft: true, parts: parts)),
        BF16Operand.packed(unit.packed(y, isLeft: false, parts: parts))
      )
      unit.multiply(packedX, packedY, parts: parts, into: c.matrix)
      #expect(c.values == expected)
      let rounded = unit.rounded(c)
      rounded.fill()
      unit.multiply(x, packedY, parts: parts, into: rounded.matrix)
      #expect(unit.widened(rounded).values == expected.map(BF16ConversionTests.nearest))
      if parts == 1 {
        unit.multiply(
          .stored(Operand(unit.rounded(a).matrix, transposed: transposed)),
          .stored(Operand(unit.rounded(b).matrix, transposed: transposed)), parts: 1, into: c.matrix)
        #expect(c.values == expected)
      }
    }
    #expect(emulated_faults() == 0)
  }

  /// What is left to do to C's elements is done to each once, with what belongs to it.
  @Test(arguments: units) func finishesAreThoseOfTheWholeProduct(name: String) throws {
    let backend = BF16Products(try #require(Self.unit(name)), parts: 1)
    for (m, n, k) in [(50, 70, 40), (33, 5, 1_100)] {
      let test = Case(m: m, n: n, k: k)
      func matrix(_ seed: UInt64) -> Matrix { test.matrix(m, n, seed) }
      for direction in [BiasDirection.perColumn, .perRow] {
        let count = direction == .perColumn ? n : m
        let bias = Tensor(KernelTests.numbers(count, 4), shape: [count])
        let (activated, expectedActivated) = (matrix(7), matrix(7))
        let pairs: [(Epilogue, Epilogue)] = [
          (
            Epilogue(bias: bias, direction, addend: matrix(5), activation: .gelu(into: activated)),
            Epilogue(bias: bias, direction, addend: matrix(5), activation: .gelu(into: expectedActivated))
          ),
          (
            Epilogue(activation: .geluGradient(of: matrix(6), output: activated)),
            Epilogue(activation: .geluGradient(of: matrix(6), output: expectedActivated))
          ),
        ]
        for (epilogue, separate) in pairs {
          let (c, expected) = (matrix(3), matrix(3))
          backend.multiply(test.a, test.b, into: c, accumulate: true, epilogue: epilogue)
          backend.multiply(test.a, test.b, into: expected, accumulate: true)
          separate(expected)
          #expect(largestDifference(c.values, expected.values) < 1e-5)
          #expect(largestDifference(activated.values, expectedActivated.values) < 1e-5)
        }
      }
    }
  }

  /// The same for a product in bf16: sums, what is left to do, then rounding, as step by step.
  @Test(arguments: units) func roundedProductsAreFinishedFirst(name: String) throws {
    let unit = try #require(Self.unit(name))
    let compute = Compute(threads: 1, backend: BF16Products(unit, parts: 1))
    // Over the edges of blocks of all dimensions; of so long a sum only 32 rows and 96 columns are packed at once.
    let isEmulated = name.hasPrefix("emulated")
    for (m, n, k) in [(50, 300, 40), (33, 5, 1_100), (290, 70, 3)] + (isEmulated ? [] : [(40, 100, 32_800)]) {
      let test = Case(m: m, n: n, k: k)
      let (a, b) = (test.a, test.b)
      let sums = Tensor(zeros: [m, n])
      compute.multiply(a, b, into: sums.matrix)
      let u = unit.rounded(Tensor(KernelTests.numbers(m * n, 6, scale: 3), shape: [m, n]))
      for direction in [BiasDirection.perColumn, .perRow] {
        let count = direction == .perColumn ? n : m
        let bias = Tensor(KernelTests.numbers(count, 4), shape: [count])
        let addend = test.matrix(m, n, 5)
        for isBackward in [false, true] {
          func matrices() -> (Tensor, Tensor) { (unit.rounded(sums), unit.rounded(sums)) }
          let ((c, y), (expected, expectedY)) = (matrices(), matrices())
          func epilogue(_ y: Tensor) -> Epilogue {
            isBackward
              ? Epilogue(activation: .geluGradient(of: u.matrix, output: y.matrix))
              : Epilogue(bias: bias, direction, addend: addend, activation: .gelu(into: y.matrix))
          }
          compute.multiply(a, b, into: c.matrix, epilogue: epilogue(y))
          ThreadTeam.withoutSubnormals { epilogue(expectedY)(sums.matrix, into: expected.matrix) }
          #expect(unit.widened(c).values == unit.widened(expected).values)
          #expect(unit.widened(y).values == unit.widened(expectedY).values)
        }
      }
    }
    #expect(emulated_faults() == 0)
  }

  /// The bound of two parts is that of the worst numbers: here h = 1, l = 2⁻⁸ − 2⁻¹⁵, and 2⁻¹⁷ are left.
  @Test(arguments: units) func theWorstNumbersComeNearTheBound(name: String) throws {
    let unit = try #require(Self.unit(name))
    let x: Float = 1 + 0x1p-8 - 3 * 0x1p-17
    let (a, c) = (Tensor([x], shape: [1, 1]), Tensor(zeros: [1, 1]))
    unit.multiply(.stored(a.matrix.plain), .stored(a.matrix.plain), parts: 2, into: c.matrix)
    let exact = Double(x) * Double(x)
    #expect((0.97...1).contains(abs(Double(c.pointer[0]) - exact) / exact * 0x1p15))
  }

  @Test(arguments: units) func whatIsNotFiniteStaysSo(name: String) throws {
    let unit = try #require(Self.unit(name))
    for bad in [Float.nan, .infinity, -.infinity] {
      for parts in [1, 2] {
        let (a, b) = (Tensor([Float](repeating: 1, count: 12), shape: [3, 4]), Tensor(zeros: [4, 2]))
        b.floats.update(repeating: 1)
        a.pointer[5] = bad
        let c = Tensor(zeros: [3, 2])
        unit.multiply(.stored(a.matrix.plain), .stored(b.matrix.plain), parts: parts, into: c.matrix)
        #expect(c.values.map(\.isFinite) == [true, true, false, false, true, true])
      }
    }
  }
}
