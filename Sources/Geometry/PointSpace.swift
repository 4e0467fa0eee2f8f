import Basics

#if canImport(Glibc)
  import Glibc
#endif

/// The points that the rows of a field or of a layer belong to: any points of the globe in a fixed order.
public struct PointSpace: Sendable, Hashable {
  /// [points], radians.
  public let latitudes, longitudes: [Float]
  /// [points] each: numbers of the points by name, such as `area_weight`.
  public var weights: [String: [Float]] = [:]
  /// [points] each: sets of points by name, such as `cutout_mask`.
  public var masks: [String: [Bool]] = [:]

  /// - Parameters: latitudes and longitudes in radians, one of each per point.
  public init(latitudes: [Float], longitudes: [Float]) {
    precondition(latitudes.count == longitudes.count)
    self.latitudes = latitudes
    self.longitudes = longitudes
  }

  /// - Parameters: degrees, as datasets have them.
  public init(latitudesDegrees: [Double], longitudesDegrees: [Double]) {
    self.init(
      latitudes: latitudesDegrees.map { Float($0 * (.pi / 180)) },
      longitudes: longitudesDegrees.map { Float($0 * (.pi / 180)) })
  }

  public var count: Int { latitudes.count }

  /// A digest of the coordinates, bit for bit and in order: two spaces of equal fingerprints hold the same points.
  public var fingerprint: String {
    var digest = Digest()
    for values in [latitudes, longitudes] {
      digest.add(UInt32(truncatingIfNeeded: count))
      for value in values { digest.add(value.bitPattern) }
    }
    return digest.text
  }

  /// Whether these are the same points in the same order, within what precision of coordinates may make of them: 10⁻⁵ rad
  /// (64 m).
  public func matches(_ other: PointSpace) -> Bool {
    guard count == other.count else { return false }
    func isNear(_ a: Float, _ b: Float) -> Bool { abs(a - b) < 1e-5 }
    return (0..<count).allSatisfy { point in
      guard isNear(latitudes[point], other.latitudes[point]) else { return false }
      let turn = abs(longitudes[point] - other.longitudes[point])
      return turn < 1e-5 || isNear(turn, 2 * .pi)
    }
  }

  /// [points, 4]: sin φ, sin λ, cos φ, cos λ, which graph models read at every point.
  public var encodedCoordinates: [Float] {
    zip(latitudes, longitudes).flatMap { [sinf($0), sinf($1), cosf($0), cosf($1)] }
  }

  /// For people: where a point is.
  func place(_ point: Int) -> String {
    func degrees(_ radians: Float) -> Double { (Double(radians) * 18_000 / .pi).rounded() / 100 }
    return "\(degrees(latitudes[point]))° N \(degrees(longitudes[point]))° E"
  }
}
