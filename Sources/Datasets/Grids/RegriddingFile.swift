import Basics
import Geometry
import Stores

/// Regridding weights in files: written as ESMF does (`row`, `col`, `S`), read in that form, in xESMF's, which has no coordinates
/// with them, and in CDO's (SCRIP).
enum RegriddingFile {
  /// - Parameters:
  ///   - source: whose weights these must be.
  ///   - target: the same; nil: the file must tell it.
  /// The attribute that says how weights of ours were made.
  private static let attribute = "jigsaw_regrid"

  /// - Parameters:
  ///   - method: how the weights must have been made, where their file says it; nil: in any way.
  /// - Throws: when the file is for other grids, made in another way, or damaged.
  static func read(
    _ path: String, from source: PointGrid, to target: PointGrid?, method: String? = nil
  ) throws -> (Regridding, PointGrid) {
    let store = try openStore(path)
    if let method, let made = store.attributes[attribute]?.text, made != method {
      throw JigsawError(
        path, "has weights made in another way", expected: method, found: made,
        remedy: "name another file, or remove this one")
    }
    let isSCRIP = store.arrays["remap_matrix"] != nil
    let (targets, sources, weights) = try links(store, isSCRIP, path)
    let hasPoints = isSCRIP || ["yc_a", "xc_a", "yc_b", "xc_b"].contains { store.arrays[$0] != nil }
    let centres: PointGrid
    if hasPoints {
      let (origins, found) = try grids(store, isSCRIP, path)
      centres = found
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
    } else if let target {
      centres = target
    } else {
      throw JigsawError(
        path, "has weights alone, as xESMF writes them, and not the grid that they lead to",
        remedy: "name it beside them: grid: [rows, columns], or like: a dataset on it")
    }
    func leadsNowhere(_ link: Int) -> JigsawError {
      JigsawError(
        path, "has a weight that leads nowhere",
        found:
          "\(weights[link]) for target \(targets[link]) of \(centres.count), source \(sources[link]) of \(source.count)",
        remedy: hasPoints ? "make it again" : "name the grids that it was made for")
    }
    var rows = [[(source: Int, weight: Double)]](repeating: [], count: centres.count)
    // xESMF marks what no source reaches by one weight that is no number.
    let marks = hasPoints ? [] : weights.indices.filter { weights[$0].isNaN }
    for link in weights.indices where !(weights[link].isNaN && !hasPoints) {
      guard (1...Int64(centres.count)).contains(targets[link]), (1...Int64(source.count)).contains(sources[link]),
        weights[link].isFinite
      else { throw leadsNowhere(link) }
      rows[Int(targets[link]) - 1].append((Int(sources[link]) - 1, weights[link]))
    }
    for link in marks {
      guard (1...Int64(centres.count)).contains(targets[link]), rows[Int(targets[link]) - 1].isEmpty else {
        throw leadsNowhere(link)
      }
    }
    if !hasPoints { try requireNearby(rows, source, centres, path) }
    return (Regridding(sourceCount: source.count, rows: rows), target ?? centres)
  }

  /// By link: target and source, from 1, and weight.
  private static func links(
    _ store: any ArrayStore, _ isSCRIP: Bool, _ path: String
  ) throws -> (targets: [Int64], sources: [Int64], weights: [Double]) {
    let names = isSCRIP ? ["dst_address", "src_address", "remap_matrix"] : ["row", "col", "S"]
    if let missing = names.first(where: { store.arrays[$0] == nil }) {
      throw JigsawError(
        path, "holds no regridding weights", expected: "row, col and S, as ESMF and xESMF write them, or CDO's weights",
        found: "no \(missing) among \(store.arrays.keys.sorted().joined(separator: ", "))")
    }
    let links = try store.info(names[0]).count
    let targets = try store.read(names[0]).integers
    let sources = try store.read(names[1]).integers
    var weights = try store.read(names[2]).doubles
    if isSCRIP, links > 0, weights.count % links == 0 {
      let each = weights.count / links
      try requireFirstOrder(store, weights, each: each, path)
      weights = (0..<links).map { weights[$0 * each] }
    }
    guard sources.count == links, weights.count == links else {
      throw JigsawError(path, "has lists of weights of different lengths", remedy: "make it again")
    }
    return (targets, sources, weights)
  }

  /// - Throws: for weights of SCRIP's form that are not those of a mean: for gradients and derivatives of the source, and the shares by which the
  ///   largest area is found.
  private static func requireFirstOrder(
    _ store: any ArrayStore, _ weights: [Double], each: Int, _ path: String
  ) throws {
    let method = store.attributes["map_method"]?.text ?? ""
    let isMean = weights.indices.allSatisfy { $0 % each == 0 || weights[$0] == 0 }
    if isMean, !["bicubic", "largest"].contains(where: method.lowercased().contains) { return }
    throw JigsawError(
      path, "has weights that are not those of a mean",
      expected: "first-order conservative, bilinear, distance-weighted or nearest-neighbour weights",
      found: "'\(method)' with \(counted(each, "weight")) per link",
      remedy: "make them with 'cdo gencon', 'genbil', 'gendis' or 'gennn'")
  }

  /// Weights without coordinates might be for other grids, or for the same in another order: each target must be made of what lies
  /// around it.
  private static func requireNearby(
    _ rows: [[(source: Int, weight: Double)]], _ source: PointGrid, _ target: PointGrid, _ path: String
  ) throws {
    let origins = zip(source.latitudes, source.longitudes).map { SpherePoint(latitude: $0, longitude: $1) }
    let centres = zip(target.latitudes, target.longitudes).map { SpherePoint(latitude: $0, longitude: $1) }
    // From the middle of a cell to its corner, also where cells are four times as wide as high.
    let reach = 2 * (SpherePoint.spacing(origins) + SpherePoint.spacing(centres))
    for (point, row) in rows.enumerated() where !row.isEmpty {
      let middle = SpherePoint(mean: row.map { (origins[$0.source], $0.weight) })
      if let middle, middle.squaredDistance(to: centres[point]) <= reach * reach { continue }
      throw JigsawError(
        path, "has weights for other grids, or for these grids in another order",
        expected: "target \(point + 1) made of sources around \(target.place(point))",
        found: row.prefix(3).map { source.place($0.source) }.joined(separator: ", "),
        remedy: "make weights from and to grids with rows from north to south and longitudes eastwards from 0")
    }
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
  /// - Parameter method: how they were made.
  static func write(
    _ regridding: Regridding, from source: PointGrid, to target: PointGrid, method: String, path: String
  ) throws {
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
        ], attributes: ["title": .text("Regridding weights in the form of ESMF"), attribute: .text(method)]))
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
