import Basics
import Synchronization
import Tensors

/// Reads one rank's share of the stored chunks, each once, and keeps what fits into memory.
final class RecordReader: Sendable {
  /// Whoever has the reader has the dataset.
  private unowned let dataset: FieldDataset
  let rank: Int
  let blocks: [FieldBlock]
  private let tiling: Tiling?
  private let cache: FieldCache
  /// By the parts that a time lies in.
  private let plans = Mutex<[[Int]: ReadingPlan]>([:])

  init(_ dataset: FieldDataset, tiling: Tiling?, blocks: [FieldBlock], rank: Int, cacheBytes: Int) {
    self.dataset = dataset
    self.tiling = tiling
    self.blocks = blocks
    self.rank = rank
    cache = FieldCache(byteLimit: cacheBytes)
  }

  func plan(_ time: Int) -> ReadingPlan {
    let parts = dataset.parts(of: time)
    if let plan = plans.withLock({ $0[parts] }) { return plan }
    // Arrays that are stored as a whole are cut into as many bands as there are parts of the domain.
    let bands = Set(blocks.map(\.tokens)).count
    let plan = ReadingPlan(parts.flatMap { dataset.storedChunks(part: $0, bands: bands) }, tiling, blocks)
    plans.withLock { $0[parts] = plan }
    return plan
  }

  /// This rank's record of a time; `record` has room for `plan(time).recordCounts[rank]` numbers. Every value must be a
  /// number if `isChecked`.
  /// - Throws: naming file, variable and time.
  func read(_ time: Int, isChecked: Bool, into record: UnsafeMutablePointer<Float>) throws {
    if !cache.read(time, into: record) { try readBlock(around: time, into: record) }
    let plan = plan(time)
    let all = UnsafeBufferPointer(start: record, count: plan.recordCounts[rank])
    guard isChecked, all.contains(where: { !$0.isFinite }) else { return }
    let bad = plan.pieces[rank].first { piece in
      all[piece.offset..<piece.offset + piece.part.count].contains { !$0.isFinite }
    }!
    let missing = plan.pieces[rank].filter { $0.channel == bad.channel }.reduce(0) { sum, piece in
      sum + all[piece.offset..<piece.offset + piece.part.count].filter { !$0.isFinite }.count
    }
    throw JigsawError(
      dataset.place(of: bad.channel, time: time),
      "has \(missing) missing values (NaN) in \(dataset.channels[bad.channel].name) at \(dataset.times[time].display)",
      expected: "a number at every grid point",
      remedy: "leave out this variable or these dates, or fill the gaps")
  }

  /// The times stored in the same chunks come with little more effort; they are kept if there is room.
  private func readBlock(around time: Int, into record: UnsafeMutablePointer<Float>) throws {
    let plan = plan(time)
    let count = plan.recordCounts[rank]
    let together = dataset.chunkBlock(around: time)
    let block = cache.hasRoom(together.count * count * MemoryLayout<Float>.size) ? together : time..<time + 1
    let buffer = UnsafeMutablePointer<Float>.allocate(capacity: max(1, count * block.count))
    defer { buffer.deallocate() }
    for chunk in plan.chunks[rank] {
      let stored = chunk.stored
      let size = stored.parts.reduce(0) { $0 + $1.count }
      for run in dataset.runs(of: stored.part, in: block) {
        try dataset.read(stored, times: run.stored) { index, slot, part in
          let field = stored.fields.firstIndex { $0.slot == slot }!
          let before = stored.parts.prefix { $0 != part }.reduce(0) { $0 + $1.count }
          let start = (run.first - block.lowerBound + index) * count
          return (buffer + start + chunk.offset + field * size + before, part.columns.count)
        }
      }
    }
    for index in block {
      let start = buffer + (index - block.lowerBound) * count
      cache.store(index, UnsafeBufferPointer(start: start, count: count))
      if index == time { record.update(from: start, count: count) }
    }
  }
}
