import Basics

/// A Zarr group of format 2 or 3.
public final class ZarrStore: ArrayStore {
  public let location: String
  public let format: String
  public let attributes: [String: AttributeValue]
  public let arrays: [String: ArrayInfo]
  public let reads = ReadCounter()
  private let storage: any Storage
  private let metadata: [String: ZarrMetadata]

  public convenience init(_ path: String) throws { try self.init(FolderStorage(path)) }

  public init(_ storage: any Storage) throws {
    self.storage = storage
    location = storage.location
    let documents = try ZarrDocuments(storage)
    format = "Zarr \(documents.version)\(documents.isConsolidated ? " (consolidated)" : "")"
    attributes = ZarrStore.attributes(documents.groupAttributes)
    var arrays: [String: ArrayInfo] = [:]
    var metadata: [String: ZarrMetadata] = [:]
    for (name, (document, attributes)) in documents.arrays.sorted(by: { $0.key < $1.key }) {
      // Strings and objects are not fields; they are passed over as in NetCDF files.
      let place = "\(location)/\(name)/\(documents.version == 3 ? "zarr.json" : ".zarray")"
      let array: ZarrMetadata
      if documents.version == 3 {
        guard ZarrMetadata.type(version3: document["data_type"]) != nil else { continue }
        array = try ZarrMetadata(version3: document, place: place)
      } else {
        guard document["dtype"]?.string.flatMap(ZarrMetadata.type) != nil else { continue }
        array = try ZarrMetadata(version2: document, place: place)
      }
      let given = documents.version == 3 ? document["dimension_names"]?.array?.map(\.string) : nil
      let names =
        given?.enumerated().map { $1 ?? "dim_\($0)" } ?? attributes["_ARRAY_DIMENSIONS"]?.strings
        ?? array.shape.indices.map { "dim_\($0)" }
      guard names.count == array.shape.count else {
        throw JigsawError(
          "\(location)/\(name)", "names \(names.count) dimensions", expected: "\(array.shape.count)",
          found: names.joined(separator: ", "))
      }
      var values = ZarrStore.attributes(attributes)
      values["_ARRAY_DIMENSIONS"] = nil
      // As in xarray, the fill value marks missing values; but not zero, which zarr-python sets when none is asked for.
      if values["_FillValue"] == nil, let fill = array.fillNumber, !fill.isNaN, fill != 0 {
        values["_FillValue"] = .numbers([fill])
      }
      if documents.version == 3, array.type.isFloatingPoint, let text = values["_FillValue"]?.text {
        values["_FillValue"] = ZarrMetadata.fill(ofAttribute: text).map { .numbers([$0]) }
      }
      if let units = array.timeUnits { values["units"] = .text(units) }
      metadata[name] = array
      arrays[name] = ArrayInfo(
        name: name, type: array.type,
        dimensions: zip(names, array.shape).map { ArrayInfo.Dimension(name: $0, size: $1) },
        chunks: array.pipeline.innermostShape, codec: array.pipeline.description, attributes: values)
    }
    self.arrays = arrays
    self.metadata = metadata
  }

  public func read(_ name: String, _ box: [Range<Int>]) throws -> RawArray {
    let info = try info(name)
    try checkBox(box, of: info)
    let array = metadata[name]!
    let width = array.type.byteCount
    let extent = box.map(\.count)
    var bytes = [UInt8](repeating: 0, count: extent.reduce(width, *))
    if bytes.isEmpty { return RawArray(type: array.type, bytes: bytes) }
    let first = zip(box, array.chunks).map { $0.lowerBound / $1 }
    let last = zip(box, array.chunks).map { ($0.upperBound - 1) / $1 }
    let targetStrides = strides(extent, isFortranOrder: false)
    func wanted(_ index: [Int]) -> ChunkPipeline.Wanted {
      let origin = zip(index, array.chunks).map(*)
      let inChunk = box.indices.map { i in
        max(box[i].lowerBound, origin[i]) - origin[i]..<min(box[i].upperBound - origin[i], array.chunks[i])
      }
      let start = box.indices.reduce(0) {
        $0 + (origin[$1] + inChunk[$1].lowerBound - box[$1].lowerBound) * targetStrides[$1]
      }
      return ChunkPipeline.Wanted(
        box: inChunk, strides: targetStrides, start: start, width: width, fill: array.fill,
        decoded: { [reads] in reads.countChunk() })
    }
    let atOnce = array.pipeline.needsWholeChunks ? storage.valuesAtOnce : 1
    var batch: [[Int]] = []
    func readBatch() throws {
      let keys = batch.map { "\(name)/\(array.key($0))" }
      if keys.count == 1 {
        try decode(keys[0], source(keys[0]), array, wanted(batch[0]), into: &bytes)
      } else if keys.count > 1 {
        for (position, value) in try storage.read(keys).enumerated() {
          reads.count(bytes: value?.count ?? 0)
          let source = value.map { ChunkPipeline.Source($0) } ?? .absent
          try decode(keys[position], source, array, wanted(batch[position]), into: &bytes)
        }
      }
      batch = []
    }
    for index in BoxIterator(first, last) {
      batch.append(index)
      if batch.count == atOnce { try readBatch() }
    }
    try readBatch()
    return RawArray(type: array.type, bytes: bytes)
  }

  /// The bytes under a key, read as far as they are needed.
  private func source(_ key: String) -> ChunkPipeline.Source {
    ChunkPipeline.Source(
      read: { [storage, reads] in
        let found = try storage.read(key, $0)
        reads.count(bytes: found?.bytes.count ?? 0)
        return found
      },
      readAll: { [storage, reads] in
        let found = try storage.read(key)
        reads.count(bytes: found?.count ?? 0)
        return found
      })
  }

  private func decode(
    _ key: String, _ source: ChunkPipeline.Source, _ array: ZarrMetadata, _ wanted: ChunkPipeline.Wanted,
    into bytes: inout [UInt8]
  ) throws {
    do {
      if try !array.pipeline.decode(source, wanted, into: &bytes) {
        fillBox(&bytes, wanted.strides, wanted.start, extent: wanted.box.map(\.count), with: wanted.fill)
      }
    } catch let damage as ChunkPipeline.Damage {
      throw JigsawError(
        storage.place(key), "is a damaged chunk", expected: damage.expected,
        found: "something that doesn't decode to that", remedy: "copy the store again")
    }
  }

  private static func attributes(_ json: JSONValue) -> [String: AttributeValue] {
    (json.object ?? [:]).compactMapValues { value in
      switch value {
      case .string(let text): .text(text)
      case .integer, .number: value.double.map { .numbers([$0]) }
      case .bool(let flag): .numbers([flag ? 1 : 0])
      case .array:
        if let texts = value.strings {
          .texts(texts)
        } else if let numbers = value.array?.map(\.double), !numbers.contains(nil) {
          .numbers(numbers.compactMap { $0 })
        } else {
          .json(value)
        }
      case .object: .json(value)
      case .null: nil
      }
    }
  }
}
