extension MachineRates {
  /// The median of each rate over several measurements of the same things in the same order, at least one; all else as in the
  /// first.
  public static func medians(of rounds: [MachineRates]) -> MachineRates {
    var result = rounds[0]
    func take<Items: MutableCollection>(
      _ items: WritableKeyPath<MachineRates, Items>, _ rate: WritableKeyPath<Items.Element, Double>
    ) where Items.Index == Int {
      for i in result[keyPath: items].indices {
        result[keyPath: items][i][keyPath: rate] = median(rounds.map { $0[keyPath: items][i][keyPath: rate] })
      }
    }
    func takeOptional<Item>(_ items: WritableKeyPath<MachineRates, [Item]?>, _ rate: WritableKeyPath<Item, Double>) {
      for i in (result[keyPath: items] ?? []).indices {
        result[keyPath: items]?[i][keyPath: rate] = median(
          rounds.compactMap { $0[keyPath: items]?[i][keyPath: rate] })
      }
    }
    take(\.peaks, \.flopsPerSecond)
    take(\.products, \.flopsPerSecond)
    take(\.memory, \.bytesPerSecond)
    take(\.links, \.latencySeconds)
    take(\.links, \.bytesPerSecond)
    takeOptional(\.calls, \.seconds)
    takeOptional(\.gelus, \.numbersPerSecond)
    takeOptional(\.norms, \.numbersPerSecond)
    return result
  }
}
