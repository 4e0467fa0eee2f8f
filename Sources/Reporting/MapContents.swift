import Basics
import Datasets

/// Forecast and error fields for maps, with 8 bits for each value.
///
/// Most of a field's range is where it always is: cold poles, high subtropical heights. So bytes hold the difference from
/// the mean of all shown forecasts, point by point, which is kept as floats; that is several times finer.
public struct MapContents: Sendable {
  public struct Field: Sendable {
    public let display: ChannelDisplay
    /// Mean of the forecasts [row, column], or [point].
    public let mean: [Float]
    /// The quantization of forecasts − mean; bytes [initial time, lead, row, column].
    public let forecast: Quantization
    public let forecastBytes: [UInt8]
    /// Forecast − truth, quantised apart for each lead: errors of short leads are far smaller than the field's range, so
    /// the page gets truth as forecast − error rather than error from two coarse fields. Empty without truth.
    public let error: [Quantization]
    /// [initial time, lead, row, column].
    public let errorBytes: [UInt8]

    /// - Parameters: values in shown units, [initial time, lead, row, column]; `truth` empty if there is none.
    public init(_ display: ChannelDisplay, forecast values: [Float], truth: [Float], leads: Int, initialTimes: Int) {
      precondition(leads * initialTimes > 0 && (truth.isEmpty || truth.count == values.count))
      self.display = display
      let size = values.count / (leads * initialTimes)
      let mean = (0..<size).map { point in
        Float(
          stride(from: point, to: values.count, by: size).reduce(0.0) { $0 + Double(values[$1]) }
            / Double(leads * initialTimes))
      }
      self.mean = mean
      let anomalies = values.indices.map { values[$0] - mean[$0 % size] }
      forecast = Quantization(covering: anomalies)
      forecastBytes = forecast.bytes(anomalies)
      if truth.isEmpty {
        (error, errorBytes) = ([], [])
        return
      }
      let differences = zip(values, truth).map { $0 - $1 }
      func frame(_ initial: Int, _ lead: Int) -> Range<Int> {
        let start = (initial * leads + lead) * size
        return start..<start + size
      }
      let scales = (0..<leads).map { lead in
        Quantization(symmetric: (0..<initialTimes).flatMap { differences[frame($0, lead)] })
      }
      error = scales
      errorBytes = (0..<initialTimes).flatMap { initial in
        scales.indices.flatMap { scales[$0].bytes(Array(differences[frame(initial, $0)])) }
      }
    }
  }

  /// Coordinates of the shown points, latitudes north to south; for points without a raster, of the raster on which they are drawn.
  public let grid: LatLonGrid
  /// The shown points, where they are no raster: fields then have one value for each of them.
  public let cells: MapCells?
  /// Whether the original grid's longitudes go all the way around.
  public let isPeriodic: Bool
  /// Rows and columns of the original grid averaged into one shown point.
  public let block: Int
  public let initialTimes: [Timestamp]
  public let leadHours: [Int]
  public let fields: [Field]

  public init(
    grid: LatLonGrid, isPeriodic: Bool, block: Int, cells: MapCells? = nil, initialTimes: [Timestamp],
    leadHours: [Int], fields: [Field]
  ) {
    self.grid = grid
    self.cells = cells
    self.isPeriodic = isPeriodic
    self.block = block
    self.initialTimes = initialTimes
    self.leadHours = leadHours
    self.fields = fields
  }

  public var hasTruth: Bool { fields.contains { !$0.error.isEmpty } }
}

/// A number as one byte: value = lower + step · byte.
public struct Quantization: Sendable, Equatable {
  public let lower, step: Double

  /// From the smallest to the largest of the values.
  public init(covering values: [Float]) {
    let low = Double(values.min() ?? 0)
    let high = Double(values.max() ?? 0)
    (lower, step) = (low, (high - low) / 255)
  }

  /// Byte 128 is exactly 0.
  public init(symmetric values: [Float]) {
    let largest = Double(values.reduce(0) { max($0, abs($1)) })
    step = largest / 127
    lower = -128 * step
  }

  /// The nearest byte for each value; off by at most half a step within the range.
  public func bytes(_ values: [Float]) -> [UInt8] {
    if step == 0 { return [UInt8](repeating: 0, count: values.count) }
    return values.map { UInt8(saturating: max(0, min(255, ((Double($0) - lower) / step).rounded()))) }
  }

  public func value(_ byte: UInt8) -> Double { lower + step * Double(byte) }
}
