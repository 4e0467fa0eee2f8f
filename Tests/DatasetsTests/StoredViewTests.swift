import Basics
import Geometry
import Stores
import Tensors
import TestSupport
import Testing

@testable import Datasets

/// Views of stores that are no Anemoi datasets.
@Suite struct StoredViewTests {
  private func text(_ pairs: [String: String]) -> [String: AttributeValue] { pairs.mapValues { .text($0) } }

  /// Fields on a list of points: t (time, number, level, values) or with levels inside, msl in hPa.
  private func writePoints(_ path: String, levelsInside: Bool) throws -> PointGrid {
    let grid = GaussianGrid.octahedral(2)
    func dimension(_ name: String, _ size: Int) -> ArrayInfo.Dimension { ArrayInfo.Dimension(name: name, size: size) }
    let t = levelsInside ? ["time", "number", "values", "level"] : ["time", "number", "level", "values"]
    let writer = try createStore(
      path,
      StoreDefinition(
        dimensions: [
          dimension("time", 3), dimension("number", 2), dimension("level", 2), dimension("values", grid.count),
        ],
        arrays: [
          ArrayDefinition(
            name: "time", type: .int64, dimensions: ["time"], attributes: text(["units": "hours since 2000-01-01"])),
          ArrayDefinition(name: "level", type: .int32, dimensions: ["level"], attributes: text(["units": "hPa"])),
          ArrayDefinition(name: "latitude", type: .float64, dimensions: ["values"]),
          ArrayDefinition(name: "longitude", type: .float64, dimensions: ["values"]),
          ArrayDefinition(name: "t", type: .float32, dimensions: t, attributes: text(["units": "degC"])),
          ArrayDefinition(
            name: "msl", type: .float32, dimensions: ["time", "number", "values"], attributes: text(["units": "hPa"])),
          ArrayDefinition(name: "lsm", type: .float32, dimensions: ["values"], attributes: text(["units": "1"])),
        ]))
    try writer.write("time", [0, 6, 12])
    try writer.write("level", [850, 500])
    try writer.write("latitude", grid.latitudes)
    try writer.write("longitude", grid.longitudes)
    var values: [Double] = []
    for time in 0..<3 {
      for number in 0..<2 {
        func value(_ level: Int, _ point: Int) -> Double {
          Double(time * 100 + number * 50 + level * 10) + Double(point) / 8
        }
        if levelsInside {
          for point in 0..<grid.count { for level in 0..<2 { values.append(value(level, point)) } }
        } else {
          for level in 0..<2 { for point in 0..<grid.count { values.append(value(level, point)) } }
        }
      }
    }
    try writer.write("t", values)
    try writer.write("msl", (0..<6 * grid.count).map { Double($0) })
    try writer.write("lsm", (0..<grid.count).map { Double($0 % 2) })
    try writer.finish()
    return grid
  }

  @Test(arguments: [false, true]) func fieldsOnAnyPoints(levelsInside: Bool) throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/points.zarr"
    let grid = try writePoints(path, levelsInside: levelsInside)
    let view = try openView(path)
    #expect(view.points == grid && view.memberCount == 2 && view.dates.count == 3)
    #expect(view.variables.map(\.name) == ["lsm", "msl", "t_850", "t_500"])
    #expect(view.variables[0].isConstantInTime && view.variables[1].units == "Pa")
    let reading = ViewReading(view)
    #expect(reading.fields.map { $0?.name } == ["lsm", "msl", "t_850", "t_500"] && reading.notes == [])
    #expect(
      reading.fields.map { $0?.conversion } == [
        nil, ViewReading.Conversion(from: "hPa", to: "Pa"), ViewReading.Conversion(from: "degC", to: "K"),
        ViewReading.Conversion(from: "degC", to: "K"),
      ])
    let points = 3..<grid.count - 4
    var values = [Float](repeating: -1, count: 3 * points.count)
    try values.withUnsafeMutableBufferPointer {
      try view.read(date: 2, variables: [3, 1, 2], member: 1, points: points, into: $0.baseAddress!)
    }
    for (place, point) in points.enumerated() {
      #expect(abs(values[place] - Float(260 + Double(point) / 8 + 273.15)) < 1e-4)
      #expect(values[points.count + place] == Float((5 * grid.count + point) * 100))
      #expect(abs(values[2 * points.count + place] - Float(250 + Double(point) / 8 + 273.15)) < 1e-4)
    }
    // Training on it takes one member, on the points as they are or on a raster.
    let problem = #expect(throws: JigsawError.self) {
      _ = try FieldDataset(sources: [SourceDescription(path: path)], variables: ["msl"], levelsHPa: [])
    }
    #expect(problem?.description.contains("has 2 ensemble members") ?? false)
    let member = try JSONValue(parsing: Array(#"{"dataset": "\#(path)", "member": 1}"#.utf8), place: "test")
    let asStored = try FieldDataset(
      sources: [SourceDescription(path: "", open: member)], variables: ["t", "msl"], levelsHPa: [500],
      staticVariables: ["lsm"])
    #expect(asStored.grid == .points(grid) && asStored.grid.rows == grid.count)
    let (state, mask) = (try asStored.checkedPlanes(time: 2), try asStored.readStatics())
    #expect(Array(UnsafeBufferPointer(start: state.pointer, count: grid.count))[points] == values[..<points.count])
    #expect(mask.count == grid.count && Set(mask).count == 2)
    let request = try JSONValue(
      parsing: Array(#"{"dataset": "\#(path)", "member": 1, "regrid": {"grid": [4, 8], "method": "nearest"}}"#.utf8),
      place: "test")
    let dataset = try FieldDataset(
      sources: [SourceDescription(path: "", open: request)], variables: ["t", "msl"], levelsHPa: [500],
      staticVariables: ["lsm"])
    #expect(dataset.channels.map(\.name) == ["t_500", "msl"] && dataset.grid.rows == 4)
    var planes = [Float](repeating: 0, count: 2 * 32)
    try planes.withUnsafeMutableBufferPointer { try dataset.readChecked(time: 0, into: $0.baseAddress!) }
    #expect(planes.allSatisfy { $0 > 0 })
    #expect(try Set(dataset.readStatics()).count == 2)
  }

  @Test func membersOfAGridAreChosen() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/ensemble.nc"
    let writer = try createStore(
      path,
      StoreDefinition(
        dimensions: [
          .init(name: "number", size: 3), .init(name: "time", size: 2), .init(name: "latitude", size: 2),
          .init(name: "longitude", size: 4),
        ],
        arrays: [
          ArrayDefinition(
            name: "time", type: .int32, dimensions: ["time"], attributes: text(["units": "hours since 2000-01-01"])),
          ArrayDefinition(
            name: "latitude", type: .float64, dimensions: ["latitude"], attributes: text(["units": "degrees_north"])),
          ArrayDefinition(
            name: "longitude", type: .float64, dimensions: ["longitude"], attributes: text(["units": "degrees_east"])),
          ArrayDefinition(
            name: "msl", type: .float32, dimensions: ["number", "time", "latitude", "longitude"],
            attributes: text(["units": "Pa"])),
        ]))
    try writer.write("time", [0, 6])
    try writer.write("latitude", [-45, 45])
    try writer.write("longitude", [0, 90, 180, 270])
    try writer.write("msl", (0..<48).map(Double.init))
    try writer.finish()
    let problem = #expect(throws: JigsawError.self) {
      _ = try FieldDataset(sources: [SourceDescription(path: path)], variables: ["msl"], levelsHPa: [])
    }
    #expect(problem?.description.contains("has 3 ensemble members; expected one; choose one with open") ?? false)
    let open: JSONValue = .object(["dataset": .string(path), "number": .integer(3)])
    let dataset = try FieldDataset(
      sources: [SourceDescription(path: "", open: open)], variables: ["msl"], levelsHPa: [])
    var plane = [Float](repeating: 0, count: 8)
    try plane.withUnsafeMutableBufferPointer { try dataset.readChecked(time: 1, into: $0.baseAddress!) }
    #expect(plane == [44, 45, 46, 47, 40, 41, 42, 43])
  }
}
