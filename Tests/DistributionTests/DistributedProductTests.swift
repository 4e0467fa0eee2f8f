import Communication
import RankChecks
import Tensors
import TestSupport
import Testing

@testable import Distribution

@Suite struct DistributedProductTests {
  static let meshes = [(1, 1), (1, 2), (2, 1), (2, 2), (1, 4), (4, 1), (2, 3), (3, 2), (3, 1)]

  struct Case: Sendable {
    // C [m, n] = A [m, k]·B [k, n], the axis of the rows of each.
    var m = 12
    var n = 24
    var k = 36
    var a = SplitAxis.domain
    var b = SplitAxis.domain
    var c = SplitAxis.domain
    var transposesA = false
    var transposesB = false
    var accumulates = false
    /// Blocks travel in several messages, as over a slow link.
    var isSlow = false
  }

  static func number(_ i: Int, _ j: Int, _ seed: Int) -> Float {
    Float((i * 37 + j * 101 + seed * 17) % 29 - 14) / 8
  }

  /// The block of a matrix [rows, columns] at a place of the mesh, filled with the numbers of the whole.
  static func distributed(
    _ rows: Cuts, _ columns: Cuts, _ axis: SplitAxis, transposed: Bool, _ context: RankContext, seed: Int
  ) -> DistributedMatrix {
    let (r, c) = (rows.range(axis, context.index(axis)), columns.range(axis.other, context.index(axis.other)))
    let tensor = Tensor(zeros: transposed ? [c.count, r.count] : [r.count, c.count])
    let block = tensor.matrix
    let matrix =
      transposed
      ? DistributedMatrix(block, rows: columns, columns: rows, rowAxis: axis.other)
      : DistributedMatrix(block, rows: rows, columns: columns, rowAxis: axis)
    for i in r {
      for j in c {
        let (x, y) = (i - r.lowerBound, j - c.lowerBound)
        if transposed { block[y, x] = number(i, j, seed) } else { block[x, y] = number(i, j, seed) }
      }
    }
    return matrix
  }

  /// The largest error of this rank's block, and what it took.
  static func run(_ test: Case, _ context: RankContext) throws -> (error: Float, flops: Int, bytes: Int) {
    let mesh = context.mesh
    if test.isSlow { context.linkEstimate = ModelChecks.slowLink }
    let (m, n, k) = (Cuts(test.m, mesh: mesh), Cuts(test.n, mesh: mesh), Cuts(test.k, mesh: mesh))
    let a = distributed(m, k, test.a, transposed: test.transposesA, context, seed: 1)
    let b = distributed(k, n, test.b, transposed: test.transposesB, context, seed: 2)
    let c = distributed(m, n, test.c, transposed: false, context, seed: 3)
    let products = DistributedProducts(context, Compute(threads: 1, backend: ReferenceProducts()))
    let before = context.traffic.bytesSent
    try products.multiply(
      test.transposesA ? a.transposed : a.plain, test.transposesB ? b.transposed : b.plain, into: c,
      accumulate: test.accumulates)
    var worst: Float = 0
    let rows = m.range(test.c, context.index(test.c))
    let columns = n.range(test.c.other, context.index(test.c.other))
    for i in rows {
      for j in columns {
        var sum = test.accumulates ? Double(number(i, j, 3)) : 0
        for l in 0..<test.k { sum += Double(number(i, l, 1)) * Double(number(l, j, 2)) }
        worst = [worst, abs(c.block[i - rows.lowerBound, j - columns.lowerBound] - Float(sum))].largest
      }
    }
    return (worst, products.flops, context.traffic.bytesSent - before)
  }

  /// All schedules, transpositions and meshes, sizes that divide and sizes that don't.
  @Test(arguments: meshes) func productsEqualThoseOfOneRank(domain: Int, tensor: Int) throws {
    let mesh = Mesh(domain: domain, tensor: tensor)
    for (m, n, k) in [(12, 24, 36), (7, 11, 5), (5, 3, 13), (4, 4, 4), (2, 9, 3)] {
      for c in [SplitAxis.domain, .tensor] {
        for (a, b) in [(c, c), (c, c.other), (c.other, c)] {
          for (transposesA, transposesB) in [(false, false), (false, true), (true, false), (true, true)] {
            for (accumulates, isSlow) in [(false, false), (true, false), (false, true), (true, true)] {
              let test = Case(
                m: m, n: n, k: k, a: a, b: b, c: c, transposesA: transposesA, transposesB: transposesB,
                accumulates: accumulates, isSlow: isSlow)
              let results = try ThreadRanks.run(mesh.count) { try Self.run(test, RankContext(mesh, $0)) }
              #expect(results.allSatisfy { $0.error < 1e-3 }, "\(test) on \(mesh): \(results.map(\.error))")
            }
          }
        }
      }
    }
  }

  /// Every rank does its share, no more, when sizes divide.
  @Test(arguments: meshes) func workIsBalanced(domain: Int, tensor: Int) throws {
    let mesh = Mesh(domain: domain, tensor: tensor)
    let layouts: [(SplitAxis, SplitAxis)] = [(.domain, .domain), (.domain, .tensor), (.tensor, .domain)]
    for (a, b) in layouts {
      let test = Case(a: a, b: b)
      let results = try ThreadRanks.run(mesh.count) { try Self.run(test, RankContext(mesh, $0)) }
      let share = 2 * test.m * test.n * test.k / mesh.count
      #expect(results.allSatisfy { $0.flops == share }, "\(results.map(\.flops))")
    }
  }
}
