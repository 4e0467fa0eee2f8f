import Basics

/// The calendars of CF (CF 1.11, §4.4.1), and how their dates become ours.
///
/// Dates of `noleap` are those of the same name; what it has none for, 29 February of leap years, is a gap. Days of `360_day`
/// keep their place in the year: day d of 360 becomes day d·365/360 (366 in leap years), rounded, and keeps its time of day,
/// so that seasons and insolation fit, no date is lost and five or six days of each year are gaps (xarray's
/// `convert_calendar(align_on="year")`). Dates of `all_leap` and `julian` are those of the same name, and must exist in the
/// standard calendar: IMERG, whose dates are Gregorian, says `julian`. Those of the standard calendar before 15 October 1582 are
/// the same instants in the proleptic Gregorian calendar.
enum CFCalendar: String, Sendable {
  case standard
  case proleptic = "proleptic_gregorian"
  case julian
  case noleap
  case allLeap = "all_leap"
  case days360 = "360_day"

  init?(_ name: String) {
    switch name.lowercased() {
    case "standard", "gregorian": self = .standard
    case "proleptic_gregorian": self = .proleptic
    case "julian": self = .julian
    case "noleap", "365_day": self = .noleap
    case "all_leap", "366_day": self = .allLeap
    case "360_day": self = .days360
    default: return nil
    }
  }

  static let names = [
    "standard", "gregorian", "proleptic_gregorian", "julian", "noleap", "365_day", "all_leap", "366_day", "360_day",
  ]

  /// How the calendar's dates are read, for people; nil where they are ours.
  var note: String? {
    switch self {
    case .standard, .proleptic: nil
    case .julian:
      "calendar julian: dates are taken by their names; as instants they would be 13 days later in this century"
    case .noleap:
      "calendar noleap: 29 February of leap years is a gap, across which lead times are a day longer than the model's"
    case .allLeap: "calendar all_leap: dates are taken as those of the standard calendar"
    case .days360:
      "calendar 360_day: days keep their place in the year, spread over 365 or 366 days; lead times across the 5 or 6 gaps of a "
        + "year are a day longer than the model's"
    }
  }

  /// A date and the seconds since its midnight.
  struct Date {
    let year, month, day, seconds: Int
  }

  /// Days of the months of a year that has a 29 February.
  private static let monthsOfLeapYear = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

  private func daysInMonth(_ date: Date) -> Int {
    let isDivisible = date.year % 4 == 0
    let isLeap: Bool
    switch self {
    case .days360: return 30
    case .noleap: isLeap = false
    case .allLeap: isLeap = true
    case .julian: isLeap = isDivisible
    case .standard: isLeap = isDivisible && (date.year < 1_582 || date.year % 100 != 0 || date.year % 400 == 0)
    case .proleptic: isLeap = isDivisible && (date.year % 100 != 0 || date.year % 400 == 0)
    }
    return date.month == 2 && !isLeap ? 28 : CFCalendar.monthsOfLeapYear[date.month - 1]
  }

  /// Seconds of a date as the calendar counts them: since 1970 where its days are instants, else since its year 0. Nil for
  /// what is no date.
  func seconds(_ date: Date) -> Int64? {
    guard (0...99_999).contains(date.year), (1...12).contains(date.month),
      (1...daysInMonth(date)).contains(date.day)
    else { return nil }
    let days: Int
    switch self {
    case .proleptic: days = CFCalendar.gregorianDays(date)
    case .julian: days = CFCalendar.julianDays(date)
    case .standard:
      let isJulian = (date.year, date.month, date.day) < (1_582, 10, 15)
      days = isJulian ? CFCalendar.julianDays(date) : CFCalendar.gregorianDays(date)
    case .days360: days = 360 * date.year + 30 * (date.month - 1) + date.day - 1
    case .noleap, .allLeap:
      let before = CFCalendar.monthsOfLeapYear[..<(date.month - 1)].reduce(0, +)
      days =
        self == .allLeap
        ? 366 * date.year + before + date.day - 1
        : 365 * date.year + before - (date.month > 2 ? 1 : 0) + date.day - 1
    }
    return Int64(days) * 86_400 + Int64(date.seconds)
  }

  private static func gregorianDays(_ date: Date) -> Int {
    Int(Timestamp(year: date.year, month: date.month, day: date.day).seconds / 86_400)
  }

  private static func julianDays(_ date: Date) -> Int {
    let year = date.month <= 2 ? date.year - 1 : date.year
    let leapDays = year >= 0 ? year / 4 : (year - 3) / 4
    let dayOfYear = (153 * (date.month + (date.month > 2 ? -3 : 9)) + 2) / 5 + date.day - 1
    return 365 * year + leapDays + dayOfYear - 719_470
  }

  /// The date of a name that the Julian calendar gives to an instant; nil for 29 February 1900 and the like.
  private static func sameName(julianSeconds seconds: Int64) -> Timestamp? {
    let day = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
    // Years from March on.
    let days = Int(day) + 719_470
    guard days >= 0 else { return nil }
    let year = (4 * days + 3) / 1_461
    let dayOfYear = days - 365 * year - year / 4
    let place = (5 * dayOfYear + 2) / 153
    let month = place < 10 ? place + 3 : place - 9
    let date = Date(
      year: year + (month <= 2 ? 1 : 0), month: month, day: dayOfYear - (153 * place + 2) / 5 + 1, seconds: 0)
    guard date.day <= CFCalendar.proleptic.daysInMonth(date) else { return nil }
    return Timestamp(seconds: Int64(gregorianDays(date)) * 86_400 + seconds - day * 86_400)
  }

  /// The instant of what `seconds` counts; nil for a date that the standard calendar lacks.
  func timestamp(_ seconds: Int64) -> Timestamp? {
    let perYear: Int
    switch self {
    case .standard, .proleptic: return Timestamp(seconds: seconds)
    case .julian: return CFCalendar.sameName(julianSeconds: seconds)
    case .noleap: perYear = 365
    case .allLeap: perYear = 366
    case .days360: perYear = 360
    }
    let days = Int(seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400)
    let year = days >= 0 ? days / perYear : (days - perYear + 1) / perYear
    let (dayOfYear, time) = (days - year * perYear, seconds - Int64(days) * 86_400)
    let (start, next) = (Timestamp(year: year, month: 1, day: 1), Timestamp(year: year + 1, month: 1, day: 1))
    let length = Int((next.seconds - start.seconds) / 86_400)
    let place: Int
    switch self {
    case .days360: place = Int(saturating: (Double((dayOfYear + 1) * length) / 360).rounded(.toNearestOrEven)) - 1
    case .noleap: place = dayOfYear + (length == 366 && dayOfYear >= 59 ? 1 : 0)
    default:
      if length == 365 && dayOfYear == 59 { return nil }
      place = dayOfYear - (length == 365 && dayOfYear > 59 ? 1 : 0)
    }
    return Timestamp(seconds: start.seconds + Int64(place) * 86_400 + time)
  }
}
