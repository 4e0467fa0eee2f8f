/// How a field is normalised: (value − offset)/scale.
public struct AffineScaling: Sendable, Equatable, Codable {
  public let offset, scale: Double

  public init(offset: Double, scale: Double) {
    self.offset = offset
    self.scale = scale
  }

  /// The scaling, in our units, of a variable that is normalised as value·factor + addend in stored units.
  public init(factor: Double, addend: Double, _ conversion: UnitConversion) {
    self.init(
      offset: -addend / factor * conversion.factor + conversion.offset, scale: conversion.factor / factor)
  }

  public var isUsable: Bool { offset.isFinite && scale.isFinite && scale != 0 }

  /// Values as they are.
  public static let identity = AffineScaling(offset: 0, scale: 1)
}
