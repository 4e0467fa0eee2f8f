import Basics
import Communication
import Tensors

/// Puts fields together from the blocks of several ranks, the reverse of reading: each rank receives some fields or bands
/// of them, to write them.
public final class FieldGather {
  /// Fields side by side, in a band of rows.
  public struct Unit: Sendable, Hashable {
    public let fields: Range<Int>
    public let rows: Range<Int>

    public init(fields: Range<Int>, rows: Range<Int>) {
      self.fields = fields
      self.rows = rows
    }
  }

  private let tiling: Tiling
  private let communicator: any Communicator
  private let blocks: [FieldBlock]
  private let units: [Unit]
  private let owners: [Int]
  private let compute: Compute

  /// - Parameters:
  ///   - blocks: of the ranks of the communicator.
  ///   - toFirst: whether the first rank gets all units; else each goes to the rank that holds most of it, as far as the
  ///     work is shared evenly.
  public init(
    _ tiling: Tiling, _ communicator: any Communicator, blocks: [FieldBlock], units: [Unit], toFirst: Bool,
    _ compute: Compute
  ) {
    self.tiling = tiling
    self.communicator = communicator
    self.blocks = blocks
    self.units = units
    self.compute = compute
    let areas = blocks.map { tiling.rectangles($0.tokens) }
    var loads = [Int](repeating: 0, count: blocks.count)
    let share = units.reduce(0) { $0 + $1.fields.count * $1.rows.count } / blocks.count
    owners = units.map { unit in
      if toFirst { return 0 }
      let band = Rectangle(rows: unit.rows, columns: 0..<tiling.columns)
      let size = unit.fields.count * unit.rows.count
      let held = blocks.indices.map { rank in
        unit.fields.clamped(to: blocks[rank].fields).count
          * areas[rank].reduce(0) { $0 + (band.shared(with: $1)?.count ?? 0) }
      }
      let free = blocks.indices.filter { loads[$0] + size / 2 <= share }
      let owner =
        free.max { (held[$0], -loads[$0]) < (held[$1], -loads[$1]) } ?? blocks.indices.min { loads[$0] < loads[$1] }!
      loads[owner] += size
      return owner
    }
  }

  private var block: FieldBlock { blocks[communicator.rank] }

  /// Takes the planes of this rank's block, [own fields, rows of its tokens, columns], and calls `body` with the units that
  /// are this rank's: [fields, rows, columns]. All ranks call it together.
  public func gather(
    _ planes: UnsafePointer<Float>, _ body: (Unit, UnsafeBufferPointer<Float>) throws -> Void
  ) throws {
    if blocks.count == 1 { return try handOut(planes, body) }
    let (rank, ranks) = (communicator.rank, blocks.indices)
    let outgoing = ranks.map { compute.tensor([count(from: rank, to: $0)]) }
    let incoming = ranks.map { compute.tensor([count(from: $0, to: rank)]) }
    let rows = tiling.rows(block.tokens)
    for peer in ranks {
      var end = outgoing[peer].pointer
      forEachPart(from: rank, to: peer) { _, field, part in
        let plane = planes + (field - block.fields.lowerBound) * rows.count * tiling.columns
        let corner = (part.rows.lowerBound - rows.lowerBound) * tiling.columns + part.columns.lowerBound
        copyRows(
          part.rows.count, of: part.columns.count, from: plane + corner, every: tiling.columns, to: end,
          every: part.columns.count)
        end += part.count
      }
    }
    try communicator.allToAll(outgoing.map { Region($0) }, into: incoming.map { Region($0) }).wait()
    let targets = units.indices.map { index in
      owners[index] == rank
        ? compute.tensor([units[index].fields.count, units[index].rows.count, tiling.columns]) : nil
    }
    for peer in ranks {
      var start = incoming[peer].pointer
      forEachPart(from: peer, to: rank) { index, field, part in
        let unit = units[index]
        let plane = targets[index]!.pointer + (field - unit.fields.lowerBound) * unit.rows.count * tiling.columns
        let corner = (part.rows.lowerBound - unit.rows.lowerBound) * tiling.columns + part.columns.lowerBound
        copyRows(
          part.rows.count, of: part.columns.count, from: start, every: part.columns.count, to: plane + corner,
          every: tiling.columns)
        start += part.count
      }
    }
    for (unit, target) in zip(units, targets) {
      if let target { try body(unit, UnsafeBufferPointer(target.floats)) }
    }
  }

  /// On a rank alone the units are parts of its planes: nothing is moved, unless a band of several fields is to lie side by side.
  private func handOut(
    _ planes: UnsafePointer<Float>, _ body: (Unit, UnsafeBufferPointer<Float>) throws -> Void
  ) throws {
    let (columns, plane) = (tiling.columns, tiling.rows(block.tokens).count * tiling.columns)
    for unit in units {
      let first = planes + (unit.fields.lowerBound - block.fields.lowerBound) * plane + unit.rows.lowerBound * columns
      let band = unit.rows.count * columns
      if band == plane || unit.fields.count == 1 {
        try body(unit, UnsafeBufferPointer(start: first, count: unit.fields.count * band))
        continue
      }
      let target = compute.tensor([unit.fields.count, unit.rows.count, columns])
      copyRows(unit.fields.count, of: band, from: first, every: plane, to: target.pointer, every: band)
      try body(unit, UnsafeBufferPointer(target.floats))
    }
  }

  private func forEachPart(from: Int, to: Int, _ body: (_ unit: Int, _ field: Int, _ part: Rectangle) -> Void) {
    let areas = tiling.rectangles(blocks[from].tokens)
    for (index, unit) in units.enumerated() where owners[index] == to {
      let band = Rectangle(rows: unit.rows, columns: 0..<tiling.columns)
      for field in unit.fields.clamped(to: blocks[from].fields) {
        for area in areas {
          if let part = band.shared(with: area) { body(index, field, part) }
        }
      }
    }
  }

  private func count(from: Int, to: Int) -> Int {
    var count = 0
    forEachPart(from: from, to: to) { _, _, part in count += part.count }
    return count
  }
}
