/// Blocks of a weight that come by, started before they are needed.
protocol Traveller: AnyObject {
  /// Starts the first transfers. To be called once.
  func begin() throws
  /// Waits for what has been started, unused.
  func abandon() throws
}

/// Sends weights ahead over slow links: every training pass uses the same weights in the same order, so from the second on
/// the next weight is on its way while the products with the one before it are computed.
///
/// All ranks keep the same schedule. Where a pass departs from it (another rollout length), the schedule is learnt anew
/// from there.
final class WeightSchedule {
  /// What is the same whenever a weight is used for the same product.
  struct Key: Equatable {
    let memory: ObjectIdentifier
    let axis: SplitAxis
    let offset, tag, slices: Int
  }

  private var uses: [(key: Key, make: () throws -> any Traveller)] = []
  private var ahead: (any Traveller)?
  private var position: Int?

  /// Weights must not change from here on …
  func beginPass() { position = 0 }

  /// … to here.
  func endPass() throws {
    try ahead?.abandon()
    ahead = nil
    position = nil
  }

  /// The blocks of the weight that is needed now, begun; then those of the next are begun.
  ///
  /// - Parameter make: must not keep anything but the weight's memory alive.
  func next<T: Traveller>(_ key: Key, _ make: @escaping () throws -> T) throws -> T {
    guard let index = position else {
      let traveller = try make()
      try traveller.begin()
      return traveller
    }
    let early = ahead
    ahead = nil
    let traveller: T
    if let early = early as? T, uses[index].key == key {
      traveller = early
    } else {
      try early?.abandon()
      traveller = try make()
      try traveller.begin()
      if index >= uses.count || uses[index].key != key {
        uses.removeSubrange(min(index, uses.count)...)
        uses.append((key, make))
      }
    }
    position = index + 1
    if index + 1 < uses.count {
      ahead = try uses[index + 1].make()
      try ahead?.begin()
    }
    return traveller
  }
}
