/// Units of one quantity between which ECMWF's old and new parameters differ.
enum GRIBUnits {
  /// By what numbers in the first unit are multiplied to be in the second; nil for other pairs.
  static func factor(from: String, to: String) -> Double? {
    if from == to { return 1 }
    let pairs: [[String]: Double] = [
      ["m", "kg m**-2"]: 1_000, ["m of water equivalent", "kg m**-2"]: 1_000, ["(0 - 1)", "%"]: 100,
    ]
    return pairs[[from, to]] ?? pairs[[to, from]].map { 1 / $0 }
  }
}
