import Basics

/// A Zarr group of format 2 or 3.
public final class ZarrStore: ArrayStore {
  public let location: String
  public let format: String
  public let attributes: [String: AttributeValue]
  public let arrays: [String: ArrayInfo]
  public let strings: [String: StringArray]
  public let notes: [String]
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
    var strings: [String: StringArray] = [:]
    var otherTypes: [String] = []
    for (name, (stored, attributes)) in documents.arrays.sorted(by: { $0.key < $1.key }) {
      // Arrays of strings and of other types can't be read; it is known that they are there.
      let characters = ZarrMetadata.characters(stored, version: documents.version)
      let document = characters ?? stored
      let place = "\(location)/\(name)/\(documents.version == 3 ? "zarr.json" : ".zarray")"
      let type =
        documents.version == 3
        ? ZarrMetadata.type(version3: document["data_type"])?.type
        : document["dtype"]?.string.flatMap(ZarrMetadata.type)?.type
      guard type != nil else {
        strings[name] = ZarrMetadata.strings(document, attributes)
        if strings[name] == nil { otherTypes.append(name) }
        continue
      }
      var array =
        documents.version == 3
        ? try ZarrMetadata(version3: document, place: place) : try ZarrMetadata(version2: document, place: place)
      array.isText = characters != nil
      let given = documents.version == 3 ? document["dimension_names"]?.array?.map(\.string) : nil
      let named =
        given?.enumerated().map { $1 ?? "dim_\($0)" } ?? attributes["_ARRAY_DIMENSIONS"]?.strings
        ?? array.shape.dropLast(array.isText ? 1 : 0).indices.map { "dim_\($0)" }
      let names = named + (array.isText ? ["characters of \(name)"] : [])
      guard names.count == array.shape.count else {
        throw JigsawError(
          "\(location)/\(name)", "names \(names.count) dimensions", expected: "\(array.shape.count)",
          found: names.joined(separator: ", "))
      }
      var values = ZarrStore.attributes(attributes)
      values["_ARRAY_DIMENSIONS"] = nil
      ZarrStore.markFills(&values, array, version: documents.version)
      if let units = array.timeUnits { values["units"] = .text(units) }
      metadata[name] = array
      arrays[name] = ArrayInfo(
        name: name, type: array.type,
        dimensions: zip(names, array.shape).map { ArrayInfo.Dimension(name: $0, size: $1) },
        chunks: array.pipeline.innermostShape, codec: array.pipeline.description, attributes: values,
        realAttributes: ZarrStore.realAttributes(attributes), isText: array.isText)
    }
    self.strings = strings
    notes =
      otherTypes.isEmpty
      ? []
      : ["\(otherTypes.joined(separator: ", ")): not read, since the values are neither numbers nor strings"]
    self.arrays = ZarrGroups.scoped(arrays)
    self.metadata = metadata
  }

  public func read(_ name: String, _ box: [Range<Int>]) throws -> RawArray {
    let info = try info(name)
    try checkBox(box, of: info)
    let count = box.reduce(info.type.byteCount) { $0 * $1.count }
    let bytes = try [UInt8](unsafeUninitializedCapacity: count) { out, initialized in
      guard count > 0, let start = out.baseAddress else { return }
      try read(name, box, ReadingScratch(), into: start)
      initialized = count
    }
    return RawArray(type: info.type, bytes: bytes)
  }

  public func read(
    _ name: String, _ box: [Range<Int>], _ scratch: ReadingScratch, into out: UnsafeMutableRawPointer
  ) throws {
    try checkBox(box, of: info(name))
    if try !readChunk(name, box, scratch, into: out) {
      try read(name, ArrayPart(box), scratch) { $0.copy(to: out, holding: box) }
    }
  }

  /// Decodes a box that is just one chunk to where it is wanted, without a copy between, if the codec can do so.
  /// - Returns: false when it can't, or there is no such chunk.
  private func readChunk(
    _ name: String, _ box: [Range<Int>], _ scratch: ReadingScratch, into out: UnsafeMutableRawPointer
  ) throws -> Bool {
    let array = metadata[name]!
    guard let codec = array.pipeline.onlyCodec,
      zip(box, array.chunks).allSatisfy({ $0.lowerBound % $1 == 0 && $0.count == $1 })
    else { return false }
    let key = "\(name)/\(array.key(zip(box, array.chunks).map { $0.lowerBound / $1 }))"
    guard let stored = try storage.read(key, nil, limit: array.storedLimit, into: scratch.stored) else { return false }
    reads.count(bytes: stored.bytes.count)
    let byteCount = array.pipeline.count * array.type.byteCount
    guard codec.decode(stored.bytes, toExactly: byteCount, at: out) else {
      throw damaged(key, expected: "\(byteCount) bytes from \(array.pipeline.description)")
    }
    reads.countChunk()
    return true
  }

  private func damaged(_ key: String, expected: String) -> JigsawError {
    JigsawError(
      storage.place(key), "is a damaged chunk", expected: expected, found: "something that doesn't decode to that",
      remedy: "copy the store again")
  }

  public func read(
    _ name: String, _ part: ArrayPart, _ scratch: ReadingScratch, _ take: (StoredPiece) -> Void
  ) throws {
    let box = part.box
    try checkBox(box, of: info(name))
    if box.contains(where: \.isEmpty) { return }
    let array = metadata[name]!
    try withoutActuallyEscaping(take) { take in
      func decode(_ index: [Int], _ key: String, _ source: ChunkPipeline.Source) throws {
        let origin = zip(index, array.chunks).map(*)
        let inChunk = box.indices.map { i in
          max(box[i].lowerBound, origin[i]) - origin[i]..<min(box[i].upperBound - origin[i], array.chunks[i])
        }
        let wanted = ChunkPipeline.Wanted(
          box: inChunk, dimensions: Array(box.indices), origin: origin, type: array.type, fill: array.fill,
          only: part.only, decoded: { [reads] in reads.countChunk() },
          absent: { [reads] in reads.countAbsent(name, origin: $0) }, take: take)
        do {
          try array.pipeline.decode(source, wanted, scratch)
        } catch let damage as ChunkPipeline.Damage {
          throw damaged(key, expected: damage.expected)
        }
      }
      let atOnce = array.pipeline.needsWholeChunks ? storage.valuesAtOnce : 1
      var batch: [[Int]] = []
      func readBatch() throws {
        let keys = batch.map { "\(name)/\(array.key($0))" }
        if keys.count == 1 {
          try decode(batch[0], keys[0], source(keys[0], limit: array.storedLimit))
        } else if keys.count > 1 {
          for (position, value) in try storage.read(keys, limit: array.storedLimit).enumerated() {
            reads.count(bytes: value?.count ?? 0)
            let source = ChunkPipeline.Source { part, memory in
              value.map { StoredBytes($0, part ?? .range(0..<$0.count), memory) }
            }
            try decode(batch[position], keys[position], source)
          }
        }
        batch = []
      }
      let first = zip(box, array.chunks).map { $0.lowerBound / $1 }
      let last = zip(box, array.chunks).map { ($0.upperBound - 1) / $1 }
      for index in BoxIterator(first, last) {
        if let only = part.only {
          let extent = array.chunks[only.dimension]
          if !only.indices.contains(where: { $0 / extent == index[only.dimension] }) { continue }
        }
        batch.append(index)
        if batch.count == atOnce { try readBatch() }
      }
      try readBatch()
    }
  }

  public var readsAtOnce: Int { storage.valuesAtOnce }

  /// The bytes under a key, read as far as they are needed.
  private func source(_ key: String, limit: Int) -> ChunkPipeline.Source {
    let open: () throws -> (any ValueBytes)? = { [storage, reads] in
      try storage.open(key, limit: limit).map { CountedBytes(base: $0, counter: reads) }
    }
    return ChunkPipeline.Source(open: storage.canOpen ? open : nil) { [storage, reads] part, memory in
      let found = try storage.read(key, part, limit: limit, into: memory)
      reads.count(bytes: found?.bytes.count ?? 0)
      return found
    }
  }

  /// The fill value of format 2 marks missing values, as in xarray. Zero, which zarr-python sets where none is given, does so only
  /// in packed arrays, which xarray writes. In format 3 the attribute alone does, for floating-point numbers as base64 of their bits.
  private static func markFills(_ values: inout [String: AttributeValue], _ array: ZarrMetadata, version: Int) {
    if version == 3 {
      let text = array.type.isFloatingPoint ? values["_FillValue"]?.text : nil
      if let number = text.flatMap(ZarrMetadata.fill(ofAttribute:)) { values["_FillValue"] = .numbers([number]) }
      return
    }
    let isPacked = ["scale_factor", "add_offset", "_Unsigned"].contains { values[$0] != nil }
    guard let fill = array.fillNumber, !fill.isNaN, fill != 0 || isPacked else { return }
    // Beside a _FillValue of another kind both mark missing values.
    guard let stated = values["_FillValue"] else {
      values["_FillValue"] = .numbers([fill])
      return
    }
    if stated.text?.lowercased() == "nan" {
      values["_FillValue"] = .numbers([fill])
      return
    }
    let marks = PackingAttributes.wideMarks(stated)
    if !marks.isEmpty || stated == .numbers([.nan]), !marks.contains(fill) {
      values["_FillValue"] = .numbers(marks + [fill])
    }
  }

  /// Names of attributes that are floating-point numbers, such as 0.0.
  private static func realAttributes(_ json: JSONValue) -> Set<String> {
    func isReal(_ value: JSONValue) -> Bool {
      if case .number = value { return true }
      return value.array?.contains(where: isReal) ?? false
    }
    return Set((json.object ?? [:]).filter { isReal($0.value) }.keys)
  }

  static func attributes(_ json: JSONValue) -> [String: AttributeValue] {
    (json.object ?? [:]).compactMapValues { value in
      switch value {
      case .string(let text): .text(text.withoutPadding)
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
