import Basics
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
    let owned: OwnedParts?
  }

  let path: String
  let pieces: [Piece]

  private func items(_ table: ParameterTable) -> [Safetensors.Item] {
    pieces.flatMap { piece in table.specs.map { Safetensors.Item(name: piece.prefix + $0.name, shape: $0.shape) } }
  }

  /// Creates the file with its header and its full length. To be called on one rank.
  func create(_ table: ParameterTable, metadata: [String: String]) throws {
    try Safetensors.create(items(table), metadata: metadata, at: path)
  }

  /// Writes the parts that this rank is the first to hold, and syncs.
  func write(_ rank: ModelRank) throws {
    let file = try Safetensors.OpenFile(path)
    for piece in pieces {
      for (index, spec) in rank.parameters.table.specs.enumerated() {
        let id = ParameterID(index: index)
        guard rank.isFirstHolder(id) else { continue }
        // Replicas hold the same, except where each owns a part.
        let isSplit =
          (piece.owned?.count ?? rank.parameters.length) < rank.parameters.length
          && rank.parameters.range(id).upperBound <= rank.parameters.unsharedLength
        guard isSplit || rank.context.position.replica == 0 else { continue }
        try forEachSpan(rank, id, spec, piece) { span in
          try file.write(
            piece.prefix + spec.name, at: span.element,
            UnsafeBufferPointer(start: piece.memory.pointer + span.memory, count: span.count))
        }
      }
    }
    try file.finish()
  }

  /// Reads the parts that this rank holds.
  func read(_ rank: ModelRank) throws {
    let file = try Safetensors.File(path)
    for piece in pieces {
      for (index, spec) in rank.parameters.table.specs.enumerated() {
        let entry = try file.entry(piece.prefix + spec.name, shape: spec.shape)
        try forEachSpan(rank, ParameterID(index: index), spec, piece) { span in
          try file.read(
            entry, at: span.element,
            into: UnsafeMutableBufferPointer(start: piece.memory.pointer + span.memory, count: span.count))
        }
      }
    }
  }

  /// Neighbours both in the file and in memory.
  private struct Span {
    /// Of the first element within the whole tensor and within the memory.
    var element, memory: Int
    var count: Int
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
      guard let owned = piece.owned else { return add(Span(element: element, memory: first, count: run.columns.count)) }
      for part in owned.overlaps(first..<first + run.columns.count) {
        add(Span(element: element + part.piece.lowerBound - first, memory: part.compact, count: part.piece.count))
      }
    }
    for span in spans { try body(span) }
  }
}
