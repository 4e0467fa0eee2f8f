import Basics

/// A conversion to our unit: value·factor + offset.
public struct UnitConversion: Sendable, Hashable {
  public let factor, offset: Double

  public static let none = UnitConversion(factor: 1, offset: 0)

  /// From stored units to those of a variable; nil when they don't measure the same.
  public init?(from stored: String, to units: String) {
    let (from, to) = (UnitConversion.canonical(stored), UnitConversion.canonical(units))
    if from == to {
      self = .none
    } else if let known = UnitConversion.known["\(from)→\(to)"] {
      self = known
    } else {
      return nil
    }
  }

  private init(factor: Double, offset: Double) {
    self.factor = factor
    self.offset = offset
  }

  private static let known: [String: UnitConversion] = [
    "hPa→Pa": UnitConversion(factor: 100, offset: 0),
    "degC→K": UnitConversion(factor: 1, offset: 273.15),
    // Geopotential height in standard gravity, WMO.
    "gpm→m2 s-2": UnitConversion(factor: 9.80665, offset: 0),
    "m→m2 s-2": UnitConversion(factor: 9.80665, offset: 0),
    "g kg-1→kg kg-1": UnitConversion(factor: 1e-3, offset: 0),
    "%→1": UnitConversion(factor: 1e-2, offset: 0),
    "mm→m": UnitConversion(factor: 1e-3, offset: 0),
    "Pa→hPa": UnitConversion(factor: 1e-2, offset: 0),
  ]

  /// One spelling for each unit.
  static func canonical(_ units: String) -> String {
    let trimmed = units.split(separator: " ").joined(separator: " ")
    let spellings: [String: String] = [
      "m**2 s**-2": "m2 s-2", "m^2 s^-2": "m2 s-2", "m2/s2": "m2 s-2", "m^2/s^2": "m2 s-2", "m2 s**-2": "m2 s-2",
      "m s**-1": "m s-1", "m/s": "m s-1", "m s^-1": "m s-1", "meter/second": "m s-1",
      "kg kg**-1": "kg kg-1", "kg/kg": "kg kg-1", "kg kg^-1": "kg kg-1", "g/kg": "g kg-1", "g kg**-1": "g kg-1",
      "degK": "K", "kelvin": "K", "Kelvin": "K", "degrees K": "K",
      "C": "degC", "celsius": "degC", "degrees_C": "degC", "degree_Celsius": "degC", "°C": "degC",
      "mb": "hPa", "mbar": "hPa", "millibar": "hPa", "millibars": "hPa", "hectopascal": "hPa", "hPascals": "hPa",
      "pascal": "Pa", "Pascals": "Pa", "Pascal": "Pa",
      "": "1", "-": "1", "(0 - 1)": "1", "dimensionless": "1", "~": "1", "Proportion": "1", "(Code table 4.213)": "1",
      "metre": "m", "meter": "m", "metres": "m", "meters": "m", "kg m**-2": "kg m-2", "kg/m2": "kg m-2",
      "Pa s**-1": "Pa s-1", "Pa/s": "Pa s-1", "percent": "%",
    ]
    return spellings[trimmed] ?? trimmed
  }
}
