import Basics

/// A conversion to our unit: value·factor + offset.
public struct UnitConversion: Sendable, Hashable {
  public let factor, offset: Double

  public static let none = UnitConversion(factor: 1, offset: 0)

  /// From stored units to those of a variable; nil when they don't measure the same. Energies and powers (J m-2, W m-2) don't:
  /// what lies between is the period of accumulation, which units don't tell.
  public init?(from stored: String, to units: String) {
    if stored == units {
      self = .none
      return
    }
    guard let from = Unit(stored), let to = Unit(units) else { return nil }
    if let known = UnitConversion.equivalence(from.dimension, to.dimension) {
      self.init(factor: from.factor * known / to.factor, offset: 0)
    } else if from.dimension == to.dimension {
      self.init(factor: from.factor / to.factor, offset: (from.offset - to.offset) / to.factor)
    } else {
      return nil
    }
  }

  init(factor: Double, offset: Double) {
    self.factor = factor
    self.offset = offset
  }

  /// The factor between units of quantities that are given in one or the other, though they measure different things: heights of pressure levels, which are geopotential
  /// divided by standard gravity (WMO), and amounts and fluxes of water per area, as depths.
  private static func equivalence(_ from: Unit.Dimension, _ to: Unit.Dimension) -> Double? {
    let (length, geopotential) = (Unit.Dimension(metre: 1), Unit.Dimension(metre: 2, second: -2))
    let load = Unit.Dimension(metre: -2, kilogram: 1)
    let (speed, flux) = (Unit.Dimension(metre: 1, second: -1), Unit.Dimension(metre: -2, second: -1, kilogram: 1))
    switch (from, to) {
    case (length, geopotential): return Unit.gravity
    case (geopotential, length): return 1 / Unit.gravity
    case (load, length), (flux, speed): return 1e-3
    case (length, load), (speed, flux): return 1e3
    default: return nil
    }
  }
}
