/// The middle of some numbers, of an even count the lower of the two; not a number if there are none.
public func median(_ values: [Double]) -> Double {
  values.isEmpty ? .nan : values.sorted()[(values.count - 1) / 2]
}
