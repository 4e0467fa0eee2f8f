import Basics
import Stores

#if canImport(Glibc)
  import Glibc
#endif

/// The files that data consist of, in the order of their sources and names.
struct StoredFiles {
  struct File {
    let source: Int
    let path: String
    /// Within its folder; empty for a file that is a source by itself.
    let name: String
    let bytes: Int
    /// Nanoseconds since 1970.
    let modified: Int64
  }

  private(set) var found: [File] = []
  private(set) var bytes = 0

  /// Folders within folders that are followed.
  private static let deepest = 32
  /// Documents of metadata that are read, and their largest size.
  private static let (documentCount, documentBytes) = (512, 4 << 20)
  private static let documents: Set<String> = [".zarray", ".zattrs", ".zgroup", ".zmetadata", "zarr.json"]

  mutating func add(_ path: String, source: Int) throws {
    var info = stat()
    guard stat(path, &info) == 0 else {
      throw JigsawError(
        path, "no such file or folder", remedy: "check the path; relative ones start at the working folder")
    }
    if info.st_mode & S_IFMT != S_IFDIR { return note(path, "", info, source) }
    try walk(path, "", source, depth: 0)
  }

  private mutating func walk(_ folder: String, _ name: String, _ source: Int, depth: Int) throws {
    if depth > StoredFiles.deepest {
      throw JigsawError(
        folder, "lies in more than \(StoredFiles.deepest) folders of the data", remedy: "look for a link to itself")
    }
    for entry in try Files.list(folder) {
      var info = stat()
      let (path, inner) = ("\(folder)/\(entry)", name.isEmpty ? entry : "\(name)/\(entry)")
      // A file that is removed meanwhile is left out.
      guard stat(path, &info) == 0 else { continue }
      if info.st_mode & S_IFMT == S_IFDIR {
        try walk(path, inner, source, depth: depth + 1)
      } else {
        note(path, inner, info, source)
      }
    }
  }

  private mutating func note(_ path: String, _ name: String, _ info: stat, _ source: Int) {
    let modified = Int64(info.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(info.st_mtim.tv_nsec)
    found.append(File(source: source, path: path, name: name, bytes: Int(info.st_size), modified: modified))
    bytes += Int(info.st_size)
  }

  func readAll(_ digest: inout Digest) throws {
    for file in found where file.bytes > 0 {
      digest.add(try CRC32C.checksum(ofFile: file.path) ?? 0)
    }
  }

  /// Metadata documents, the ends of the first files, and parts spread evenly over all bytes.
  func readSamples(_ digest: inout Digest) throws {
    let size = DataFingerprint.sampleBytes
    func add(_ file: File, _ range: Range<Int>) throws {
      guard file.bytes > 0 else { return }
      digest.add(CRC32C.checksum(try Files.readIfPresent(file.path) { range.clamped(to: 0..<$0) }?.bytes ?? []))
    }
    let documents = found.filter { StoredFiles.documents.contains(String($0.name.split(separator: "/").last ?? "")) }
    for file in documents.prefix(StoredFiles.documentCount) { try add(file, 0..<StoredFiles.documentBytes) }
    for file in found.filter({ $0.name.isEmpty }).prefix(DataFingerprint.sampleCount) {
      try add(file, 0..<size)
      try add(file, max(0, file.bytes - size)..<file.bytes)
    }
    var (index, before) = (0, 0)
    for sample in 0..<DataFingerprint.sampleCount {
      let position = Int(Double(bytes) * (Double(sample) + 0.5) / Double(DataFingerprint.sampleCount))
      while index < found.count, before + found[index].bytes <= position {
        before += found[index].bytes
        index += 1
      }
      guard index < found.count else { break }
      let start = max(0, min(position - before, found[index].bytes - size))
      try add(found[index], start..<start + size)
    }
  }
}

/// A summary of a remote store's metadata: arrays with shapes, chunks, codecs and attributes, and small arrays' numbers, coordinates among
/// them. Its chunks' sizes and times are not asked for.
enum RemoteSummary {
  private static let smallBytes = 1 << 20

  static func isRemote(_ path: String) -> Bool { path.contains("://") }

  static func add(_ path: String, to digest: inout Digest) throws {
    let store = try openStore(path)
    func add(_ attributes: [String: AttributeValue]) throws {
      try digest.add(JSONValue.object(attributes.mapValues(\.asJSON)).text(pretty: false))
    }
    try add(store.attributes)
    for array in store.arrays.values.sorted(by: { $0.name < $1.name }) {
      digest.add("\(array.name) \(array.type) \(array.dimensions) \(array.chunks ?? []) \(array.codec)")
      try add(array.attributes)
      let chunk = (array.chunks ?? array.shape).reduce(array.type.byteCount) {
        $0.multipliedReportingOverflow(by: $1).partialValue
      }
      if array.count > 0, array.dimensions.count == 1, array.count * array.type.byteCount <= smallBytes,
        chunk <= smallBytes
      {
        digest.add(CRC32C.checksum(try store.read(array.name).bytes))
      }
    }
  }
}
