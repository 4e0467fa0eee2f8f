import Basics
import Datasets
import TestSupport
import Testing

@testable import Verification

@Suite struct ClimatologyTests {
  typealias Key = Climatology.Key

  static func days(_ range: [Range<Int>]) -> [Key] { range.joined().map { Key(dayOfYear: $0, hour: 0) } }

  /// How far a training period fills the window of each day: a whole year does for all days, with or without a leap day, also
  /// around the turn of the year.
  @Test func aYearFillsEveryWindow() {
    let keys = Set((1...366).map { Key(dayOfYear: $0, hour: 0) })
    for training in [Self.days([1..<60, 61..<367]), Self.days([1..<367]), Self.days([1..<60, 61..<367, 1..<100])] {
      let found = Climatology.coverage(keys, training, halfWidth: 30)
      #expect(found.count == 366 && found.values.allSatisfy { $0.share == 1 && $0.days >= 60 })
    }
  }

  @Test func aSeasonFillsItsOwnDaysAlone() throws {
    // October to December.
    let training = Self.days([275..<367])
    let keys = Set([305, 366, 15, 29, 76].map { Key(dayOfYear: $0, hour: 0) })
    let found = Climatology.coverage(keys, training, halfWidth: 30)
    func share(_ day: Int) -> Double { found[Key(dayOfYear: day, hour: 0)]?.share ?? -1 }
    #expect(share(305) == 1)
    // The last day has 31 of 61 days, of weights 1 … 1/31: 16 of 31.
    #expect(abs(share(366) - 16.0 / 31) < 1e-12)
    // 15 January: those from 15 to 30 days away, of weights 16/31 … 1/31, on one side.
    #expect(abs(share(15) - (1...16).reduce(0.0) { $0 + Double($1) / 31 } / 31) < 1e-12)
    #expect(abs(share(29) - 3.0 / 961) < 1e-12 && share(76) == 0)
    #expect(found[Key(dayOfYear: 76, hour: 0)]?.days == 0)
  }

  @Test func otherHoursDontCount() {
    let training = (1...366).map { Key(dayOfYear: $0, hour: 12) }
    let key = Key(dayOfYear: 10, hour: 0)
    #expect(Climatology.coverage([key], training, halfWidth: 30)[key]?.share == 0)
  }

  static func dataset(_ folder: TemporaryFolder, start: Timestamp, times: Int) throws -> FieldDataset {
    var data = SyntheticData()
    (data.rows, data.columns, data.times, data.start) = (5, 8, times, start)
    data.stepHours = 24
    let path = "\(folder.path)/\(start.description.filter(\.isNumber)).nc"
    try data.write(path)
    return try FieldDataset(sources: [SourceDescription(path: path)], variables: ["z"], levelsHPa: [850, 500])
  }

  static func planes(_ reader: ChannelReader, _ index: Int) throws -> [Float] {
    var planes = [Float](repeating: 0, count: reader.count)
    try reader.readChecked(time: index, into: &planes)
    return planes
  }

  /// Far from all training days the climatology is their mean; at their edge between that and the mean of the window.
  @Test func whatTheWindowLacksIsTheMeanOfThePeriod() throws {
    let folder = try TemporaryFolder()
    let start = Timestamp(year: 2001, month: 10, day: 1)
    let dataset = try Self.dataset(folder, start: start, times: 92)
    let reader = dataset.reader(of: 1..<2)
    let (far, edge, inside) = (
      Timestamp(year: 2002, month: 3, day: 20), Timestamp(year: 2002, month: 1, day: 10),
      Timestamp(year: 2001, month: 11, day: 10)
    )
    let found = try Climatology(reader, training: Array(0..<92), for: [far, edge, inside], windowDays: 61)
    #expect(found.days.fewest == 0 && found.days.ofTraining == 92 && found.days.isPartial)
    let days = try (0..<92).map { try Self.planes(reader, $0) }
    func mean(_ point: Int, _ weight: (Int) -> Double) -> Double {
      let all = (0..<92).reduce((0.0, 0.0)) { ($0.0 + weight($1) * Double(days[$1][point]), $0.1 + weight($1)) }
      return all.0 / all.1
    }
    for point in 0..<reader.count {
      let period = mean(point) { _ in 1 }
      #expect(abs(Double(found.field(far)[point]) - period) < 1e-3)
      #expect(abs(Double(found.field(inside)[point]) - mean(point) { max(0, 1 - Double(abs($0 - 40)) / 31) }) < 1e-3)
      // 10 January is day 101 of the period; leap days aside the window has a weight of 31.
      let window = mean(point) { max(0, 1 - Double(101 - $0) / 31) }
      let share = (1...21).reduce(0.0) { $0 + Double($1) / 31 } / 31
      #expect(abs(Double(found.field(edge)[point]) - share * window - (1 - share) * period) < 1e-3)
    }
  }

  @Test func anHourWithoutTrainingIsRefused() throws {
    let folder = try TemporaryFolder()
    let dataset = try Self.dataset(folder, start: Timestamp(year: 2001, month: 1, day: 1), times: 10)
    let error = #expect(throws: JigsawError.self) {
      _ = try Climatology(
        dataset.reader(of: 0..<1), training: Array(0..<10),
        for: [Timestamp(year: 2001, month: 1, day: 3).adding(hours: 6)], windowDays: 61)
    }
    #expect(error.map { "\($0)".hasPrefix("data.train: has no time at 6 UTC") } ?? false)
  }
}
