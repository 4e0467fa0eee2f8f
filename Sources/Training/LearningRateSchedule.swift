#if canImport(Glibc)
  import Glibc
#endif

/// Linear warm-up, then a cosine from the peak to the final rate.
public struct LearningRateSchedule: Sendable, Hashable {
  public let peak, final: Double
  public let warmUpUpdates, totalUpdates: Int

  public init(peak: Double, final: Double, warmUpUpdates: Int, totalUpdates: Int) {
    self.peak = peak
    self.final = final
    self.warmUpUpdates = warmUpUpdates
    self.totalUpdates = totalUpdates
  }

  /// The rate of update `update`, counted from 0.
  public func rate(_ update: Int) -> Double {
    if update < warmUpUpdates { return peak * Double(update + 1) / Double(warmUpUpdates) }
    let span = max(1, totalUpdates - warmUpUpdates)
    let position = min(1, Double(update - warmUpUpdates) / Double(span))
    return final + (peak - final) * 0.5 * (1 + cos(.pi * position))
  }
}
