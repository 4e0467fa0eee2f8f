import Basics
import Communication
import Distribution
import Execution
import Stores
import Tensors

/// Parameters, or something of their shapes, in one safetensors file that all ranks write and read together: each its
/// own parts, at their places in the whole tensors. The file is the same whatever the mesh.
struct ParameterFile {
  /// A piece of memory and what it is called in the file.
  struct Piece {
    let prefix: String
    let memory: Tensor
    /// Nil: the memory is a whole piece; else it holds just these parts of one.
    let shard: OptimizerShard?
  }

  let path: String
  let pieces: [Piece]
  /// Names of the parameters to read; nil: all.
  var only: Set<String>?

  /// Numbers that are written, or read, and summed up at a time: they stay in a processor's cache in between.
  private static let stride = (256 << 10) / MemoryLayout<Float>.size

  private func items(_ table: ParameterTable) -> [Safetensors.Item] {
    pieces.flatMap { piece in
      table.specs.filter { only?.contains($0.name) ?? true }.map {
        Safetensors.Item(name: piece.prefix + $0.name, shape: $0.shape)
      }
    }
  }

  /// The names of its tensors, as checksums of them are ordered.
  func names(_ table: ParameterTable) -> [(name: String, byteCount: Int)] {
    items(table).map { ($0.name, $0.byteCount) }
  }

  /// Creates the file with its header and its full length. To be called on one rank.
  func create(
    _ table: ParameterTable, metadata: [String: String]
  ) throws -> (headerChecksum: UInt32, length: Int) {
    try Safetensors.create(items(table), metadata: metadata, at: path)
  }

  /// Writes the parts that this rank is the first to hold, and syncs.
  /// - Returns: what they are of each tensor's checksum (`PartialChecksum.remainder`).
  func write(_ rank: ModelRank) throws -> [UInt32] {
    let file = try Safetensors.OpenFile(path)
    let trace = rank.context.trace
    var remainders: [UInt32] = []
    for piece in pieces {
      for (index, spec) in rank.parameters.table.specs.enumerated() {
        let id = ParameterID(index: index)
        var checksum = PartialChecksum(byteCount: spec.shape.reduce(4, *))
        if isCounted(rank, id, piece) {
          try forEachSpan(rank, id, spec, piece) { span in
            for range in span.strides {
              try piece.memory.elements(span.memory + range.lowerBound..<span.memory + range.upperBound).readOnHost {
                part in
                // Writing has brought the part into the cache.
                try file.write(piece.prefix + spec.name, at: span.element + range.lowerBound, part)
                trace.measure(.compute, "checksum") {
                  checksum.add(UnsafeRawBufferPointer(part), at: 4 * (span.element + range.lowerBound))
                }
              }
            }
          }
        }
        remainders.append(checksum.remainder)
      }
    }
    try file.finish()
    return remainders
  }

  /// Whether this rank's part of a parameter is the one of the file: of what several ranks hold, the first's is.
  private func isCounted(_ rank: ModelRank, _ id: ParameterID, _ piece: Piece) -> Bool {
    guard rank.isFirstHolder(id) else { return false }
    // Replicas hold the same, except where each owns a part.
    let isSplit =
      (piece.shard?.count ?? rank.parameters.length) < rank.parameters.length
      && rank.parameters.range(id).upperBound <= rank.parameters.unsharedLength
    return isSplit || rank.context.position.replica == 0
  }

  /// Reads the parts that this rank holds.
  /// - Returns: as `write`.
  func read(_ rank: ModelRank) throws -> [UInt32] {
    let file = try Safetensors.File(path)
    var remainders: [UInt32] = []
    for piece in pieces {
      for (index, spec) in rank.parameters.table.specs.enumerated() where only?.contains(spec.name) ?? true {
        let entry = try file.entry(piece.prefix + spec.name, shape: spec.shape)
        let id = ParameterID(index: index)
        let isCounted = isCounted(rank, id, piece)
        var checksum = PartialChecksum(byteCount: spec.shape.reduce(4, *))
        try forEachSpan(rank, id, spec, piece) { span in
          for range in span.strides {
            try piece.memory.elements(span.memory + range.lowerBound..<span.memory + range.upperBound).updateOnHost {
              part in
              try file.read(entry, at: span.element + range.lowerBound, into: part)
              if isCounted { checksum.add(UnsafeRawBufferPointer(part), at: 4 * (span.element + range.lowerBound)) }
            }
          }
        }
        remainders.append(checksum.remainder)
      }
    }
    return remainders
  }

  /// Neighbours both in the file and in memory.
  private struct Span {
    /// The place of the first element within the whole tensor and within the memory.
    var element, memory: Int
    var count: Int

    /// The elements in parts that are read, written and added to checksums at once.
    var strides: [Range<Int>] {
      Swift.stride(from: 0, to: count, by: ParameterFile.stride).map { $0..<min(count, $0 + ParameterFile.stride) }
    }
  }

  private func forEachSpan(
    _ rank: ModelRank, _ id: ParameterID, _ spec: ParameterSpec, _ piece: Piece, _ body: (Span) throws -> Void
  ) throws {
    var spans: [Span] = []
    func add(_ span: Span) {
      if let last = spans.last, last.element + last.count == span.element, last.memory + last.count == span.memory {
        spans[spans.count - 1].count += span.count
      } else {
        spans.append(span)
      }
    }
    let start = rank.parameters.range(id).lowerBound
    rank.forEachRun(id) { run in
      let element = run.row * spec.columns + run.columns.lowerBound
      let first = start + run.offset
      guard let shard = piece.shard else { return add(Span(element: element, memory: first, count: run.columns.count)) }
      for part in shard.overlaps(first..<first + run.columns.count) {
        add(Span(element: element + part.piece.lowerBound - first, memory: part.compact, count: part.piece.count))
      }
    }
    for span in spans { try body(span) }
  }
}
