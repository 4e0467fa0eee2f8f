import Basics
import Stores
import TestSupport
import Workflow

/// A checkpoint of Anemoi, damaged as a file or, behind checksums that fit, in its pickle or its metadata, and imported with all
/// that an import checks and writes.
struct CheckpointKind: FuzzKind {
  private let folder, path: String
  private let whole: [UInt8]
  private let values: [String: [UInt8]]
  private let pickleKey, metadataKey: String
  private let metadata: JSONValue

  init(_ folder: String) throws {
    self.folder = folder
    path = "\(folder)/a.ckpt"
    let source = "\(Goldens.folder)/../anemoi/inference-tiny.ckpt"
    whole = try Files.read(source)
    let archive = try ZipStorage(source)
    let root = archive.list("").first ?? ""
    pickleKey = "\(root)/data.pkl"
    metadataKey = "\(root)/anemoi-metadata/anemoi.json"
    var values: [String: [UInt8]] = [:]
    func add(_ key: String) throws {
      if let value = try archive.read(key) { values[key] = value }
      for name in archive.list(key) { try add("\(key)/\(name)") }
    }
    for name in archive.list(root) { try add("\(root)/\(name)") }
    self.values = values
    metadata = try JSONValue(parsing: values[metadataKey] ?? [], place: metadataKey)
  }

  func run(_ mutator: inout Mutator) throws -> Bool {
    switch mutator.integer(below: 4) {
    case 0:
      // The directory stands at the end.
      let isEnd = mutator.isOne(in: 2)
      let bytes =
        isEnd ? mutator.changed(whole.reversed(), header: 20_000).reversed() : mutator.changed(whole, header: 2_048)
      try OutputFile.write(bytes, to: path)
    case 1:
      let document =
        mutator.isOne(in: 4)
        ? mutator.changed(values[metadataKey] ?? [], header: 4_096) : mutator.changed(metadata)
      try write(metadataKey, document, &mutator)
    default:
      // All of it, and where it begins.
      let pickle = values[pickleKey] ?? []
      try write(pickleKey, mutator.changed(pickle, header: mutator.pick([4_096, pickle.count])), &mutator)
    }
    do {
      _ = try AnemoiImport.run(path, to: "\(folder)/imported", overwrites: true)
      return true
    } catch is JigsawError {
      return false
    }
  }

  private func write(_ key: String, _ value: [UInt8], _ mutator: inout Mutator) throws {
    var changed = values
    changed[key] = value
    try OutputFile.write(ZipKind.archive(changed, isDeflated: mutator.isOne(in: 16)), to: path)
  }
}
