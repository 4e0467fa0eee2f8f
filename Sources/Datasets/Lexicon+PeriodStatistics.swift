import Basics
import Stores

/// Statistics over a period that are other quantities than the variable: maxima, minima, deviations.
extension Lexicon {
  struct PeriodStatistic {
    /// "max", "maximum", "minimum", "standard_deviation", …
    let method: String
    /// The attribute that says so.
    let found: String

    fileprivate var isMaximum: Bool { method.hasPrefix("max") }
    fileprivate var isMinimum: Bool { method.hasPrefix("min") }
  }

  /// GRIB's types of statistical processing after which values are still those of the variable.
  private static let stepTypesOfTheVariable: Set<String> = [
    "instant", "accum", "avg", "avgd", "avgfc", "avgua", "avgia", "avgas", "avgad", "avgid",
  ]

  /// The statistic that an array holds instead of the variable itself; nil for points, means and sums.
  static func periodStatistic(of array: ArrayInfo) -> PeriodStatistic? {
    if let cells = array.attributes["cell_methods"]?.text, let method = CellMethods(cells).other {
      return PeriodStatistic(method: method, found: "cell_methods '\(cells)'")
    }
    if let step = array.attributes["GRIB_stepType"]?.text, !step.isEmpty, !stepTypesOfTheVariable.contains(step) {
      return PeriodStatistic(method: step, found: "GRIB_stepType '\(step)'")
    }
    if let name = array.attributes["long_name"]?.text, let method = extreme(in: name) {
      return PeriodStatistic(method: method, found: "long_name '\(name)'")
    }
    return nil
  }

  /// The extreme that a long name begins with, or says to be one over days or hours: "Maximum temperature", "Daily Minimum Near-Surface
  /// Air Temperature", "2 metre temperature, maximum since previous post-processing".
  private static func extreme(in longName: String) -> String? {
    let text = longName.lowercased()
    let first = text.prefix { $0.isLetter }
    for (method, words) in [("maximum", ["maximum", "max"]), ("minimum", ["minimum", "min"])] {
      let isSaid = words.contains { word in
        first == word
          || ["daily \(word)", "hourly \(word)", "\(word) since ", "\(word) over "].contains(where: text.contains)
      }
      if isSaid { return method }
    }
    return nil
  }

  /// Whether an array holds a statistic over a period that the variable is not.
  static func isOther(_ statistic: PeriodStatistic, than variable: Variable) -> Bool {
    let name = variable.longName.lowercased()
    if name.contains("maximum") { return statistic.isMinimum }
    if name.contains("minimum") { return statistic.isMaximum }
    // A gust is the most over some seconds; GRIB has numbers of their own for those over hours.
    if name.contains("gust") { return statistic.found.hasPrefix("GRIB_stepType") }
    return !["standard deviation", "variance", "range"].contains(where: name.contains)
  }
}
