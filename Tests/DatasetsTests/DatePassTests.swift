import Basics
import Communication
import Synchronization
import TestSupport
import Testing

@testable import Datasets

@Suite struct DatePassTests {
  private let pass = DatePass(
    dates: (0..<100).map { Timestamp(seconds: Int64($0) * 21_600) }, variables: 2, points: 6, stepSeconds: 43_200,
    countedDates: 80, key: "test")

  private func fill(_ date: Int, _ planes: UnsafeMutablePointer<Float>) {
    for i in 0..<12 { planes[i] = Float((date * 37 + i * 11) % 53) / 7 }
    if date == 5 { planes[3] = .nan }
  }

  @Test func isTheSameOnAnyNumberOfRanksAndThatOfAllAtOnce() throws {
    let alone = try pass.run(on: SingleRank(), parts: nil, progress: { _, _ in }) { date, _, out in fill(date, out) }
    for ranks in [2, 3, 7] {
      let all = try ThreadRanks.run(ranks) { world in
        try pass.run(on: world, parts: nil, progress: { _, _ in }) { date, _, out in fill(date, out) }
      }
      for totals in all { #expect(totals.values == alone.values && totals.tendencies == alone.tendencies) }
    }
    var (values, changes): ([Float], [Float]) = ([], [])
    var fields: [[Float]] = []
    for date in 0..<80 {
      var planes = [Float](repeating: 0, count: 12)
      planes.withUnsafeMutableBufferPointer { fill(date, $0.baseAddress!) }
      values += planes[..<6]
      if date >= 2 { changes += (0..<6).map { planes[$0] - fields[date - 2][$0] } }
      fields.append(planes)
    }
    for (found, list) in [(alone.values[0], values), (alone.tendencies[0], changes)] {
      let expected = list.withUnsafeBufferPointer { Moments($0) }
      #expect(found.count == expected.count && found.minimum == expected.minimum && found.maximum == expected.maximum)
      #expect(abs(found.mean - expected.mean) < 1e-12 && abs(found.deviation - expected.deviation) < 1e-12)
    }
  }

  @Test func goesOnWhereItWasInterrupted() throws {
    struct Stop: Error {}
    let folder = try TemporaryFolder()
    let parts = folder.path + "/parts"
    let whole = try pass.run(on: SingleRank(), parts: nil, progress: { _, _ in }) { date, _, out in fill(date, out) }
    #expect(throws: Stop.self) {
      try pass.run(on: SingleRank(), parts: parts, progress: { _, _ in }) { date, _, out in
        if date == 50 { throw Stop() }
        fill(date, out)
      }
    }
    var read: [Int] = []
    let rest = try pass.run(on: SingleRank(), parts: parts, progress: { _, _ in }) { date, isAgain, out in
      if !isAgain { read.append(date) }
      fill(date, out)
    }
    #expect(rest.values == whole.values && rest.tendencies == whole.tendencies)
    #expect(read == Array(48..<100) && !Files.exists(parts))
  }

  /// Damaged parts and those of another pass are not used.
  @Test func partsOfAnotherPassAreNotTaken() throws {
    let folder = try TemporaryFolder()
    let parts = folder.path + "/parts"
    struct Stop: Error {}
    func interrupt(_ pass: DatePass) {
      #expect(throws: Stop.self) {
        try pass.run(on: SingleRank(), parts: parts, progress: { _, _ in }) { date, _, out in
          if date == 90 { throw Stop() }
          fill(date, out)
        }
      }
    }
    interrupt(
      DatePass(
        dates: pass.dates, variables: 2, points: 6, stepSeconds: 21_600, countedDates: 80, key: "another"))
    var count = 0
    _ = try pass.run(on: SingleRank(), parts: parts, progress: { _, _ in }) { date, isAgain, out in
      count += isAgain ? 0 : 1
      fill(date, out)
    }
    #expect(count == 100)
    interrupt(pass)
    try Files.writeAtomically([UInt8](repeating: 255, count: 160), to: parts + "/block-000001")
    count = 0
    let found = try pass.run(on: SingleRank(), parts: parts, progress: { _, _ in }) { date, isAgain, out in
      count += isAgain ? 0 : 1
      fill(date, out)
    }
    let whole = try pass.run(on: SingleRank(), parts: nil, progress: { _, _ in }) { date, _, out in fill(date, out) }
    #expect(found.values == whole.values && count == 8 + 12)
  }

  @Test func oneFailingRankFailsAll() throws {
    struct Stop: Error {}
    #expect(throws: (any Error).self) {
      _ = try ThreadRanks.run(3) { world in
        try pass.run(on: world, parts: nil, progress: { _, _ in }) { date, _, out in
          if date == 70 { throw Stop() }
          fill(date, out)
        }
      }
    }
  }
}
