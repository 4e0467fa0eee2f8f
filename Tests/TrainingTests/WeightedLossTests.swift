import Checkpoints
import Datasets
import Execution
import Tensors
import TestSupport
import Testing

@testable import Training

/// The loss of trainings against the pointwise losses, which have references of their own.
@Suite struct WeightedLossTests {
  @Test(arguments: [PointwiseLoss.Kind.squared, .absolute, .huber(delta: 0.7), .logCosh], [1, 3])
  func weightsMultiplyErrorsAndCountPoints(kind: PointwiseLoss.Kind, threads: Int) {
    let compute = Compute(threads: threads)
    let (tokens, samples, points, fields) = (40, 2, 3, 5)
    func normal(_ name: String, _ count: Int) -> Tensor {
      let tensor = Tensor(zeros: [count])
      RandomStream(seed: 3, name: name).fillNormal(tensor.floats, deviation: 1, row: 0, columns: 0..<count)
      return tensor
    }
    let shape = [tokens, samples, points * fields]
    let count = shape.reduce(1, *)
    let (prediction, target) = (
      Tensor(normal("x", count).values, shape: shape), Tensor(normal("y", count).values, shape: shape)
    )
    let rows = Tensor(normal("rows", tokens * points).values.map { abs($0) + 0.1 }, shape: [tokens * points])
    let columns = Tensor(normal("columns", fields).values.map { abs($0) + 0.1 }, shape: [fields])
    let factors = Tensor(normal("factors", fields).values.map { abs($0) + 0.1 }, shape: [fields])
    let gradient = Tensor([Float](repeating: 0.25, count: count), shape: shape)
    let sum = WeightedLoss(kind: kind, weights: LossWeights(rows: rows, columns: columns, factors: factors)).sum(
      prediction, target, pointsPerToken: points, gradient: gradient, scale: 0.5, accumulate: true, compute)

    // The same as a sum over single points with scaled fields.
    var expected = 0.0
    for token in 0..<tokens {
      for sample in 0..<samples {
        for point in 0..<points {
          let first = ((token * samples + sample) * points + point) * fields
          let a = rows.values[token * points + point]
          func scaled(_ tensor: Tensor) -> Tensor {
            Tensor((0..<fields).map { tensor.values[first + $0] * columns.values[$0] }, shape: [1, 1, fields])
          }
          let d = Tensor(zeros: [1, 1, fields])
          expected +=
            Double(fields)
            * PointwiseLoss(kind, variables: fields)(
              scaled(prediction), target: scaled(target),
              weights: Tensor(factors.values.map { a * a * $0 }, shape: [1, 1, fields]), gradient: d,
              scale: 0.5 * Double(fields), Compute(threads: 1))
          for field in 0..<fields {
            let slope = 0.25 + d.values[field] * columns.values[field]
            #expect(abs(gradient.values[first + field] - slope) <= 2e-6 * max(1, abs(slope)))
          }
        }
      }
    }
    #expect(abs(sum - expected) < 1e-6 * expected)
  }

  /// Against finite differences, as a whole and as shares of two ranks that hold tokens of the same samples.
  @Test func rootsAreOfSamplesAndSumsOverRanks() {
    let (tokens, samples, fields) = (6, 2, 3)
    let compute = Compute(threads: 1)
    let count = tokens * samples * fields
    func normal(_ name: String, _ count: Int) -> [Float] {
      let tensor = Tensor(zeros: [count])
      RandomStream(seed: 5, name: name).fillNormal(tensor.floats, deviation: 1, row: 0, columns: 0..<count)
      return tensor.values
    }
    let (x, y) = (normal("x", count), normal("y", count))
    let (a, c, b) = (
      normal("a", tokens).map { abs($0) + 0.5 }, [Float](arrayLiteral: 1, 0.5, 2), [Float](arrayLiteral: 1, 3, 0.2)
    )

    /// Of some tokens: the share and the gradient, whose elements begin at `start`.
    func part(_ range: Range<Int>, _ x: [Float], start: Float = 0, others: [Double]) -> (
      share: Double, gradient: [Float]
    ) {
      let elements = range.lowerBound * samples * fields..<range.upperBound * samples * fields
      func tensor(_ values: [Float]) -> Tensor {
        Tensor(Array(values[elements]), shape: [range.count, samples, fields])
      }
      let gradient = Tensor([Float](repeating: start, count: elements.count), shape: [range.count, samples, fields])
      let loss = WeightedLoss(
        kind: .rootOfSquared,
        weights: LossWeights(
          rows: Tensor(Array(a[range]), shape: [range.count]), columns: Tensor(c, shape: [fields]),
          factors: Tensor(b, shape: [fields])))
      let share = loss.rootSum(
        tensor(x), tensor(y), pointsPerToken: 1, gradient: gradient, scale: 0.5, accumulate: start != 0, compute
      ) { own in zip(own, others).map(+) }
      return (share, gradient.values)
    }
    let zero = [Double](repeating: 0, count: samples)
    func squares(_ range: Range<Int>) -> [Double] {
      (0..<samples).map { sample in
        var sum = 0.0
        for token in range {
          for field in 0..<fields {
            let i = (token * samples + sample) * fields + field
            let e = Double(a[token] * c[field] * (x[i] - y[i]))
            sum += Double(b[field]) * e * e
          }
        }
        return sum
      }
    }
    let whole = part(0..<tokens, x, others: zero)
    #expect(abs(whole.share - squares(0..<tokens).reduce(0) { $0 + $1.squareRoot() }) < 1e-6 * whole.share)
    for i in 0..<count {
      func moved(_ step: Float) -> Double {
        var changed = x
        changed[i] += step
        return part(0..<tokens, changed, others: zero).share
      }
      let slope = 0.5 * (moved(1e-2) - moved(-1e-2)) / 2e-2
      #expect(abs(Double(whole.gradient[i]) - slope) < 1e-3 * max(0.1, abs(slope)))
    }
    let (first, second) = (
      part(0..<2, x, start: 0.25, others: squares(2..<tokens)), part(2..<tokens, x, start: 0.25, others: squares(0..<2))
    )
    #expect(abs(first.share + second.share - whole.share) < 1e-6 * whole.share)
    for (split, all) in zip(first.gradient + second.gradient, whole.gradient) {
      #expect(abs(split - 0.25 - all) < 1e-6)
    }
    #expect(
      part(0..<tokens, y, others: zero).share == 0 && part(0..<tokens, y, others: zero).gradient.allSatisfy { $0 == 0 })
    #expect(part(0..<tokens, x.map { _ in .nan }, others: zero).share.isNaN, "what is no number is not hidden")
  }

  /// Values by hand of what anemoi-training's scalers give.
  @Test func scalersAreAnemois() {
    let (z, q, t2m) = (
      Channel(variable: "z", levelHPa: 500), Channel(variable: "q", levelHPa: 100), Channel(variable: "t2m")
    )
    func factors(_ change: (inout LossScalers) -> Void, isDiagnostic: Bool = false) -> [Double] {
      var scalers = LossScalers()
      change(&scalers)
      return [z, q, t2m].map { scalers.factor($0, tendencyScale: 0.25, isDiagnostic: isDiagnostic) }
    }
    #expect(factors { _ in } == [1, 1, 1])
    #expect(factors { $0.generalVariable = ["z": 12, "default": 0.5] } == [12, 0.5, 0.5])
    #expect(factors { $0.pressureLevel = .relu } == [0.5, 0.2, 1])
    #expect(factors { $0.pressureLevel = .linear } == [0.7, 0.1 + 0.2, 1])
    #expect(factors { $0.pressureLevel = .polynomial } == [0.45, 0.1 * 0.1 + 0.2, 1])
    #expect(factors { $0.stdevTendency = true } == [4, 4, 4] && factors { $0.varTendency = true } == [16, 16, 16])
    #expect(factors({ $0.varTendency = true }, isDiagnostic: true) == [1, 1, 1])
    // One after the other: 12 · 0.5 · 4.
    #expect(
      factors {
        ($0.generalVariable, $0.pressureLevel, $0.stdevTendency) = (["z": 12], .relu, true)
      }[0] == 24)
  }

  @Test func elementsOfGradientsAreLimited() throws {
    let setup = try Setup()
    var options = OptimizerOptions()
    (options.clipNorm, options.clipValue, options.beta1, options.beta2) = (0, 0.5, 0, 0)
    let optimizer = Optimizer(setup.parameters, setup.compute, options)
    for (i, value) in [Float](arrayLiteral: 0.25, -3, 0.5, 7).enumerated() {
      setup.parameters.gradients.pointer[i] = value
    }
    // With β₁ = β₂ = 0 the moments are the gradient and its square.
    optimizer.step(update: 0, learningRate: 0, gradientNorm: 100)
    #expect(Array(optimizer.state.moment1.values[0..<4]) == [0.25, -0.5, 0.5, 0.5])
  }
}
