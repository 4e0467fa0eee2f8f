import Basics
import Stores
import Tensors

extension FieldDataset {
  /// All channels at one time into [channel, row, column], north to south, in our units. Missing values are NaN.
  public func read(time: Int, into planes: UnsafeMutablePointer<Float>) throws {
    try read(time, isChecked: false, into: planes)
  }

  /// Reads as `read` does; every value must be a number.
  /// - Throws: also when values are missing (NaN), naming file, variable, time.
  public func readChecked(time: Int, into planes: UnsafeMutablePointer<Float>) throws {
    try read(time, isChecked: true, into: planes)
  }

  /// Reads as `read` or `readChecked`, with the window of a pass over times in ascending order.
  func read(
    _ time: Int, isChecked: Bool, window: FieldWindow? = nil, into planes: UnsafeMutablePointer<Float>
  ) throws {
    try wholeReader.read(time, isChecked: isChecked, window: window, into: planes)
  }

  /// Calls `body` with memory for a pass over times in ascending order, and gives it back to the system afterwards.
  /// - Parameter windowBytes: nil: a little.
  func inOrder<Result>(windowBytes: Int?, _ body: (FieldWindow) throws -> Result) rethrows -> Result {
    let window = FieldWindow(byteLimit: windowBytes)
    defer {
      window.clear()
      memory.trim()
    }
    return try body(window)
  }

  /// All channels at one time [channel, row, column], every value a number; not to be written to.
  func checkedPlanes(time: Int) throws -> Tensor { try wholeReader.record(time, isChecked: true) }

  /// A reader of some channels, with memory of its own for decoded fields: what a pass over a long period reads again stays
  /// in it as far as `data.cacheGiB` allows.
  public func reader(of channels: Range<Int>) -> ChannelReader { ChannelReader(self, channels, cacheBytes: cacheBytes) }

  // MARK: Chunks

  /// Stored chunks that were read and decoded so far, and their bytes as stored.
  public var reads: ReadCounts {
    ReadCounts(sum: parts.map(\.store.reads))
  }

  /// A chunk of a part (all times of it), as far as it is wanted.
  struct StoredChunk: Sendable {
    let part: Int
    let chunk: GridChunk

    var fields: [(channel: Int, slot: Int)] { chunk.fields }
    var parts: [Rectangle] { chunk.parts }
    /// Memory of a field that is read whole to be imputed.
    var imputed: ImputedField?
    /// Wanted numbers at one time.
    var count: Int { fields.count * parts.reduce(0) { $0 + $1.count } }
  }

  /// The parts that hold a time.
  func parts(of time: Int) -> [Int] { places[time].entries.map(\.part) }

  /// The chunks of a part in which wanted fields are stored.
  ///
  /// - Parameter channels: which are wanted.
  func storedChunks(part number: Int, bands: Int, channels: Range<Int>) -> [StoredChunk] {
    let store = parts[number].store
    let fields = parts[number].fields.filter { channels.contains($0.channel) }
    if fields.isEmpty { return [] }
    let filled = fields.filter { imputed[$0.channel]?.sources != nil }
    if filled.isEmpty { return store.chunks(fields, bands: bands).map { StoredChunk(part: number, chunk: $0) } }
    let others = fields.filter { imputed[$0.channel]?.sources == nil }
    let plain = others.isEmpty ? [] : store.chunks(others, bands: bands)
    let whole = Rectangle(rows: 0..<grid.rows, columns: 0..<grid.columns)
    return plain.map { StoredChunk(part: number, chunk: $0) }
      + filled.flatMap { field in
        store.chunks([field], bands: 1).prefix(1).map {
          StoredChunk(
            part: number,
            chunk: GridChunk(place: $0.place, fields: [(channel: field.channel, slot: field.slot)], parts: [whole]),
            imputed: imputed[field.channel])
        }
      }
  }

  /// Reads what is wanted of a chunk at consecutive times. `target` tells where the part of a time, slot and rectangle
  /// goes, and how far its rows lie apart.
  /// - Returns: by time, whether all of it is numbers.
  func read(
    _ chunk: StoredChunk, times: Range<Int>, _ scratch: ReadingScratch,
    into target: (_ time: Int, _ slot: Int, _ part: Rectangle) -> (UnsafeMutablePointer<Float>, stride: Int)
  ) throws -> [Bool] {
    if let imputed = chunk.imputed {
      try readFilled(chunk, imputed, times: times, into: target)
      return times.map { _ in true }
    }
    return try parts[chunk.part].store.read(chunk.chunk, times: times, scratch, into: target)
  }

  /// How many chunks of a part are best asked for at once, whatever the number of threads.
  func readsAtOnce(part: Int) -> Int { parts[part].store.readsAtOnce }

  /// Static fields [field, row, column].
  public func readStatics() throws -> [Float] {
    var fields = [Float](repeating: 0, count: statics.count * grid.count)
    try fields.withUnsafeMutableBufferPointer { fields in
      for (index, entry) in statics.enumerated() {
        let target = fields.baseAddress! + index * grid.count
        try entry.read(into: target)
        if let imputation = imputedStatics[index] {
          try fill(static: target, imputation, place: entry.place)
        }
        if UnsafeBufferPointer(start: target, count: grid.count).contains(where: { !$0.isFinite }) {
          throw JigsawError(
            entry.place, "has missing values (NaN)",
            expected: "a number at every grid point", remedy: "fill them or leave this static field out")
        }
      }
    }
    return fields
  }

  /// The run of times around `time` that lie in one chunk of all arrays of its parts.
  func chunkBlock(around time: Int) -> Range<Int> {
    var lower = time
    var upper = time + 1
    for entry in places[time].entries {
      let part = parts[entry.part]
      let run = part.storedTimes.run(of: entry.index)
      while lower > 0, isIn(lower - 1, entry.part, run) { lower -= 1 }
      while upper < times.count, isIn(upper, entry.part, run) { upper += 1 }
    }
    return lower..<upper
  }

  /// Whether a time lies in another stored chunk than an earlier one (of the array that holds most times in one).
  func startsChunk(_ time: Int, after other: Int) -> Bool {
    let runs = places[time].entries.map { ($0, parts[$0.part].storedTimes.run(of: $0.index)) }
    guard let (entry, run) = runs.max(by: { $0.1.count < $1.1.count }) else { return true }
    return !isIn(other, entry.part, run.lowerBound..<entry.index)
  }

  /// Memory that reading a time takes beside that for its fields.
  func bytesOnTheWay(_ time: Int) -> Int { parts(of: time).reduce(0) { $0 + parts[$1].bytesOnTheWay } }

  /// Memory that reading times takes beside that for their fields.
  /// - Parameter indices: of the times that are read.
  public func readingMemory(_ indices: [Int]) -> ReadingMemory {
    var memory = ReadingMemory()
    for (number, part) in parts.enumerated() {
      let stored = indices.flatMap { places[$0].entries.filter { $0.part == number }.map(\.index) }
      guard let first = stored.min(), let last = stored.max() else { continue }
      memory.merge(part.store.readingMemory(part.fields, times: first..<last + 1))
    }
    return memory
  }

  /// The number of times that are decoded where those given are read and there is memory to keep them: those that are stored in the
  /// same chunks are, too.
  public func timesDecoded(reading indices: [Int]) -> Int {
    var decoded: Set<Int> = []
    for index in indices where !decoded.contains(index) { decoded.formUnion(chunkBlock(around: index)) }
    return decoded.count
  }

  /// In how many runs of times that are stored together some ascending times lie.
  public func chunkRuns(_ indices: [Int]) -> Int {
    var (count, last) = (0, 0..<0)
    for index in indices where !last.contains(index) {
      last = chunkBlock(around: index)
      count += 1
    }
    return count
  }

  private func isIn(_ time: Int, _ part: Int, _ range: Range<Int>) -> Bool {
    places[time].entries.contains { $0.part == part && range.contains($0.index) }
  }

  /// The pieces of a block of times that are consecutive in a part: first index here, indices there.
  func runs(of part: Int, in block: Range<Int>) -> [(first: Int, stored: Range<Int>)] {
    var runs: [(first: Int, stored: Range<Int>)] = []
    for time in block {
      guard let index = places[time].entries.first(where: { $0.part == part })?.index else { continue }
      if let last = runs.last, last.stored.upperBound == index, last.first + last.stored.count == time {
        runs[runs.count - 1].stored = last.stored.lowerBound..<index + 1
      } else {
        runs.append((time, index..<index + 1))
      }
    }
    return runs
  }
}
