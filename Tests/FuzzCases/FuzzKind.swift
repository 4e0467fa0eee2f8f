import Basics
import Datasets
import Stores
import TestSupport

/// A kind of input that is damaged, and read.
public protocol FuzzKind {
  /// Makes the input and reads it.
  /// - Returns: whether it could be opened. Throws nothing but what is a failure: refusals are caught.
  func run(_ mutator: inout Mutator) throws -> Bool
}

/// The kind of a name; nil: there is none.
///
/// - Parameters:
///   - folder: where those write that read files.
///   - bombByteCount: what the bombs among the chunks decode to.
public func fuzzKind(_ name: String, folder: String, bombByteCount: Int = 512 << 20) throws -> (any FuzzKind)? {
  try makers[name]?(folder, bombByteCount)
}

/// The names of all kinds, of which Scripts/fuzz.sh and the tests run some number each.
public let fuzzKinds = makers.keys.sorted()

private let classicFiles = ["classic", "offset64", "types3", "types3offset", "types5"]

private let makers: [String: @Sendable (_ folder: String, _ bombByteCount: Int) throws -> any FuzzKind] = [
  "metadata": { _, _ in try MetadataKind() },
  "attributes": { _, _ in AttributeKind() },
  "chunks": { _, bombByteCount in try ChunkKind(bombByteCount: bombByteCount) },
  "zip": { folder, _ in try ZipKind(folder) },
  "netcdf": { folder, _ in
    try FileKind(
      folder, "nc", Goldens.folder,
      classicFiles + ["marks", "packed", "part1", "plain", "static", "types4", "units", "unwritten", "xarray"])
  },
  // Read by no library but netCDF-C.
  "classic": { folder, _ in try FileKind(folder, "nc", Goldens.folder, classicFiles) },
  "grib": { folder, _ in
    try FileKind(
      folder, "grib", "\(Goldens.folder)/../grib",
      ["ensemble", "forecasts", "grids", "names", "packings", "reduced", "scanning1", "scanning2", "several", "twice"])
  },
  "checkpoint": { folder, _ in try CheckpointKind(folder) },
]

/// A key that no store may ask for.
public struct EscapingKey: Error {
  public let key: String
}

/// Values in memory, for which keys that would lead out of a folder are failures.
struct GuardedStorage: Storage {
  let values: MemoryStorage
  var location: String { values.location }

  private func check(_ key: String) throws {
    let isOutside =
      key.utf8.first == UInt8(ascii: "/") || key.utf8.contains(0)
      || key.utf8.split(separator: UInt8(ascii: "/")).contains { $0.elementsEqual("..".utf8) }
    if isOutside { throw EscapingKey(key: key) }
  }

  func read(_ key: String) throws -> [UInt8]? {
    try check(key)
    return values.read(key)
  }

  func read(_ key: String, _ part: ByteRange) throws -> PartOfValue? {
    try check(key)
    return values.read(key, part)
  }

  func list(_ key: String) throws -> [String] {
    try check(key)
    return values.list(key)
  }
}

/// Reads a little of all that a store seems to have.
enum Probe {
  /// - Returns: whether the store could be opened.
  static func run(_ open: () throws -> any ArrayStore) throws -> Bool {
    var store: (any ArrayStore)?
    try refusing { store = try open() }
    guard let store else { return false }
    for name in store.arrays.keys.sorted().prefix(12) { try refusing { try readEnds(store, name) } }
    _ = try readFields(store)
    if AnemoiDataset.isOne(store) {
      try refusing {
        let dataset = try AnemoiDataset(store)
        let count = min(64, dataset.points.count)
        guard !dataset.dates.isEmpty, !dataset.variables.isEmpty, dataset.memberCount > 0 else { return }
        var out = [Float](repeating: 0, count: count)
        try out.withUnsafeMutableBufferPointer { buffer in
          guard let start = buffer.baseAddress else { return }
          try dataset.read(date: dataset.dates.count - 1, variables: [0], member: 0, points: 0..<count, into: start)
        }
      }
    }
    return true
  }

  /// What a user gets as a sentence is fine.
  static func refusing(_ body: () throws -> Void) throws {
    do { try body() } catch is JigsawError {}
  }

  /// Reads the first of the times of variables that are looked for, of small stores.
  /// - Returns: how many were read.
  static func readFields(_ store: any ArrayStore) throws -> Int {
    var count = 0
    try refusing {
      let gridded = try GriddedStore(store)
      if gridded.grid.count > 1 << 12 { return }
      for name in ["t", "msl", "z"] {
        try refusing {
          guard let binding = try gridded.bind(name), !gridded.times.isEmpty || binding.isStatic else { return }
          var out = [Float](repeating: 0, count: gridded.grid.count)
          try out.withUnsafeMutableBufferPointer { buffer in
            guard let start = buffer.baseAddress else { return }
            try gridded.read(binding, times: 0..<1, level: binding.hasLevels ? 0 : nil) { _ in start }
          }
          count += 1
        }
      }
    }
    return count
  }

  /// The first and the last numbers of an array, some hundred at most.
  private static func readEnds(_ store: any ArrayStore, _ name: String) throws {
    let shape = try store.info(name).shape
    var budget = 256
    let extents = shape.reversed().map { size in
      let extent = min(size, max(1, min(20, budget)))
      budget /= max(1, extent)
      return extent
    }.reversed()
    _ = try store.read(name, extents.map { 0..<$0 })
    _ = try store.read(name, zip(shape, extents).map { $0 - $1..<$0 })
  }
}
