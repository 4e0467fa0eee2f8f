import Basics
import Communication

/// One pass over the dates of fields by several ranks, with moments of the fields and of their change over a step. Dates go in
/// blocks, which are merged in order, so that their number, not that of the ranks, decides the last bits; what a block gave is
/// kept in a file, so that a pass that was interrupted goes on.
struct DatePass {
  /// Ascending.
  let dates: [Timestamp]
  let variables, points: Int
  /// Between the fields whose difference is taken.
  let stepSeconds: Int64
  /// The dates that moments are made of, the first so many.
  let countedDates: Int
  /// The same for the same fields: what is kept belongs to it.
  let key: String

  typealias Reading = (_ date: Int, _ isAgain: Bool, UnsafeMutablePointer<Float>) throws -> Void

  struct Totals {
    var values, tendencies: [Moments]

    init(_ count: Int) {
      values = [Moments](repeating: Moments(), count: count)
      tendencies = values
    }

    mutating func merge(_ other: Totals) {
      for i in values.indices {
        values[i].merge(other.values[i])
        tendencies[i].merge(other.tendencies[i])
      }
    }

    var numbers: [Double] { (values + tendencies).flatMap(\.numbers) }

    init?(_ numbers: [Double], count: Int) {
      guard numbers.count == 2 * count * Moments.numberCount, numbers.allSatisfy({ !$0.isNaN }),
        numbers.enumerated().allSatisfy({ $0 % Moments.numberCount != 0 || $1 >= 0 && $1 < 0x1p62 })
      else { return nil }
      let all = (0..<2 * count).map {
        Moments(numbers[$0 * Moments.numberCount..<($0 + 1) * Moments.numberCount])
      }
      (values, tendencies) = (Array(all[..<count]), Array(all[count...]))
    }
  }

  /// Dates in a block: few enough for several ranks to share, so many that reading a date again at its start costs little.
  private var blockSize: Int { max(8, min(64, dates.count / 32)) }

  private var blocks: [Range<Int>] {
    stride(from: 0, to: dates.count, by: blockSize).map { $0..<min(dates.count, $0 + blockSize) }
  }

  /// Runs on all ranks of the communicator together; `read` fills [variables, points] of a date, and is told whether that is
  /// read again for the differences of a block that follows it.
  /// - Returns: the same on every rank.
  /// - Throws: on every rank if one fails.
  func run(
    on world: any Communicator, parts: String?, progress: (Int, Int) -> Void,
    read: Reading
  ) throws -> Totals {
    let blocks = blocks
    try world.together(onlyOn: 0) { try prepare(parts) }
    var own: [Int: Totals] = [:]
    try world.together {
      var done = 0
      for number in stride(from: world.rank, to: blocks.count, by: world.size) {
        func advance(_ count: Int) {
          done += count
          progress(min(dates.count, done * world.size), dates.count)
        }
        if let found = try kept(number, parts) {
          own[number] = found
          advance(blocks[number].count)
        } else {
          own[number] = try compute(blocks[number], number, parts, read) { advance(1) }
        }
      }
    }
    var totals = Totals(variables)
    for number in blocks.indices {
      let root = number % world.size
      let bytes = try world.broadcast(own[number].map { packed($0.numbers) } ?? [], from: root)
      guard let block = Totals(unpacked(bytes), count: variables) else {
        preconditionFailure("moments were changed on their way")
      }
      totals.merge(block)
    }
    if let parts { try world.together(onlyOn: 0) { try Files.remove(parts) } }
    return totals
  }

  private func compute(
    _ block: Range<Int>, _ number: Int, _ parts: String?, _ read: Reading, dateDone: () -> Void
  ) throws -> Totals {
    var totals = Totals(variables)
    // Fields of the last step, to difference against; those before the block are read again.
    var recent: [(date: Timestamp, planes: [Float])] = []
    func planes(_ date: Int, isAgain: Bool) throws -> [Float] {
      var planes = [Float](repeating: 0, count: max(1, variables * points))
      try planes.withUnsafeMutableBufferPointer { try read(date, isAgain, $0.baseAddress!) }
      return planes
    }
    func earlier(_ date: Int) throws -> [Float]? {
      let wanted = Timestamp(seconds: dates[date].seconds - stepSeconds)
      if let found = recent.first(where: { $0.date == wanted }) { return found.planes }
      guard let index = dates[..<block.lowerBound].lastIndex(of: wanted) else { return nil }
      return try planes(index, isAgain: true)
    }
    for date in block {
      let now = try planes(date, isAgain: false)
      recent.removeAll { dates[date].seconds - $0.date.seconds > stepSeconds }
      let before = date < countedDates ? try earlier(date) : nil
      for variable in 0..<variables where date < countedDates {
        let range = variable * points..<(variable + 1) * points
        now.withUnsafeBufferPointer { totals.values[variable].merge(Moments(UnsafeBufferPointer(rebasing: $0[range]))) }
        if let before {
          let change = range.map { now[$0] - before[$0] }
          change.withUnsafeBufferPointer { totals.tendencies[variable].merge(Moments($0)) }
        }
      }
      recent.append((dates[date], now))
      dateDone()
    }
    try keep(totals, number, parts)
    return totals
  }

  // MARK: Files

  private func file(_ number: Int, _ parts: String) -> String { "\(parts)/block-\(padded(number, 6))" }

  private var description: String { ([key] + dates.map(\.description)).joined(separator: "\n") }

  /// What an interrupted pass of the same kind left stays, anything else goes.
  private func prepare(_ parts: String?) throws {
    guard let parts, Files.exists(parts) else { return }
    if try Files.readIfPresent("\(parts)/key") != Array(description.utf8) { try Files.remove(parts) }
  }

  private func keep(_ totals: Totals, _ number: Int, _ parts: String?) throws {
    guard let parts else { return }
    try Files.createDirectory(parts)
    // By one rank alone; without it the parts belong to no pass.
    if number == 0 { try Files.writeAtomically(description, to: "\(parts)/key") }
    try Files.writeAtomically(packed(totals.numbers), to: file(number, parts))
  }

  private func kept(_ number: Int, _ parts: String?) throws -> Totals? {
    guard let parts, let bytes = try Files.readIfPresent(file(number, parts)) else { return nil }
    return Totals(unpacked(bytes), count: variables)
  }

  private func packed(_ numbers: [Double]) -> [UInt8] { numbers.withUnsafeBytes { Array($0) } }

  private func unpacked(_ bytes: [UInt8]) -> [Double] {
    bytes.withUnsafeBytes { raw in
      (0..<bytes.count / 8).map { raw.loadUnaligned(fromByteOffset: 8 * $0, as: Double.self) }
    }
  }
}
