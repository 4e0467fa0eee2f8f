import Basics

/// A Zarr group of format 2 or 3 being written into a folder. One process creates and finishes it; others may join and
/// write chunks of their own.
public final class ZarrWriter: ArrayWriter {
  private let path: String
  public let temporary: String
  private let metadata: [String: ZarrMetadata]
  private var isOpen = true
  private let joins: Bool
  private let isResumable: Bool

  /// Creates a store as `createStore` describes it.
  public init(
    _ path: String, _ definition: StoreDefinition, joins: Bool = false, resuming: Bool = false,
    temporary: String? = nil, format: Int = 2
  ) throws {
    precondition(format == 2 || format == 3)
    try definition.requireSafeNames(path)
    self.path = path
    self.joins = joins
    isResumable = resuming
    self.temporary = temporary ?? Temporary.name(for: path)
    metadata = try definition.arrays.reduce(into: [:]) {
      $0[$1.name] = try ZarrMetadata(
        writing: $1, shape: definition.shape(of: $1), format: format, place: "\(path)/\($1.name)")
    }
    if joins { return }
    let documents = format == 2 ? version2(definition) : version3(definition)
    do {
      if resuming && Files.isFolderItself(self.temporary) {
        try requireSame(documents)
        try removeUnfinished(in: self.temporary)
      } else {
        try Files.createNewDirectory(self.temporary, shownAs: path)
      }
      for (key, document) in documents {
        try Files.createDirectory(Files.parent(of: "\(self.temporary)/\(key)"))
        try writeFile(key, Array(try document.text().utf8))
      }
    } catch {
      if !resuming { abandon() }
      isOpen = false
      throw error
    }
  }

  deinit { if isOpen && !isResumable { abandon() } }

  // MARK: Metadata

  private func version2(_ definition: StoreDefinition) -> [String: JSONValue] {
    var documents: [String: JSONValue] = [
      ".zgroup": .object(["zarr_format": .integer(2)]), ".zattrs": .object(definition.attributes.mapValues(\.asJSON)),
    ]
    for array in definition.arrays {
      var attributes = array.attributes.mapValues(\.asJSON)
      attributes["_ARRAY_DIMENSIONS"] = .array(array.dimensions.map { .string($0) })
      documents["\(array.name)/.zarray"] = metadata[array.name]!.version2(array)
      documents["\(array.name)/.zattrs"] = .object(attributes)
    }
    if definition.isConsolidated {
      documents[".zmetadata"] = .object([
        "metadata": .object(documents), "zarr_consolidated_format": .integer(1),
      ])
    }
    return documents
  }

  private func version3(_ definition: StoreDefinition) -> [String: JSONValue] {
    var arrays: [String: JSONValue] = [:]
    for array in definition.arrays {
      arrays[array.name] = metadata[array.name]!.version3(array, attributes: array.attributes.mapValues(\.asJSON))
    }
    var documents = Dictionary(uniqueKeysWithValues: arrays.map { ("\($0)/zarr.json", $1) })
    var group: [String: JSONValue] = [
      "zarr_format": .integer(3), "node_type": .string("group"),
      "attributes": .object(definition.attributes.mapValues(\.asJSON)),
    ]
    if definition.isConsolidated {
      // The form is zarr-python's; it is not part of the specification yet.
      group["consolidated_metadata"] = .object([
        "kind": .string("inline"), "must_understand": .bool(false), "metadata": .object(arrays),
      ])
    }
    documents["zarr.json"] = .object(group)
    return documents
  }

  /// A store that an earlier process left behind must be made of the same arrays; attributes may have changed.
  private func requireSame(_ documents: [String: JSONValue]) throws {
    guard Files.exists(temporary) else { return }
    func other(_ name: String) -> JigsawError {
      JigsawError(
        "\(temporary)/\(name)", "is of a store that was to be written otherwise",
        expected: "the same format, arrays, shapes, types, chunks and compression",
        remedy: "remove \(temporary) to start anew, or go back to the earlier settings")
    }
    let names = Set(documents.keys.compactMap { $0.split(separator: "/").first.map(String.init) })
    for name in try Files.list(temporary) where !names.contains(name) && !name.hasSuffix(".tmp") {
      throw other(name)
    }
    for (key, document) in documents where key.hasSuffix("/.zarray") || key.hasSuffix("/zarr.json") {
      guard let bytes = try Files.readIfPresent("\(temporary)/\(key)") else { continue }
      func layout(_ bytes: [UInt8]) throws -> [String: JSONValue]? {
        var members = try JSONValue(parsing: bytes, place: "\(temporary)/\(key)").object
        members?["attributes"] = nil
        return members
      }
      if try layout(bytes) != layout(Array(document.text().utf8)) { throw other(key) }
    }
  }

  /// Chunks that an earlier process was writing when it was stopped.
  private func removeUnfinished(in folder: String) throws {
    for name in try Files.list(folder) {
      let place = "\(folder)/\(name)"
      if Files.isFolderItself(place) {
        try removeUnfinished(in: place)
      } else if name.hasSuffix(".tmp") {
        try Files.remove(place)
      }
    }
  }

  // MARK: Numbers

  public func write(_ name: String, _ box: [Range<Int>], _ values: UnsafeBufferPointer<Float>) throws {
    try write(name, box, RawArray(type: .float32, bytes: Array(UnsafeRawBufferPointer(values))))
  }

  public func write(_ name: String, _ values: [Double]) throws {
    let array = metadata[name]!
    var bytes: [UInt8] = []
    for value in values { bytes += ZarrMetadata.element(array.type, value) }
    try write(name, array.shape.map { 0..<$0 }, RawArray(type: array.type, bytes: bytes))
  }

  public func write(_ name: String, _ box: [Range<Int>], _ values: RawArray) throws {
    let array = metadata[name]!
    let extent = box.map(\.count)
    precondition(array.type == values.type && values.count == extent.reduce(1, *) && box.count == array.shape.count)
    for (range, (chunk, size)) in zip(box, zip(array.chunks, array.shape)) {
      guard range.lowerBound % chunk == 0, range.upperBound % chunk == 0 || range.upperBound == size else {
        throw JigsawError(
          "\(path)/\(name)", "can't be written in parts of chunks",
          expected: "whole chunks or shards of \(array.chunks)",
          found: "the box \(box)")
      }
    }
    if values.bytes.isEmpty { return }
    let first = zip(box, array.chunks).map { $0.lowerBound / $1 }
    let last = zip(box, array.chunks).map { ($0.upperBound - 1) / $1 }
    let (from, to) = (strides(extent, isFortranOrder: false), strides(array.chunks, isFortranOrder: false))
    for index in BoxIterator(first, last) {
      var chunk = [UInt8](repeating: 0, count: array.pipeline.count * array.fill.count)
      let origin = zip(index, array.chunks).map(*)
      let inside = zip(zip(box, origin), array.chunks).map { min($0.0.upperBound - $0.1, $1) }
      // Beyond the array's ends a chunk holds the fill value.
      if inside != array.chunks { fillBox(&chunk, to, 0, extent: array.chunks, with: array.fill) }
      copyBox(
        from: values.bytes, from, from.indices.reduce(0) { $0 + (origin[$1] - box[$1].lowerBound) * from[$1] },
        to: &chunk, to, 0, extent: inside, width: array.type.byteCount)
      guard let encoded = array.pipeline.encode(chunk, width: array.type.byteCount, fill: array.fill) else {
        throw JigsawError("\(temporary)/\(name)", "can't compress a chunk of \(chunk.count) bytes")
      }
      let key = "\(name)/\(array.key(index))"
      try Files.createDirectory(Files.parent(of: "\(temporary)/\(key)"))
      try writeFile(key, encoded)
    }
  }

  public func isWritten(_ name: String, _ chunk: [Int]) -> Bool {
    Files.exists("\(temporary)/\(name)/\(metadata[name]!.key(chunk))")
  }

  private func writeFile(_ key: String, _ bytes: [UInt8]) throws {
    let place = "\(temporary)/\(key)"
    let unfinished = isResumable ? Temporary.name(for: place) : place
    let file = try OutputFile(replacing: unfinished, shownAs: "\(path)/\(key)")
    try bytes.withUnsafeBytes { try file.write($0) }
    if isResumable { try file.sync() }
    try file.close()
    if isResumable { try Files.rename(unfinished, to: place) }
  }

  // MARK: The end

  public func finish() throws {
    isOpen = false
    if joins { return }
    try Files.replace(path, by: temporary)
  }

  public func abandon() {
    isOpen = false
    if joins { return }
    try? Files.remove(temporary)
  }
}
