import Basics
import Datasets

/// How a field is named, scaled and coloured for people. Stored units are SI; some are shown in what forecasters read.
public struct ChannelDisplay: Sendable {
  public let channel: Channel
  /// "z 500 hPa", "t2m".
  public let label: String
  /// "geopotential at 500 hPa".
  public let longName: String
  /// The unit of differences, errors and scores: "hPa", "K".
  public let unit: String
  /// The unit of the field itself on maps; differs from `unit` where the zero is shifted: "°C".
  public let valueUnit: String
  /// Shown value = stored value · factor (+ offset, on maps).
  public let factor, offset: Double
  public let palette: Palette
  /// Whether maps have contour lines.
  public let hasContours: Bool

  /// Colour scales of Resources/palettes.js.
  public enum Palette: String, Sendable { case thermal, height, moisture, wind }

  /// - Parameter units: those of a variable that the lexicon lacks, which is shown as it is stored.
  public init(_ channel: Channel, units: String? = nil) {
    self.channel = channel
    let variable = Lexicon.variable(channel.variable)
    let own = Lexicon[channel.variable] == nil ? units : nil
    let level = channel.levelHPa.map { "\(Channel.text($0)) hPa" }
    label = level.map { "\(channel.variable) \($0)" } ?? channel.variable
    longName = level.map { "\(variable.longName) at \($0)" } ?? variable.longName
    let scaling = channel.variable == "tp" ? ChannelDisplay.millimetres : ChannelDisplay.scalings[variable.units]
    (factor, offset) = (scaling?.factor ?? 1, scaling?.offset ?? 0)
    unit = ChannelDisplay.typeset(own ?? scaling?.unit ?? variable.units)
    valueUnit = scaling?.valueUnit ?? unit
    (palette, hasContours) =
      switch channel.variable {
      case "z", "msl", "sp", "zs": (.height, true)
      case "t", "t2m", "d2m", "sst", "skt": (.thermal, false)
      case "q", "r", "tcw", "tcwv", "tp": (.moisture, false)
      case "u", "v", "w", "u10", "v10": (.wind, false)
      default: (.height, false)
      }
  }

  private struct Scaling: Sendable {
    let factor: Double
    var offset = 0.0
    let unit: String
    var valueUnit: String?
  }

  private static let scalings: [String: Scaling] = [
    "Pa": Scaling(factor: 0.01, unit: "hPa"),
    "K": Scaling(factor: 1, offset: -273.15, unit: "K", valueUnit: "°C"),
    "kg kg-1": Scaling(factor: 1_000, unit: "g kg-1"),
  ]
  private static let millimetres = Scaling(factor: 1_000, unit: "mm")

  /// Exponents of a UDUNITS text set high: "m2 s-2", "m**2 s**-2" → "m² s⁻²"; "1" (no dimension) → "".
  public static func typeset(_ units: String) -> String {
    if units == "1" { return "" }
    let high: [Character: Character] = [
      "-": "⁻", "0": "⁰", "1": "¹", "2": "²", "3": "³", "4": "⁴", "5": "⁵", "6": "⁶", "7": "⁷", "8": "⁸", "9": "⁹",
    ]
    return units.replacing("**", with: "").replacing("^", with: "").split(separator: " ").map { word in
      let letters = word.prefix { $0.isLetter || $0 == "%" || $0 == "°" }
      let exponent = word.dropFirst(letters.count)
      return letters + String(exponent.map { high[$0] ?? $0 })
    }.joined(separator: " ")
  }
}
