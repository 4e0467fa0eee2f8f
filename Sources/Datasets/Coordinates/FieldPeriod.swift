import Basics
import Stores

/// The periods over which fields are amounts, means or extremes, as far as stores say them: messages of GRIB, names such as `tp6h`, or
/// the bounds of times (CF 1.11, §7.1) of amounts and of fields whose cell methods are some over time.
enum FieldPeriod {
  /// Seconds by array: one number, or one for each lead of forecasts (0 where nothing is known); empty where the store doesn't say.
  ///
  /// - Parameters:
  ///   - names: of the variables that arrays hold, ours where these are known.
  ///   - time: the dimension of times.
  static func seconds(of arrays: [ArrayInfo], named names: [String], time: String?, in store: any ArrayStore)
    -> [[Int64]]
  {
    let dimensions = [time].compactMap { $0 }
    let isBounded = zip(arrays, names).map { array, name in
      array.attributes[FieldSpan.attribute] == nil && LexiconTable.sumHours[name] == nil
        && dimensions.allSatisfy(array.dimensionNames.contains) && isOverPeriod(array, named: name, along: dimensions)
    }
    let length = isBounded.contains(true) ? time.flatMap { lengthOfBounds($0, store) } : nil
    return zip(zip(arrays, names), isBounded).map { array, isBounded in
      if case .numbers(let given)? = array.0.attributes[FieldSpan.attribute] {
        return given.map { Int64(saturating: $0) }
      }
      if let hours = LexiconTable.sumHours[array.1] { return [Int64(hours) * 3_600] }
      return isBounded ? [length].compactMap { $0 } : []
    }
  }

  /// The refusal of amounts, means or extremes over other periods than another store has.
  static func differs(_ place: String, than location: String, _ expected: [Int64], _ found: [Int64]) -> JigsawError {
    func hours(_ seconds: [Int64]) -> String {
      seconds.map { "\(Channel.text(Double($0) / 3_600)) h" }.joined(separator: ", ")
    }
    return JigsawError(
      place, "is over another period than in \(location)", expected: hours(expected), found: hours(found),
      remedy: "make sums or means over the same periods before")
  }

  /// Whether a field has values over periods along dimensions of time: an amount by its name, or by its cell methods.
  static func isOverPeriod(_ array: ArrayInfo, named name: String, along dimensions: [String]) -> Bool {
    if Lexicon.isAmount(name) { return true }
    guard let methods = array.attributes["cell_methods"]?.text else { return false }
    return (dimensions + ["time"]).contains { dimension in
      MeanPeriod.method(of: dimension, in: methods).map { $0 != "point" } ?? false
    }
  }

  /// The length of all bounds of a dimension's coordinate; nil without any, and where they differ or can't be read: amounts of such
  /// are refused where they are bound (`MeanPeriod.requireSums`).
  private static func lengthOfBounds(_ time: String, _ store: any ArrayStore) -> Int64? {
    guard let coordinate = store.arrays[time],
      let bounds = coordinate.attributes["bounds"]?.text.flatMap({ store.arrays[$0] }), bounds.shape.count == 2,
      bounds.shape[1] == 2, bounds.dimensionNames.first == time
    else { return nil }
    do {
      let length = FieldSpan.common(
        try MeanPeriod.timestamps(bounds, like: coordinate, store).map {
          FieldSpan.calendar($0[1].seconds - $0[0].seconds)
        })
      return length > 0 ? length : nil
    } catch { return nil }
  }
}
