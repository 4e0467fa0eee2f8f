import Basics
import Stores
import TestSupport

/// A checkpoint of Anemoi, damaged as a file and, behind checksums that fit, in its pickle.
struct CheckpointKind: FuzzKind {
  private let path: String
  private let whole: [UInt8]
  private let values: [String: [UInt8]]
  private let pickleKey: String

  init(_ folder: String) throws {
    path = "\(folder)/a.ckpt"
    let source = "\(Goldens.folder)/../anemoi/inference-tiny.ckpt"
    whole = try Files.read(source)
    let archive = try ZipStorage(source)
    let root = archive.list("").first ?? ""
    pickleKey = "\(root)/data.pkl"
    var values: [String: [UInt8]] = [:]
    for name in archive.list(root) where !["data", "anemoi-metadata"].contains(name) {
      values["\(root)/\(name)"] = try archive.read("\(root)/\(name)")
    }
    // Small storages, so that cases are fast.
    for name in archive.list("\(root)/data") {
      let value = try archive.read("\(root)/data/\(name)") ?? []
      if value.count <= 4_096 { values["\(root)/data/\(name)"] = value }
    }
    self.values = values
  }

  func run(_ mutator: inout Mutator) throws -> Bool {
    if mutator.isOne(in: 4) {
      // The directory stands at the end.
      let isEnd = mutator.isOne(in: 2)
      let bytes =
        isEnd ? mutator.changed(whole.reversed(), header: 20_000).reversed() : mutator.changed(whole, header: 2_048)
      try OutputFile.write(bytes, to: path)
    } else {
      var changed = values
      changed[pickleKey] = mutator.changed(values[pickleKey] ?? [], header: 4_096)
      try OutputFile.write(ZipKind.archive(changed, isDeflated: mutator.isOne(in: 8)), to: path)
    }
    do {
      let archive = try TorchArchive(path, isAllowed: AnemoiGlobals.contain)
      let module = try TorchModule(archive, archive.document.root)
      for tensor in module.state.values.prefix(4) { _ = try archive.bytes(tensor) }
      return true
    } catch is JigsawError {
      return false
    }
  }
}
