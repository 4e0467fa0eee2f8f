import Basics
import Communication
import Datasets
import Distribution

/// The checkpoints of a run: numbered ones, of which the newest few are kept, and the best by validation.
public struct CheckpointFolder: Sendable {
  public let path: String
  public let keep: Int

  public init(_ path: String, keep: Int = 2) {
    self.path = path
    self.keep = max(1, keep)
  }

  /// The prefix of the names of numbered checkpoints.
  public static let prefix = "update-"
  private static let best = "best"

  public static func name(update: Int) -> String { "\(prefix)\(padded(update, 7))" }

  /// The update that a name stands for, if a training would give it.
  static func update(_ name: String) -> Int? {
    guard name.hasPrefix(prefix), let update = Int(name.dropFirst(prefix.count)), self.name(update: update) == name
    else {
      return nil
    }
    return update
  }

  /// Complete numbered checkpoints, oldest first: folders, no links to such, with names that a training gives.
  public func numbered() throws -> [String] {
    guard Files.isDirectory(path) else { return [] }
    return try Files.list(path).compactMap { name in CheckpointFolder.update(name).map { (update: $0, name: name) } }
      .filter { Files.isFolderItself("\(path)/\($0.name)") && Checkpoint.isOne("\(path)/\($0.name)") }
      .sorted { $0.update < $1.update }.map(\.name)
  }

  /// The numbered folder of the latest update that holds no checkpoint, since its manifest is missing; nil for none. What a
  /// training writes gets its name with its manifest.
  ///
  /// - Parameter update: the latest that holds one; folders of earlier ones don't count.
  public func incomplete(after update: Int = -1) throws -> String? {
    guard Files.isDirectory(path) else { return nil }
    return try Files.list(path).compactMap { name in CheckpointFolder.update(name).map { (update: $0, name: name) } }
      .filter {
        $0.update > update && Files.isFolderItself("\(path)/\($0.name)") && !Checkpoint.isOne("\(path)/\($0.name)")
      }.max { $0.update < $1.update }?.name
  }

  /// The error for a folder that `incomplete` names.
  public func obstacle(_ name: String) -> JigsawError {
    JigsawError(
      "\(path)/\(name)", "is no complete checkpoint", expected: "a folder with \(Checkpoint.manifestName)",
      found: "none in it", remedy: "copy it here again, or remove it to go on without it")
  }

  /// - Throws: when it can't be read, or holds another update than its name says, so that it may not be the newest.
  public func newest() throws -> Checkpoint? {
    try settled {
      guard let name = try numbered().last else { return nil }
      let checkpoint = try Checkpoint("\(path)/\(name)")
      if let problem = checkpoint.misnaming { throw problem }
      return checkpoint
    }
  }

  /// Runs `body` again where it fails while a training that goes on adds, replaces or removes checkpoints.
  func settled<Result>(_ body: () throws -> Result) throws -> Result {
    for _ in 0..<5 {
      let before = state
      do { return try body() } catch {
        if state == before { throw error }
      }
    }
    return try body()
  }

  /// Another one after each checkpoint that is written or removed.
  private var state: [String] {
    let names = (try? Files.list(path)) ?? []
    let manifests = names.map { "\(path)/\($0)/\(Checkpoint.manifestName)" }
    return zip(names, manifests).map { "\($0) \(Files.modificationSeconds($1) ?? 0)" }
  }

  var bestPath: String { "\(path)/\(CheckpointFolder.best)" }

  /// The best, else the newest: what forecasts are made with where nothing else is said.
  public func preferred() throws -> Checkpoint? { try best() ?? newest() }

  /// Whether the folder holds any checkpoint.
  public var isEmpty: Bool {
    get throws { try numbered().isEmpty && bestOfAny() == nil }
  }

  /// Writes the checkpoint of an update; afterwards removes those beyond the number to keep.
  public func write(_ manifest: CheckpointManifest, _ rank: ModelRank, optimizer: OptimizerState) throws {
    let update = manifest.progress.update
    let name = CheckpointFolder.name(update: update)
    try rank.context.world.together(onlyOn: 0) { try keepOthers(name) }
    try Checkpoint.write(manifest, rank, optimizer: optimizer, to: "\(path)/\(name)")
    if rank.context.world.rank > 0 { return }
    // Checkpoints beyond this update are not older, whoever wrote them.
    let earlier = try numbered().filter { CheckpointFolder.update($0) ?? 0 <= update }
    for old in earlier.dropLast(keep) { try Files.removeAtOnce("\(path)/\(old)") }
  }

  /// Writes the weights of the best update so far, without optimiser state.
  /// - Returns: what later checkpoints know it by; nil on ranks that write none.
  public func writeBest(
    _ manifest: CheckpointManifest, _ rank: ModelRank, optimizer: OptimizerState
  ) throws -> Lineage.Model? {
    try rank.context.world.together(onlyOn: 0) { try keepOthers(CheckpointFolder.best) }
    return try Checkpoint.write(manifest, rank, optimizer: optimizer, withMoments: false, to: bestPath)
  }

  /// Whether a killed process may have left something to `recover`.
  public var isUnfinished: Bool {
    get throws {
      guard Files.isDirectory(path) else { return false }
      return try Files.list(path).contains { $0.hasSuffix(".tmp") || $0.hasSuffix(".old") }
    }
  }

  /// Ends what a killed process left half done: a `best` that had no name when the process ended gets it, and what is half written
  /// goes. For whoever holds the lock of the run.
  public func recover() throws {
    guard Files.isDirectory(path) else { return }
    let names = try Files.list(path).filter { Files.isFolderItself("\(path)/\($0)") }
    let unfinished = names.filter(CheckpointFolder.isUnfinished)
    if !Checkpoint.isOne(bestPath) {
      // The manifest is written last.
      let complete = unfinished.first { $0.hasPrefix(CheckpointFolder.best + ".") && Checkpoint.isOne("\(path)/\($0)") }
      if let complete {
        try keepOthers(CheckpointFolder.best)
        try Files.remove(bestPath)
        try Files.rename("\(path)/\(complete)", to: bestPath)
      }
    }
    for name in unfinished where Files.exists("\(path)/\(name)") { try Files.remove("\(path)/\(name)") }
    let replaced = Set(
      names.compactMap { name in name.firstIndex(of: ".").map { name[..<$0] } }
        .filter(CheckpointFolder.isCheckpoint).map(String.init))
    for name in replaced.sorted() { try Files.recover("\(path)/\(name)") }
  }

  private static func isCheckpoint(_ name: Substring) -> Bool { name == best || update(String(name)) != nil }

  /// Whether a checkpoint was being written under this name. Version 0.1 gave temporary folders names without process and number.
  private static func isUnfinished(_ name: String) -> Bool {
    let end = name.firstIndex(of: ".") ?? name.endIndex
    return isCheckpoint(name[..<end]) && (Temporary.isOne(name) || name[end...] == ".tmp")
  }

  /// Whether a training gives this name: that of a checkpoint, or one under which it is written or replaced.
  public static func isOwn(_ name: String) -> Bool {
    isCheckpoint(name[...]) || isUnfinished(name)
      || name.hasSuffix(".old") && isCheckpoint(name.prefix { $0 != "." })
  }
}

extension Checkpoint {
  /// The error where the folder's name is that of another update.
  var misnaming: JigsawError? {
    let name = path.split(separator: "/").last.map(String.init) ?? path
    guard let named = CheckpointFolder.update(name), named != manifest.progress.update else { return nil }
    let right = CheckpointFolder.name(update: manifest.progress.update)
    return JigsawError(
      path, "holds another update than its name says", expected: "update \(named)",
      found: "update \(manifest.progress.update)",
      remedy: "call it \(right), or move it out of the folder of checkpoints")
  }

  /// Whether there is a checkpoint at a path: a folder with a manifest.
  static func isOne(_ path: String) -> Bool { Files.isDirectory(path) && Files.exists("\(path)/\(manifestName)") }
}
