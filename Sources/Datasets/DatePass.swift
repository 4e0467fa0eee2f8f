import Basics
import Communication
import Tensors

/// One pass over the dates of fields by several ranks, with moments of the fields and of their change over a step. Dates go in
/// blocks, which are merged in order, so that the bounds of these, not the number of the ranks, decide the last bits; what a
/// block gave is kept in a file, so that an interrupted pass is resumed.
struct DatePass {
  /// Ascending.
  let dates: [Timestamp]
  let variables, points: Int
  /// The dates that moments are made of, the first so many.
  let countedDates: Int
  /// The same for the same fields: what is kept belongs to it.
  let key: String
  /// Between the fields whose difference is taken.
  private let stepSeconds: Int64
  private let blocks: DateBlocks
  /// For each counted date the one a step before it, and the reverse.
  private let before: [Int: Int]
  private let after: [Int: Int]

  /// - Parameter startsChunk: whether a date, other than the first, lies in another stored chunk than the one before it.
  init(
    dates: [Timestamp], variables: Int, points: Int, stepSeconds: Int64, countedDates: Int, key: String,
    startsChunk: (Int) -> Bool = { _ in true }
  ) {
    self.dates = dates
    self.variables = variables
    self.points = points
    self.stepSeconds = stepSeconds
    self.countedDates = countedDates
    self.key = key
    blocks = DateBlocks(count: dates.count, startsChunk: startsChunk)
    let counted = Dictionary(uniqueKeysWithValues: dates[..<countedDates].enumerated().map { ($1, $0) })
    let pairs = (0..<countedDates).compactMap { date -> (Int, Int)? in
      counted[Timestamp(seconds: dates[date].seconds - stepSeconds)].map { (date, $0) }
    }
    before = Dictionary(uniqueKeysWithValues: pairs)
    after = Dictionary(uniqueKeysWithValues: pairs.map { ($1, $0) })
  }

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

  /// Runs on all ranks of the communicator together; `read` fills [variables, points] of a date, and gets whether that is
  /// read again for the differences of a block that follows it. Dates are read in ascending order.
  /// - Returns: the same on every rank.
  /// - Throws: on every rank soon after one fails.
  func run(
    on world: any Communicator, parts folder: String?, progress: (Int, Int) throws -> Void,
    read: Reading
  ) throws -> Totals {
    let parts = folder.map { Parts(folder: $0, identity: identity) }
    // Nothing is written to where a link leads.
    if let folder { try world.together(onlyOn: 0) { if Files.isLink(folder) { try Files.remove(folder) } } }
    var own: [Int: Totals] = [:]
    var states = States(byteCount: max(1, variables * points) * MemoryLayout<Float>.size)
    let end = blocks.own(world.rank, of: world.size).last.map { blocks.blocks[$0].upperBound } ?? 0
    try blocks.forEach(on: world, progress: progress) { number, done in
      if let found = try kept(number, parts) {
        own[number] = found
        try done(blocks.blocks[number].count)
      } else {
        own[number] = try compute(number, before: end, &states, parts, read) { try done(1) }
      }
    }
    var totals = Totals(variables)
    for (number, owner) in blocks.owners(of: world.size).enumerated() {
      let bytes = try world.broadcast(own[number].map { packed($0.numbers) } ?? [], from: owner)
      guard let block = Totals(unpacked(bytes), count: variables) else {
        preconditionFailure("moments were changed on their way")
      }
      totals.merge(block)
    }
    if let folder { try world.together(onlyOn: 0) { try Files.remove(folder) } }
    return totals
  }

  /// Fields of dates that differences are yet to be taken against, each for one later date.
  private struct States {
    private let byteCount: Int
    private let memory = BufferPool()
    private var held: [Int: Buffer] = [:]

    init(byteCount: Int) { self.byteCount = byteCount }

    var empty: Buffer { memory.buffer(byteCount: byteCount) }
    func holds(_ date: Int) -> Bool { held[date] != nil }
    mutating func hold(_ date: Int, _ fields: Buffer) { held[date] = fields }
    mutating func take(_ date: Int) -> Buffer? { held.removeValue(forKey: date) }
    mutating func drop(where isDone: (Int) -> Bool) { held = held.filter { !isDone($0.key) } }
  }

  /// - Parameter end: of the dates of this rank.
  private func compute(
    _ number: Int, before end: Int, _ states: inout States, _ parts: Parts?, _ read: Reading,
    dateDone: () throws -> Void
  ) throws -> Totals {
    let block = blocks.blocks[number]
    var totals = Totals(variables)
    func fields(_ date: Int, isAgain: Bool) throws -> Buffer {
      let fields = states.empty
      try read(date, isAgain, floats(fields))
      return fields
    }
    // Records that blocks before this one, or another rank, would have left for this and the next ones are read again.
    states.drop { after[$0].map { $0 < block.lowerBound } ?? true }
    let since = dates[block.lowerBound].seconds - stepSeconds
    let earlier = (0..<block.lowerBound).reversed().prefix { dates[$0].seconds >= since }.reversed()
    for date in earlier where !states.holds(date) && after[date].map({ $0 >= block.lowerBound && $0 < end }) ?? false {
      states.hold(date, try fields(date, isAgain: true))
    }
    for date in block {
      let now = try fields(date, isAgain: false)
      if date < countedDates {
        let past = before[date].flatMap { states.take($0) }
        for variable in 0..<variables {
          let values = floats(now) + variable * points
          totals.values[variable].merge(Moments(UnsafeBufferPointer(start: values, count: points)))
          guard let past = past.map(floats) else { continue }
          totals.tendencies[variable].merge(
            Moments(
              change: UnsafeBufferPointer(start: values, count: points),
              since: UnsafeBufferPointer(start: past + variable * points, count: points)))
        }
      }
      if let later = after[date], later < end { states.hold(date, now) }
      try dateDone()
    }
    try keep(totals, number, parts)
    return totals
  }

  private func floats(_ buffer: Buffer) -> UnsafeMutablePointer<Float> {
    buffer.pointer.assumingMemoryBound(to: Float.self)
  }

  // MARK: Files

  /// Where results of blocks are kept, and of which pass.
  private struct Parts {
    let folder: String
    let identity: UInt64

    func file(_ number: Int) -> String { "\(folder)/block-\(padded(number, 6))" }
  }

  /// The same for passes that give the same (FNV-1a): what is kept carries it.
  private var identity: UInt64 {
    let facts = [key, blocks.blocks.map { "\($0.upperBound)" }.joined(separator: " ")] + dates.map(\.description)
    return facts.joined(separator: "\n").utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }

  private func keep(_ totals: Totals, _ number: Int, _ parts: Parts?) throws {
    guard let parts else { return }
    try Files.createDirectory(parts.folder)
    try Files.writeAtomically(
      packed(totals.numbers) + withUnsafeBytes(of: parts.identity) { Array($0) }, to: parts.file(number))
  }

  /// The parts that an interrupted pass of the same kind left.
  private func kept(_ number: Int, _ parts: Parts?) throws -> Totals? {
    guard let parts, let bytes = try Files.readIfPresent(parts.file(number)),
      bytes.suffix(8).elementsEqual(withUnsafeBytes(of: parts.identity) { Array($0) })
    else { return nil }
    return Totals(unpacked(bytes.dropLast(8)), count: variables)
  }

  private func packed(_ numbers: [Double]) -> [UInt8] { numbers.withUnsafeBytes { Array($0) } }

  private func unpacked(_ bytes: some Sequence<UInt8>) -> [Double] {
    Array(bytes).withUnsafeBytes { raw in
      (0..<raw.count / 8).map { raw.loadUnaligned(fromByteOffset: 8 * $0, as: Double.self) }
    }
  }
}
