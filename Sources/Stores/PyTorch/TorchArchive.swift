import Basics

/// A file that `torch.save` wrote: a ZIP archive of a pickle and of the storages that its tensors lie in. The pickle is read
/// as plain data (`PickleDocument`); nothing of it is executed.
public struct TorchArchive: Sendable {
  public let path: String
  public let document: PickleDocument
  /// The folder that everything in the archive lies in.
  public let root: String
  private let archive: ZipStorage

  private static let pickleLimit = 32 << 20
  /// The longest storage.
  private static let storageLimit = 4 << 30

  /// - Parameter isAllowed: whether a class or function may be named.
  public init(_ path: String, isAllowed: @escaping (_ module: String, _ name: String) -> Bool) throws {
    self.path = path
    let archive = try ZipStorage(path)
    self.archive = archive
    let roots = archive.list("").filter { !archive.list($0).filter { $0 == "data.pkl" }.isEmpty }
    guard let root = roots.first, roots.count == 1 else {
      throw JigsawError(
        path, "is not a PyTorch checkpoint", expected: "one folder with a data.pkl in it", found: "\(roots.count)")
    }
    self.root = root
    guard let pickle = try archive.read("\(root)/data.pkl", nil, limit: Self.pickleLimit) else {
      throw JigsawError(path, "has no data.pkl")
    }
    if let order = try archive.read("\(root)/byteorder", nil, limit: 16)?.bytes, order != Array("little".utf8) {
      throw JigsawError(path, "has tensors of another byte order", expected: "little")
    }
    document = try PickleReader.read(pickle.bytes, place: "\(path)/\(root)/data.pkl", isAllowed: isAllowed)
  }

  /// Another entry of the archive; nil when there is none.
  public func entry(_ name: String, limit: Int) throws -> [UInt8]? { try archive.read(name, nil, limit: limit)?.bytes }

  /// Names one level below a folder of the archive.
  public func list(_ folder: String) -> [String] { archive.list(folder) }

  /// Elements of a storage, as a tensor or an array.
  public struct Tensor: Sendable, Equatable {
    /// The type as safetensors names it: "F32", "I64" …
    public let type: String
    public let shape: [Int]
    /// Elements of the storage between neighbours along each dimension.
    let strides: [Int]
    let offset: Int
    /// Name of the storage and how many elements it has.
    let storage: String
    let storageCount: Int

    public var count: Int { shape.reduce(1) { $0.multipliedSaturating(by: $1) } }

    /// Some of the first dimension's indices.
    public func rows(_ range: Range<Int>) -> Tensor {
      precondition(!shape.isEmpty && range.lowerBound >= 0 && range.upperBound <= shape[0])
      return Tensor(
        type: type, shape: [range.count] + shape.dropFirst(), strides: strides,
        offset: offset + range.lowerBound * strides[0], storage: storage, storageCount: storageCount)
    }
  }

  private static let dimensionLimit = 16

  /// Types of storages, as in safetensors, and bytes per element.
  static let types: [String: (name: String, byteCount: Int)] = [
    "FloatStorage": ("F32", 4), "DoubleStorage": ("F64", 8), "HalfStorage": ("F16", 2), "BFloat16Storage": ("BF16", 2),
    "LongStorage": ("I64", 8), "IntStorage": ("I32", 4), "ShortStorage": ("I16", 2), "CharStorage": ("I8", 1),
    "ByteStorage": ("U8", 1), "BoolStorage": ("BOOL", 1),
  ]

  /// A tensor or parameter of the pickle; nil when the value is none.
  /// - Throws: when the tensor does not fit into its storage.
  public func tensor(_ id: PickleDocument.ID) throws -> Tensor? {
    guard case .object(let object) = document[id], let name = document.className(id),
      let arguments = document.elements(object.arguments)
    else { return nil }
    switch name {
    case "torch._utils _rebuild_parameter", "torch._utils _rebuild_parameter_with_state":
      guard let first = arguments.first, document.className(first) == "torch._utils _rebuild_tensor_v2" else {
        return nil
      }
      return try tensor(first)
    case "torch._utils _rebuild_tensor_v2":
      guard arguments.count >= 4, case .persistent(let tuple) = document[arguments[0]],
        let parts = document.elements(tuple), parts.count >= 5, document.string(parts[0]) == "storage",
        let kind = document.className(parts[1])?.split(separator: " ").last.map(String.init),
        let type = Self.types[kind], let key = document.string(parts[2]), let count = document.integer(parts[4]),
        let offset = document.integer(arguments[1]), let shape = extents(arguments[2]),
        let strides = extents(arguments[3])
      else { throw damaged("a tensor that is described in another way") }
      let tensor = Tensor(
        type: type.name, shape: shape, strides: strides, offset: offset, storage: key, storageCount: count)
      try check(tensor)
      return tensor
    default: return nil
    }
  }

  private func extents(_ id: PickleDocument.ID) -> [Int]? {
    guard let elements = document.elements(id), elements.count <= Self.dimensionLimit else { return nil }
    return document.integers(id)
  }

  private func damaged(_ found: String) -> JigsawError {
    JigsawError(path, "has tensors that can't be read", found: found)
  }

  /// Every element must lie in the storage, and none may be repeated: so no tensor is larger than what the file holds.
  private func check(_ tensor: Tensor) throws {
    var (count, last) = (1, tensor.offset)
    guard tensor.shape.count == tensor.strides.count, tensor.offset >= 0, tensor.storageCount >= 0,
      (tensor.shape + tensor.strides).allSatisfy({ $0 >= 0 })
    else { throw damaged("shape \(tensor.shape) with strides \(tensor.strides)") }
    for (extent, stride) in zip(tensor.shape, tensor.strides) {
      count = count.multipliedSaturating(by: extent)
      last = last.addingSaturating(max(0, extent - 1).multipliedSaturating(by: stride))
    }
    guard count == 0 || (last < tensor.storageCount && count <= tensor.storageCount) else {
      throw damaged("shape \(tensor.shape) in a storage of \(tensor.storageCount) elements")
    }
  }

  /// The bytes of a tensor, its elements in row-major order without gaps.
  public func bytes(_ tensor: Tensor) throws -> [UInt8] {
    if tensor.count == 0 { return [] }
    let name = "\(root)/data/\(tensor.storage)"
    guard let width = Self.types.values.first(where: { $0.name == tensor.type })?.byteCount,
      let stored = try archive.read(name, nil, limit: Self.storageLimit)?.bytes
    else { throw damaged("no storage '\(tensor.storage)'") }
    guard stored.count == tensor.storageCount.multipliedSaturating(by: width) else {
      throw damaged("\(stored.count) bytes in storage '\(tensor.storage)' of \(tensor.storageCount) elements")
    }
    var expected = 1
    let isDense = zip(tensor.shape, tensor.strides).reversed().allSatisfy { extent, stride in
      defer { expected *= extent }
      return extent == 1 || stride == expected
    }
    if isDense { return Array(stored[tensor.offset * width..<(tensor.offset + tensor.count) * width]) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(tensor.count * width)
    var index = [Int](repeating: 0, count: tensor.shape.count)
    for _ in 0..<tensor.count {
      let start = (tensor.offset + zip(index, tensor.strides).reduce(0) { $0 + $1.0 * $1.1 }) * width
      bytes += stored[start..<start + width]
      for axis in index.indices.reversed() {
        index[axis] += 1
        if index[axis] < tensor.shape[axis] { break }
        index[axis] = 0
      }
    }
    return bytes
  }
}
