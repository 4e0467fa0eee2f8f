import Basics
import Datasets
import Geometry
import Models
import Stores

/// The grid that a checkpoint's model works on, as its manifest has it: a raster by its latitudes and longitudes; points by
/// their number and a fingerprint, their coordinates in a file beside.
public struct CheckpointGrid: Sendable, Equatable {
  /// Nil for points whose file was not read yet.
  public private(set) var grid: FieldGrid?
  /// Nil for a raster.
  let points: Points?

  struct Points: Sendable, Codable, Equatable {
    let points: Int
    /// `PointSpace.fingerprint`
    let fingerprint: String
  }

  public init(_ grid: FieldGrid) {
    self.grid = grid
    points = grid.raster == nil ? Points(grid) : nil
  }

  /// A grid of points whose coordinates are still to be read.
  private init(points: Points) {
    (grid, self.points) = (nil, points)
  }

  public var rows: Int { points?.points ?? grid?.rows ?? 0 }
  public var columns: Int { points == nil ? grid?.columns ?? 0 : 1 }

  /// Whether data are on the same points.
  public func matches(_ other: FieldGrid) -> Bool {
    if let points, other.raster == nil, Points(other) == points { return true }
    return grid?.matches(other) ?? false
  }

  /// For people: "32 × 64 points" or "40320 points".
  public var size: String { points.map { "\($0.points) points" } ?? "\(rows) × \(columns) points" }

  /// For people.
  public var summary: String {
    let fingerprint = points.map { ", fingerprint \($0.fingerprint)" } ?? ""
    return (grid?.summary ?? "\(rows) points") + fingerprint
  }

  /// Summaries of this grid and of one of data that is another.
  public func summaries(against other: FieldGrid) -> (own: String, other: String) {
    if points == nil, let grid { return grid.summaries(against: other) }
    return (summary, CheckpointGrid(other).summary)
  }

  /// Whether latitudes and longitudes can be such.
  var isPossible: Bool {
    guard rows > 0, columns > 0 else { return false }
    let degrees = grid.map { grid in
      grid.raster.map { ($0.latitudes, $0.longitudes) } ?? (grid.points.latitudes, grid.points.longitudes)
    }
    guard let (latitudes, longitudes) = degrees else { return true }
    return latitudes.allSatisfy { abs($0) <= 90.001 } && longitudes.allSatisfy { abs($0) <= 1_080 }
  }
}

extension CheckpointGrid.Points {
  init(_ grid: FieldGrid) {
    self.init(points: grid.count, fingerprint: grid.places.space.fingerprint)
  }
}

extension CheckpointGrid: Codable {
  public init(from decoder: any Decoder) throws {
    if let points = try? Points(from: decoder) {
      self.init(points: points)
    } else {
      self.init(.raster(try LatLonGrid(from: decoder)))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    if let points { return try points.encode(to: encoder) }
    try grid?.raster?.encode(to: encoder)
  }
}

// MARK: The file of coordinates

extension CheckpointGrid {
  static let fileName = "points.safetensors"
  private static let names = ["latitudes", "longitudes"]

  /// Writes the coordinates of points, FP64 degrees; nothing for a raster.
  /// - Returns: what the manifest says of the file.
  func write(to folder: String, metadata: [String: String]) throws -> CheckpointFile? {
    guard points != nil, let grid else { return nil }
    let coordinates = grid.points
    let tensors = zip(CheckpointGrid.names, [coordinates.latitudes, coordinates.longitudes]).map { name, degrees in
      (name, Safetensors.Tensor(type: "F64", shape: [degrees.count], bytes: degrees.withUnsafeBytes { Array($0) }))
    }
    let path = "\(folder)/\(CheckpointGrid.fileName)"
    try Safetensors.write(Dictionary(uniqueKeysWithValues: tensors), metadata: metadata, to: path)
    return try CheckpointFile(of: Safetensors.File(path))
  }

  /// Reads the coordinates of points; nothing for a raster.
  ///
  /// - Parameter record: what the manifest says of the file.
  /// - Throws: when they are not those that were written, or can't be.
  mutating func read(from folder: String, _ record: CheckpointFile?) throws {
    guard let points else { return }
    let file = try Safetensors.File("\(folder)/\(CheckpointGrid.fileName)")
    try record?.requireHeader(of: file)
    let degrees = try CheckpointGrid.names.map { name -> [Double] in
      let tensor = try file.tensor(name)
      if let record, let entry = file.entries[name] {
        try record.require(name, file.checksum(entry), tensor.bytes.count, place: file.path)
      }
      return tensor.type == "F64"
        ? tensor.bytes.withUnsafeBytes { Array($0.bindMemory(to: Double.self)) } : []
    }
    guard degrees[0].count == points.points, degrees[1].count == points.points else {
      throw JigsawError(
        file.path, "doesn't hold the points that the manifest names", expected: "\(points.points) F64 of each",
        found: "\(degrees[0].count) latitudes, \(degrees[1].count) longitudes", remedy: CheckpointFile.remedy)
    }
    let found = FieldGrid.points(PointGrid(latitudes: degrees[0], longitudes: degrees[1]))
    guard Points(found) == points else {
      throw JigsawError(
        file.path, "holds other points than the manifest names", expected: points.fingerprint,
        found: Points(found).fingerprint, remedy: CheckpointFile.remedy)
    }
    grid = found
    guard isPossible else {
      throw JigsawError(file.path, "has coordinates that can't be", remedy: CheckpointFile.remedy)
    }
  }
}

extension CheckpointManifest {
  /// Reads the coordinates that are in a file beside, and gives all coordinates to the model's description.
  mutating func readPoints(from folder: String) throws {
    try grid.read(from: folder, grid.points == nil ? nil : record(CheckpointGrid.fileName, in: folder))
    model.fields.points = grid.grid?.places
  }
}
