import Basics
import Stores
import TestSupport

/// Metadata documents of Zarr 2 and 3 and Anemoi's attributes, one of a store changed.
struct MetadataKind: FuzzKind {
  private struct Base {
    let values: [String: [UInt8]]
    let documents: [(key: String, json: JSONValue)]

    init(_ values: [String: [UInt8]]) throws {
      self.values = values
      documents = try values.keys.sorted().filter(Values.isDocument).map {
        ($0, try JSONValue(parsing: values[$0] ?? [], place: $0))
      }
    }
  }

  private let bases: [Base]

  init() throws {
    var stores: [[String: [UInt8]]] = []
    let groups = [
      "codecs.zarr": ["none", "blosc-lz4-shuffle", "zstd", "gzip"],
      "layouts.zarr": ["dates-ns", "f4-F-big", "scalar", "slashes", "missing-nan", "uneven-C"],
      "format3.zarr": ["shards-end", "shards-in-shards", "turned", "dates", "codec-zstd-crc32c", "named", "infinite"],
    ]
    for (store, arrays) in groups.sorted(by: { $0.key < $1.key }) {
      let values = try Values.folder(Goldens.path(store))
      for array in arrays { stores.append(Values.alone(array, of: values)) }
    }
    for store in ["dates.zarr", "weatherbench.zarr"] { stores.append(try Values.folder(Goldens.path(store))) }
    stores += [Values.anemoi(format: 2), Values.anemoi(format: 3), Values.filtered()]
    stores += stores.compactMap(Values.consolidated)
    bases = try stores.map(Base.init)
  }

  func run(_ mutator: inout Mutator) throws -> Bool {
    let base = mutator.pick(bases)
    var values = base.values
    for _ in 0..<1 + mutator.integer(below: 2) {
      let (key, json) = mutator.pick(base.documents)
      values[key] = mutator.isOne(in: 4) ? mutator.changed(values[key] ?? [], header: 4_096) : mutator.changed(json)
    }
    return try Probe.run { try ZarrStore(GuardedStorage(values: MemoryStorage(values))) }
  }
}
