import Basics
import Communication
import Synchronization
import Tensors

/// The ranks that read samples together: what each needs of every state. Called from the thread of the communicator.
public final class ReadingShare {
  let communicator: any Communicator
  let blocks: [FieldBlock]
  let cacheBytes: Int

  /// Tells the messages of several readers on one communicator apart: 0 or 1.
  let series: Int

  /// - Parameters:
  ///   - communicator: of the ranks that share a model instance.
  ///   - blocks: by rank.
  ///   - cacheBytes: memory for what this rank decodes.
  ///   - series: tells the messages of several readers on one communicator apart: 0 or 1.
  public init(_ communicator: any Communicator, blocks: [FieldBlock], cacheBytes: Int, series: Int = 0) {
    precondition(blocks.count == communicator.size && (0...1).contains(series))
    self.series = series
    self.communicator = communicator
    self.blocks = blocks
    self.cacheBytes = cacheBytes
  }
}

/// A frame half made: this rank's chunks are decoded and packed for those that need them.
final class LoadedFrame: @unchecked Sendable {
  fileprivate let request: FrameRequest
  fileprivate var planes: Tensor?
  fileprivate var outgoing: [Tensor] = []
  fileprivate var incoming: [Tensor] = []
  fileprivate var transfers: (any Transfer)?
  fileprivate var isStarted = false
  /// On a single rank the frame is complete at once.
  fileprivate var frame: Frame?

  fileprivate init(_ request: FrameRequest) { self.request = request }
}

/// Makes frames: reads, exchanges between ranks, normalises, tiles. On several ranks every stored chunk is read and
/// decoded by one of them, and each gets exactly its block.
public final class FrameReader: @unchecked Sendable {
  public let dataset: FieldDataset
  public let normalization: Normalization
  public let tiling: Tiling
  /// The ranks that read together; a single one by default.
  public var communicator: any Communicator { share?.communicator ?? SingleRank() }
  /// The block of every state that each rank gets; that of this one where it reads alone.
  public var blocks: [FieldBlock] { share?.blocks ?? [block] }
  public let block: FieldBlock
  private let compute: Compute
  private let share: ReadingShare?
  private let records: RecordReader?
  private let scaling: Tiling.Scaling
  /// Fields of this rank that lack values: the place among its fields, and what they get there, normalised; nil where it was
  /// filled when read.
  private let imputed: [(place: Int, field: ImputedField, value: Float?)]
  /// The elements without values in a frame of so many samples that are not rolled.
  private let places = Mutex<[Int: [Int]]>([:])
  private let trace: Trace?

  /// - Parameter share: with whom to read; nil: alone.
  public init(
    _ dataset: FieldDataset, _ normalization: Normalization, _ tiling: Tiling, _ compute: Compute,
    share: ReadingShare? = nil, trace: Trace? = nil
  ) {
    self.trace = trace
    self.dataset = dataset
    self.normalization = normalization
    self.tiling = tiling
    self.compute = compute
    self.share = share
    block = share.map { $0.blocks[$0.communicator.rank] } ?? .whole(tiling, fields: dataset.channels.count)
    records = share.map {
      RecordReader(
        dataset, tiling: tiling, blocks: $0.blocks, rank: $0.communicator.rank, cacheBytes: $0.cacheBytes,
        memory: compute.pool)
    }
    scaling = Tiling.Scaling(
      mean: Array(normalization.mean[block.fields]), factor: Array(normalization.inverseDeviation[block.fields]))
    imputed = block.fields.enumerated().compactMap { place, channel in
      guard let field = dataset.imputed[channel] else { return nil }
      switch field.imputation {
      case .constant(let value):
        let normalised = (Float(value) - normalization.mean[channel]) * normalization.inverseDeviation[channel]
        return (place, field, normalised)
      case .mean: return (place, field, 0)
      case .nearest: return (place, field, nil)
      }
    }
  }

  /// Message tags of frames read ahead and of frames read on demand. A second series of frames uses the two tags above.
  enum Channel: Int { case ahead = 40, asked = 41 }

  /// The states at the given indices of the dataset, read now. All ranks of the share call it together.
  public func read(_ indices: [Int]) throws -> Frame { try read(FrameRequest(indices: indices)) }

  public func read(_ request: FrameRequest) throws -> Frame {
    let loaded = try load(request)
    try start(loaded, .asked)
    return try finish(loaded)
  }

  // MARK: Three stages

  /// Reads and packs this rank's part. On any thread.
  func load(_ request: FrameRequest) throws -> LoadedFrame {
    let reading = trace?.begin(
      .io, "reading \(request.indices.map { dataset.sources(of: $0) }.joined(separator: ", "))")
    // The picture has all reading under one name.
    defer { if let reading { trace?.end(reading, isNoted: false) } }
    return try trace.measure(.io, "read and decode") { try loadAll(request) }
  }

  private func loadAll(_ request: FrameRequest) throws -> LoadedFrame {
    let loaded = LoadedFrame(request)
    guard let share, let records else {
      let state = compute.tensor(stateShape(request))
      for (sample, index) in request.indices.enumerated() {
        let planes = try dataset.checkedPlanes(time: index)
        // Some lines of tiles for each thread at a time.
        let pieces = min(tiling.tokens, 4 * (dataset.workers.count + 1))
        dataset.workers.run(pieces) { [self] piece in
          tile(planes.pointer, request, sample, into: state, only: chunk(tiling.tokens, into: pieces, piece))
        }
      }
      loaded.frame = frame(state, request)
      return loaded
    }
    let planes = compute.tensor([max(1, request.indices.count * planeCount)])
    let size = share.blocks.count
    let ranks = 0..<size
    loaded.outgoing = ranks.map { peer in
      compute.tensor([peer == records.rank ? 0 : messageCount(request, from: records.rank, to: peer)])
    }
    loaded.incoming = ranks.map { peer in
      compute.tensor([peer == records.rank ? 0 : messageCount(request, from: peer, to: records.rank)])
    }
    loaded.planes = planes
    var ends = ranks.map { _ in 0 }
    for (sample, index) in request.indices.enumerated() {
      let plan = records.plan(index)
      let record = try records.record(index, isChecked: true)
      for peer in ranks {
        forEachCopy(plan, from: records.rank, to: peer, request.columnShifts[sample]) { copy in
          let source = record.pointer + copy.source
          if peer == records.rank {
            copy.unpack(source, stride: copy.sourceStride, to: planes.pointer + sample * planeCount, tiling.columns)
          } else {
            copy.pack(source, to: loaded.outgoing[peer].pointer + ends[peer])
            ends[peer] += copy.count
          }
        }
      }
    }
    return loaded
  }

  /// Starts the exchange. On the rank's own thread, in the order of the frames.
  func start(_ loaded: LoadedFrame, _ channel: Channel) throws {
    guard let share, !loaded.isStarted else { return }
    loaded.isStarted = true
    let communicator = share.communicator
    let tag = channel.rawValue + 2 * share.series
    var transfers: [any Transfer] = []
    for step in 1..<max(1, communicator.size) {
      let peer = (communicator.rank + step) % communicator.size
      guard loaded.incoming[peer].count > 0 else { continue }
      transfers.append(try communicator.receive(Region(loaded.incoming[peer]), from: peer, tag: tag))
    }
    for step in 1..<max(1, communicator.size) {
      let peer = (communicator.rank + communicator.size - step) % communicator.size
      guard loaded.outgoing[peer].count > 0 else { continue }
      transfers.append(try communicator.send(Region(loaded.outgoing[peer]), to: peer, tag: tag))
    }
    loaded.transfers = TransferGroup(transfers)
  }

  /// Waits for the other ranks' parts and puts all together. On the rank's own thread.
  func finish(_ loaded: LoadedFrame) throws -> Frame {
    if let frame = loaded.frame { return frame }
    guard let records, let planes = loaded.planes else { preconditionFailure("a frame without its planes") }
    try loaded.transfers?.wait()
    for peer in records.blocks.indices where peer != records.rank {
      var end = 0
      for (sample, index) in loaded.request.indices.enumerated() {
        forEachCopy(records.plan(index), from: peer, to: records.rank, loaded.request.columnShifts[sample]) { copy in
          copy.unpack(
            loaded.incoming[peer].pointer + end, stride: copy.columns, to: planes.pointer + sample * planeCount,
            tiling.columns)
          end += copy.count
        }
      }
    }
    let state = compute.tensor(stateShape(loaded.request))
    compute.team.split(block.tokens.count) { part in
      let only = block.tokens.lowerBound + part.lowerBound..<block.tokens.lowerBound + part.upperBound
      for sample in loaded.request.indices.indices {
        tile(planes.pointer + sample * planeCount, loaded.request, sample, into: state, only: only)
      }
    }
    return frame(state, loaded.request)
  }

  private func stateShape(_ request: FrameRequest) -> [Int] {
    [block.tokens.count, request.indices.count, tiling.pointsPerToken * block.fields.count]
  }

  private func tile(
    _ planes: UnsafePointer<Float>, _ request: FrameRequest, _ sample: Int, into state: Tensor, only: Range<Int>
  ) {
    tiling.tile(
      planes, scaling, into: state, sample: sample,
      columnShift: request.columnShifts[sample], tokens: block.tokens, only: only)
    if imputed.isEmpty { return }
    let (fields, width) = (block.fields.count, tiling.pointsPerToken * block.fields.count)
    for token in only {
      let start = state.pointer + ((token - block.tokens.lowerBound) * state.shape[1] + sample) * width
      for (place, _, value) in imputed {
        guard let value else { continue }
        for i in stride(from: place, to: width, by: fields) where !start[i].isFinite { start[i] = value }
      }
    }
  }

  /// Places in a state at which fields have no values.
  private func imputedPlaces(_ request: FrameRequest) -> [Int] {
    if imputed.isEmpty { return [] }
    let (samples, isTurned) = (request.indices.count, request.columnShifts.contains { $0 != 0 })
    if !isTurned, let known = places.withLock({ $0[samples] }) { return known }
    let (across, fields) = (tiling.columns / tiling.tileColumns, block.fields.count)
    var found: [Int] = []
    for token in block.tokens {
      let (top, left) = (token / across * tiling.tileRows, token % across * tiling.tileColumns)
      for sample in 0..<samples {
        let first = ((token - block.tokens.lowerBound) * samples + sample) * tiling.pointsPerToken
        for point in 0..<tiling.pointsPerToken {
          let row = top + point / tiling.tileColumns
          let column = (left + point % tiling.tileColumns + request.columnShifts[sample]) % tiling.columns
          for (place, field, _) in imputed where field.isMissing[row * tiling.columns + column] {
            found.append((first + point) * fields + place)
          }
        }
      }
    }
    if !isTurned { places.withLock { $0[samples] = found } }
    return found
  }

  private func frame(_ state: Tensor, _ request: FrameRequest) -> Frame {
    Frame(
      state: state, times: request.indices.map { dataset.times[$0] }, columnShifts: request.columnShifts,
      imputed: imputedPlaces(request))
  }

  // MARK: What goes where

  /// Elements of one sample's planes: this rank's fields in the rows that its tokens lie in.
  private var planeCount: Int { block.fields.count * tiling.rows(block.tokens).count * tiling.columns }

  /// A rectangle on its way from a record to the planes of a block.
  private struct Copy {
    let source, sourceStride: Int
    let target: Int
    let rows, columns: Int
    var count: Int { rows * columns }

    func pack(_ from: UnsafePointer<Float>, to out: UnsafeMutablePointer<Float>) {
      copyRows(rows, of: columns, from: from, every: sourceStride, to: out, every: columns)
    }

    func unpack(
      _ from: UnsafePointer<Float>, stride: Int, to planes: UnsafeMutablePointer<Float>, _ planeColumns: Int
    ) {
      copyRows(rows, of: columns, from: from, every: stride, to: planes + target, every: planeColumns)
    }
  }

  /// The parts of one rank's record of a time that belong to another's block, in the same order on both.
  private func forEachCopy(_ plan: ReadingPlan, from: Int, to: Int, _ columnShift: Int, _ body: (Copy) -> Void) {
    guard let share else { return }
    let block = share.blocks[to]
    let areas = tiling.rectangles(block.tokens, columnShift: columnShift)
    let rows = tiling.rows(block.tokens)
    for piece in plan.pieces[from] where block.fields.contains(piece.channel) {
      for area in areas {
        guard let shared = piece.part.shared(with: area) else { continue }
        let (line, column) = (shared.rows.lowerBound, shared.columns.lowerBound)
        let plane = (piece.channel - block.fields.lowerBound) * rows.count
        body(
          Copy(
            source: piece.offset + (line - piece.part.rows.lowerBound) * piece.stride + column
              - piece.part.columns.lowerBound,
            sourceStride: piece.stride, target: (plane + line - rows.lowerBound) * tiling.columns + column,
            rows: shared.rows.count, columns: shared.columns.count))
      }
    }
  }

  private func messageCount(_ request: FrameRequest, from: Int, to: Int) -> Int {
    guard let records else { return 0 }
    var count = 0
    for (sample, index) in request.indices.enumerated() {
      forEachCopy(records.plan(index), from: from, to: to, request.columnShifts[sample]) { count += $0.count }
    }
    return count
  }
}
