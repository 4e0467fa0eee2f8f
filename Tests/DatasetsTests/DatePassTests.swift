import Basics
import Communication
import Synchronization
import TestSupport
import Testing

@testable import Datasets

#if canImport(Glibc)
  import Glibc
#endif

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

  private struct Stop: Error {}

  /// The others stop before their ends, and what is thrown is the cause.
  @Test(arguments: [0, 99]) func oneFailingRankStopsAllSoon(failing: Int) throws {
    let dates = Mutex(0)
    #expect(throws: Stop.self) {
      _ = try ThreadRanks.run(4) { world in
        try pass.run(on: world, parts: nil, progress: { _, _ in }) { date, _, out in
          if date == failing { throw Stop() }
          // The last date is read last: its rank is late.
          usleep(failing == 0 ? 20_000 : 1_000)
          fill(date, out)
          dates.withLock { $0 += 1 }
        }
      }
    }
    if failing == 0 { #expect(dates.withLock { $0 } < 30) }
  }

  /// One reads on where it was, dates ascend, and no more fields are kept than differences need.
  @Test(arguments: [(100, 2, 3), (100, 12, 13), (0, 12, 1), (10, 5, 6)])
  func readsOnceAndKeepsWhatIsNeeded(counted: Int, steps: Int, buffers: Int) throws {
    let pass = DatePass(
      dates: pass.dates, variables: 2, points: 6, stepSeconds: Int64(steps) * 21_600, countedDates: counted, key: "test"
    )
    var read: [Int] = []
    var places = Set<UnsafeMutablePointer<Float>>()
    _ = try pass.run(on: SingleRank(), parts: nil, progress: { _, _ in }) { date, isAgain, out in
      #expect(!isAgain)
      read.append(date)
      places.insert(out)
      fill(date, out)
    }
    #expect(read == Array(0..<100) && places.count <= buffers, "\(places.count)")
    for ranks in [2, 5] {
      let again = try ThreadRanks.run(ranks) { world in
        var again = 0
        var last = -1
        _ = try pass.run(on: world, parts: nil, progress: { _, _ in }) { date, isAgain, out in
          #expect(date > last)
          last = date
          again += isAgain ? 1 : 0
          fill(date, out)
        }
        return again
      }
      #expect(again.reduce(0, +) <= (ranks - 1) * steps)
    }
  }

  /// The bounds of blocks follow stored chunks, and cover all dates once.
  @Test func blocksAreOfWholeChunks() {
    for (count, size) in [(0, 1), (1, 1), (7, 3), (100, 1), (100, 10), (400, 50), (3_000, 24), (1_000, 300), (130, 65)]
    {
      let made = DateBlocks(count: count) { $0 % size == 0 }
      let blocks = made.blocks
      #expect(blocks.flatMap { Array($0) } == Array(0..<count))
      #expect(blocks.allSatisfy { !$0.isEmpty && $0.count <= DateBlocks.limit + size })
      if size <= DateBlocks.limit {
        #expect(blocks.allSatisfy { $0.lowerBound % size == 0 })
      } else {
        #expect(
          blocks.allSatisfy { $0.lowerBound / size == ($0.upperBound - 1) / size && $0.count <= DateBlocks.limit })
      }
      for ranks in [1, 3, 8] {
        let owners = made.owners(of: ranks)
        #expect(owners.count == blocks.count && owners == owners.sorted())
      }
    }
    #expect(DateBlocks(count: 100) { _ in true }.blocks.count == 13)
  }
}
