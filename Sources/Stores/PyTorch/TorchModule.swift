import Basics

/// The modules of a pickled `torch.nn.Module`, and the tensors that its state dict names.
public struct TorchModule: Sendable {
  /// The state dict: parameters and persistent buffers by their full names, as PyTorch names them.
  public private(set) var state: [String: TorchArchive.Tensor] = [:]
  /// Buffers that are not in the state dict.
  public private(set) var otherBuffers: [String: TorchArchive.Tensor] = [:]
  /// The modules themselves, by their full names; "" is the outermost.
  public private(set) var modules: [String: PickleDocument.ID] = [:]

  private static let depthLimit = 64
  private static let nameLimit = 1_000
  /// Names of attributes, parameters, buffers and modules that are looked at.
  private static let visitLimit = 10_000_000
  private var visits = 0

  /// - Throws: when the value is no module, or when a tensor does not fit into its storage.
  public init(_ archive: TorchArchive, _ root: PickleDocument.ID) throws {
    try walk(archive, root, "", depth: 0)
  }

  private mutating func walk(
    _ archive: TorchArchive, _ id: PickleDocument.ID, _ prefix: String, depth: Int
  ) throws {
    let document = archive.document
    visits += 1 + attributeCount(document, id)
    guard depth < Self.depthLimit, visits < Self.visitLimit, prefix.utf8.count < Self.nameLimit else {
      throw JigsawError(archive.path, "nests its modules without end")
    }
    guard let parameters = document.attribute("_parameters", of: id).flatMap({ document.pairs($0) }),
      let buffers = document.attribute("_buffers", of: id).flatMap({ document.pairs($0) }),
      let children = document.attribute("_modules", of: id).flatMap({ document.pairs($0) })
    else {
      throw JigsawError(
        archive.path, "is not a saved model", expected: "a torch.nn.Module\(prefix.isEmpty ? "" : " as '\(prefix)'")",
        found: document.className(id) ?? "another value")
    }
    modules[prefix] = id
    let start = prefix.isEmpty ? "" : prefix + "."
    let hidden = document.attribute("_non_persistent_buffers_set", of: id).flatMap { document.elements($0) } ?? []
    let isHidden = Set(hidden.compactMap { document.string($0) })
    visits += parameters.count + buffers.count + children.count + hidden.count
    for pair in parameters + buffers {
      guard let name = document.string(pair.key), let tensor = try archive.tensor(pair.value) else { continue }
      if isHidden.contains(name) { otherBuffers[start + name] = tensor } else { state[start + name] = tensor }
    }
    for pair in children {
      guard let name = document.string(pair.key), document[pair.value] != .none else { continue }
      try walk(archive, pair.value, start + name, depth: depth + 1)
    }
  }

  private func attributeCount(_ document: PickleDocument, _ id: PickleDocument.ID) -> Int {
    guard case .object(let object) = document[id], let state = object.state else { return 0 }
    return document.pairs(state)?.count ?? 0
  }
}
