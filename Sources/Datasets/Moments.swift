/// Count, mean, deviation and extremes of many numbers, mergeable (Chan, Golub and LeVeque 1983).
public struct Moments: Sendable, Equatable {
  public private(set) var count = 0
  public private(set) var mean = 0.0
  /// Sum of squared deviations from the mean.
  private var squares = 0.0
  public private(set) var minimum = Double.infinity
  public private(set) var maximum = -Double.infinity

  public init() {}

  /// The moments of one field without what is no number (NaN, infinities): two passes over it, sums in double.
  public init(_ values: UnsafeBufferPointer<Float>) {
    self.init(count: values.count) { values[$0] }
  }

  /// The same of the change between two fields.
  init(change values: UnsafeBufferPointer<Float>, since before: UnsafeBufferPointer<Float>) {
    precondition(values.count == before.count)
    self.init(count: values.count) { values[$0] - before[$0] }
  }

  @inline(__always)
  private init(count all: Int, _ number: (Int) -> Float) {
    var sum = 0.0
    for i in 0..<all {
      let value = number(i)
      guard value.isFinite else { continue }
      sum += Double(value)
      minimum = min(minimum, Double(value))
      maximum = max(maximum, Double(value))
      count += 1
    }
    guard count > 0 else { return }
    mean = sum / Double(count)
    for i in 0..<all {
      let value = number(i)
      if value.isFinite { squares += (Double(value) - mean) * (Double(value) - mean) }
    }
  }

  /// The moments as numbers, to be stored or sent.
  var numbers: [Double] { [Double(count), mean, squares, minimum, maximum] }
  static let numberCount = 5

  /// From `numbers`.
  init(_ numbers: ArraySlice<Double>) {
    precondition(numbers.count == Moments.numberCount)
    let first = numbers.startIndex
    count = Int(numbers[first])
    (mean, squares) = (numbers[first + 1], numbers[first + 2])
    (minimum, maximum) = (numbers[first + 3], numbers[first + 4])
  }

  public mutating func merge(_ other: Moments) {
    guard other.count > 0 else { return }
    let total = count + other.count
    let shift = other.mean - mean
    squares += other.squares + shift * shift * Double(count) * Double(other.count) / Double(total)
    mean += shift * Double(other.count) / Double(total)
    count = total
    minimum = min(minimum, other.minimum)
    maximum = max(maximum, other.maximum)
  }

  /// Population standard deviation.
  public var deviation: Double { count > 0 ? (squares / Double(count)).squareRoot() : 0 }
}
