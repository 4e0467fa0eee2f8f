import Datasets

/// How much of a forecast goes into the page: which leads and dates, and how many grid points are averaged into one.
public struct MapPlan: Sendable, Equatable {
  /// Indices, ascending.
  public let initialTimes, leads: [Int]
  /// Side of the squares of grid points that are averaged.
  public let block: Int

  static let largestRows = 181
  static let largestColumns = 360
  static let (mostLeads, mostDates) = (20, 3)
  /// Bytes of all fields; base64 makes 4/3 of it.
  static let byteBudget = 9_000_000

  /// - Parameters: `channels` that will be shown; `initialTimes` and `leads` that could be.
  public init(rows: Int, columns: Int, channels: Int, initialTimes: Int, leads: Int) {
    var block = max(1, (rows - 1) / MapPlan.largestRows + 1, (columns - 1) / MapPlan.largestColumns + 1)
    var leadLimit = MapPlan.mostLeads
    var dateLimit = MapPlan.mostDates
    func bytes() -> Int {
      let points = ((rows - 1) / block + 1) * ((columns - 1) / block + 1)
      return 2 * channels * min(dateLimit, initialTimes) * min(leadLimit, leads) * points
    }
    // First the resolution, as far as a map of a few hundred pixels doesn't show it; then the number of frames.
    while bytes() > MapPlan.byteBudget && columns / (block + 1) >= 120 { block += 1 }
    while bytes() > MapPlan.byteBudget && leadLimit > 5 { leadLimit /= 2 }
    while bytes() > MapPlan.byteBudget && dateLimit > 1 { dateLimit -= 1 }
    while bytes() > MapPlan.byteBudget && block < rows { block += 1 }
    self.block = block
    self.leads = MapPlan.every(leads, atMost: leadLimit)
    self.initialTimes = MapPlan.spread(initialTimes, atMost: dateLimit)
  }

  /// - Parameters: points that are shown each by itself, the `channels` that will be shown, `initialTimes` and `leads` that
  ///   could be.
  public init(points: Int, channels: Int, initialTimes: Int, leads: Int) {
    var leadLimit = MapPlan.mostLeads
    var dateLimit = MapPlan.mostDates
    func bytes() -> Int { 2 * channels * min(dateLimit, initialTimes) * min(leadLimit, leads) * points }
    while bytes() > MapPlan.byteBudget && leadLimit > 5 { leadLimit /= 2 }
    while bytes() > MapPlan.byteBudget && dateLimit > 1 { dateLimit -= 1 }
    block = 1
    self.leads = MapPlan.every(leads, atMost: leadLimit)
    self.initialTimes = MapPlan.spread(initialTimes, atMost: dateLimit)
  }

  /// The last of each run of equally many: whole days stay whole days.
  static func every(_ count: Int, atMost limit: Int) -> [Int] {
    let stride = max(1, (count + limit - 1) / limit)
    return Array(Swift.stride(from: stride - 1, to: count, by: stride))
  }

  /// The middles of equal parts.
  static func spread(_ count: Int, atMost limit: Int) -> [Int] {
    let parts = min(count, limit)
    return (0..<parts).map { (2 * $0 + 1) * count / (2 * parts) }
  }

  /// The grid of block means; the last block of a row or column may be smaller.
  public func grid(_ grid: LatLonGrid) -> LatLonGrid {
    LatLonGrid(latitudes: means(grid.latitudes), longitudes: means(grid.longitudes))
  }

  private func means(_ values: [Double]) -> [Double] {
    stride(from: 0, to: values.count, by: block).map { start in
      let part = values[start..<min(start + block, values.count)]
      return part.reduce(0, +) / Double(part.count)
    }
  }

  /// Block means of a field [rows, columns], scaled as shown.
  public func average(_ field: UnsafePointer<Float>, rows: Int, columns: Int, _ display: ChannelDisplay) -> [Float] {
    let factor = Float(display.factor)
    let offset = Float(display.offset)
    var result: [Float] = []
    for row in stride(from: 0, to: rows, by: block) {
      for column in stride(from: 0, to: columns, by: block) {
        var sum: Float = 0
        var count: Float = 0
        for r in row..<min(row + block, rows) {
          for c in column..<min(column + block, columns) {
            sum += field[r * columns + c]
            count += 1
          }
        }
        result.append(sum / count * factor + offset)
      }
    }
    return result
  }
}
