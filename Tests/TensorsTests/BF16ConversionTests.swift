import CKernels
import KernelEmulation
import Testing

@testable import Tensors

@Suite struct BF16ConversionTests {
  /// The nearest bf16 number by definition: of the two around x the closer one, on a tie the one with an even last bit.
  static func nearest(_ x: Float) -> Float {
    guard x.isFinite else { return x }
    let below = Float(bitPattern: x.bitPattern & 0xffff_0000)
    let above = Float(bitPattern: below.bitPattern + 0x1_0000)
    // Beyond the largest number lies, for rounding, the next power of two.
    let upper = above.isFinite ? Double(above) : (x < 0 ? -0x1p128 : 0x1p128)
    let (down, up) = (abs(Double(x) - Double(below)), abs(upper - Double(x)))
    if down != up { return down < up ? below : above }
    return below.bitPattern >> 16 & 1 == 0 ? below : above
  }

  @Test(arguments: BF16ProductTests.units) func roundingIsToNearestEven(name: String) throws {
    let unit = try #require(BF16ProductTests.unit(name))
    var numbers: [Float] = [
      0, -0.0, 1, -1, 1 + 0x1p-8, 1 + 0x1p-7 + 0x1p-8, 1 + 0x1p-8 + 0x1p-23, 1 + 0x1p-8 - 0x1p-23, 0x1p-126, -0x1p-126,
      .greatestFiniteMagnitude, -.greatestFiniteMagnitude, 0x1.fep127, 0x1.fefffep127, 0x1.ffp127, .infinity,
      -.infinity,
    ]
    var generator = KernelTests.SplitMix(state: 5)
    while numbers.count < 20_003 {  // an odd number: the last vector is not full
      let x = Float(bitPattern: UInt32.random(in: 0...UInt32.max, using: &generator))
      if x.isNormal { numbers.append(x) }
    }
    let found = unit.widened(unit.rounded(Tensor(numbers, shape: [numbers.count])))
    for (x, y) in zip(numbers, found.values) { #expect(y.bitPattern == Self.nearest(x).bitPattern, "\(x)") }
  }

  @Test(arguments: BF16ProductTests.units) func numbersThatAreNoneStayQuietly(name: String) throws {
    let unit = try #require(BF16ProductTests.unit(name))
    // Payloads in the lower half alone must not become infinity.
    let numbers = [0x7f80_0001, 0xff80_0001, 0x7fc0_0000, 0x7fff_ffff, 0xffff_ffff, 0x7fa0_1234].map {
      Float(bitPattern: $0)
    }
    let found = unit.widened(unit.rounded(Tensor(numbers, shape: [numbers.count])))
    #expect(found.values.allSatisfy { $0.isNaN && !$0.isSignalingNaN })
    #expect(zip(numbers, found.values).allSatisfy { $0.sign == $1.sign })
  }

  /// Units may take numbers below the normal ones as zero, but no more than that.
  @Test(arguments: BF16ProductTests.units) func smallNumbersKeepTheirSign(name: String) throws {
    let unit = try #require(BF16ProductTests.unit(name))
    let numbers: [Float] = [0x1p-127, -0x1p-127, 0x1p-149, -0x1p-149]
    let found = unit.widened(unit.rounded(Tensor(numbers, shape: [numbers.count]))).values
    for (x, y) in zip(numbers, found) { #expect((y == 0 || y == Self.nearest(x)) && y.sign == x.sign) }
  }
}
