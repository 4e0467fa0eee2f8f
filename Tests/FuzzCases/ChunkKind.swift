import Basics
import Stores
import TestSupport

/// Chunks of all codecs, changed, and bombs: small chunks that decode to far more than the metadata say.
struct ChunkKind: FuzzKind {
  private struct Base {
    let values: [String: [UInt8]]
    let chunks: [String]

    init(_ values: [String: [UInt8]]) {
      self.values = values
      chunks = values.keys.filter { !Values.isDocument($0) }.sorted()
    }
  }

  private let bases: [Base]
  private let bombs: [(metadata: [UInt8], chunk: [UInt8])]

  init(bombByteCount: Int) throws {
    var bases: [Base] = []
    for store in ["codecs.zarr", "format3.zarr"] {
      let values = try Values.folder(Goldens.path(store))
      for array in Set(values.keys.compactMap { $0.split(separator: "/").first.map(String.init) }).sorted() {
        let base = Base(Values.alone(array, of: values))
        if !base.chunks.isEmpty { bases.append(base) }
      }
    }
    bases.append(Base(Values.filtered()))
    let plain = (0..<64).map { UInt8($0 / 4) }
    for (id, chunk) in Encoders.all(plain) { bases.append(Base(ChunkKind.store(id, chunk))) }
    self.bases = bases
    // Zeros where 64 bytes are expected.
    let zeros = Encoders.bombs(bombByteCount)
    bombs = zeros.map { (ChunkKind.document($0.key), $0.value) }.sorted { $0.chunk.count < $1.chunk.count }
  }

  private static func document(_ id: String) -> [UInt8] {
    Values.text(
      "{\"zarr_format\": 2, \"shape\": [16], \"chunks\": [16], \"dtype\": \"<f4\", \"compressor\": {\"id\": \"\(id)\"}, "
        + "\"fill_value\": 7, \"order\": \"C\", \"filters\": null}")
  }

  private static func store(_ id: String, _ chunk: [UInt8]) -> [String: [UInt8]] {
    [".zgroup": Values.text("{\"zarr_format\": 2}"), "a/.zarray": document(id), "a/0": chunk]
  }

  func run(_ mutator: inout Mutator) throws -> Bool {
    var values: [String: [UInt8]]
    if mutator.isOne(in: 50) {
      let bomb = mutator.pick(bombs)
      values = [".zgroup": Values.text("{\"zarr_format\": 2}"), "a/.zarray": bomb.metadata, "a/0": bomb.chunk]
      if mutator.isOne(in: 2) { values["a/0"] = mutator.changed(bomb.chunk, header: 32) }
    } else {
      let base = mutator.pick(bases)
      values = base.values
      for key in base.chunks where mutator.isOne(in: base.chunks.count) || key == base.chunks[0] {
        let end = mutator.isOne(in: 4)
        let bytes = values[key] ?? []
        // A shard's index stands at its end.
        values[key] =
          end ? mutator.changed(bytes.reversed(), header: 32).reversed() : mutator.changed(bytes, header: 32)
      }
    }
    return try Probe.run { try ZarrStore(GuardedStorage(values: MemoryStorage(values))) }
  }
}
