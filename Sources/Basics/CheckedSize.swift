// Arithmetic with numbers that come from files.

extension FixedWidthInteger {
  /// The nearest whole number that fits; 0 for what is not a number.
  public init(saturating value: Double) {
    if value.isNaN {
      self = 0
    } else if value >= Double(Self.max) {
      self = .max
    } else if value <= Double(Self.min) {
      self = .min
    } else {
      self = Self(value)
    }
  }

  public func multipliedSaturating(by other: Self) -> Self {
    let (product, isOverflow) = multipliedReportingOverflow(by: other)
    return isOverflow ? ((self < 0) == (other < 0) ? .max : .min) : product
  }

  public func addingSaturating(_ other: Self) -> Self {
    let (sum, isOverflow) = addingReportingOverflow(other)
    return isOverflow ? (other < 0 ? .min : .max) : sum
  }
}

/// The product of sizes; nil when it is beyond what a number holds, or one is negative.
public func checkedProduct(_ sizes: some Sequence<Int>) -> Int? {
  var product = 1
  var isZero = false
  for size in sizes {
    guard size >= 0 else { return nil }
    if size == 0 {
      isZero = true
      continue
    }
    let (next, isOverflow) = product.multipliedReportingOverflow(by: size)
    guard !isOverflow else { return nil }
    product = next
  }
  return isZero ? 0 : product
}
