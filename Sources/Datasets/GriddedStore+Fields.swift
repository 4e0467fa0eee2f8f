import Basics
import Stores

extension GriddedStore: GridFields {
  var location: String { store.location }
  var fieldGrid: FieldGrid { .raster(grid) }
  var names: [String] { Array(store.arrays.keys) }
  var reads: ReadCounts { store.reads.counts(location: store.location) }

  func find(_ name: String, rename: [String: String], asStatic: Bool) throws -> FoundVariable? {
    let bindings = try bindings(name, rename: rename, asStatic: asStatic)
    guard let binding = bindings.first else { return nil }
    for binding in bindings {
      if let member = binding.member, binding.array.shape[member] > 1 {
        throw JigsawError(
          "\(location): \(binding.array.name)", "has \(binding.array.shape[member]) ensemble members", expected: "one",
          remedy: "choose one with open: {dataset: …, member: 0}")
      }
    }
    var found = FoundVariable(
      variable: binding.variable, storedName: binding.array.name, dimensionNames: binding.array.dimensionNames,
      levelsHPa: bindings.flatMap(\.levelsHPa), isStatic: binding.isStatic, storedUnits: binding.storedUnits,
      conversion: binding.conversion,
      remarks: bindings.flatMap { $0.packing.remarks + [$0.remark].compactMap { $0 } }, handle: .bindings(bindings))
    found.isSum = binding.remark != nil
    found.periodSeconds =
      FieldPeriod.seconds(of: [binding.array], named: [name], time: axes.time, in: store).first ?? []
    found.hasScalarLevel = binding.level == nil && binding.hasLevels
    if case .other(let name, let text)? = binding.scalarLevel { found.otherLevel = (name, text) }
    found.storedTimeCount = binding.isStatic ? binding.fixedTimes : 1
    found.meaning = FieldMeaning(binding.array, meaning, over: found.periodSeconds)
    return found
  }

  private func bindings(_ found: FoundVariable) -> [Binding] {
    guard case .bindings(let bindings) = found.handle else { preconditionFailure("a variable of a view") }
    return bindings
  }

  /// The stored level; of a variable whose levels are arrays of their own, which of them.
  func slot(_ levelHPa: Double?, of found: FoundVariable) throws -> Int {
    try levelHPa.map { try levelIndex($0, among: found.levelsHPa, array: found.storedNames.joined(separator: ", ")) }
      ?? 0
  }

  func storedTimes(_ found: FoundVariable) -> DateRuns { .coarsest(bindings(found).map(storedTimes)) }

  func absentTimes(_ found: FoundVariable, slot: Int) -> Set<Timestamp> {
    let bindings = bindings(found)
    let binding = bindings.count > 1 ? bindings[slot] : bindings[0]
    return store.times(
      times, without: binding.array, along: axes.time, level: (axes.level(of: binding.array), slot))
  }

  /// Chunks come in small pieces.
  func bytesOnTheWay(_ fields: [WantedField]) -> Int { 0 }

  func readingMemory(_ fields: [WantedField], times: Range<Int>) -> ReadingMemory {
    var memory = ReadingMemory()
    memory.ofLibraries = store.libraryBytes
    var seen: Set<String> = []
    for chunk in chunks(fields, bands: 1) {
      guard case .box(let binding, let box) = chunk.place else { continue }
      let together = times.isEmpty ? 1 : storedTimes(binding).run(of: times.lowerBound).count
      let numbers = together * box.levels.count * box.rows.count * box.columns.count
      memory.perThread = max(memory.perThread, numbers * binding.array.type.byteCount)
      guard seen.insert(binding.array.name).inserted else { continue }
      memory.keptByLibraries += bytesKept(binding, times: times)
    }
    return memory
  }

  /// Bytes that the library of the store keeps once an array was read at a range of times.
  func bytesKept(_ binding: Binding, times: Range<Int>) -> Int {
    var box = binding.array.shape.map { 0..<$0 }
    if let dimension = binding.time { box[dimension] = times }
    return store.bytesKept(afterReading: binding.array.name, box)
  }

  func chunks(_ fields: [WantedField], bands: Int) -> [GridChunk] {
    var names: [String] = []
    for field in fields where !names.contains(field.found.storedName) { names.append(field.found.storedName) }
    return names.flatMap { name -> [GridChunk] in
      let ofVariable = fields.filter { $0.found.storedName == name }
      let bindings = bindings(ofVariable[0].found)
      guard bindings.count > 1 else { return chunks(ofVariable, of: bindings[0], bands: bands) }
      return bindings.enumerated().flatMap { slot, binding in
        chunks(ofVariable.filter { $0.slot == slot }, of: binding, bands: bands)
      }
    }
  }

  /// The chunks of wanted fields that one array holds.
  private func chunks(_ fields: [WantedField], of binding: Binding, bands: Int) -> [GridChunk] {
    if fields.isEmpty { return [] }
    let stored = binding.level == nil ? [0] : Set(fields.map(\.slot))
    return boxes(binding, levels: stored, bands: bands).map { box in
      GridChunk(
        place: .box(binding, box),
        fields: fields.filter { binding.level == nil || box.levels.contains($0.slot) }.map { ($0.channel, $0.slot) },
        parts: rectangles(box))
    }
  }

  var readsAtOnce: Int { store.readsAtOnce }

  func read(
    _ chunk: GridChunk, times: Range<Int>, _ scratch: ReadingScratch,
    into target: (_ time: Int, _ slot: Int, _ part: Rectangle) -> (UnsafeMutablePointer<Float>, stride: Int)
  ) throws -> [Bool] {
    guard case .box(let binding, let box) = chunk.place else { preconditionFailure("a chunk of a view") }
    if binding.level != nil {
      return try read(binding, times: times, box: box, levels: chunk.fields.map(\.slot), scratch, into: target)
    }
    let slot = chunk.fields[0].slot
    return try read(binding, times: times, box: box, levels: [0], scratch) { time, _, part in target(time, slot, part) }
  }

  func statistics(_ field: WantedField, stepHours: Int) -> (values: FieldStatistics, change: FieldStatistics)? { nil }

  func readStatic(_ found: FoundVariable, time: Int, into out: UnsafeMutablePointer<Float>) throws {
    try read(bindings(found)[0], times: time..<time + 1, level: nil) { _ in out }
  }
}
