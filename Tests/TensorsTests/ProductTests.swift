import TestSupport
import Testing

@testable import Tensors

#if canImport(Glibc)
  import Glibc
#endif

extension Matrix {
  /// The elements of an FP32 matrix, row by row.
  var values: [Float] {
    (0..<rows).flatMap { UnsafeBufferPointer(start: pointer + $0 * stride, count: columns) }
  }
}

@Suite struct ProductTests {
  /// All transpositions, uneven sizes, strides, one to three threads, with and without accumulation.
  @Test(arguments: [1, 2, 3]) func productsMatchTheReference(threads: Int) {
    let compute = Compute(threads: threads)
    for (m, n, k) in [(1, 1, 1), (7, 5, 3), (64, 33, 17), (3, 130, 70), (130, 2, 9), (5, 6, 9_000), (99, 131, 101)] {
      for (transposesA, transposesB) in [(false, false), (false, true), (true, false), (true, true)] {
        for accumulates in [false, true] {
          let a = matrix(transposesA ? k : m, transposesA ? m : k, seed: 1)
          let b = matrix(transposesB ? n : k, transposesB ? k : n, seed: 2)
          let c = matrix(m, n, seed: 3)
          let expected = matrix(m, n, seed: 3)
          let (x, y) = (Operand(a, transposed: transposesA), Operand(b, transposed: transposesB))
          compute.multiply(x, y, into: c, accumulate: accumulates)
          ReferenceProducts().multiply(x, y, into: expected, accumulate: accumulates)
          #expect(largestDifference(c.values, expected.values) < 1e-5 * Float(k).squareRoot() + 1e-6)
        }
      }
    }
  }

  /// In products and kernels, on every thread of the team, and nowhere else.
  @Test(arguments: [1, 2]) func subnormalNumbersAreZero(threads: Int) {
    let compute = Compute(threads: threads)
    let (m, n, k) = (96, 80, 64)
    func filled(_ value: Float, _ rows: Int, _ columns: Int) -> Tensor {
      Tensor([Float](repeating: value, count: rows * columns), shape: [rows, columns])
    }
    let c = filled(1, m, n)
    compute.multiply(
      filled(.leastNormalMagnitude / 8, m, k).matrix.plain, filled(1e30, k, n).matrix.plain, into: c.matrix)
    #expect(c.values.allSatisfy { $0 == 0 })
    let y = filled(2e-38, 100, 500)
    compute.scale(y, by: 0.5, into: y)
    #expect(y.values.allSatisfy { $0 == 0 })
    let z = filled(1, 1, 8)
    compute.scale(filled(.leastNormalMagnitude / 8, 1, 8), by: 1e38, into: z)
    #expect(z.values.allSatisfy { $0 == 0 })
    let least = [Float.leastNonzeroMagnitude].map { $0 * Float(threads) }
    #expect(least[0] > 0, "the caller's numbers are as they were")
  }

  /// Every library of products, over the edges of tiles and blocks.
  @Test(arguments: ["baseline", "avx2", "avx512", "oneDNN"]) func everyBackendMatchesTheReference(name: String) {
    guard let backend: any ProductBackend = name == "oneDNN" ? OneDNNProducts() : PackedProducts(kernelSet: name)
    else { return }  // not on this CPU
    let sizes = [(1, 1, 1), (6, 16, 8), (12, 32, 257), (13, 33, 9), (200, 40, 20), (5, 4_100, 3), (31, 95, 600)]
    for (m, n, k) in sizes {
      for (transposesA, transposesB) in [(false, false), (false, true), (true, false), (true, true)] {
        for accumulates in [false, true] {
          let a = Operand(matrix(transposesA ? k : m, transposesA ? m : k, seed: 1), transposed: transposesA)
          let b = Operand(matrix(transposesB ? n : k, transposesB ? k : n, seed: 2), transposed: transposesB)
          let (c, expected) = (matrix(m, n, seed: 3), matrix(m, n, seed: 3))
          backend.multiply(a, b, into: c, accumulate: accumulates)
          ReferenceProducts().multiply(a, b, into: expected, accumulate: accumulates)
          #expect(
            largestDifference(c.values, expected.values) < 1e-5 * Float(k).squareRoot() + 1e-6,
            "\(name) \(m)x\(n)x\(k) \(transposesA) \(transposesB)")
        }
      }
    }
  }

  /// Bias, residual, GELU and its derivative on products are what the kernels of their own make of the same product.
  @Test(arguments: ["baseline", "avx2", "avx512", "oneDNN", "default"]) func finishesMatchSeparateKernels(name: String)
  {
    let backend: any ProductBackend
    switch name {
    case "oneDNN": backend = OneDNNProducts()
    case "default": backend = ReferenceProducts()
    default:
      guard let packed = PackedProducts(kernelSet: name) else { return }  // not on this CPU
      backend = packed
    }
    for (m, n, k) in [(1, 1, 1), (13, 37, 9), (200, 40, 300), (6, 16, 2), (40, 40, 5_000)] {
      let (a, b) = (matrix(m, k, seed: 1), matrix(k, n, seed: 2))
      for threads in [1, 3] {
        let compute = Compute(threads: threads, backend: backend)
        for direction in [BiasDirection.perColumn, .perRow] {
          let bias = tensor([direction == .perColumn ? n : m], seed: 4)
          let (residual, u) = (tensor([m, n], seed: 5), tensor([m, n], seed: 6))
          let plain = Tensor(zeros: [m, n])
          compute.multiply(a.plain, b.plain, into: plain.matrix)
          func result(_ epilogue: Epilogue) -> Tensor {
            let c = Tensor(zeros: [m, n])
            compute.multiply(a.plain, b.plain, into: c.matrix, epilogue: epilogue)
            return c
          }

          let sum = Tensor(plain.values, shape: [m, n])
          compute.addBias(bias, to: sum, rows: m, direction)
          compute.add(residual, to: sum)
          #expect(
            largestDifference(result(Epilogue(bias: bias, direction, addend: residual.matrix)).values, sum.values)
              < 1e-5)

          let (before, after) = (Tensor(plain.values, shape: [m, n]), Tensor(zeros: [m, n]))
          compute.addBiasThenGELU(bias, to: before, into: after, rows: m, direction)
          let activated = Tensor(zeros: [m, n])
          let c = result(Epilogue(bias: bias, direction, activation: .gelu(into: activated.matrix)))
          #expect(largestDifference(c.values, before.values) < 1e-5)
          #expect(largestDifference(activated.values, after.values) < 1e-5)
          let inPlace = Tensor(zeros: [m, n])
          compute.multiply(
            a.plain, b.plain, into: inPlace.matrix,
            epilogue: Epilogue(bias: bias, direction, activation: .gelu(into: inPlace.matrix)))
          #expect(largestDifference(inPlace.values, activated.values) < 1e-6)

          let (gradient, output) = (Tensor(plain.values, shape: [m, n]), Tensor(zeros: [m, n]))
          compute.geluBackward(u, gradient, into: gradient, output: output)
          let again = Tensor(zeros: [m, n])
          let d = result(Epilogue(activation: .geluGradient(of: u.matrix, output: again.matrix)))
          // Two instruction sets' derivatives times a sum of k terms, which grows as √k: a few roundings of its size.
          #expect(largestDifference(d.values, gradient.values) < 3e-7 * (1 + Float(k).squareRoot()))
          #expect(largestDifference(again.values, output.values) < 1e-6)
        }
      }
    }
  }

  /// The same bits from any number of threads; pauses while it runs.
  @Test func packedProductsDoNotDependOnTheSplit() {
    let (m, n, k) = (50, 210, 300)
    let (a, b) = (matrix(m, k, seed: 1), matrix(k, n, seed: 2))
    var results: [[Float]] = []
    for threads in 1...4 {
      let c = Tensor(zeros: [m, n])
      var pauses = 0
      Compute(threads: threads, backend: PackedProducts()).multiply(
        a.plain, b.plain, into: c.matrix(rows: m), pause: { pauses += 1 })
      #expect(pauses > 0)
      results.append(c.values)
    }
    #expect(results.allSatisfy { $0 == results[0] })
  }

  /// Whoever looks after transfers does so on the thread that asked for the product, however small that is.
  @Test func pausesAreOnTheCallingThread() {
    for threads in [1, 2, 5, 8] {
      let compute = Compute(threads: threads, backend: PackedProducts())
      for (m, n) in [(3, 40), (96, 7), (200, 300)] {
        let (caller, c) = (pthread_self(), Tensor(zeros: [m, n]))
        var elsewhere = 0
        compute.multiply(
          matrix(m, 20, seed: 1).plain, matrix(20, n, seed: 2).plain, into: c.matrix(rows: m),
          pause: { if pthread_equal(pthread_self(), caller) == 0 { elsewhere += 1 } })
        #expect(elsewhere == 0)
      }
    }
  }

  /// A matrix within a wider one, so that rows are not adjacent.
  private func tensor(_ shape: [Int], seed: UInt64) -> Tensor {
    let m = matrix(1, shape.reduce(1, *), seed: seed)
    return Tensor(shape: shape, buffer: m.buffer, offset: m.offset)
  }

  private func matrix(_ rows: Int, _ columns: Int, seed: UInt64) -> Matrix {
    let whole = Tensor(KernelTests.numbers(rows * (columns + 5), seed), shape: [rows, columns + 5])
    return whole.matrix(rows: rows).columns(2..<columns + 2)
  }

  @Test func theTeamCoversEveryIndexOnce() {
    for threads in [1, 2, 4] {
      let team = ThreadTeam(count: threads)
      for round in 0..<500 {
        let n = round % 37
        let marks = Tensor(zeros: [max(n, 1)])
        team.split(n, grain: 1 + round % 5) { range in for i in range { marks.pointer[i] += 1 } }
        #expect(marks.values.prefix(n).allSatisfy { $0 == 1 })
      }
    }
  }

  @Test func poolHandsMemoryOutAgain() {
    let pool = BufferPool()
    var pointer: UnsafeMutableRawPointer?
    do {
      let buffer = pool.buffer(byteCount: 1_000)
      pointer = buffer.pointer
      #expect(pool.counters.bytesInUse == 1_024 && pool.counters.allocations == 1)
    }
    #expect(pool.counters.bytesInUse == 0 && pool.counters.bytesIdle == 1_024)
    let again = pool.buffer(byteCount: 1_010)
    #expect(again.pointer == pointer && pool.counters.allocations == 1)
    let other = pool.buffer(byteCount: 1_000)
    #expect(other.pointer != pointer && pool.counters.allocations == 2 && pool.counters.peakBytesInUse == 2_048)
    #expect(Int(bitPattern: other.pointer) % 64 == 0)
  }
}

@Suite struct RandomStreamTests {
  @Test func numbersAreUniformAndIndependentOfTheRangeAskedFor() {
    let stream = RandomStream(seed: 3, name: "encoder.weight")
    var whole = [Float](repeating: 0, count: 4_001)
    whole.withUnsafeMutableBufferPointer { stream.fillUniform($0, bound: 2, row: 9, columns: 0..<4_001) }
    #expect(whole.allSatisfy { $0 >= -2 && $0 < 2 })
    let mean = whole.reduce(0, +) / 4_001
    let variance = whole.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 4_001
    #expect(abs(mean) < 0.08 && abs(variance - 4.0 / 3) < 0.08)
    for range in [0..<1, 3..<10, 1_001..<1_003] {
      var part = [Float](repeating: 0, count: range.count)
      part.withUnsafeMutableBufferPointer { stream.fillUniform($0, bound: 2, row: 9, columns: range) }
      #expect(part == Array(whole[range]))
    }
  }

  @Test func seedNameStepAndRowAllMatter() {
    func bits(_ seed: UInt64, _ name: String, _ step: UInt64, _ row: Int) -> UInt32 {
      RandomStream(seed: seed, name: name, step: step).bits(row: row, column: 0)
    }
    #expect(
      Set([bits(0, "a", 0, 0), bits(1, "a", 0, 0), bits(0, "b", 0, 0), bits(0, "a", 1, 0), bits(0, "a", 0, 1)]).count
        == 5)
    // The generator is part of what "the same run" means: these values must never change.
    #expect(bits(0, "encoder.weight", 0, 0) == RandomStreamTests.pinned)
  }

  static let pinned: UInt32 = 1_969_811_599

  @Test func integersBelowABoundAreEven() {
    let stream = RandomStream(seed: 1, name: "sampler")
    var counts = [Int](repeating: 0, count: 7)
    for index in 0..<7_000 { counts[stream.integer(below: 7, index: index)] += 1 }
    #expect(counts.allSatisfy { (850...1_150).contains($0) })
  }
}

@Suite struct TilingTests {
  @Test func tileAndUntileAreInverse() throws {
    let tiling = try #require(Tiling(rows: 6, columns: 8, tileRows: 3, tileColumns: 2))
    #expect(tiling.tokens == 8 && tiling.pointsPerToken == 6)
    #expect(Tiling(rows: 6, columns: 8, tileRows: 4, tileColumns: 2) == nil)
    let (fields, batch) = (3, 2)
    let planes = KernelTests.numbers(batch * fields * 48)
    let out = Tensor(zeros: [8, batch, 6 * fields])
    let (mean, factor): ([Float], [Float]) = ([0.5, -1, 2], [2, 0.5, 4])
    for sample in 0..<batch {
      planes.withUnsafeBufferPointer {
        tiling.tile(
          $0.baseAddress! + sample * fields * 48, Tiling.Scaling(mean: mean, factor: factor), into: out, sample: sample)
      }
    }
    // Every point where it belongs.
    for sample in 0..<batch {
      for field in 0..<fields {
        for row in 0..<6 {
          for column in 0..<8 {
            let token = row / 3 * 4 + column / 2
            let point = row % 3 * 2 + column % 2
            let value = (planes[((sample * fields) + field) * 48 + row * 8 + column] - mean[field]) * factor[field]
            #expect(out.values[((token * batch + sample) * 6 + point) * fields + field] == value)
          }
        }
      }
    }
    var back = [Float](repeating: 0, count: fields * 48)
    tiling.untile(out, sample: 1, Tiling.Scaling(mean: mean, factor: factor.map { 1 / $0 }), into: &back)
    for (a, b) in zip(back, planes[(fields * 48)...]) { #expect(abs(a - b) < 1e-6) }
  }

  @Test func rowValuesAreSpreadInTiledOrder() throws {
    let tiling = try #require(Tiling(rows: 4, columns: 2, tileRows: 2, tileColumns: 1))
    #expect(tiling.spread(rowValues: [1, 2, 3, 4]) == [1, 2, 1, 2, 3, 4, 3, 4])
  }
}
