import Basics

#if canImport(Glibc)
  import Glibc
#endif

/// Files in the safetensors format (huggingface/safetensors, format description of version 0.4): 8 bytes of header
/// length, a JSON header, the tensors' bytes.
public enum Safetensors {
  /// One tensor in a file.
  public struct Entry: Sendable, Equatable {
    /// "F32", "BF16", "I64" …
    public let type: String
    public let shape: [Int]
    /// Bytes after the header.
    public let range: Range<Int>

    public var count: Int { shape.reduce(1, *) }
  }

  /// Largest header that is read; real ones are far smaller.
  static let headerLimit = 100 << 20

  /// One FP32 tensor to write.
  public struct Item {
    public let name: String
    public let shape: [Int]

    public var byteCount: Int { shape.reduce(4, *) }

    public init(name: String, shape: [Int]) {
      self.name = name
      self.shape = shape
    }
  }

  /// Creates a file with the header and room for all tensors, whose numbers `OpenFile`s write.
  /// - Returns: the checksum of the bytes before the first tensor, and the length of the file.
  @discardableResult
  public static func create(
    _ items: [Item], metadata: [String: String] = [:], at path: String
  ) throws -> (headerChecksum: UInt32, length: Int) {
    var header: [String: JSONValue] = [:]
    if !metadata.isEmpty { header["__metadata__"] = .object(metadata.mapValues { .string($0) }) }
    var end = 0
    for item in items {
      let byteCount = item.shape.reduce(4, *)
      header[item.name] = .object([
        "dtype": .string("F32"), "shape": .array(item.shape.map { .integer($0) }),
        "data_offsets": .array([.integer(end), .integer(end + byteCount)]),
      ])
      end += byteCount
    }
    var text = Array(try JSONValue.object(header).text(pretty: false).utf8)
    while text.count % 8 != 0 { text.append(UInt8(ascii: " ")) }
    let file = try OutputFile(creating: path)
    let head = withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text
    try head.withUnsafeBytes { try file.write($0) }
    try file.resize(to: head.count + end)
    try file.close()
    return (CRC32C.checksum(head), head.count + end)
  }

  /// A tensor of any type with its bytes.
  public struct Tensor: Sendable, Equatable {
    /// "F32", "I32", "BOOL" …
    public let type: String
    public let shape: [Int]
    /// Row-major, little-endian.
    public let bytes: [UInt8]

    public init(type: String, shape: [Int], bytes: [UInt8]) {
      self.type = type
      self.shape = shape
      self.bytes = bytes
    }

    public init(_ values: [Float], shape: [Int]) {
      self.init(type: "F32", shape: shape, bytes: values.withUnsafeBytes { Array($0) })
    }

    public init(_ values: [Int32], shape: [Int]) {
      self.init(type: "I32", shape: shape, bytes: values.withUnsafeBytes { Array($0) })
    }

    public init(_ values: [Bool], shape: [Int]) {
      self.init(type: "BOOL", shape: shape, bytes: values.map { $0 ? 1 : 0 })
    }
  }

  /// Writes a file of some tensors, those of wide types first, so that each is aligned; replaces the file as a whole.
  public static func write(_ tensors: [String: Tensor], metadata: [String: String] = [:], to path: String) throws {
    let sorted = tensors.sorted {
      (File.width($1.value.type), $0.key) < (File.width($0.value.type), $1.key)
    }
    var header: [String: JSONValue] = [:]
    if !metadata.isEmpty { header["__metadata__"] = .object(metadata.mapValues { .string($0) }) }
    var data: [UInt8] = []
    for (name, tensor) in sorted {
      precondition(tensor.bytes.count == tensor.shape.reduce(File.width(tensor.type), *), name)
      header[name] = .object([
        "dtype": .string(tensor.type), "shape": .array(tensor.shape.map { .integer($0) }),
        "data_offsets": .array([.integer(data.count), .integer(data.count + tensor.bytes.count)]),
      ])
      data += tensor.bytes
    }
    var text = Array(try JSONValue.object(header).text(pretty: false).utf8)
    while text.count % 8 != 0 { text.append(UInt8(ascii: " ")) }
    try Files.writeAtomically(
      withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text + data, to: path)
  }

  /// A created file into which several processes write their parts of its tensors. Not atomic by itself: callers write
  /// into a folder that they rename.
  public final class OpenFile {
    private let layout: File
    private let file: OutputFile

    public init(_ path: String) throws {
      layout = try File(path)
      file = try OutputFile(existing: path)
    }

    /// Writes neighbouring elements of a tensor from element `start` on.
    public func write(_ name: String, at start: Int, _ floats: UnsafeBufferPointer<Float>) throws {
      guard let entry = layout.entries[name] else { preconditionFailure("\(layout.path) was made without \(name)") }
      precondition(start >= 0 && start + floats.count <= entry.count)
      try file.write(UnsafeRawBufferPointer(floats), at: layout.dataStart + entry.range.lowerBound + 4 * start)
    }

    /// Syncs and closes.
    public func finish() throws {
      try file.sync()
      try file.close()
    }
  }

  /// A file opened for reading; the header has been checked against the file's size.
  public final class File {
    public let path: String
    public let entries: [String: Entry]
    public let metadata: [String: String]
    /// Bytes of the file, and the checksum of those before the first tensor.
    public let length: Int
    public let headerChecksum: UInt32
    private let descriptor: Int32
    fileprivate let dataStart: Int

    public init(_ path: String) throws {
      self.path = path
      let (descriptor, size) = try Files.openToRead(path)
      do {
        guard size >= 8 else { throw File.damaged(path, "it is shorter than a header") }
        let lengthBytes = try File.read(descriptor, 0..<8, path)
        let length = lengthBytes.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
        guard length <= UInt64(min(headerLimit, size - 8)) else {
          throw File.damaged(path, "its header claims \(length) bytes of a file of \(size)")
        }
        dataStart = 8 + Int(length)
        let text: [UInt8] = try File.read(descriptor, 8..<dataStart, path)
        headerChecksum = CRC32C.checksum(lengthBytes + text)
        self.length = size
        let header = try JSONValue(parsing: text, place: path)
        (entries, metadata) = try File.parse(header, dataLength: size - dataStart, path)
        self.descriptor = descriptor
      } catch {
        close(descriptor)
        throw error
      }
    }

    deinit { close(descriptor) }

    /// An FP32 tensor of the expected shape.
    public func entry(_ name: String, shape: [Int]) throws -> Entry {
      guard let entry = entries[name] else {
        throw JigsawError(
          path, "has no tensor '\(name)'",
          remedy: nearest(to: name, among: Array(entries.keys)).map { "nearest is '\($0)'" })
      }
      guard entry.type == "F32", entry.shape == shape else {
        throw JigsawError(
          "\(path): \(name)", "doesn't fit", expected: "F32 \(shape)", found: "\(entry.type) \(entry.shape)",
          remedy: "the checkpoint belongs to another model")
      }
      return entry
    }

    /// Reads neighbouring elements of an FP32 tensor from element `start` on.
    public func read(_ entry: Entry, at start: Int, into out: UnsafeMutableBufferPointer<Float>) throws {
      precondition(entry.type == "F32" && start >= 0 && start + out.count <= entry.count)
      try File.read(
        descriptor, dataStart + entry.range.lowerBound + 4 * start, UnsafeMutableRawBufferPointer(out), path)
    }

    /// The checksum of the bytes of a tensor, whatever its type.
    public func checksum(_ entry: Entry) throws -> UInt32 {
      var sum = PartialChecksum(byteCount: entry.range.count)
      var block = [UInt8](repeating: 0, count: min(entry.range.count, 1 << 20))
      for start in stride(from: 0, to: entry.range.count, by: 1 << 20) {
        let count = min(1 << 20, entry.range.count - start)
        try block.withUnsafeMutableBytes { bytes in
          let part = UnsafeMutableRawBufferPointer(rebasing: bytes[..<count])
          try File.read(descriptor, dataStart + entry.range.lowerBound + start, part, path)
          sum.add(UnsafeRawBufferPointer(part), at: start)
        }
      }
      return CRC32C.checksum(remainder: sum.remainder, byteCount: entry.range.count)
    }

    /// Reads an FP32 tensor of the expected shape into memory.
    public func read(_ name: String, shape: [Int], into out: UnsafeMutableBufferPointer<Float>) throws {
      try read(entry(name, shape: shape), at: 0, into: out)
    }

    public func floats(_ name: String) throws -> [Float] {
      guard let entry = entries[name] else { throw JigsawError(path, "has no tensor '\(name)'") }
      var values = [Float](repeating: 0, count: entry.count)
      try values.withUnsafeMutableBufferPointer { try read(name, shape: entry.shape, into: $0) }
      return values
    }

    /// A tensor of any type.
    public func tensor(_ name: String) throws -> Tensor {
      guard let entry = entries[name] else { throw JigsawError(path, "has no tensor '\(name)'") }
      let start = dataStart + entry.range.lowerBound
      return Tensor(
        type: entry.type, shape: entry.shape,
        bytes: try File.read(descriptor, start..<start + entry.range.count, path))
    }

    fileprivate static func width(_ type: String) -> Int { widths[type] ?? 1 }

    private static func damaged(_ path: String, _ why: String) -> JigsawError {
      JigsawError(
        path, "is not a complete safetensors file: \(why)", remedy: "use another checkpoint or copy the file again")
    }

    private static func parse(
      _ header: JSONValue, dataLength: Int, _ path: String
    ) throws -> ([String: Entry], [String: String]) {
      guard let members = header.object else { throw damaged(path, "its header is not an object") }
      var entries: [String: Entry] = [:]
      var metadata: [String: String] = [:]
      for (name, value) in members.sorted(by: { $0.key < $1.key }) {
        if name == "__metadata__" {
          metadata = value.object?.compactMapValues(\.string) ?? [:]
          continue
        }
        guard let type = value["dtype"]?.string, let shape = value["shape"]?.integers,
          let offsets = value["data_offsets"]?.integers, offsets.count == 2, offsets[0] >= 0,
          offsets[0] <= offsets[1], shape.allSatisfy({ $0 >= 0 })
        else { throw damaged(path, "the entry of '\(name)' is malformed") }
        guard offsets[1] <= dataLength else {
          throw damaged(path, "'\(name)' ends at byte \(offsets[1]) of \(dataLength)")
        }
        guard let width = widths[type] else { throw damaged(path, "'\(name)' has the unknown type '\(type)'") }
        var count = width
        for extent in shape {
          let (product, overflow) = count.multipliedReportingOverflow(by: extent)
          guard !overflow else { throw damaged(path, "the shape of '\(name)' overflows") }
          count = product
        }
        guard count == offsets[1] - offsets[0] else {
          throw damaged(path, "'\(name)' has \(offsets[1] - offsets[0]) bytes for shape \(shape)")
        }
        entries[name] = Entry(type: type, shape: shape, range: offsets[0]..<offsets[1])
      }
      // The format demands that each byte belongs to exactly one tensor.
      var end = 0
      for (name, entry) in entries.sorted(by: {
        ($0.value.range.lowerBound, $0.value.range.upperBound) < ($1.value.range.lowerBound, $1.value.range.upperBound)
      }) {
        guard entry.range.lowerBound == end else {
          throw damaged(path, "'\(name)' starts at byte \(entry.range.lowerBound), the one before ends at \(end)")
        }
        end = entry.range.upperBound
      }
      guard end == dataLength else { throw damaged(path, "its tensors end at byte \(end) of \(dataLength)") }
      return (entries, metadata)
    }

    /// Bytes per element.
    private static let widths = [
      "BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "F8_E8M0": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2,
      "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8, "C64": 8,
    ]

    private static func read(_ descriptor: Int32, _ range: Range<Int>, _ path: String) throws -> [UInt8] {
      var bytes = [UInt8](repeating: 0, count: range.count)
      try bytes.withUnsafeMutableBytes { try read(descriptor, range.lowerBound, $0, path) }
      return bytes
    }

    private static func read(
      _ descriptor: Int32, _ offset: Int, _ out: UnsafeMutableRawBufferPointer, _ path: String
    ) throws {
      var done = 0
      while done < out.count {
        let n = pread(descriptor, out.baseAddress! + done, min(out.count - done, 1 << 30), off_t(offset + done))
        if n < 0 && errno == EINTR { continue }
        if n < 0 { throw JigsawError(path, "can't read this file (\(Files.reason()))") }
        if n == 0 { throw damaged(path, "it ends early") }
        done += n
      }
    }
  }
}
