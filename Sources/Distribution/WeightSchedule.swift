/// A stream of blocks of a matrix from the ranks of an axis, whose first transfers may start before they are needed.
protocol BlockStream: AnyObject {
  /// Starts the first transfers. To be called once.
  func begin() throws
  /// Waits for what has been started, unused.
  func abandon() throws
}

/// Prefetches weights over slow links: every training pass uses the same weights in the same order, so from the second on
/// the next weight is on its way while the GEMMs with the one before it are computed.
///
/// All ranks keep the same schedule. Where a pass departs from it (another rollout length), the schedule is learnt anew
/// from there.
final class WeightSchedule {
  /// Identifies the use of a weight for one GEMM, in every pass.
  struct Key: Equatable {
    let memory: ObjectIdentifier
    let axis: SplitAxis
    let offset, tag, slices: Int
  }

  private var uses: [(key: Key, make: () throws -> any BlockStream)] = []
  private var ahead: (any BlockStream)?
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
  func next<T: BlockStream>(_ key: Key, _ make: @escaping () throws -> T) throws -> T {
    guard let index = position else {
      let blockStream = try make()
      try blockStream.begin()
      return blockStream
    }
    let early = ahead
    ahead = nil
    let blockStream: T
    if let early = early as? T, uses[index].key == key {
      blockStream = early
    } else {
      try early?.abandon()
      blockStream = try make()
      try blockStream.begin()
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
    return blockStream
  }
}
