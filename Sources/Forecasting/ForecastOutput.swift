import Basics
import Datasets

/// Where forecasts go, each lead of each forecast as soon as it is computed.
public protocol ForecastOutput {
  /// Writes one unit of one lead of one forecast: [fields, rows, columns] in our units.
  func write(_ unit: FieldGather.Unit, _ values: UnsafeBufferPointer<Float>, initial: Int, lead: Int) throws
  /// Where it is written until it is complete: for ranks that join.
  var temporary: String { get }
  /// Closes and gives it its final name.
  func finish() throws
  /// Removes what was written.
  func abandon()
}
