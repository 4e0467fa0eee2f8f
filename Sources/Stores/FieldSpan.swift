/// The period over which a field is accumulated, averaged or an extreme, in seconds.
public enum FieldSpan {
  /// Attribute of arrays that stand for messages of GRIB, and of forecasts: one number, or one for each lead. Zero where nothing is
  /// known, `several` where the starts of one lead have different ones.
  public static let attribute = "GRIB_spanSeconds"
  public static let several: Int64 = -1

  /// All months have one length here, and all years, be it up to their last analysis.
  public static func calendar(_ seconds: Int64) -> Int64 {
    let day: Int64 = 86_400
    switch seconds {
    case 27 * day + day / 2...31 * day: return 30 * day
    case 364 * day + day / 2...366 * day: return 365 * day
    default: return seconds
    }
  }

  /// One for all of several: the same, zero for none, else `several`.
  public static func common(_ all: some Sequence<Int64>) -> Int64 {
    let different = Set(all)
    return different.count > 1 ? several : different.first ?? 0
  }
}
