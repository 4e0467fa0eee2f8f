import Basics
import TestSupport
import Testing

@testable import Tensors

@Suite struct PrecisionTests {
  @Test func everyPrecisionHasProductsHere() throws {
    let native = BF16Unit.available.contains(where: \.isNative)
    #expect(try Precision.fp32.products(unit: nil).warning == nil)
    let rounded = try Precision.bf16.products(unit: nil)
    #expect(rounded.backend.name.hasPrefix("bf16 products"))
    #expect((rounded.warning == nil) == native)
    let split = try Precision.bf16x3.products(unit: nil)
    #expect((split.warning == nil) == (split.backend is BF16Products))
    #expect(native || split.warning != nil)
  }

  @Test func aUnitCanBeNamed() throws {
    for unit in BF16Unit.available {
      for precision in [Precision.bf16, .bf16x3] {
        let choice = try precision.products(unit: unit.name)
        #expect(choice.backend.name == "\(precision) products (\(unit.name))" && choice.warning == nil)
      }
    }
    let error = #expect(throws: JigsawError.self) { try Precision.bf16.products(unit: "abacus") }
    #expect("\(try #require(error))".contains("names no unit of this CPU"))
    #expect("\(try #require(error))".contains("baseline"))
  }

  @Test func errorsAreThoseOfThePrecision() throws {
    let (m, n, k) = (40, 30, 200)
    let a = Tensor(KernelTests.numbers(m * k, 1), shape: [m, k])
    let b = Tensor(KernelTests.numbers(k * n, 2), shape: [k, n])
    let exact = Tensor(zeros: [m, n])
    ReferenceProducts().multiply(a.matrix.plain, b.matrix.plain, into: exact.matrix, accumulate: false)
    func error(_ precision: Precision, unit: String?) throws -> Float {
      let c = Tensor(zeros: [m, n])
      Compute(threads: 2, backend: try precision.products(unit: unit).backend).multiply(
        a.matrix.plain, b.matrix.plain, into: c.matrix)
      return largestDifference(c.values, exact.values)
    }
    // Of sums of 200 products of numbers in ±1, whose magnitudes add up to 50.
    #expect(try error(.fp32, unit: nil) < 1e-5)
    #expect(try error(.bf16x3, unit: nil) < 2e-4)
    #expect(try error(.bf16x3, unit: "baseline") < 2e-4)
    #expect(try (1e-3..<0.2).contains(error(.bf16, unit: nil)))
  }
}
