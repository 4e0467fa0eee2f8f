import Datasets

/// Where the area means of a channel are taken: regions, and the points that count.
struct ScoredArea: Sendable {
  let regions: [Region]
  let rows, columns: Int
  /// Points that don't count; nil: none.
  let isMissing: [Bool]?
  /// By region: the share of its area whose points count.
  let valuedShares: [Double]

  init(_ regions: [Region], _ grid: FieldGrid, isMissing: [Bool]?) {
    self.regions = regions
    (rows, columns) = (grid.rows, grid.columns)
    self.isMissing = isMissing
    let columns = grid.columns
    valuedShares = regions.map { region in
      guard let isMissing else { return 1 }
      return region.rowWeights.enumerated().reduce(0) { sum, row in
        let valued = (row.offset * columns..<(row.offset + 1) * columns).reduce(0) { $0 + (isMissing[$1] ? 0 : 1) }
        return sum + row.element * Double(valued) / Double(columns)
      }
    }
  }

  /// Elements of a block of rows: forecast, truth and climatology of them as doubles stay in a core's cache.
  private static let blockElements = 4_096

  /// Statistics of one forecast field: area means, or what the statistic makes of them.
  ///
  /// - Parameters: fields [rows, columns].
  /// - Returns: by region and statistic; of a region without values zeros.
  func means(
    forecast: ArraySlice<Float>, truth: ArraySlice<Float>, climatology: ArraySlice<Float>,
    of statistics: [any Statistic.Type]
  ) -> [[Double]] {
    var totals = [[Double]](repeating: [Double](repeating: 0, count: statistics.count), count: regions.count)
    let blockRows = min(rows, max(4, ScoredArea.blockElements / columns))
    let size = blockRows * columns
    withUnsafeTemporaryAllocation(of: Double.self, capacity: 3 * size + blockRows) { memory in
      guard let start = memory.baseAddress else { return }
      let sums = start + 3 * size
      for first in stride(from: 0, to: rows, by: blockRows) {
        let block = fill(start, size, first..<min(rows, first + blockRows), [forecast, truth, climatology])
        for (index, statistic) in statistics.enumerated() {
          statistic.addRows(of: block, into: sums)
          for (place, region) in regions.enumerated() {
            var total = totals[place][index]
            for row in 0..<block.rows where region.rowWeights[first + row] > 0 {
              total += region.rowWeights[first + row] / Double(columns) / valuedShares[place] * sums[row]
            }
            totals[place][index] = total
          }
        }
      }
    }
    return zip(totals, valuedShares).map { means, share in
      share > 0 ? zip(statistics, means).map { $0.ofAreaMean($1) } : means.map { _ in 0 }
    }
  }

  /// Rows as doubles into memory [forecast, truth, climatology], `size` apart; points that don't count are left out.
  private func fill(
    _ memory: UnsafeMutablePointer<Double>, _ size: Int, _ rows: Range<Int>,
    _ fields: [ArraySlice<Float>]
  ) -> RowBlock {
    var counts: [Int]?
    for (index, field) in fields.enumerated() {
      let out = memory + index * size
      field.withUnsafeBufferPointer { field in
        let source = UnsafeBufferPointer(rebasing: field[rows.lowerBound * columns..<rows.upperBound * columns])
        guard let isMissing else {
          for (i, value) in source.enumerated() { out[i] = Double(value) }
          return
        }
        counts = rows.enumerated().map { line, row in
          var count = 0
          for column in 0..<columns where !isMissing[row * columns + column] {
            out[line * columns + count] = Double(source[line * columns + column])
            count += 1
          }
          return count
        }
      }
    }
    return RowBlock(
      rows: rows.count, columns: columns, forecast: UnsafePointer(memory), truth: UnsafePointer(memory + size),
      climatology: UnsafePointer(memory + 2 * size), counts: counts)
  }
}
