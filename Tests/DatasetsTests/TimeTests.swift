import Basics
import TestSupport
import Testing

@testable import Datasets

@Suite struct TimeTests {
  /// Random instants through eleven centuries, written by NumPy.
  @Test func timestampsAreThoseOfNumPy() throws {
    let cases = try #require(try Goldens.document()["timestamps"]?.array)
    #expect(cases.count > 300)
    for pair in cases {
      let seconds = try #require(pair.array?[0].integer)
      let text = try #require(pair.array?[1].string)
      let time = Timestamp(seconds: Int64(seconds))
      #expect(time.description == text)
      #expect(Timestamp(text) == time)
      let c = time.components
      #expect(
        Timestamp(year: c.year, month: c.month, day: c.day, hour: c.hour, minute: c.minute, second: c.second) == time)
      #expect((0..<1).contains(time.yearFraction))
      #expect((1...366).contains(time.dayOfLeapYear))
    }
  }

  @Test func daysFollowEachOther() {
    var day = Timestamp(year: 1899, month: 12, day: 31)
    var previous = day.components
    for _ in 0..<60_000 {
      day = day.adding(hours: 24)
      let c = day.components
      let isNext =
        (c.year == previous.year && c.month == previous.month && c.day == previous.day + 1)
        || (c.day == 1
          && (c.month == previous.month + 1 && c.year == previous.year
            || c.month == 1 && previous.month == 12 && c.year == previous.year + 1 && previous.day == 31))
      #expect(isNext && c.hour == 0)
      previous = c
    }
    #expect(previous.year == 2064)
    #expect(Timestamp("2001-03-01")?.dayOfLeapYear == 61 && Timestamp("2000-03-01")?.dayOfLeapYear == 61)
    #expect(Timestamp("2000-02-29")?.dayOfLeapYear == 60 && Timestamp("2001-12-31")?.dayOfLeapYear == 366)
  }

  @Test func spellingsOfTimesAreRead() {
    let time = Timestamp(year: 2001, month: 1, day: 31, hour: 6)
    for text in [
      "2001-01-31T06", "2001-01-31T06:00", "2001-01-31 06:00:00", "2001-01-31T06:00:00Z", "2001-1-31 6:0:0.0",
      "2001-01-31T06:00:00+00:00", "2001-01-31 06:00:00 UTC",
    ] { #expect(Timestamp(text) == time, "\(text)") }
    #expect(Timestamp("2001-01-31")?.display == "2001-01-31 00:00")
    for text in [
      "", "2001", "2001-13-01", "2001-02-29", "2001-00-10", "2001-01-31T24", "2001-01-31T06:60", "31.01.2001",
      "2001-01-31T06:00:00.5", "2001-01-31T06:00+02:00", "tomorrow", "2001-01-31Tx",
      "-5-01-01", "9223372036854775807-01-01", "99999999999-01-01", "2001-01-31T06:00:00:00",
    ] { #expect(Timestamp(text) == nil, "\(text)") }
  }

  @Test func timesOfCFAreThoseOfCftime() throws {
    for entry in try #require(try Goldens.document()["cfTimes"]?.array) {
      let row = try #require(entry.array)
      let (units, calendar) = (try #require(row[0].string), try #require(row[1].string))
      let value = try #require(row[2].double)
      let clock = try CFTime(units: units, calendar: calendar, place: "test")
      #expect(try clock.timestamp(value).description == row[3].string, "\(value) \(units)")
      if let whole = row[2].integer { #expect(try clock.timestamp(Int64(whole)).description == row[3].string) }
    }
    let nanoseconds = try CFTime(units: "nanoseconds since 1970-01-01", calendar: nil, place: "test")
    #expect(try nanoseconds.timestamp(Int64(983_404_800_000_000_001)).description == "2001-03-01T00:00:00")
    #expect(try nanoseconds.timestamp(Int64(-1)).seconds == 0)
    #expect(try nanoseconds.timestamp(Int64(-1_500_000_001)).seconds == -2)
  }

  @Test func timesThatCannotBeAreRefused() throws {
    func problem(_ units: String, _ calendar: String?) -> String? {
      #expect(throws: JigsawError.self) { try CFTime(units: units, calendar: calendar, place: "f.nc: time") }?
        .description
    }
    for calendar in ["none", "lunar", ""] {
      #expect(problem("days since 2000-01-01", calendar)?.contains("found \(calendar)") == true)
    }
    for units in ["months since 2000-01-01", "days", "days since", "days since yesterday", "since 2000-01-01", ""] {
      #expect(problem(units, nil)?.contains("'\(units)'") == true, "\(units)")
    }
    let hours = try CFTime(units: "hours since 2000-01-01", calendar: nil, place: "f.nc: time")
    for value in [9.96921e36, -1e300, .infinity, .nan] {
      #expect(throws: JigsawError.self) { try hours.timestamp(value) }
    }
    for value in [Int64.min, .max, 1 << 55] { #expect(throws: JigsawError.self) { try hours.timestamp(value) } }
  }
}

@Suite struct IntervalTests {
  @Test func intervalsAreReadAsAnemoiWritesThem() {
    let seconds: [String: Int64] = [
      "6": 21_600, "6h": 21_600, "6H": 21_600, "1d": 86_400, "30m": 1_800, "900s": 900, "1:30": 5_400,
      "0:0:10": 10, "PT6H": 21_600, "P1D": 86_400, "P1DT12H": 129_600, "PT90M": 5_400, "P1W": 604_800, "+6h": 21_600,
      "PT1H30M15S": 5_415,
    ]
    for (text, expected) in seconds { #expect(Frequency.seconds(text) == expected, "\(text)") }
    for text in [
      "", "h", "0h", "-6h", "P", "PT", "P1M", "P1Y", "PT6", "6x", "1:2:3:4", "PT1M1H", "1w", "P1DT", "PT-6H",
    ] {
      #expect(Frequency.seconds(text) == nil, "\(text)")
    }
  }

  @Test func zonesAndSpellingsOfCFAreRead() throws {
    func first(_ units: String) -> String? {
      try? CFTime(units: units, calendar: nil, place: "t").timestamp(1.0).display
    }
    for zone in [
      "", " UTC", "Z", " 00", " 0:00", " +0:00", "+00:00", " +0000", " -0:00", " GMT", ".0", ":00", ":00.0 +00",
    ] {
      #expect(first("hours since 2020-01-01 06:00\(zone == ".0" ? ":00.0" : zone)") == "2020-01-01 07:00", "\(zone)")
    }
    #expect(first("hours since 2020-01-01 00:00:00 +01:00") == "2020-01-01 00:00")
    #expect(first("hours since 2020-01-01T00:00:00-06:30") == "2020-01-01 07:30")
    #expect(first("hours since 2020-01-01 00:00 -0630") == "2020-01-01 07:30")
    #expect(
      first("hours since 2020-1-1 0:0:0") == "2020-01-01 01:00"
        && first("hours since 2020-01-01 05") == "2020-01-01 06:00")
    #expect(
      first("hours since 2020-01-01Z") == "2020-01-01 01:00"
        && first("hours since 2020-01-01 UTC") == "2020-01-01 01:00")
    for hour in ["h", "hr", "hrs", "hour", "hours", "Hours", "HOURS"] {
      #expect(first("\(hour) Since  2020-01-01") == "2020-01-01 01:00")
    }
    for (unit, text) in [("mins", "2020-01-01 00:01"), ("d", "2020-01-02 00:00"), ("days", "2020-01-02 00:00")] {
      #expect(first("\(unit) since 2020-01-01") == text)
    }
    for date in ["20200101", "20200101 00:00", "20200101T00", "2020-01", "2020/01/01", "2020/1/1 0:0:0"] {
      #expect(first("hours since \(date)") == "2020-01-01 01:00", "\(date)")
    }
    for bad in ["2020", "202001", "20201301", "2020010100", "1/1/2020", "2020/01-01", "20-01", "2020-01-01-01"] {
      #expect(first("hours since \(bad)") == nil, "\(bad)")
    }
    for bad in ["25:00", "00:00 +15:00", "00:00 +01:60", "00:00 CET", "00:00:00.5", "0:0:0:0", "00:00 +1:0:0"] {
      #expect(first("hours since 2020-01-01 \(bad)") == nil, "\(bad)")
    }
  }

  @Test func datesWrittenAsNumbersAreRead() throws {
    let clock = try CFTime(units: "day as %Y%m%d.%f", calendar: "proleptic_gregorian", place: "t")
    #expect(try clock.timestamp(20_000_131.25) == Timestamp("2000-01-31T06"))
    #expect(try clock.timestamp(Int64(20_000_229)) == Timestamp("2000-02-29"))
    for value in [20_001_301.0, 20_010_229, 5, -1, .nan] {
      #expect(throws: JigsawError.self) { try clock.timestamp(value) }
    }
    #expect(throws: JigsawError.self) { try CFTime(units: "month as %Y%m.%f", calendar: nil, place: "t") }
  }

  /// The dates of cftime 1.6.6 for the same numbers, by name; those of 360_day from xarray's convert_calendar.
  @Test func datesOfOtherCalendarsAreMapped() throws {
    func date(_ calendar: String, _ units: String, _ value: Double) throws -> String {
      try CFTime(units: units, calendar: calendar, place: "t").timestamp(value).display
    }
    for calendar in ["noleap", "365_day"] {
      #expect(try date(calendar, "days since 2000-01-01", 58.25) == "2000-02-28 06:00")
      #expect(try date(calendar, "days since 2000-01-01", 59) == "2000-03-01 00:00")
      #expect(try date(calendar, "days since 1850-01-01", 365 * 150) == "2000-01-01 00:00")
      #expect(throws: JigsawError.self) { try date(calendar, "days since 2000-02-29", 0) }
    }
    let days = [
      0: "2000-01-01", 36: "2000-02-07", 59: "2000-03-01", 60: "2000-03-02", 181: "2000-07-03", 359: "2000-12-31",
      360: "2001-01-01", 395: "2001-02-05", 396: "2001-02-07", 420: "2001-03-03", 719: "2001-12-31",
    ]
    for (day, text) in days {
      #expect(try date("360_day", "days since 2000-01-01", Double(day) + 0.75) == "\(text) 18:00")
    }
    #expect(try date("all_leap", "days since 2000-01-01", 60) == "2000-03-01 00:00")
    #expect(try date("366_day", "days since 2000-01-01", 366 + 60) == "2001-03-01 00:00")
    #expect(throws: JigsawError.self) { try date("all_leap", "days since 2001-01-01", 59) }
    #expect(try date("julian", "days since 2000-01-01", 0) == "2000-01-01 00:00")
    #expect(try date("gregorian", "days since 1582-10-04", 1) == "1582-10-15 00:00")
  }

  /// No date of a year of 360 days is lost, and none comes twice.
  @Test func daysOfEveryYearAscend() throws {
    let clock = try CFTime(units: "hours since 1999-01-01", calendar: "360_day", place: "t")
    let times = try (0..<360 * 4 * 4).map { try clock.timestamp(Double(6 * $0)) }
    #expect(zip(times, times.dropFirst()).allSatisfy { $0 < $1 })
  }
}
