/// The signature of a static field that a checkpoint keeps, so that a forecast notices another one: its unit, and means over runs of its points, which
/// lie in the order of the grid. The means of the values with alternating signs notice what only lies elsewhere within a run.
public struct StaticSignature: Sendable, Codable, Equatable {
  public let name, units: String
  let low, high: Float
  let means, alternating: [Float]

  private static let runCount = 256
  /// A step of 16-bit packing, in parts of the range.
  private static let packing: Float = 2e-5
  /// Fields whose means differ by more than this share of their own deviation are not of one surface: between analyses and
  /// interpolations of the Earth's they differ by some hundredths, upside down by more than the deviation.
  private static let anotherField = 0.25

  /// - Parameter values: of all points; those that are no numbers don't count.
  init(name: String, units: String, _ values: UnsafeBufferPointer<Float>) {
    (self.name, self.units) = (name, units)
    let runs = min(StaticSignature.runCount, values.count)
    var (means, alternating): ([Float], [Float]) = ([], [])
    var (low, high) = (Float.infinity, -Float.infinity)
    for run in 0..<runs {
      var (sum, signed, count) = (0.0, 0.0, 0)
      for point in run * values.count / runs..<(run + 1) * values.count / runs where values[point].isFinite {
        let value = Double(values[point])
        (low, high) = (min(low, values[point]), max(high, values[point]))
        sum += value
        signed += point % 2 == 0 ? value : -value
        count += 1
      }
      means.append(Float(sum / Double(max(1, count))))
      alternating.append(Float(signed / Double(max(1, count))))
    }
    (self.low, self.high) = low <= high ? (low, high) : (0, 0)
    (self.means, self.alternating) = (means, alternating)
  }

  public enum Difference: Equatable, Sendable {
    /// The largest difference of two means, in the field's unit.
    case note(largest: Float)
    case another(largest: Float)
  }

  /// How a field differs from that of the training beyond packing; nil where it doesn't.
  public func difference(from trained: StaticSignature) -> Difference? {
    guard means.count == trained.means.count else { return .another(largest: max(high, trained.high)) }
    let pairs = Array(zip(means + alternating, trained.means + trained.alternating))
    let largest = pairs.map { abs($0 - $1) }.max() ?? 0
    let range = max(high, trained.high) - min(low, trained.low)
    guard largest > StaticSignature.packing * range else { return nil }
    let center = Double(trained.means.reduce(0, +)) / Double(max(1, trained.means.count))
    let spread = trained.means.reduce(0) { $0 + (Double($1) - center) * (Double($1) - center) }
    let distance = zip(means, trained.means).reduce(0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
    let limit = StaticSignature.anotherField * StaticSignature.anotherField
    return distance > limit * spread ? .another(largest: largest) : .note(largest: largest)
  }
}

extension FieldDataset {
  /// The signatures of all static fields, in order.
  public func staticSignatures() throws -> [StaticSignature] {
    let fields = try readStatics()
    return fields.withUnsafeBufferPointer { fields in
      staticChannels.enumerated().map { index, channel in
        StaticSignature(
          name: channel.variable, units: units(of: channel),
          UnsafeBufferPointer(rebasing: fields[index * grid.count..<(index + 1) * grid.count]))
      }
    }
  }
}
