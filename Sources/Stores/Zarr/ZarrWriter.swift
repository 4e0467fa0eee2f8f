import Basics

/// A Zarr group of format 2 or 3, consolidated, being written into a folder. One process creates and finishes it; others may join
/// and write chunks of their own.
public final class ZarrWriter: ArrayWriter {
  private let path: String
  private let temporary: String
  private var metadata: [String: ZarrMetadata] = [:]
  private var isOpen = true
  private let joins: Bool
  private let format: Int

  public init(_ path: String, _ definition: StoreDefinition, joins: Bool = false, format: Int = 2) throws {
    precondition(format == 2 || format == 3)
    self.path = path
    self.joins = joins
    self.format = format
    temporary = path + ".tmp"
    if joins {
      for array in definition.arrays { metadata[array.name] = makeMetadata(array, definition) }
      return
    }
    do {
      try Files.remove(temporary)
      try Files.createDirectory(temporary)
      try define(definition)
    } catch {
      abandon()
      throw error
    }
  }

  deinit { if isOpen { abandon() } }

  private func define(_ definition: StoreDefinition) throws {
    for array in definition.arrays { metadata[array.name] = makeMetadata(array, definition) }
    let documents = format == 2 ? try version2(definition) : version3(definition)
    for (key, document) in documents {
      try Files.createDirectory(Files.parent(of: "\(temporary)/\(key)"))
      try writeFile(key, Array(try document.text().utf8))
    }
  }

  private func version2(_ definition: StoreDefinition) throws -> [String: JSONValue] {
    var documents: [String: JSONValue] = [
      ".zgroup": .object(["zarr_format": .integer(2)]), ".zattrs": json(definition.attributes),
    ]
    for array in definition.arrays {
      var attributes = json(array.attributes).object ?? [:]
      attributes["_ARRAY_DIMENSIONS"] = .array(array.dimensions.map { .string($0) })
      documents["\(array.name)/.zarray"] = metadata[array.name]!.version2
      documents["\(array.name)/.zattrs"] = .object(attributes)
    }
    documents[".zmetadata"] = .object([
      "metadata": .object(documents), "zarr_consolidated_format": .integer(1),
    ])
    return documents
  }

  private func version3(_ definition: StoreDefinition) -> [String: JSONValue] {
    var arrays: [String: JSONValue] = [:]
    for array in definition.arrays {
      arrays[array.name] = metadata[array.name]!.version3(
        dimensions: array.dimensions, attributes: json(array.attributes).object ?? [:])
    }
    var documents = Dictionary(uniqueKeysWithValues: arrays.map { ("\($0)/zarr.json", $1) })
    // As zarr-python writes it; not part of the specification yet.
    documents["zarr.json"] = .object([
      "zarr_format": .integer(3), "node_type": .string("group"), "attributes": json(definition.attributes),
      "consolidated_metadata": .object([
        "kind": .string("inline"), "must_understand": .bool(false), "metadata": .object(arrays),
      ]),
    ])
    return documents
  }

  private func makeMetadata(_ array: ArrayDefinition, _ definition: StoreDefinition) -> ZarrMetadata {
    let shape = definition.shape(of: array)
    return ZarrMetadata(
      shape: shape, chunks: array.chunks ?? shape.map { max($0, 1) }, type: array.type, codec: .standard,
      fill: array.fill, keys: format == 2 ? .plain(separator: ".") : .prefixed(separator: "/"))
  }

  public func write(_ name: String, _ box: [Range<Int>], _ values: UnsafeBufferPointer<Float>) throws {
    let array = metadata[name]!
    let extent = box.map(\.count)
    precondition(array.type == .float32 && values.count == extent.reduce(1, *))
    for (range, (chunk, size)) in zip(box, zip(array.chunks, array.shape)) {
      precondition(
        range.lowerBound % chunk == 0 && (range.upperBound % chunk == 0 || range.upperBound == size),
        "\(name): the box \(box) cuts through chunks of \(array.chunks)")
    }
    let source = Array(UnsafeRawBufferPointer(values))
    try writeChunks(name, array, box, source)
  }

  public func write(_ name: String, _ values: [Double]) throws {
    let array = metadata[name]!
    precondition(values.count == array.shape.reduce(1, *))
    var bytes: [UInt8] = []
    for value in values { bytes += ZarrMetadata.element(array.type, value) }
    try writeChunks(name, array, array.shape.map { 0..<$0 }, bytes)
  }

  private func writeChunks(_ name: String, _ array: ZarrMetadata, _ box: [Range<Int>], _ source: [UInt8]) throws {
    if source.isEmpty { return }
    let width = array.type.byteCount
    let extent = box.map(\.count)
    let first = zip(box, array.chunks).map { $0.lowerBound / $1 }
    let last = zip(box, array.chunks).map { ($0.upperBound - 1) / $1 }
    for index in BoxIterator(first, last) {
      var chunk = [UInt8](repeating: 0, count: array.pipeline.count * width)
      let origin = zip(index, array.chunks).map(*)
      let upper = zip(zip(box, origin), array.chunks).map { min($0.0.upperBound, $0.1 + $1) }
      let from = strides(extent, isFortranOrder: false)
      copyBox(
        from: source, from, from.indices.reduce(0) { $0 + (origin[$1] - box[$1].lowerBound) * from[$1] }, to: &chunk,
        strides(array.chunks, isFortranOrder: false), 0, extent: zip(upper, origin).map(-), width: width)
      let encoded = chunk.withUnsafeBytes { array.pipeline.encode($0, width: width) }
      guard let encoded else {
        throw JigsawError("\(temporary)/\(name)", "can't compress a chunk of \(chunk.count) bytes")
      }
      try writeFile("\(name)/\(array.key(index))", encoded)
    }
  }

  private func writeFile(_ key: String, _ bytes: [UInt8]) throws {
    // Keys of format 3 have folders.
    if format == 3 { try Files.createDirectory(Files.parent(of: "\(temporary)/\(key)")) }
    let file = try OutputFile("\(temporary)/\(key)", shownAs: "\(path)/\(key)")
    try bytes.withUnsafeBytes { try file.write($0) }
    try file.close()
  }

  public func finish() throws {
    isOpen = false
    if joins { return }
    try Files.remove(path)
    try Files.rename(temporary, to: path)
  }

  public func abandon() {
    isOpen = false
    if joins { return }
    try? Files.remove(temporary)
  }

  private func json(_ attributes: [String: AttributeValue]) -> JSONValue {
    .object(
      attributes.mapValues { value in
        switch value {
        case .text(let text): .string(text)
        case .texts(let texts): .array(texts.map { .string($0) })
        case .numbers(let numbers):
          numbers.count == 1 ? number(numbers[0]) : .array(numbers.map(number))
        }
      })
  }

  private func number(_ value: Double) -> JSONValue {
    Int(exactly: value).map { .integer($0) } ?? .number(value)
  }
}
