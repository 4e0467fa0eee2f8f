import Execution
import Tensors

/// How a parameter lies on the ranks of a model instance.
public enum Placement: Sendable, Hashable {
  /// A weight, its rows (outputs) over `rowAxis`, its columns (inputs, in segments if they were concatenated) over the
  /// other axis. A rank's part is stored segment after segment, each [local rows, local columns].
  case matrix(rows: Dimension, columns: [Dimension], rowAxis: SplitAxis)
  /// A vector, over one axis; the ranks of the other hold the same.
  case vector(Dimension, SplitAxis)
  /// The same on all ranks: for the few elements per variable of the blend.
  case whole
}

extension Placement {
  /// The shape of the part at a position. A matrix of several segments is stored as one row of blocks.
  func shape(_ spec: ParameterSpec, _ mesh: Mesh, _ place: Mesh.Position) -> [Int] {
    switch self {
    case .whole: return spec.shape
    case .vector(let dimension, let axis):
      return [dimension.cuts(mesh).range(axis, place.index(axis)).count]
    case .matrix(let rows, let columns, let axis):
      let height = rows.cuts(mesh).range(axis, place.index(axis)).count
      let widths = columns.map { $0.cuts(mesh).range(axis.other, place.index(axis.other)).count }
      return widths.count == 1 ? [height, widths[0]] : [height * widths.reduce(0, +)]
    }
  }

  /// All elements of the part at a position.
  public func forEachRun(
    _ spec: ParameterSpec, _ mesh: Mesh, _ place: Mesh.Position, _ body: (ParameterStore.Run) -> Void
  ) {
    switch self {
    case .whole:
      for row in 0..<spec.rows {
        body(ParameterStore.Run(offset: row * spec.columns, row: row, columns: 0..<spec.columns))
      }
    case .vector(let dimension, let axis):
      let range = dimension.cuts(mesh).range(axis, place.index(axis))
      for run in dimension.runs(range, mesh) {
        body(
          ParameterStore.Run(
            offset: run.position - range.lowerBound, row: 0, columns: run.natural..<run.natural + run.count))
      }
    case .matrix(let rows, let columns, let axis):
      let height = rows.cuts(mesh).range(axis, place.index(axis))
      var (block, segmentStart) = (0, 0)
      for dimension in columns {
        let width = dimension.cuts(mesh).range(axis.other, place.index(axis.other))
        let parts = dimension.runs(width, mesh)
        for line in rows.runs(height, mesh) {
          for i in 0..<line.count {
            let start = block + (line.position + i - height.lowerBound) * width.count
            for part in parts {
              let first = segmentStart + part.natural
              body(
                ParameterStore.Run(
                  offset: start + part.position - width.lowerBound, row: line.natural + i,
                  columns: first..<first + part.count))
            }
          }
        }
        block += height.count * width.count
        segmentStart += dimension.extent
      }
    }
  }

  /// The axes whose ranks hold the same, so that gradients have to be summed over them.
  var sharedAxes: [SplitAxis] {
    switch self {
    case .matrix: []
    case .vector(_, let axis): [axis.other]
    case .whole: [.domain, .tensor]
    }
  }
}
