import Basics

/// Points that a model reads but does not predict: around a limited area the state is given at every step.
public enum Boundary: String, Sendable, CaseIterable {
  case none
  /// All points but those of the first dataset of a cutout.
  case cutout
}

extension OpenedSources {
  /// By grid point: whether it belongs to the first of several grids that were combined; nil where there is one.
  public var firstGrid: [Bool]? { stores.first?.store.firstGrid }

  /// The points that a model reads but does not predict; nil for none.
  func points(of boundary: Boundary) throws -> [Bool]? {
    guard boundary == .cutout else { return nil }
    guard let firstGrid else {
      throw JigsawError(
        "data.boundary", "is to be all points but those of a cutout's first dataset, but there is no cutout",
        expected: "a source such as open: {cutout: [area.zarr, around.zarr]}", found: display,
        remedy: "set it to none")
    }
    guard Set(firstGrid).count == 2 else {
      throw JigsawError(
        "data.boundary", "leaves \(firstGrid.contains(true) ? "no boundary" : "nothing to predict")",
        expected: "points of the cutout's first dataset and others", found: display,
        remedy: "choose another area, or remove data.rows")
    }
    return firstGrid.map { !$0 }
  }
}

extension FieldDataset {
  /// By grid point: whether a channel is neither predicted nor verified there, since it has no values or the point is
  /// boundary; nil where it is predicted everywhere.
  public func unpredicted(_ channel: Int) -> [Bool]? {
    let isMissing = imputed[channel].flatMap { $0.missingCount > 0 ? $0.isMissing : nil }
    guard let boundary else { return isMissing }
    return isMissing.map { zip($0, boundary).map { $0 || $1 } } ?? boundary
  }

  /// Points and fields of one state that are not predicted, on all ranks together.
  public var unpredictedCount: Int {
    channels.indices.reduce(0) { $0 + (unpredicted($1)?.reduce(0) { $0 + ($1 ? 1 : 0) } ?? 0) }
  }

  /// The area on which a channel is predicted, where the mean area of all points is 1.
  public func predictedArea(_ channel: Int) -> Double {
    guard let isLeftOut = unpredicted(channel) else { return Double(grid.count) }
    let weights = grid.areaWeights
    return isLeftOut.indices.reduce(0) { $0 + (isLeftOut[$1] ? 0 : weights[$1 / grid.columns]) }
  }

  /// The same for the same boundary points; nil without boundary.
  public var boundarySignature: String? { FieldDataset.signature(ofBoundary: boundary) }

  /// Counts, and a hash of the points (FNV-1a).
  static func signature(ofBoundary boundary: [Bool]?) -> String? {
    guard let boundary else { return nil }
    let hash = boundary.reduce(UInt64(0xCBF2_9CE4_8422_2325)) { ($0 ^ ($1 ? 1 : 0)) &* 0x100_0000_01B3 }
    return "\(boundary.reduce(0) { $0 + ($1 ? 1 : 0) }) of \(boundary.count) points (\(String(hash, radix: 16)))"
  }
}
