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
      RandomStream(seed: 3, name: name).fillNormal(tensor.pointer, deviation: 1, row: 0, columns: 0..<count)
      return tensor
    }
    let shape = [tokens, samples, points * fields]
    let count = shape.reduce(1, *)
    let (prediction, target) = (
      Tensor(normal("x", count).values, shape: shape), Tensor(normal("y", count).values, shape: shape)
    )
    let rows = Tensor(normal("rows", tokens * points).values.map { abs($0) + 0.1 }, shape: [tokens * points])
    let columns = Tensor(normal("columns", fields).values.map { abs($0) + 0.1 }, shape: [fields])
    let gradient = Tensor([Float](repeating: 0.25, count: count), shape: shape)
    let sum = WeightedLoss(kind: kind, weights: LossWeights(rows: rows, columns: columns)).sum(
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
              weights: Tensor([Float](repeating: a * a, count: fields), shape: [1, 1, fields]), gradient: d,
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

  @Test func elementsOfGradientsAreLimited() throws {
    let setup = try Setup()
    var options = Optimizer.Options()
    (options.clipNorm, options.clipValue, options.beta1, options.beta2) = (0, 0.5, 0, 0)
    let optimizer = Optimizer(setup.parameters, setup.compute, options)
    for (i, value) in [Float](arrayLiteral: 0.25, -3, 0.5, 7).enumerated() {
      setup.parameters.gradients.pointer[i] = value
    }
    // With β₁ = β₂ = 0 the moments are the gradient and its square.
    optimizer.step(update: 0, learningRate: 0, gradientNorm: 100)
    #expect(Array(optimizer.moment1.values[0..<4]) == [0.25, -0.5, 0.5, 0.5])
  }
}
