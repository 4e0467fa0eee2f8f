import Basics
import Geometry

/// A view on another grid: `regrid`.
struct RegriddedView: DerivedView {
  let base: any FieldView
  let points: PointGrid
  var gridSizes: [Int] { [points.count] }
  let storedRuns: [Range<Int>]
  let notes: [String]
  var pointsOnTheWay: Int { base.pointsOnTheWay + base.points.count }
  private let regridding: Regridding
  private let workers: WorkerPool

  /// - Parameter workers: apply weights beside the thread that reads: a base that is stored as a whole is one piece of work for
  ///   one reading thread.
  init(_ base: any FieldView, _ regridding: Regridding, to points: PointGrid, _ workers: WorkerPool) {
    self.base = base
    self.regridding = regridding
    self.points = points
    self.workers = workers
    let uncovered = regridding.uncoveredCount
    notes =
      base.notes
      + (uncovered == 0
        ? [] : ["regrid: \(uncovered) of \(points.count) points have no values: \(base.location) does not reach them"])
    // There are as many runs as are stored, so that ranks share the reading, of whole rows.
    let rows = points.shape?.rows ?? points.count
    let width = points.count / max(1, rows)
    let pieces = max(1, min(rows, base.storedRuns.count))
    storedRuns = (0..<pieces).map { rows * $0 / pieces * width..<rows * ($0 + 1) / pieces * width }
  }

  func read(_ wanted: WantedPart, into target: (_ date: Int, _ variable: Int) -> UnsafeMutablePointer<Float>) throws {
    let points = wanted.points
    let window = regridding.window(points)
    let lines = wanted.variables.count
    try withTemporary(wanted.dates.count * lines * window.count) { values in
      if !window.isEmpty {
        var inBase = wanted
        inBase.points = window
        try base.read(inBase) { values + ($0 * lines + $1) * window.count }
      }
      let fields = Fields(
        values: values, out: wanted.dates.indices.flatMap { date in (0..<lines).map { target(date, $0) } })
      let pieces = pieces(points)
      workers.run(fields.out.count * pieces) { [regridding] index in
        let (field, piece) = (index / pieces, index % pieces)
        let part = points.count * piece / pieces..<points.count * (piece + 1) / pieces
        regridding.apply(
          fields.values + field * window.count, window: window,
          targets: points.lowerBound + part.lowerBound..<points.lowerBound + part.upperBound,
          into: fields.out[field] + part.lowerBound)
      }
    }
  }

  /// Into how many pieces each field is cut, each large enough to be worth a thread's while.
  func pieces(_ targets: Range<Int>) -> Int { max(1, min(workers.count + 1, regridding.entries(targets) >> 14)) }

  /// Each piece of work writes to its own places.
  private struct Fields: @unchecked Sendable {
    let values: UnsafePointer<Float>
    let out: [UnsafeMutablePointer<Float>]
  }
}

/// The options of `regrid`: {grid: [32, 64], method: conservative, weights: file.nc}.
struct RegridRequest {
  private let members: [String: JSONValue]
  private let key: String

  init(_ value: JSONValue, key: String) throws {
    self.key = key
    guard let members = value.object else {
      throw JigsawError(key, "is not understood", expected: "for example {grid: [32, 64], method: conservative}")
    }
    let known = ["grid", "like", "method", "max_distance_km", "weights"]
    if let other = members.keys.sorted().first(where: { !known.contains($0) }) {
      throw JigsawError(
        "\(key).\(other)", "unknown option", expected: "one of \(known.joined(separator: ", "))",
        remedy: nearest(to: other, among: known).map { "did you mean '\($0)'?" } ?? "remove it")
    }
    self.members = members
  }

  /// Weights that are there are read; if a file is named that isn't there, they are stored in it.
  func apply(to view: any FieldView, _ workers: WorkerPool) throws -> any FieldView {
    let wanted = try target()
    var method = Regridding.Method.conservative
    if let word = members["method"] {
      guard let chosen = word.string.flatMap(Regridding.Method.init) else {
        throw JigsawError("\(key).method", "is not known", expected: "conservative or nearest", found: word.string)
      }
      method = chosen
    }
    let limit = try distanceLimit(method)
    let path = members["weights"]?.string
    if let path, Files.exists(path) {
      let (regridding, points) = try RegriddingFile.read(
        path, from: view.points, to: wanted, method: members["method"] == nil ? nil : made(method))
      return RegriddedView(view, regridding, to: points, workers)
    }
    guard let points = wanted else {
      throw JigsawError(key, "names no target", expected: "grid, like, or weights that are there")
    }
    let regridding = try Regridding(from: view.points, to: points, method, within: limit, place: key)
    if let path {
      try RegriddingFile.write(regridding, from: view.points, to: points, method: made(method), path: path)
    }
    return RegriddedView(view, regridding, to: points, workers)
  }

  /// The text of all that decides how weights are made.
  private func made(_ method: Regridding.Method) -> String {
    method.rawValue + (members["max_distance_km"].map { ", max_distance_km \($0.line)" } ?? "")
  }

  /// On a unit sphere.
  private func distanceLimit(_ method: Regridding.Method) throws -> Double? {
    guard let given = members["max_distance_km"] else { return nil }
    guard method == .nearest else {
      throw JigsawError("\(key).max_distance_km", "belongs to method: nearest", remedy: "remove it")
    }
    guard let distance = given.double, distance >= 0 else {
      throw JigsawError("\(key).max_distance_km", "is no distance", expected: "kilometres", found: given.line)
    }
    return distance / SpherePoint.earthRadiusKm
  }

  private func target() throws -> PointGrid? {
    if let like = members["like"] {
      if members["grid"] != nil {
        throw JigsawError("\(key).like", "and grid both name a target", remedy: "remove one")
      }
      return try ViewRequest(like, key: "\(key).like").open().points
    }
    guard let grid = members["grid"] else { return nil }
    let invalid = JigsawError(
      "\(key).grid", "is not understood",
      expected: "[rows, columns], with the poles when rows are odd, or a Gaussian grid such as F32 or O96")
    if let extents = grid.integers {
      guard extents.count == 2, (2...100_000).contains(extents[0]), (2...100_000).contains(extents[1]),
        extents[0] * extents[1] <= 1 << 26
      else { throw invalid }
      return PointGrid(LatLonGrid.global(rows: extents[0], columns: extents[1]))
    }
    guard let name = grid.string, let letter = name.first, let number = Int(name.dropFirst()),
      (1...2_600).contains(number)
    else { throw invalid }
    switch letter {
    case "O", "o": return GaussianGrid.octahedral(number)
    case "F", "f": return PointGrid(GaussianGrid.regular(number))
    default: throw invalid
    }
  }
}

extension LatLonGrid {
  /// The global grids of WeatherBench 2: with an odd number of rows the poles belong to it (721 × 1440), else cells begin
  /// at the poles (32 × 64).
  static func global(rows: Int, columns: Int) -> LatLonGrid {
    let hasPoles = rows % 2 == 1
    let height = 180 / Double(hasPoles ? rows - 1 : rows)
    return LatLonGrid(
      latitudes: (0..<rows).map { 90 - (Double($0) + (hasPoles ? 0 : 0.5)) * height },
      longitudes: (0..<columns).map { 360 * Double($0) / Double(columns) })
  }
}
