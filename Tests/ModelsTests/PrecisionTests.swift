import CKernels
import Datasets
import Distribution
import Execution
import KernelEmulation
import Models
import Stores
import Testing
import Training

@testable import Tensors

/// Products in bf16 against numbers of other programs: ml_dtypes for the rounding, PyTorch for the model's gradients.
@Suite struct PrecisionTests {
  static let units: [BF16Unit] =
    BF16Unit.available
    + ["amx", "avx512bf16"].compactMap { (name: String) in emulated_unit(name).map(BF16Unit.init(table:)) }

  private static func golden() throws -> Safetensors.File {
    let folder = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
    return try Safetensors.File("/\(folder)/Goldens/bf16.safetensors")
  }

  @Test func roundingMatchesThatOfOthers() throws {
    let file = try Self.golden()
    let numbers = try file.floats("numbers")
    let expected = try file.floats("numbers.rounded").map(\.bitPattern)
    for unit in Self.units {
      let found = unit.widened(unit.rounded(Tensor(numbers, shape: [numbers.count])))
      #expect(found.values.map(\.bitPattern) == expected, "\(unit.name)")
    }
  }

  @Test func productsMatchThoseOfOthers() throws {
    let file = try Self.golden()
    func tensor(_ name: String) throws -> Tensor { Tensor(try file.floats(name), shape: file.entries[name]!.shape) }
    let (a, b) = (try tensor("a"), try tensor("b"))
    let magnitude = try file.floats("product.magnitude")
    for unit in Self.units {
      for (parts, name, bound) in [(1, "product.rounded", Float(0x1p-19)), (2, "product", 0x1p-17)] {
        let c = Tensor(zeros: [a.shape[0], b.shape[1]])
        BF16Products(unit, parts: parts).multiply(a.matrix.plain, b.matrix.plain, into: c.matrix, accumulate: false)
        for (index, expected) in try file.floats(name).enumerated() {
          #expect(abs(c.values[index] - expected) < bound * magnitude[index], "\(unit.name) \(name) \(index)")
        }
      }
    }
  }

  /// A step's prediction, loss and gradients against PyTorch's in double precision, relative to the largest value: bf16,
  /// with 8 bits of each operand, is off by 2⁻⁸ in the prediction and 2⁻⁶ in gradients, two parts by 2⁻¹⁵ in both.
  @Test(arguments: ["blend", "residual"], [1, 2]) func gradientsMatchPyTorch(name: String, parts: Int) throws {
    let tolerance = parts == 1 ? 0x1p-5 : 0x1p-14
    for unit in Self.units {
      let golden = try Golden(name, backend: BF16Products(unit, parts: parts))
      let start = try golden.frame("state")
      let tape = Tape()
      golden.rank.operations.tape = tape
      let state = Value(start.state, requiresGradient: true)
      let prediction = try golden.model.step(
        ModelInput(state: state, auxiliary: golden.runner.auxiliaryInput(start)), golden.rank.operations)
      golden.rank.operations.tape = nil
      let gradient = golden.compute.tensor(prediction.shape.dimensions)
      let loss = golden.runner.loss(
        prediction.tensor, try golden.frame("target.0").state, gradient: gradient, accumulate: false, scale: 1)
      prediction.gradient = gradient
      try tape.backward()
      let differences = [
        try golden.difference([Float(loss)], "step.loss"),
        try golden.difference(golden.planes(prediction.tensor), "step.prediction"),
        try golden.parameterDifference(golden.parameters.gradients, "step.gradient."),
        try golden.difference(golden.planes(state.takeGradient()), "step.gradient.state"),
      ]
      #expect(differences.allSatisfy { $0 < tolerance }, "\(unit.name): \(differences)")
    }
  }
}
