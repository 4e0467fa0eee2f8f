import Tensors
import Testing
import Training

#if canImport(Glibc)
  import Glibc
#endif

/// Losses by hand and their gradients against central differences.
@Suite struct PointwiseLossTests {
  private let compute = Compute(threads: 2)

  static let kinds = [
    PointwiseLoss.Kind.squared, .absolute, .rootOfSquared, .huber(delta: 0.7), .logCosh,
    .rankedProbability(alpha: 0.95),
  ]
  private let points = 3
  private let samples = 2
  private let members = 3
  private let columns = 4

  private func arrays() -> (prediction: Tensor, target: Tensor, weights: Tensor) {
    func numbers(_ count: Int, _ step: Double) -> [Float] { (0..<count).map { Float(sin(Double($0 * $0) * step) * 2) } }
    return (
      Tensor(numbers(points * samples * members * columns, 0.37), shape: [points, samples * members, columns]),
      Tensor(numbers(points * samples * columns, 0.91), shape: [points, samples, columns]),
      Tensor(numbers(points * columns, 0.53).map { abs($0) + 0.1 }, shape: [points, 1, columns])
    )
  }

  /// Shares of four ranks, which have some points and some columns each, add up to the loss of one, with its gradient.
  @Test(arguments: kinds) func sharesOfRanksAddUp(kind: PointwiseLoss.Kind) {
    let (prediction, target, weights) = arrays()
    let loss = PointwiseLoss(kind, variables: 2, members: members)
    let gradient = compute.tensor(prediction.shape)
    let whole = loss(prediction, target: target, weights: weights, gradient: gradient, scale: 3, compute)
    let squares = PointwiseLoss(.squared, variables: 2, members: members)(
      prediction, target: target, weights: weights, gradient: nil, compute)
    var sum = 0.0
    for (rows, own) in [(0..<1, 0..<1), (0..<1, 1..<4), (1..<3, 0..<1), (1..<3, 1..<4)] {
      func block(_ x: Tensor) -> Tensor {
        let samples = x.shape[1]
        let values = rows.flatMap { row in
          (0..<samples).flatMap { sample in own.map { x.pointer[(row * samples + sample) * columns + $0] } }
        }
        return Tensor(values, shape: [rows.count, samples, own.count])
      }
      let part = block(prediction)
      let dpart = compute.tensor(part.shape)
      sum += loss(
        part, target: block(target), weights: block(weights), gradient: dpart, scale: 3, compute,
        sumOverRanks: { share in
          #expect(share > 0 && share < squares)
          return squares
        })
      #expect(zip(dpart.values, block(gradient).values).allSatisfy { abs($0 - $1) <= 1e-6 * abs($1) })
    }
    #expect(abs(sum - whole) <= 1e-12 * whole)
  }

  @Test(arguments: kinds) func gradientsAreThoseOfTheLoss(kind: PointwiseLoss.Kind) {
    let (prediction, target, weights) = arrays()
    let loss = PointwiseLoss(kind, variables: 2, members: members)
    let gradient = compute.tensor(prediction.shape)
    _ = loss(prediction, target: target, weights: weights, gradient: gradient, scale: 3, compute)
    for i in 0..<prediction.count {
      let original = prediction.pointer[i]
      func shifted(_ step: Float) -> Double {
        prediction.pointer[i] = original + step
        return loss(prediction, target: target, weights: weights, gradient: nil, compute)
      }
      let slope = 3 * (shifted(1e-3) - shifted(-1e-3)) / 2e-3
      prediction.pointer[i] = original
      #expect(abs(slope - Double(gradient.pointer[i])) < 2e-3 * max(1, abs(slope)))
    }
  }

  @Test func valuesByHand() {
    // One point, one sample, two variables.
    func value(_ kind: PointwiseLoss.Kind, members: Int = 1, _ prediction: [Float], missing: Bool = false) -> Double {
      let target = Tensor([1, missing ? .nan : 2], shape: [1, 1, 2])
      let weights = Tensor([2, 3], shape: [1, 1, 2])
      return PointwiseLoss(kind, variables: 2, members: members, ignoresMissing: missing)(
        Tensor(prediction, shape: [1, members, 2]), target: target, weights: weights, gradient: nil, compute)
    }
    let (small, large) = (2 * log(cosh(1.0)), 3 * log(cosh(3.0)))
    #expect(value(.squared, [2, 5]) == 14.5)
    #expect(value(.squared, [2, 5], missing: true) == 1)
    #expect(value(.absolute, [2, 5]) == 5.5)
    #expect(value(.huber(delta: 1), [1.5, 5]) == 3.875)
    #expect(abs(value(.logCosh, [2, 5]) - (small + large) / 2) < 1e-12)
    #expect(value(.rootOfSquared, [2, 5]) == 14.5.squareRoot())
    // Fair score of two members: the mean error, 2, less half their distance, 2.
    #expect(value(.rankedProbability(alpha: 1), members: 2, [0, 2, 4, 2]) == 0)
    // With alpha = 0 half of that distance counts.
    #expect(value(.rankedProbability(alpha: 0), members: 2, [0, 2, 4, 2]) == 1)
    // Several members are averaged.
    #expect(value(.squared, members: 2, [2, 2, 3, 2]) == 2.5)
  }
}
