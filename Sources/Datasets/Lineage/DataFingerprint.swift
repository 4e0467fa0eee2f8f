import Basics
import Communication
import FoundationEssentials

/// A fingerprint that tells data from other data, cheap for any size: names, sizes and times of files, stored metadata and sampled content.
///
/// Data of up to `wholeBytes` in few files are read in whole; then the content alone decides, and a copy with other times is the same.
/// Larger data are sampled: `sampleCount` parts spread over all bytes, and all metadata documents, are read. Then a file counts as changed when its
/// time or size has, wherever it lies: what a correction changed may lie between the samples. Copies that keep times are the same.
public struct DataFingerprint: Sendable, Codable, Equatable {
  public let files, bytes: Int
  /// The latest modification; nil for remote stores, which don't say.
  public let modified: String?
  /// Digests of paths; of names, sizes and times of modification; of sizes, names within folders, metadata and content as far as read.
  public let place, times, content: String
  /// Whether `content` is of every byte.
  public let isWhole: Bool

  static let wholeBytes = 64 << 20
  static let wholeFiles = 2_000
  static let sampleCount = 64
  static let sampleBytes = 64 << 10

  /// Whether it is the same data, moved perhaps.
  public func isSame(as other: DataFingerprint) -> Bool {
    if content != other.content || isWhole != other.isWhole { return false }
    return isWhole || times == other.times
  }

  /// The same for data between which `isSame` finds no difference: what is kept of a pass through them carries it.
  public var key: String { isWhole ? content : content + times }

  /// For messages.
  public var summary: String {
    let size = bytes < 1_000_000 ? "\(fixed(Double(bytes) / 1e3, 1)) kB" : "\(fixed(Double(bytes) / 1e6, 1)) MB"
    return
      (["\(files) \(files == 1 ? "file" : "files")", size] + (modified.map { ["changed \($0)"] } ?? [])
      + ["content \(content)"]).joined(separator: ", ")
  }

  /// The same beside another one; where both have the same samples it says what tells them apart.
  func summary(beside other: DataFingerprint) -> String {
    content == other.content ? "\(summary) in the parts that are read, with other times of its files" : summary
  }

  /// Fingerprint of every path that the sources name.
  public init(_ sources: [SourceDescription]) throws { try self.init(paths: sources.flatMap(\.paths)) }

  /// The same on all ranks, of what the first sees.
  public static func shared(_ sources: [SourceDescription], on world: any Communicator) throws -> DataFingerprint {
    var found: DataFingerprint?
    try world.together(onlyOn: 0) { found = try DataFingerprint(sources) }
    if world.size == 1, let found { return found }
    let bytes = try world.broadcast(try found.map { Array(try JSONEncoder().encode($0)) } ?? [], from: 0)
    return try JSONDecoder().decode(DataFingerprint.self, from: Data(bytes))
  }

  /// Fingerprint of files, folders and remote stores, or of patterns of them.
  public init(paths: [String]) throws {
    var files = StoredFiles()
    var (place, remote) = (Digest(), Digest())
    var hasRemote = false
    for (number, pattern) in paths.enumerated() {
      for path in try expand(pattern) {
        place.add(Files.absolute(path))
        if RemoteSummary.isRemote(path) {
          hasRemote = true
          try RemoteSummary.add(path, to: &remote)
        } else {
          try files.add(path, source: number)
        }
      }
    }
    var (times, content) = (Digest(), Digest())
    for file in files.found {
      content.add("\(file.source) \(file.name) \(file.bytes)")
      times.add("\(file.source) \(file.name) \(file.bytes) \(file.modified)")
    }
    isWhole = files.bytes <= DataFingerprint.wholeBytes && files.found.count <= DataFingerprint.wholeFiles && !hasRemote
    try isWhole ? files.readAll(&content) : files.readSamples(&content)
    if hasRemote {
      content.add(remote.text)
      times.add(remote.text)
    }
    self.files = files.found.count
    bytes = files.bytes
    let newest = files.found.map(\.modified).max()
    modified = newest.map { Timestamp(seconds: $0 / 1_000_000_000).display }
    (self.place, self.times, self.content) = (place.text, times.text, content.text)
  }
}
