import Basics
import Stores
import Synchronization
import Tensors

/// Reads one rank's share of the stored chunks, each once, on several threads, and keeps what fits into memory.
final class RecordReader: Sendable {
  /// Whoever has the reader has the dataset.
  private unowned let dataset: FieldDataset
  let rank: Int
  let blocks: [FieldBlock]
  private let tiling: Tiling?
  private let cache: FieldCache
  private let memory: BufferPool
  private let scratches: ScratchStack
  /// By the parts that a time lies in.
  private let plans = Mutex<[[Int]: ReadingPlan]>([:])

  /// - Parameter tiling: nil when the record of the only rank is whole planes.
  init(
    _ dataset: FieldDataset, tiling: Tiling?, blocks: [FieldBlock], rank: Int, cacheBytes: Int, memory: BufferPool
  ) {
    self.dataset = dataset
    self.tiling = tiling
    self.blocks = blocks
    self.rank = rank
    self.memory = memory
    cache = FieldCache(byteLimit: cacheBytes)
    scratches = ScratchStack(limit: dataset.workers.count + 1)
  }

  func plan(_ time: Int) -> ReadingPlan {
    let parts = dataset.parts(of: time)
    if let plan = plans.withLock({ $0[parts] }) { return plan }
    // Arrays that are stored as a whole are cut into as many bands as there are parts of the domain.
    let bands = Set(blocks.map(\.tokens)).count
    let channels = tiling == nil ? blocks[0].fields : dataset.channels.indices
    let plan = ReadingPlan(
      parts.flatMap { dataset.storedChunks(part: $0, bands: bands, channels: channels) }, tiling, blocks,
      planes: tiling == nil ? (dataset.grid.rows, dataset.grid.columns) : nil)
    plans.withLock { $0[parts] = plan }
    return plan
  }

  /// This rank's record of a time: `plan(time).recordCounts[rank]` numbers. Every value must be a number if `isChecked`.
  ///
  /// - Parameter window: of a pass over times in order, for what finds no room in the cache.
  /// - Throws: naming file, variable and time.
  func record(_ time: Int, isChecked: Bool, window: FieldWindow? = nil) throws -> Tensor {
    var record = cache.record(time) ?? window?.record(time)
    if record == nil {
      let count = plan(time).recordCounts[rank]
      let block = block(time, window)
      window?.clear()
      let tensors = block.map { _ in
        Tensor(shape: [count], buffer: memory.buffer(byteCount: count * MemoryLayout<Float>.size))
      }
      let isComplete = try read(block, into: tensors.map(\.pointer))
      for (index, tensor) in zip(block, tensors) {
        let made = FieldRecord(numbers: tensor, isComplete: isComplete[index - block.lowerBound])
        if !cache.store(index, made) { window?.hold(index, made) }
        if index == time { record = made }
      }
    }
    guard let record else { preconditionFailure("a block of times without the one asked for") }
    if isChecked && !record.isComplete { try refuse(time, record.numbers.pointer) }
    return record.numbers
  }

  /// The times to read with one: those stored in the same chunks come with little more effort, if there is room for them.
  private func block(_ time: Int, _ window: FieldWindow?) -> Range<Int> {
    let together = dataset.chunkBlock(around: time)
    let bytes = plan(time).recordCounts[rank] * MemoryLayout<Float>.size + dataset.bytesOnTheWay(time)
    if cache.hasRoom(bytes, count: together.count) { return together }
    return window?.part(of: together, from: time, bytesEach: bytes) ?? time..<time + 1
  }

  /// The same into memory of the caller's.
  func read(
    _ time: Int, isChecked: Bool, window: FieldWindow? = nil, into out: UnsafeMutablePointer<Float>
  ) throws {
    let count = plan(time).recordCounts[rank]
    let isHeld = cache.record(time) != nil || window?.record(time) != nil
    if isHeld || cache.hasRoom(count * MemoryLayout<Float>.size) || block(time, window).count > 1 {
      out.update(from: try record(time, isChecked: isChecked, window: window).pointer, count: count)
    } else {
      if try !read(time..<time + 1, into: [out])[0] && isChecked { try refuse(time, out) }
    }
  }

  /// - Throws: which values are missing.
  private func refuse(_ time: Int, _ record: UnsafePointer<Float>) throws {
    func missing(_ piece: ReadingPlan.Piece) -> Int {
      if let imputed = dataset.imputed[piece.channel] {
        let found = differences(piece, imputed, record)
        return found.lacking + found.unexpected
      }
      return plainlyMissing(piece)
    }
    func plainlyMissing(_ piece: ReadingPlan.Piece) -> Int {
      (0..<piece.part.rows.count).reduce(0) { sum, row in
        sum
          + UnsafeBufferPointer(start: record + piece.offset + row * piece.stride, count: piece.part.columns.count)
          .filter { !$0.isFinite }.count
      }
    }
    let pieces = plan(time).pieces[rank]
    guard let bad = pieces.first(where: { missing($0) > 0 }) else { return }
    if let imputed = dataset.imputed[bad.channel] {
      let found = pieces.filter { $0.channel == bad.channel }.map { differences($0, imputed, record) }
      throw dataset.maskProblem(
        bad.channel, place: dataset.place(of: bad.channel, time: time), at: dataset.times[time],
        (found.reduce(0) { $0 + $1.lacking }, found.reduce(0) { $0 + $1.unexpected }))
    }
    let count = pieces.filter { $0.channel == bad.channel }.reduce(0) { $0 + missing($1) }
    throw JigsawError(
      dataset.place(of: bad.channel, time: time),
      "has \(count) missing values (NaN) in \(dataset.channels[bad.channel].name) at \(dataset.times[time].display)",
      expected: "a number at every grid point",
      remedy:
        "leave out this variable or these dates, fill the gaps, or name it in data.impute if it never has values there")
  }

  /// Where a piece of a record and the mask of its field differ; nowhere if it was filled.
  private func differences(
    _ piece: ReadingPlan.Piece, _ imputed: ImputedField, _ record: UnsafePointer<Float>
  ) -> (lacking: Int, unexpected: Int) {
    if imputed.sources != nil { return (0, 0) }
    return imputed.differences(
      record + piece.offset, stride: piece.stride, piece.part, columns: dataset.grid.columns)
  }

  /// Whether a record has values exactly where its fields have some.
  private func isSound(_ record: UnsafePointer<Float>, _ pieces: [ReadingPlan.Piece], isComplete: Bool) -> Bool {
    pieces.allSatisfy { piece in
      if let imputed = dataset.imputed[piece.channel] { return differences(piece, imputed, record) == (0, 0) }
      return isComplete
        || (0..<piece.part.rows.count).allSatisfy { row in
          UnsafeBufferPointer(start: record + piece.offset + row * piece.stride, count: piece.part.columns.count)
            .allSatisfy(\.isFinite)
        }
    }
  }

  /// A chunk at times that follow each other in its store.
  private struct Job: Sendable {
    let chunk: ReadingPlan.Chunk
    /// The first time's index in the block.
    let first: Int
    let stored: Range<Int>
    var count: Int { chunk.stored.count * stored.count }
  }

  /// Where records go; each job writes its own parts of them.
  private struct Targets: @unchecked Sendable {
    let pointers: [UnsafeMutablePointer<Float>]
  }

  /// Memory for chunks on their way when more are asked for than there are threads.
  private static let bytesOnTheirWay = 256 << 20

  /// Reads the times of a block.
  /// - Returns: for each, whether no value is missing.
  private func read(_ block: Range<Int>, into records: [UnsafeMutablePointer<Float>]) throws -> [Bool] {
    let plan = plan(block.lowerBound)
    // The largest first, so that threads end together.
    let jobs = plan.chunks[rank].flatMap { chunk in
      dataset.runs(of: chunk.stored.part, in: block).map {
        Job(chunk: chunk, first: $0.first - block.lowerBound, stored: $0.stored)
      }
    }.sorted { $0.count > $1.count }
    guard let largest = jobs.first else { return block.map { _ in true } }
    let targets = Targets(pointers: records)
    let isComplete = Mutex(block.map { _ in true })
    let threads = dataset.workers.count + 1
    let waiting = jobs.map { dataset.readsAtOnce(part: $0.chunk.stored.part) }.max() ?? 1
    let fitting = RecordReader.bytesOnTheirWay / (largest.count * MemoryLayout<Float>.size + 1)
    let pieces = plan.pieces[rank]
    try dataset.workers.tryRun(jobs.count, atOnce: max(threads, min(waiting, fitting))) { [dataset, scratches] index in
      let job = jobs[index]
      let found = try scratches.with { scratch in
        try dataset.read(job.chunk.stored, times: job.stored, scratch) { time, slot, part in
          let piece = pieces[job.chunk.piece(slot: slot, part: part)]
          return (targets.pointers[job.first + time] + piece.offset, piece.stride)
        }
      }
      if found.contains(false) {
        isComplete.withLock { for (i, all) in found.enumerated() where !all { $0[job.first + i] = false } }
      }
    }
    let found = isComplete.withLock { $0 }
    if dataset.imputed.isEmpty { return found }
    return zip(records, found).map { isSound($0, pieces, isComplete: $1) }
  }
}
