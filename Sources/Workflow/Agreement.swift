import Basics
import Communication
import Configuration
import Datasets
import Tensors

/// Checks what all ranks must have been given alike: version, verb, options, settings, working folder, data, checkpoint. Otherwise they would compute
/// something that nobody asked for, or wait for each other for ever.
///
/// Ranks first exchange eight bytes each, whatever the verb and the version, so that none waits for a message that another
/// never sends.
enum Agreement {
  typealias Fact = (key: String, value: String)

  /// Settings that may differ from rank to rank: machines of one job need not be the same.
  private static let ownSettings: Set<String> = ["threads", "data.cacheGiB"]

  /// Called by all ranks before they do anything else together.
  ///
  /// - Parameters:
  ///   - more: all options of the verb, with their values.
  ///   - folder: this rank's working folder, at which relative paths start.
  /// - Throws: on every rank, the same sentence, if any of them was given something else than the first.
  static func check(
    _ verb: String, _ configuration: RunConfiguration?, _ more: [Fact] = [], version: String = jigsawVersion,
    folder: String = Files.absolute("."), on world: any Communicator
  ) throws {
    if world.size == 1 { return }
    let settings = (configuration?.settings ?? []).filter { !ownSettings.contains($0.key) }
    try check([("version", version), ("verb", verb)] + more + settings, on: world)
    try checkFolders(folder, on: world)
  }

  /// Ranks of one machine start in one folder: elsewhere the same relative path is of other files. Between machines paths may differ,
  /// and data are compared by what is in them.
  private static func checkFolders(_ folder: String, on world: any Communicator) throws {
    let machines = try exchange(digest(Machine.hostName), on: world)
    let folders = try exchange(digest(folder), on: world)
    for (rank, machine) in machines.enumerated() {
      guard let first = machines.firstIndex(of: machine), folders[rank] != folders[first] else { continue }
      throw JigsawError(
        "rank \(rank): working folder", "is not that of rank \(first) on the same machine",
        expected: String(decoding: try world.broadcast(Array(folder.utf8), from: first), as: UTF8.self),
        found: String(decoding: try world.broadcast(Array(folder.utf8), from: rank), as: UTF8.self),
        remedy: "start all ranks in one folder")
    }
  }

  /// The first rank that was asked to be several, as threads, and how many.
  ///
  /// - Returns: the same on all ranks.
  static func several(_ count: Int, on world: any Communicator) throws -> (rank: Int, count: Int)? {
    let counts = try exchange(UInt64(count), on: world)
    return counts.firstIndex { $0 > 1 }.map { ($0, Int(clamping: counts[$0])) }
  }

  /// The data as the first rank sees them, once one rank of every other machine has seen the same: a copy or a mount of its own
  /// may hold something else.
  ///
  /// - Parameter looks: whether this rank is the one of its machine.
  static func data(_ sources: [SourceDescription], looks: Bool, on world: any Communicator) throws -> DataFingerprint {
    let shared = try DataFingerprint.shared(sources, on: world)
    if world.size == 1 { return shared }
    var own = shared
    try world.together { if looks && world.rank > 0 { own = try DataFingerprint(sources) } }
    try check([("data", "\(own.files) files, \(own.bytes) bytes, content \(own.content)")], on: world)
    return shared
  }

  static func check(_ facts: [Fact], on world: any Communicator) throws {
    if world.size == 1 { return }
    let text = facts.map { "\($0.key)\u{1F}\($0.value)" }.joined(separator: "\u{1E}")
    let digests = try exchange(digest(text), on: world)
    guard let other = digests.firstIndex(where: { $0 != digests[0] }) else { return }
    // All know of the difference now, and which two ranks tell it.
    let first = parse(try world.broadcast(Array(text.utf8), from: 0))
    let found = parse(try world.broadcast(Array(text.utf8), from: other))
    let keys = first.map(\.key) + found.map(\.key).filter { key in !first.contains { $0.key == key } }
    func value(_ key: String, _ facts: [Fact]) -> String { facts.first { $0.key == key }?.value ?? "nothing" }
    guard let key = keys.first(where: { value($0, first) != value($0, found) }) else {
      preconditionFailure("the same facts with another digest")
    }
    throw JigsawError(
      "rank \(other): \(key)", "is not what rank 0 was given", expected: value(key, first), found: value(key, found),
      remedy: "start all ranks with the same program, command and files")
  }

  private static func exchange(_ own: UInt64, on world: any Communicator) throws -> [UInt64] {
    try world.allGather(bytes: withUnsafeBytes(of: own) { Array($0) }).map { bytes in
      bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
    }
  }

  /// FNV-1a.
  private static func digest(_ text: String) -> UInt64 {
    text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }

  private static func parse(_ bytes: [UInt8]) -> [Fact] {
    String(decoding: bytes, as: UTF8.self).split(separator: "\u{1E}").map { line in
      let parts = line.split(separator: "\u{1F}", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      return (parts[0], parts.count > 1 ? parts[1] : "")
    }
  }
}
