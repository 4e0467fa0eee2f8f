import Testing

@testable import Models

/// Groups of layers whose inputs are kept.
@Suite struct LayerGroupTests {
  /// Inputs that are kept at most: those of the groups so far, and of the layers of the group that backward is in.
  private func kept(_ sizes: [Int]) -> Int { sizes.enumerated().map { $0 + $1 }.max() ?? 0 }

  @Test func groupsHoldEveryLayerAndKeepNoMoreThanEqualOnes() {
    for layers in 1...40 {
      for count in 1...layers {
        let groups = ComputationParts.layerGroups(layers, into: count)
        #expect(groups.flatMap(Array.init) == Array(0..<layers) && groups.count == count)
        #expect(groups.allSatisfy { !$0.isEmpty })
        let equal = (0..<count).map { layers * ($0 + 1) / count - layers * $0 / count }
        #expect(kept(groups.map(\.count)) <= kept(equal), "\(layers) in \(count)")
      }
    }
    #expect(ComputationParts.layerGroups(16, into: 4).map(\.count) == [6, 5, 3, 2])
  }
}
