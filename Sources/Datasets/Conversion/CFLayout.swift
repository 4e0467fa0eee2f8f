import Basics
import Stores

/// Fields as CF variables [time, level, latitude, longitude], one time per chunk, in bands of rows and parts of levels that
/// ranks can read each for itself.
struct CFLayout: StoredLayout {
  let order: [Int]
  let statisticsDates = 0
  let definition: StoreDefinition
  private let input: ConversionInput
  private let grid: LatLonGrid
  private let groups: [Group]
  private let levels: [Double]
  private let bandRows, levelRun: Int

  /// Fields of one variable, side by side.
  private struct Group {
    let variable: String
    let fields: Range<Int>
    let hasLevels, isConstant: Bool
  }

  /// - Throws: when points are no grid, or variables have different levels.
  init(_ input: ConversionInput, _ options: Conversion.Options) throws {
    guard let grid = input.grid else {
      throw JigsawError(
        input.origin, "is not on a regular grid, which this layout needs", found: input.points.summary,
        remedy: "take the layout anemoi, or regrid with open: {dataset: …, regrid: {grid: [32, 64]}}")
    }
    self.input = input
    self.grid = grid
    order = Array(input.fields.indices)
    var groups: [Group] = []
    for (index, field) in input.fields.enumerated() {
      if let last = groups.last, last.variable == field.channel.variable, field.channel.levelHPa != nil {
        groups[groups.count - 1] = Group(
          variable: last.variable, fields: last.fields.lowerBound..<index + 1, hasLevels: true, isConstant: false)
      } else {
        groups.append(
          Group(
            variable: field.channel.variable, fields: index..<index + 1, hasLevels: field.channel.levelHPa != nil,
            isConstant: field.isConstant))
      }
    }
    self.groups = groups
    let ofGroups = groups.filter(\.hasLevels).map { $0.fields.compactMap { input.fields[$0].channel.levelHPa } }
    levels = ofGroups.first ?? []
    guard ofGroups.allSatisfy({ $0 == ofGroups[0] }) else {
      throw JigsawError(
        input.origin, "has variables on different levels, which this layout can't hold",
        remedy: "convert them one by one, or take the layout anemoi")
    }
    bandRows = (grid.rows + options.bands - 1) / options.bands
    levelRun = max(1, (levels.count + options.levelParts - 1) / max(1, options.levelParts))
    definition = CFLayout.define(input, grid, groups, levels, options, bandRows: bandRows, levelRun: levelRun)
  }

  private static func define(
    _ input: ConversionInput, _ grid: LatLonGrid, _ groups: [Group], _ levels: [Double], _ options: Conversion.Options,
    bandRows: Int, levelRun: Int
  ) -> StoreDefinition {
    func text(_ pairs: [String: String]) -> [String: AttributeValue] { pairs.mapValues { .text($0) } }
    var dimensions = [ArrayInfo.Dimension(name: "time", size: input.dates.count)]
    var arrays = [
      ArrayDefinition(
        name: "time", type: .int64, dimensions: ["time"],
        attributes: text([
          "standard_name": "time", "units": "seconds since 1970-01-01", "calendar": "proleptic_gregorian", "axis": "T",
        ]))
    ]
    if !levels.isEmpty {
      dimensions.append(ArrayInfo.Dimension(name: "level", size: levels.count))
      arrays.append(
        ArrayDefinition(
          name: "level", type: .float64, dimensions: ["level"],
          attributes: text([
            "standard_name": "air_pressure", "long_name": "pressure", "units": "hPa", "positive": "down", "axis": "Z",
          ])))
    }
    dimensions += [
      ArrayInfo.Dimension(name: "latitude", size: grid.rows),
      ArrayInfo.Dimension(name: "longitude", size: grid.columns),
    ]
    for (name, units, axis) in [("latitude", "degrees_north", "Y"), ("longitude", "degrees_east", "X")] {
      arrays.append(
        ArrayDefinition(
          name: name, type: .float64, dimensions: [name],
          attributes: text(["standard_name": name, "long_name": name, "units": units, "axis": axis])))
    }
    for group in groups {
      let variable = Lexicon.variable(group.variable)
      var attributes = ["long_name": variable.longName, "units": input.fields[group.fields.lowerBound].units]
      attributes["standard_name"] = variable.standardName
      arrays.append(
        ArrayDefinition(
          name: group.variable, type: .float32,
          dimensions: (group.isConstant ? [] : ["time"]) + (group.hasLevels ? ["level"] : []) + [
            "latitude", "longitude",
          ],
          chunks: (group.isConstant ? [] : [1]) + (group.hasLevels ? [levelRun] : []) + [bandRows, grid.columns],
          attributes: text(attributes), fill: .nan, encoding: ChunkEncoding(options.compression)))
    }
    var attributes = ["Conventions": "CF-1.8", "source": input.origin, "history": "written by jigsaw data convert"]
    for (key, value) in options.attributes { attributes[key] = value }
    return StoreDefinition(dimensions: dimensions, arrays: arrays, attributes: text(attributes))
  }

  func writeCoordinates(_ writer: any ArrayWriter) throws {
    try writer.write("time", input.dates.map { Double($0.seconds) })
    if !levels.isEmpty { try writer.write("level", levels) }
    try writer.write("latitude", grid.latitudes)
    try writer.write("longitude", grid.longitudes)
  }

  func write(_ planes: UnsafePointer<Float>, date: Int, isFirst: Bool, _ writer: any ArrayWriter) throws {
    for group in groups where isFirst || !group.isConstant {
      let time = group.isConstant ? [] : [date..<date + 1]
      for (part, first) in stride(from: 0, to: group.fields.count, by: levelRun).enumerated() {
        let fields = first..<min(group.fields.count, first + levelRun)
        for (band, top) in stride(from: 0, to: grid.rows, by: bandRows).enumerated() {
          let chunk = (group.isConstant ? [] : [date]) + (group.hasLevels ? [part] : []) + [band, 0]
          if writer.isWritten(group.variable, chunk) { continue }
          let rows = top..<min(grid.rows, top + bandRows)
          let size = rows.count * grid.columns
          try withTemporary(fields.count * size) { values in
            for (line, field) in fields.enumerated() {
              let plane = planes + (group.fields.lowerBound + field) * grid.count
              (values + line * size).update(from: plane + rows.lowerBound * grid.columns, count: size)
            }
            try writer.write(
              group.variable, time + (group.hasLevels ? [fields] : []) + [rows, 0..<grid.columns],
              UnsafeBufferPointer(start: values, count: fields.count * size))
          }
        }
      }
    }
  }

  func writeStatistics(_ totals: DatePass.Totals, _ writer: any ArrayWriter) throws {}
}
