import Basics
import Datasets
import Geometry
import Reporting
import Verification

/// Reads what the maps of a report show: some fields, dates and leads of a forecast store, and the truth for them.
struct ReportMaps {
  static let largestFieldCount = 8

  private let forecasts: ForecastReader
  private let truth: FieldDataset?
  private let console: Console
  /// Variables that lack values at some points: maps show whole fields alone.
  private let withGaps: Set<String>
  /// Whether some points are boundary, at which forecasts have no values.
  private let hasBoundary: Bool

  /// - Parameters:
  ///   - truth: nil if there is none; then maps show forecasts only.
  ///   - withGaps: variables that lack values at some points.
  ///   - hasBoundary: whether some points are boundary.
  init(
    _ forecasts: ForecastReader, truth: FieldDataset?, withGaps: Set<String>, hasBoundary: Bool, console: Console
  ) {
    self.withGaps = withGaps
    self.hasBoundary = hasBoundary
    self.forecasts = forecasts
    self.truth = truth
    self.console = console
  }

  func contents() throws -> MapContents {
    let grid = forecasts.grid
    let channels = ReportMaps.selection(
      from: (truth.map { $0.channels.filter(forecasts.channels.contains) } ?? forecasts.channels).filter {
        !withGaps.contains($0.variable)
      })
    let verified = verifiedInitialTimes()
    let candidates = verified.isEmpty ? Array(forecasts.initialTimes.indices) : verified
    let isBoundary = try boundary(channels)
    let canvas = Canvas(
      grid, without: isBoundary, channels: channels.count, initialTimes: candidates.count,
      leads: forecasts.leadHours.count)
    let plan = canvas.plan
    let initialTimes = plan.initialTimes.map { candidates[$0] }
    let displays = channels.map { ChannelDisplay($0) }
    var forecastFields = [[Float]](repeating: [], count: channels.count)
    var truthFields = forecastFields
    let start = monotonicSeconds()
    for (number, initial) in initialTimes.enumerated() {
      for lead in plan.leads {
        for (index, channel) in channels.enumerated() {
          let field = try forecasts.read(channel, initial: initial, lead: lead, isMissing: isBoundary)
          forecastFields[index] += canvas.shown(field, displays[index])
        }
        if let truth, !verified.isEmpty {
          let planes = try planes(
            of: truth, at: forecasts.initialTimes[initial].adding(hours: forecasts.leadHours[lead]))
          for (index, channel) in channels.enumerated() {
            guard let position = truth.channels.firstIndex(of: channel) else { continue }
            let field = Array(planes[position * grid.count..<(position + 1) * grid.count])
            truthFields[index] += canvas.shown(field, displays[index])
          }
        }
      }
      console.progress("maps", done: number + 1, of: initialTimes.count, since: start, detail: "dates")
    }
    return MapContents(
      grid: canvas.raster, isPeriodic: canvas.isPeriodic, block: plan.block, cells: canvas.cells,
      initialTimes: initialTimes.map { forecasts.initialTimes[$0] },
      leadHours: plan.leads.map { forecasts.leadHours[$0] },
      fields: channels.indices.map { index in
        MapContents.Field(
          displays[index], forecast: forecastFields[index], truth: truthFields[index], leads: plan.leads.count,
          initialTimes: initialTimes.count)
      })
  }

  /// By grid point: whether forecasts have no values there; nil without boundary.
  private func boundary(_ channels: [Channel]) throws -> [Bool]? {
    guard hasBoundary, let channel = channels.first else { return nil }
    let anywhere = [Bool](repeating: true, count: forecasts.grid.count)
    return try forecasts.read(channel, initial: 0, lead: 0, isMissing: anywhere).map { !$0.isFinite }
  }

  /// The part of a grid that is shown, and how many of the forecasts.
  private struct Canvas {
    let plan: MapPlan
    let raster: LatLonGrid
    let isPeriodic: Bool
    /// Cells of points without a raster.
    let cells: MapCells?
    private let grid: FieldGrid
    /// Predicted points, of a grid with boundary.
    private let predicted: [Int]?

    init(_ grid: FieldGrid, without boundary: [Bool]?, channels: Int, initialTimes: Int, leads: Int) {
      predicted = boundary.map { boundary in boundary.indices.filter { !boundary[$0] } }
      let grid = predicted.map { .points(grid.points[$0]) } ?? grid
      self.grid = grid
      switch grid {
      case .raster(let whole):
        plan = MapPlan(
          rows: whole.rows, columns: whole.columns, channels: channels, initialTimes: initialTimes, leads: leads)
        (raster, isPeriodic, cells) = (plan.grid(whole), whole.isPeriodic, nil)
      case .points(let points):
        let drawn = MapCells.raster(of: points)
        (raster, isPeriodic, cells) = (drawn.raster, drawn.isPeriodic, drawn.cells)
        plan = MapPlan(
          points: drawn.cells.points.count, channels: channels, initialTimes: initialTimes, leads: leads)
      }
    }

    /// The shown points of a field, scaled as shown.
    func shown(_ whole: [Float], _ display: ChannelDisplay) -> [Float] {
      let field = predicted.map { $0.map { whole[$0] } } ?? whole
      return cells?.values(field, display)
        ?? plan.average(field, rows: grid.rows, columns: grid.columns, display)
    }
  }

  /// Forecasts whose valid times are all in the truth.
  private func verifiedInitialTimes() -> [Int] {
    guard let truth else { return [] }
    return forecasts.initialTimes.indices.filter { initial in
      forecasts.leadHours.allSatisfy { truth.index(of: forecasts.initialTimes[initial].adding(hours: $0)) != nil }
    }
  }

  private func planes(of truth: FieldDataset, at time: Timestamp) throws -> [Float] {
    var planes = [Float](repeating: 0, count: truth.channels.count * truth.grid.count)
    if let index = truth.index(of: time) {
      try planes.withUnsafeMutableBufferPointer { try truth.readChecked(time: index, into: $0.baseAddress!) }
    }
    return planes
  }

  /// The fields that forecasters look at first, as far as they exist; then the rest in its order.
  static func selection(from channels: [Channel]) -> [Channel] {
    let wanted = ["z_500", "t_850", "t2m", "msl", "u_250", "q_850", "u10", "v_500", "q_700", "tp"]
    let first = wanted.compactMap { name in channels.first { $0.name == name } }
    return Array((first + channels.filter { !first.contains($0) }).prefix(largestFieldCount))
  }
}
