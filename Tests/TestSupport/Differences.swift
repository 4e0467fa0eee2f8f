extension Sequence where Element: FloatingPoint {
  /// The largest element; NaN if any is, which `max()` passes over, and ∞ of none.
  public var largest: Element {
    var iterator = makeIterator()
    guard var largest = iterator.next() else { return .infinity }
    while let next = iterator.next(), !largest.isNaN { if !(next <= largest) { largest = next } }
    return largest
  }
}

/// Largest |a − b|; NaN if any is, ∞ where the numbers of elements differ.
public func largestDifference<T: FloatingPoint>(_ a: some Collection<T>, _ b: some Collection<T>) -> T {
  a.count == b.count ? zip(a, b).lazy.map { abs($0 - $1) }.largest : .infinity
}
