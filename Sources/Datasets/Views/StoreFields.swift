import Basics
import Stores

/// The fields of a NetCDF file, a GRIB file or a Zarr group as a view: variables that are stored on levels become one each,
/// named `z_500`. Units are ours, where the store's fit; what has others keeps them, and is refused when it is wanted.
final class StoreFields: FieldView {
  let dates: [Timestamp]
  let variables: [ViewVariable]
  let points: PointGrid
  let storedRuns: [Range<Int>]
  let memberCount: Int
  let missing: Set<Int> = []
  private let gridded: GriddedStore
  private let fields: [(binding: GriddedStore.Binding, level: Int?)]
  private let scratches = ScratchStack(limit: 4)

  /// - Throws: when the store has no fields on one grid.
  init(_ gridded: GriddedStore) throws {
    self.gridded = gridded
    var variables: [ViewVariable] = []
    var fields: [(binding: GriddedStore.Binding, level: Int?)] = []
    for array in gridded.store.arrays.values.sorted(by: { $0.name < $1.name }) {
      guard gridded.isField(array) else { continue }
      let units = array.attributes["units"]?.text
      let known = Lexicon.find(array.name, units: units)
      let name = known?.name ?? array.name
      guard let binding = try gridded.bind(name, rename: [name: array.name], keepsUnits: true) else { continue }
      for level in binding.hasLevels ? gridded.levelsHPa.indices.map({ $0 }) : [nil] {
        let channel = Channel(variable: name, levelHPa: level.map { gridded.levelsHPa[$0] })
        var variable = ViewVariable(
          name: channel.name, units: known?.units ?? units)
        variable.parameter = name
        variable.levelHPa = channel.levelHPa
        variable.isConstantInTime = binding.isStatic
        variables.append(variable)
        fields.append((binding, level))
      }
    }
    self.variables = variables
    self.fields = fields
    dates = gridded.times
    memberCount = gridded.memberCount
    points = gridded.points
    // Rows are read in the pieces in which they are stored.
    let (rows, width) = (gridded.grid.rows, gridded.grid.columns)
    let boxes = fields.first.map { gridded.boxes($0.binding, levels: [$0.level ?? 0]) } ?? []
    let edges = Set(boxes.flatMap { gridded.rectangles($0).flatMap { [$0.rows.lowerBound, $0.rows.upperBound] } })
    let sorted = edges.union([0, rows]).sorted()
    storedRuns = zip(sorted, sorted.dropFirst()).map { $0 * width..<$1 * width }
  }

  var location: String { gridded.store.location }
  var reads: (chunks: Int, bytes: Int) { (gridded.store.reads.chunks, gridded.store.reads.bytes) }
  var readsAtOnce: Int { gridded.store.readsAtOnce }

  func read(
    date: Int, variables: [Int], member: Int, points: Range<Int>, into out: UnsafeMutablePointer<Float>
  ) throws {
    if points.isEmpty { return }
    let width = gridded.grid.columns
    let rows = points.lowerBound / width..<(points.upperBound + width - 1) / width
    for name in Set(variables.map { fields[$0].binding.array.name }) {
      let wanted = variables.indices.filter { fields[variables[$0]].binding.array.name == name }
      guard let binding = wanted.first.map({ fields[variables[$0]].binding }) else { continue }
      let lines = Dictionary(grouping: wanted) { fields[variables[$0]].level ?? 0 }
      try withTemporary(lines.count * rows.count * width) { planes in
        let levels = lines.keys.sorted()
        for box in gridded.boxes(binding, levels: Set(levels)) {
          guard let part = gridded.cut(box, to: rows) else { continue }
          let inside = levels.filter { box.levels.contains($0) }
          _ = try scratches.with { scratch in
            try gridded.read(
              binding, times: date..<date + 1, box: part, levels: inside, member: member, scratch
            ) { _, level, rectangle in
              let plane = planes + (levels.firstIndex(of: level) ?? 0) * rows.count * width
              let corner = (rectangle.rows.lowerBound - rows.lowerBound) * width + rectangle.columns.lowerBound
              return (plane + corner, width)
            }
          }
        }
        for (number, level) in levels.enumerated() {
          for line in lines[level] ?? [] {
            (out + line * points.count).update(
              from: planes + number * rows.count * width + points.lowerBound - rows.lowerBound * width,
              count: points.count)
          }
        }
      }
    }
  }
}

/// Opens what is at a path as a view: an Anemoi dataset, or the fields of another store, on a regular grid or on any points.
func openView(_ path: String) throws -> any FieldView {
  let store = try openStore(path)
  if AnemoiDataset.isOne(store) { return try AnemoiDataset(store) }
  if let points = try PointFields(store) { return points }
  return try StoreFields(GriddedStore(store))
}
