import Basics
import Stores

/// Regridding weights in files: written as ESMF does (`row`, `col`, `S`), read in that form and in CDO's (SCRIP).
enum RegriddingFile {
  /// - Parameters:
  ///   - source, target: whose weights these must be.
  /// - Throws: when the file is for other grids, or damaged.
  static func read(_ path: String, from source: PointGrid, to target: PointGrid?) throws -> (Regridding, PointGrid) {
    let store = try openStore(path)
    let isSCRIP = store.arrays["remap_matrix"] != nil
    let names = isSCRIP ? ["dst_address", "src_address", "remap_matrix"] : ["row", "col", "S"]
    let links = try store.info(names[0]).count
    let targets = try store.read(names[0]).integers
    let sources = try store.read(names[1]).integers
    var weights = try store.read(names[2]).doubles
    // The second and third weights of SCRIP are for gradients.
    if isSCRIP, links > 0, weights.count % links == 0 {
      let each = weights.count / links
      weights = (0..<links).map { weights[$0 * each] }
    }
    guard sources.count == links, weights.count == links else {
      throw JigsawError(path, "has lists of weights of different lengths", remedy: "make it again")
    }
    let (origins, centres) = try grids(store, isSCRIP, path)
    guard source.matches(origins, tolerance: 1e-2) else {
      throw JigsawError(
        path, "has weights for another grid than the data's, or for its points in another order",
        expected: source.summary, found: origins.summary, remedy: "make weights for this grid, or name another file")
    }
    if let target, !target.matches(centres, tolerance: 1e-2) {
      throw JigsawError(
        path, "has weights for another target grid", expected: target.summary, found: centres.summary,
        remedy: "name another file, or remove this one")
    }
    var rows = [[(source: Int, weight: Double)]](repeating: [], count: centres.count)
    for link in 0..<links {
      guard (1...Int64(centres.count)).contains(targets[link]), (1...Int64(source.count)).contains(sources[link]),
        weights[link].isFinite
      else {
        throw JigsawError(
          path, "has a weight that leads nowhere", found: "target \(targets[link]), source \(sources[link])",
          remedy: "make it again")
      }
      rows[Int(targets[link]) - 1].append((Int(sources[link]) - 1, weights[link]))
    }
    return (Regridding(sourceCount: source.count, rows: rows), target ?? centres)
  }

  /// Where the points of the source and of the target are.
  private static func grids(
    _ store: any ArrayStore, _ isSCRIP: Bool, _ path: String
  ) throws -> (source: PointGrid, target: PointGrid) {
    func degrees(_ name: String) throws -> [Double] {
      let isRadians = try store.info(name).attributes["units"]?.text?.hasPrefix("rad") ?? false
      return try store.read(name).doubles.map { isRadians ? $0 * 180 / .pi : $0 }
    }
    let latitudes = try degrees(isSCRIP ? "dst_grid_center_lat" : "yc_b")
    let longitudes = try degrees(isSCRIP ? "dst_grid_center_lon" : "xc_b")
    guard latitudes.count == longitudes.count, !latitudes.isEmpty, (latitudes + longitudes).allSatisfy(\.isFinite)
    else {
      throw JigsawError(path, "has no usable target points", remedy: "make it again")
    }
    let north = try degrees(isSCRIP ? "src_grid_center_lat" : "yc_a")
    let east = try degrees(isSCRIP ? "src_grid_center_lon" : "xc_a")
    guard north.count == east.count, (north + east).allSatisfy(\.isFinite) else {
      throw JigsawError(path, "has no usable source points", remedy: "make it again")
    }
    // Columns come first, as in Fortran.
    let dims = store.arrays["dst_grid_dims"] == nil ? [] : try store.read("dst_grid_dims").integers.map { Int($0) }
    var shape: PointGrid.Shape?
    if dims.count == 2, dims.allSatisfy({ $0 > 0 && $0 <= latitudes.count }) {
      shape = PointGrid.Shape(rows: dims[1], columns: dims[0])
    }
    return (
      PointGrid(latitudes: north, longitudes: east),
      PointGrid(latitudes: latitudes, longitudes: longitudes, shape: shape)
    )
  }

  /// Writes weights as NetCDF.
  static func write(_ regridding: Regridding, from source: PointGrid, to target: PointGrid, path: String) throws {
    func dimension(_ name: String, _ size: Int) -> ArrayInfo.Dimension { ArrayInfo.Dimension(name: name, size: size) }
    func degrees(_ name: String, _ dimension: String) -> ArrayDefinition {
      ArrayDefinition(
        name: name, type: .float64, dimensions: [dimension], attributes: ["units": .text("degrees")])
    }
    let shape = target.shape ?? PointGrid.Shape(rows: 1, columns: target.count)
    // Several ranks may make the same weights: each in a file of its own, the last one stays.
    let own = "\(path).\(Int.random(in: 0..<1 << 40))"
    let writer = try createStore(
      own,
      StoreDefinition(
        dimensions: [
          dimension("n_s", regridding.sources.count), dimension("n_a", source.count), dimension("n_b", target.count),
          dimension("dst_grid_rank", 2),
        ],
        arrays: [
          ArrayDefinition(name: "row", type: .int32, dimensions: ["n_s"]),
          ArrayDefinition(name: "col", type: .int32, dimensions: ["n_s"]),
          ArrayDefinition(name: "S", type: .float64, dimensions: ["n_s"]),
          ArrayDefinition(name: "dst_grid_dims", type: .int32, dimensions: ["dst_grid_rank"]),
          degrees("yc_a", "n_a"), degrees("xc_a", "n_a"), degrees("yc_b", "n_b"), degrees("xc_b", "n_b"),
        ], attributes: ["title": .text("Regridding weights in the form of ESMF")]))
    do {
      let targets = (0..<regridding.targetCount).flatMap { target in
        [Double](repeating: Double(target + 1), count: regridding.starts[target + 1] - regridding.starts[target])
      }
      try writer.write("row", targets)
      try writer.write("col", regridding.sources.map { Double($0) + 1 })
      try writer.write("S", regridding.weights.map(Double.init))
      try writer.write("dst_grid_dims", [Double(shape.columns), Double(shape.rows)])
      try writer.write("yc_a", source.latitudes)
      try writer.write("xc_a", source.longitudes)
      try writer.write("yc_b", target.latitudes)
      try writer.write("xc_b", target.longitudes)
      try writer.finish()
      try Files.rename(own, to: path)
    } catch {
      writer.abandon()
      throw error
    }
  }
}
