import Basics
import Stores

/// The values that a model gets where a field has none: sea surface temperature over land.
public enum Imputation: Sendable, Equatable {
  /// A number in our units.
  case constant(Double)
  /// The mean of the statistics that fields are normalised with.
  case mean
  /// The value of the nearest point that has one.
  case nearest

  public init?(_ text: String) {
    switch text {
    case "mean": self = .mean
    case "nearest": self = .nearest
    default:
      guard let number = Double(text), number.isFinite, abs(number) <= Double(Float.greatestFiniteMagnitude) else {
        return nil
      }
      self = .constant(number)
    }
  }

  public var text: String {
    switch self {
    case .constant(let value): "\(value)"
    case .mean: "mean"
    case .nearest: "nearest"
    }
  }
}

/// A field that lacks values at the same points at all times.
public struct ImputedField: Sendable {
  public let imputation: Imputation
  /// By grid point: whether it has no value.
  public let isMissing: [Bool]
  public let missingCount: Int
  /// Coordinates of all points, for `nearest`.
  let sources: NearestSources?

  /// - Parameter values: [rows, columns], NaN where missing.
  /// - Throws: when there are no values at all.
  init(_ imputation: Imputation, _ values: [Float], _ grid: FieldGrid, place: String) throws {
    self.imputation = imputation
    let isMissing = values.map { !$0.isFinite }
    self.isMissing = isMissing
    missingCount = isMissing.reduce(0) { $0 + ($1 ? 1 : 0) }
    guard missingCount < values.count else {
      throw JigsawError(place, "has no values at all", remedy: "choose a period in which it has some, or leave it out")
    }
    let there = isMissing.indices.filter { !isMissing[$0] }
    let points = grid.points
    sources =
      imputation == .nearest && missingCount > 0 ? NearestSources(from: points, candidates: there, to: points) : nil
  }

  /// The same for the same method and the same points (FNV-1a).
  public var signature: String {
    let hash = isMissing.reduce(UInt64(0xCBF2_9CE4_8422_2325)) { ($0 ^ ($1 ? 1 : 0)) &* 0x100_0000_01B3 }
    return "\(imputation.text), without \(missingCount) points (\(String(hash, radix: 16)))"
  }

  /// Points at which a field differs from the mask: values that lack, and such as should lack.
  ///
  /// - Parameters:
  ///   - part: of the grid, with so many columns.
  ///   - stride: from row to row of the field.
  func differences(
    _ field: UnsafePointer<Float>, stride: Int, _ part: Rectangle, columns: Int
  ) -> (lacking: Int, unexpected: Int) {
    var (lacking, unexpected) = (0, 0)
    for (line, row) in part.rows.enumerated() {
      for (place, column) in part.columns.enumerated() {
        let isThere = field[line * stride + place].isFinite
        if isThere == !isMissing[row * columns + column] { continue }
        if isThere { unexpected += 1 } else { lacking += 1 }
      }
    }
    return (lacking, unexpected)
  }

  /// Gives missing points the values of the nearest ones.
  func fillFromNearest(_ field: UnsafeMutablePointer<Float>) {
    guard let sources else { return }
    for point in isMissing.indices where isMissing[point] {
      if let source = sources[point] { field[point] = field[source] }
    }
  }
}

extension FieldDataset {
  /// By name of channel, what is done where it has no values, for whoever must do the same.
  public var imputationSignatures: [String: String]? {
    if imputed.isEmpty { return nil }
    return Dictionary(uniqueKeysWithValues: imputed.map { (channels[$0.key].name, $0.value.signature) })
  }

  /// Marks what has no values in planes [channel, row, column].
  func removeImputed(_ planes: UnsafeMutablePointer<Float>) {
    for (channel, field) in imputed {
      let plane = planes + channel * grid.count
      for point in field.isMissing.indices where field.isMissing[point] { plane[point] = .nan }
    }
  }

  /// Which fields are imputed, and where they lack values at the first time.
  static func masks(
    _ impute: [String: Imputation], _ channels: [Channel], _ parts: [Part], _ place: Place?, _ grid: FieldGrid
  ) throws -> [Int: ImputedField] {
    guard let place, !impute.isEmpty else { return [:] }
    var masks: [Int: ImputedField] = [:]
    for entry in place.entries {
      let part = parts[entry.part]
      for field in part.fields {
        let channel = channels[field.channel]
        guard let imputation = impute[channel.variable] else { continue }
        var values = [Float](repeating: .nan, count: grid.count)
        try values.withUnsafeMutableBufferPointer { buffer in
          guard let start = buffer.baseAddress else { return }
          try read(field, of: part.store, times: entry.index..<entry.index + 1, into: [start])
        }
        masks[field.channel] = try ImputedField(
          imputation, values, grid, place: "\(part.store.location): \(field.found.storedName)")
      }
    }
    return masks
  }

  /// One field, whole, at consecutive times of a store.
  static func read(
    _ field: WantedField, of store: any GridFields, times: Range<Int>, into planes: [UnsafeMutablePointer<Float>]
  ) throws {
    let (scratch, columns) = (ReadingScratch(), store.fieldGrid.columns)
    for chunk in store.chunks([field], bands: 1) {
      _ = try store.read(chunk, times: times, scratch) { time, _, part in
        (planes[time] + part.rows.lowerBound * columns + part.columns.lowerBound, columns)
      }
    }
  }

  /// Reads a field whose missing points get the values of the nearest.
  /// - Throws: also when it lacks values at other points than at the first time.
  func readFilled(
    _ chunk: StoredChunk, _ imputed: ImputedField, times range: Range<Int>,
    into target: (_ time: Int, _ slot: Int, _ part: Rectangle) -> (UnsafeMutablePointer<Float>, stride: Int)
  ) throws {
    let (store, whole) = (parts[chunk.part].store, chunk.parts[0])
    guard let wanted = chunk.fields.first,
      let field = parts[chunk.part].fields.first(where: { $0.channel == wanted.channel })
    else { preconditionFailure("a chunk of no field") }
    try withTemporary(range.count * grid.count) { values in
      let planes = range.indices.map { values + ($0 - range.lowerBound) * grid.count }
      try FieldDataset.read(field, of: store, times: range, into: planes)
      for (time, plane) in planes.enumerated() {
        let found = imputed.differences(plane, stride: grid.columns, whole, columns: grid.columns)
        guard found == (0, 0) else {
          throw maskProblem(
            wanted.channel, place: "\(store.location): \(field.found.storedName)",
            at: store.times[range.lowerBound + time], found)
        }
        imputed.fillFromNearest(plane)
        let (out, stride) = target(time, wanted.slot, whole)
        for row in 0..<grid.rows { (out + row * stride).update(from: plane + row * grid.columns, count: grid.columns) }
      }
    }
  }

  func maskProblem(
    _ channel: Int, place: String, at time: Timestamp, _ found: (lacking: Int, unexpected: Int)
  ) -> JigsawError {
    JigsawError(
      place, "lacks values of \(channels[channel].name) at other points at \(time.display) than at \(times[0].display)",
      expected: "the same points at all times", found: "\(found.lacking) more and \(found.unexpected) fewer",
      remedy: "data.impute can't follow a mask that changes in time, such as sea ice's: fill the field before "
        + "(0 where there is no ice), leave it out, or leave out these dates")
  }

  /// Fills a static field [row, column].
  func fill(static field: UnsafeMutablePointer<Float>, _ imputation: Imputation, place: String) throws {
    let values = UnsafeMutableBufferPointer(start: field, count: grid.count)
    let mask = try ImputedField(imputation, Array(values), grid, place: place)
    switch imputation {
    case .constant(let value): for point in values.indices where mask.isMissing[point] { field[point] = Float(value) }
    case .mean:
      let mean = Float(Moments(UnsafeBufferPointer(values)).mean)
      for point in values.indices where mask.isMissing[point] { field[point] = mean }
    case .nearest: mask.fillFromNearest(field)
    }
  }
}
