import CKernels
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// Every kernel set that this CPU supports; each kernel is compared with plain double-precision loops, at lengths that
/// leave all kinds of remainders.
@Suite struct KernelTests {
  static let sets: [String] = ["baseline", "avx2", "avx512"].filter { (name: String) in jk_named(name) != nil }
  static let lengths = [1, 3, 15, 16, 17, 64, 100, 1_025]

  static func kernels(_ name: String) -> jk_kernels { jk_named(name)!.pointee }

  static func numbers(_ count: Int, _ seed: UInt64 = 1, scale: Float = 1) -> [Float] {
    var generator = SplitMix(state: seed)
    return (0..<count).map { _ in Float.random(in: -1...1, using: &generator) * scale }
  }

  struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var z = state
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      return z ^ (z >> 31)
    }
  }

  static func close(_ a: [Float], _ b: [Double], _ tolerance: Double) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { abs(Double($0) - $1) <= tolerance * max(1, abs($1)) }
  }

  static func cdf(_ x: Double) -> Double { 0.5 * erfc(-x / 2.0.squareRoot()) }
  static func density(_ x: Double) -> Double { exp(-x * x / 2) / (2 * Double.pi).squareRoot() }

  @Test func theBestSetIsChosen() {
    #expect(String(cString: jk_current().pointee.name) == Self.sets.last)
    #expect(jk_named("avx1024") == nil)
  }

  @Test(arguments: sets) func geluIsExactToRounding(set: String) {
    let kernels = Self.kernels(set)
    // The relative error holds far into the negative tail, where gelu is tiny.
    let x = stride(from: Float(-12), through: 12, by: 0.0037).map { $0 }
    var y = [Float](repeating: 0, count: x.count)
    kernels.gelu_forward(x, &y, x.count)
    for (x, y) in zip(x, y) {
      let exact = Double(x) * Self.cdf(Double(x))
      #expect(abs(Double(y) - exact) <= 1e-6 * abs(exact) * max(1, Double(x * x) / 4) + 1e-37, "gelu(\(x))")
    }
    let dy = Self.numbers(x.count)
    var dx = [Float](repeating: 0, count: x.count)
    var again = dx
    kernels.gelu_backward(x, dy, &dx, &again, x.count)
    #expect(again == y)
    let exact = zip(x, dy).map { Double($1) * (Self.cdf(Double($0)) + Double($0) * Self.density(Double($0))) }
    #expect(Self.close(dx, exact, 4e-7))
  }

  @Test(arguments: sets) func notANumberStaysOne(set: String) {
    let x: [Float] = [1, .nan, 2]
    var y: [Float] = [0, 0, 0]
    Self.kernels(set).gelu_forward(x, &y, 3)
    #expect(y[1].isNaN && !y[0].isNaN && !y[2].isNaN)
  }

  @Test(arguments: sets, lengths) func biasesAndSums(set: String, columns: Int) {
    let kernels = Self.kernels(set)
    let rows = 5
    let x = Self.numbers(rows * columns)
    let perColumn = Self.numbers(columns, 2)
    let perRow = Self.numbers(rows, 3)
    func at(_ r: Int, _ c: Int) -> Double { Double(x[r * columns + c]) }
    let cells = (0..<rows).flatMap { r in (0..<columns).map { (r, $0) } }

    var a = x
    kernels.add_column_bias(&a, perColumn, rows, columns)
    #expect(Self.close(a, cells.map { at($0, $1) + Double(perColumn[$1]) }, 1e-6))
    var b = x
    kernels.add_row_bias(&b, perRow, rows, columns)
    #expect(Self.close(b, cells.map { at($0, $1) + Double(perRow[$0]) }, 1e-6))

    func gelu(_ v: Double) -> Double { v * Self.cdf(v) }
    var u = x
    var y = x
    kernels.column_bias_gelu(&u, perColumn, &y, rows, columns)
    #expect(u == a && Self.close(y, a.map { gelu(Double($0)) }, 1e-6))
    u = x
    kernels.row_bias_gelu(&u, perRow, &y, rows, columns)
    #expect(u == b && Self.close(y, b.map { gelu(Double($0)) }, 1e-6))

    var sums = perColumn
    kernels.column_sums(x, &sums, rows, columns)
    #expect(
      Self.close(sums, (0..<columns).map { c in Double(perColumn[c]) + (0..<rows).reduce(0) { $0 + at($1, c) } }, 1e-6))
    sums = perRow
    kernels.row_sums(x, &sums, rows, columns)
    #expect(
      Self.close(sums, (0..<rows).map { r in Double(perRow[r]) + (0..<columns).reduce(0) { $0 + at(r, $1) } }, 1e-5))
    let squares = x.reduce(0.0) { $0 + Double($1) * Double($1) }
    #expect(abs(kernels.sum_of_squares(x, x.count) - squares) < 1e-6 * squares)
  }

  @Test(arguments: sets) func sumOfSquaresShowsWhatIsNotANumber(set: String) {
    var x = Self.numbers(3_000)
    x[2_345] = .nan
    #expect(Self.kernels(set).sum_of_squares(x, x.count).isNaN)
    x[2_345] = .infinity
    #expect(Self.kernels(set).sum_of_squares(x, x.count) == .infinity)
  }

  /// LayerNorm in steps over columns in two places equals the one over whole rows.
  @Test(arguments: sets, lengths) func layerNormInSteps(set: String, columns: Int) {
    let kernels = Self.kernels(set)
    let rows = 3
    let x = Self.numbers(rows * columns).map { $0 + 30 }
    let (scale, shift) = (Self.numbers(columns, 2).map { $0 + 2 }, Self.numbers(columns, 3))
    let dy = Self.numbers(rows * columns, 4)
    var (y, mean, rstd) = (x, [Float](repeating: 0, count: rows), [Float](repeating: 0, count: rows))
    kernels.layer_norm_forward(x, columns, scale, shift, 1e-5, &y, columns, &mean, &rstd, rows, columns)
    let before = Self.numbers(rows * columns, 5)
    var (dx, dscale, dshift) = (before, scale, shift)
    kernels.layer_norm_backward(
      x, columns, scale, mean, rstd, dy, columns, &dx, columns, true, &dscale, &dshift, rows, columns)

    let cut = columns / 3
    let parts = [0..<cut, cut..<columns]
    func part(_ values: [Float], _ range: Range<Int>, of rows: Int) -> [Float] {
      (0..<rows).flatMap { r in values[(r * values.count / rows + range.lowerBound)...].prefix(range.count) }
    }
    var sums = [Float](repeating: 0, count: 2 * rows)
    var stepScale: [Float] = []
    var stepShift: [Float] = []
    for range in parts {
      var moments = [Float](repeating: 0, count: 2 * rows)
      kernels.row_moments(part(x, range, of: rows), &moments, rows, range.count)
      for r in 0..<rows where !range.isEmpty {
        let line = part(x, range, of: rows)[(r * range.count)...].prefix(range.count).map(Double.init)
        let m = line.reduce(0, +) / Double(line.count)
        let squares = line.reduce(0) { $0 + ($1 - m) * ($1 - m) }
        #expect(abs(Double(moments[2 * r]) - m) < 1e-5)
        #expect(abs(Double(moments[2 * r + 1]) - squares) < 1e-4 * max(1, squares))
      }
      var piece = [Float](repeating: 0, count: rows * range.count)
      kernels.normalize(
        part(x, range, of: rows), part(scale, range, of: 1), part(shift, range, of: 1), mean, rstd, &piece, rows,
        range.count)
      #expect(Self.close(piece, part(y, range, of: rows).map(Double.init), 1e-6))
      var partial = [Float](repeating: 0, count: 2 * rows)
      var (a, b) = (part(scale, range, of: 1), part(shift, range, of: 1))
      kernels.normalize_sums(
        part(x, range, of: rows), part(scale, range, of: 1), mean, rstd, part(dy, range, of: rows), &partial, &a, &b,
        rows, range.count)
      stepScale += a
      stepShift += b
      for i in sums.indices { sums[i] += partial[i] }
    }
    #expect(Self.close(stepScale, dscale.map(Double.init), 1e-5))
    #expect(Self.close(stepShift, dshift.map(Double.init), 1e-5))
    for range in parts {
      var piece = part(before, range, of: rows)
      kernels.normalize_backward(
        part(x, range, of: rows), part(scale, range, of: 1), mean, rstd, part(dy, range, of: rows), sums,
        Float(columns), &piece, true, rows, range.count)
      #expect(Self.close(piece, part(dx, range, of: rows).map(Double.init), 1e-4))
    }
  }

  @Test(arguments: sets, lengths) func layerNormAndItsBackward(set: String, columns: Int) {
    let kernels = Self.kernels(set)
    let (rows, stride, epsilon) = (4, columns + 3, 1e-5)
    // A large mean: squares must be taken after it is subtracted.
    let x = Self.numbers(rows * stride).map { $0 + 30 }
    let scale = Self.numbers(columns, 2).map { $0 + 2 }
    let shift = Self.numbers(columns, 3)
    let dy = Self.numbers(rows * columns, 4)
    var y = [Float](repeating: 0, count: rows * columns)
    var mean = [Float](repeating: 0, count: rows)
    var rstd = mean
    kernels.layer_norm_forward(
      x, stride, scale, shift, Float(epsilon), &y, columns, &mean, &rstd, rows, columns)
    var dx = Self.numbers(rows * columns, 5)
    let before = dx
    var dscale = scale
    var dshift = shift
    kernels.layer_norm_backward(
      x, stride, scale, mean, rstd, dy, columns, &dx, columns, true, &dscale, &dshift, rows, columns)

    var expectedScale = scale.map(Double.init)
    var expectedShift = shift.map(Double.init)
    let n = Double(columns)
    for r in 0..<rows {
      let line = (0..<columns).map { Double(x[r * stride + $0]) }
      let m = line.reduce(0, +) / n
      let s = 1 / (line.reduce(0) { $0 + ($1 - m) * ($1 - m) } / n + epsilon).squareRoot()
      let normal = line.map { ($0 - m) * s }
      let g = (0..<columns).map { Double(dy[r * columns + $0]) * Double(scale[$0]) }
      let meanG = g.reduce(0, +) / n
      let meanGN = zip(g, normal).reduce(0) { $0 + $1.0 * $1.1 } / n
      let outputs = (0..<columns).map { normal[$0] * Double(scale[$0]) + Double(shift[$0]) }
      // Rounding of x (about 2e-6 at 30) is magnified by rstd.
      #expect(Self.close(Array(y[r * columns..<(r + 1) * columns]), outputs, 2e-5 * max(1, s)))
      let gradient = (0..<columns).map { Double(before[r * columns + $0]) + s * (g[$0] - meanG - normal[$0] * meanGN) }
      #expect(Self.close(Array(dx[r * columns..<(r + 1) * columns]), gradient, 5e-5 * max(1, s)))
      for c in 0..<columns {
        expectedScale[c] += Double(dy[r * columns + c]) * normal[c]
        expectedShift[c] += Double(dy[r * columns + c])
      }
    }
    #expect(Self.close(dscale, expectedScale, columns == 1 ? 1e-2 : 1e-4))
    #expect(Self.close(dshift, expectedShift, 1e-6))
  }

  @Test(arguments: sets, lengths) func elementwise(set: String, columns: Int) {
    let kernels = Self.kernels(set)
    let rows = 3
    let x = Self.numbers(rows * columns)
    let d = Self.numbers(rows * columns, 2)
    let factor = Self.numbers(columns, 3)
    var y = x
    kernels.add(&y, d, y.count)
    #expect(y == zip(x, d).map { $0 + $1 })
    kernels.scale(&y, x, 0.75, y.count)
    #expect(y == x.map { $0 * 0.75 })
    kernels.add_scaled_columns(x, factor, d, &y, rows, columns)
    #expect(Self.close(y, x.indices.map { Double(x[$0]) + Double(factor[$0 % columns]) * Double(d[$0]) }, 1e-6))
    kernels.scale_columns(x, factor, &y, rows, columns)
    #expect(y == x.indices.map { x[$0] * factor[$0 % columns] })
  }

  @Test(arguments: sets, lengths) func weightedSquaresAndTheirGradient(set: String, columns: Int) {
    let kernels = Self.kernels(set)
    let rows = 3
    let (p, t) = (Self.numbers(rows * columns), Self.numbers(rows * columns, 2))
    let (wr, wc) = (Self.numbers(rows, 3).map { $0 + 1.5 }, Self.numbers(columns, 4).map { $0 + 1.5 })
    let before = Self.numbers(rows * columns, 5)
    var gradient = before
    let sum = kernels.weighted_squares(p, t, wr, wc, &gradient, 0.25, true, rows, columns)
    var expected = 0.0
    var slope: [Double] = []
    for i in p.indices {
      let w = Double(wr[i / columns]) * Double(wc[i % columns])
      let e = w * (Double(p[i]) - Double(t[i]))
      expected += e * e
      slope.append(0.25 * 2 * e * w)
    }
    #expect(abs(sum - expected) < 1e-5 * expected)
    #expect(Self.close(gradient, zip(before, slope).map { Double($0) + $1 }, 1e-5))
    let alone = kernels.weighted_squares(p, t, wr, wc, &gradient, 0.25, false, rows, columns)
    #expect(alone == sum && Self.close(gradient, slope, 1e-5))
    #expect(kernels.weighted_squares(p, t, wr, wc, nil, 0, false, rows, columns) == sum)
  }

  @Test(arguments: sets, [0, 1]) func adam(set: String, kind: Int) {
    let count = 37
    var (p, m, v) = (Self.numbers(count), Self.numbers(count, 2, scale: 0.1), Self.numbers(count, 3).map { $0 * $0 })
    let g = Self.numbers(count, 4)
    var (average, spent) = (Self.numbers(count, 5), g)
    let (p0, m0, v0, a0) = (p, m, v, average)
    var c = jk_adam(
      learning_rate: 0.01, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, bias_correction1: 0.5, bias_correction2: 0.25,
      coupled_decay: kind == 0 ? 0.1 : 0, decoupled_decay: kind == 1 ? 0.1 : 0, gradient_scale: 0.5, average_decay: 0.9)
    Self.kernels(set).adam_step(&c, &p, &spent, &m, &v, &average, count)
    #expect(spent.allSatisfy { $0 == 0 })
    for i in 0..<count {
      let gradient = Double(g[i]) * 0.5 + (kind == 0 ? 0.1 * Double(p0[i]) : 0)
      let first = 0.9 * Double(m0[i]) + 0.1 * gradient
      let second = 0.99 * Double(v0[i]) + 0.01 * gradient * gradient
      let decayed = Double(p0[i]) * (kind == 1 ? 1 - 0.01 * 0.1 : 1)
      let next = decayed - 0.01 * (first / 0.5) / ((second / 0.25).squareRoot() + 1e-8)
      #expect(abs(Double(m[i]) - first) < 1e-6 && abs(Double(v[i]) - second) < 1e-6)
      #expect(abs(Double(p[i]) - next) < 1e-6)
      #expect(abs(Double(average[i]) - (0.9 * Double(a0[i]) + 0.1 * next)) < 1e-6)
    }
  }

  /// The known answers of Random123's philox4x32-10.
  @Test func philoxKnownAnswers() {
    var words = [UInt32](repeating: 0, count: 4)
    var zero = jk_stream(key: (0, 0), step: 0)
    jk_philox(&zero, 0, 0, &words)
    #expect(words == [0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8])
    var ones = jk_stream(key: (.max, .max), step: 0xFFFF_FFFF)
    jk_philox(&ones, .max, 0xFFFF_FFFF, &words)
    #expect(words == [0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD])
  }

  @Test(arguments: sets) func dropoutFollowsTheStreamElementByElement(set: String) {
    let kernels = Self.kernels(set)
    var stream = jk_stream(key: (12, 34), step: 5)
    let ones = [Float](repeating: 1, count: 1_000)
    var whole = ones
    kernels.dropout(&stream, 7, 0, 0.25, ones, &whole, 1_000)
    for column in stride(from: 0, to: 1_000, by: 37) {
      var words = [UInt32](repeating: 0, count: 4)
      jk_philox(&stream, 7, UInt64(column / 4), &words)
      #expect(whole[column] == (words[column % 4] >= 1 << 30 ? 1 / 0.75 : 0))
    }
    let dropped = whole.filter { $0 == 0 }.count
    #expect((200...300).contains(dropped))
    // Any part of a row gets the same mask.
    for (start, count) in [(1, 5), (130, 257), (999, 1)] {
      var part = [Float](repeating: 1, count: count)
      let input = part
      kernels.dropout(&stream, 7, UInt64(start), 0.25, input, &part, count)
      #expect(part == Array(whole[start..<start + count]))
    }
  }
}
