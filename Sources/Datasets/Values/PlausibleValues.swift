extension Variable {
  /// Values beyond which, in `units`, no analysis or simulation of the Earth's atmosphere goes, with room to spare; nil
  /// where nothing is known. What lies outside is damage, a fill value or in other units.
  public var plausible: ClosedRange<Double>? { PlausibleValues.ranges[name] ?? PlausibleValues.ofUnits[units] }
}

extension Lexicon {
  /// Whether a number stands for a missing value of a variable, as archives write it, rather than being one that it may have.
  public static func isMark(_ value: Double, of name: String) -> Bool {
    if let plausible = Lexicon[name]?.plausible, plausible.contains(value) { return false }
    return !(abs(value) < Double(PlausibleValues.rareMagnitude)) || PlausibleValues.marks.contains(Float(value))
  }
}

/// The lexicon's ranges, and numbers that mark missing values.
enum PlausibleValues {
  /// Spectral truncation and interpolation leave a little below zero and above one.
  private static let fraction = -0.2...1.2
  private static let mixingRatio = -0.01...0.2
  /// Metres of water over any period.
  private static let depth = -1.0...50

  /// kg m-2 s-1.
  private static let rate = -0.01...0.5

  static let ranges: [String: ClosedRange<Double>] = [
    "z": -30_000...1_200_000, "t": 90...400, "u": -350...350, "v": -350...350, "w": -300...300, "q": mixingRatio,
    "r": -100...400, "vo": -0.5...0.5, "d": -0.5...0.5, "pv": -1...1, "o3": -1e-4...1e-2, "clwc": mixingRatio,
    "ciwc": mixingRatio, "crwc": mixingRatio, "cswc": mixingRatio, "cc": fraction, "ws": -1...500,
    "msl": 80_000...120_000, "sp": 25_000...120_000, "t2m": 150...350, "d2m": 100...350, "u10": -150...150,
    "v10": -150...150, "si10": -1...150, "i10fg": -1...250, "u100": -200...200, "v100": -200...200,
    "sh2": mixingRatio, "r2": -100...400,
    "mx2t": 150...350, "mn2t": 150...350, "mx2t6": 150...350, "mn2t6": 150...350, "sst": 200...350, "skt": 100...400,
    "blh": -100...30_000, "cape": -1_000...50_000, "tcw": -10...500, "tcwv": -10...500, "tclw": -1...200,
    "tciw": -1...200, "tco3": -0.01...0.1, "tcc": fraction, "lcc": fraction, "mcc": fraction, "hcc": fraction,
    "tp": depth, "tp6h": depth, "tp12h": depth, "tp24h": depth, "cp": depth, "lsp": depth, "sf": depth, "ro": depth,
    "sro": depth, "ssro": depth, "e": -50...50, "avg_tprate": rate, "avg_cpr": rate, "avg_tsrwe": rate,
    "swvl1": fraction, "swvl2": fraction, "swvl3": fraction, "swvl4": fraction, "sd": -1...10_000, "rsn": -10...2_000,
    "asn": fraction, "ci": fraction, "lsm": fraction, "orog": -1_500...10_000, "zs": -15_000...100_000,
    "cl": fraction, "cvl": fraction, "cvh": fraction, "lai_lv": -1...50, "lai_hv": -1...50,
  ]

  /// Ranges by unit, for variables that `ranges` lacks.
  static let ofUnits: [String: ClosedRange<Double>] = [
    "K": 90...400, "W m-2": -10_000...10_000, "J m-2": -1e10...1e10,
  ]

  /// From this on no variable of the lexicon has values in its units. Others may: molecules in a column of air.
  static let rareMagnitude: Float = 1e12

  /// Whether a number is one that archives put where there is no value, or so large that nothing measured is.
  static func isNoMeasurement(_ value: Float) -> Bool { marks.contains(value) || !(abs(value) < 1e30) }

  /// Numbers that archives put where there is no value, in single precision.
  static let marks: Set<Float> = [
    -32_768, -32_767, 32_767, -9_999, 9_999, -999, 999, -99_999, 99_999, -999_999, 1e20, -1e20, 1e30, -1e30, 1e15, 1e10,
    9.969_21e36, -9.99e33, 9.999e20, -9.99e8, 9.99e8, 3.402_823_47e38, -3.402_823_47e38, 2_147_483_648, -2_147_483_648,
  ]
}
