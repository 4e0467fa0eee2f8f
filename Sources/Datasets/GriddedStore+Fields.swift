import Basics
import Stores

extension GriddedStore: GridFields {
  var location: String { store.location }
  var fieldGrid: FieldGrid { .raster(grid) }
  var names: [String] { Array(store.arrays.keys) }
  var reads: ReadCounts { store.reads.counts(location: store.location) }

  func find(_ name: String, rename: [String: String], asStatic: Bool) throws -> FoundVariable? {
    guard let binding = try bind(name, rename: rename, asStatic: asStatic) else { return nil }
    if let member = binding.member, binding.array.shape[member] > 1 {
      throw JigsawError(
        "\(location): \(binding.array.name)", "has \(binding.array.shape[member]) ensemble members", expected: "one",
        remedy: "choose one with open: {dataset: …, member: 0}")
    }
    var found = FoundVariable(
      variable: binding.variable, storedName: binding.array.name, dimensionNames: binding.array.dimensionNames,
      levelsHPa: binding.levelsHPa, isStatic: binding.isStatic, storedUnits: binding.storedUnits,
      conversion: binding.conversion, remarks: binding.packing.remarks, handle: .binding(binding))
    found.hasScalarLevel = binding.level == nil && binding.hasLevels
    if case .other(let name, let text)? = binding.scalarLevel { found.otherLevel = (name, text) }
    found.storedTimeCount = binding.isStatic ? binding.fixedTimes : 1
    return found
  }

  private func binding(_ found: FoundVariable) -> Binding {
    guard case .binding(let binding) = found.handle else { preconditionFailure("a variable of a view") }
    return binding
  }

  func slot(_ levelHPa: Double?, of found: FoundVariable) throws -> Int {
    try levelHPa.map { try levelIndex($0, of: binding(found)) } ?? 0
  }

  func storedTimes(_ found: FoundVariable) -> DateRuns { storedTimes(binding(found)) }

  /// Chunks come in small pieces.
  func bytesOnTheWay(_ fields: [WantedField]) -> Int { 0 }

  func chunks(_ fields: [WantedField], bands: Int) -> [GridChunk] {
    var names: [String] = []
    for field in fields where !names.contains(field.found.storedName) { names.append(field.found.storedName) }
    return names.flatMap { name -> [GridChunk] in
      let ofArray = fields.filter { $0.found.storedName == name }
      let binding = binding(ofArray[0].found)
      return boxes(binding, levels: Set(ofArray.map(\.slot)), bands: bands).map { box in
        GridChunk(
          place: .box(binding, box),
          fields: ofArray.filter { box.levels.contains($0.slot) }.map { ($0.channel, $0.slot) },
          parts: rectangles(box))
      }
    }
  }

  var readsAtOnce: Int { store.readsAtOnce }

  func read(
    _ chunk: GridChunk, times: Range<Int>, _ scratch: ReadingScratch,
    into target: (_ time: Int, _ slot: Int, _ part: Rectangle) -> (UnsafeMutablePointer<Float>, stride: Int)
  ) throws -> [Bool] {
    guard case .box(let binding, let box) = chunk.place else { preconditionFailure("a chunk of a view") }
    return try read(binding, times: times, box: box, levels: chunk.fields.map(\.slot), scratch, into: target)
  }

  func statistics(_ field: WantedField, stepHours: Int) -> (values: FieldStatistics, change: FieldStatistics)? { nil }

  func readStatic(_ found: FoundVariable, time: Int, into out: UnsafeMutablePointer<Float>) throws {
    try read(binding(found), times: time..<time + 1, level: nil) { _ in out }
  }
}
