import Basics
import Communication
import Distribution

/// The checkpoints of a run: numbered ones, of which the newest few are kept, and the best by validation.
public struct CheckpointFolder: Sendable {
  public let path: String
  public let keep: Int

  public init(_ path: String, keep: Int = 2) {
    self.path = path
    self.keep = max(1, keep)
  }

  /// Of the names of numbered checkpoints.
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

  public func newest() throws -> Checkpoint? {
    try numbered().last.map { try Checkpoint("\(path)/\($0)") }
  }

  public func best() throws -> Checkpoint? {
    Checkpoint.isOne("\(path)/\(CheckpointFolder.best)") ? try Checkpoint("\(path)/\(CheckpointFolder.best)") : nil
  }

  /// The best, else the newest: what forecasts are made with where nothing else is said.
  public func preferred() throws -> Checkpoint? { try best() ?? newest() }

  /// Whether any checkpoint is there.
  public var isEmpty: Bool {
    get throws { try numbered().isEmpty && best() == nil }
  }

  /// Writes the checkpoint of an update; afterwards removes those beyond the number to keep.
  public func write(_ manifest: CheckpointManifest, _ rank: ModelRank, optimizer: Optimizer) throws {
    let update = manifest.progress.update
    try Checkpoint.write(manifest, rank, optimizer: optimizer, to: "\(path)/\(CheckpointFolder.name(update: update))")
    if rank.context.world.rank > 0 { return }
    // What lies beyond this update is not older, whoever wrote it.
    let earlier = try numbered().filter { CheckpointFolder.update($0) ?? 0 <= update }
    for old in earlier.dropLast(keep) { try Files.remove("\(path)/\(old)") }
  }

  /// Writes the weights of the best update so far, without optimiser state.
  public func writeBest(_ manifest: CheckpointManifest, _ rank: ModelRank, optimizer: Optimizer) throws {
    try Checkpoint.write(
      manifest, rank, optimizer: optimizer, withMoments: false, to: "\(path)/\(CheckpointFolder.best)")
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
    func isCheckpoint(_ name: Substring) -> Bool {
      name == CheckpointFolder.best || CheckpointFolder.update(String(name)) != nil
    }
    // Version 0.1 gave temporary folders names without process and number.
    let unfinished = names.filter { name in
      let end = name.firstIndex(of: ".") ?? name.endIndex
      return isCheckpoint(name[..<end]) && (Temporary.isOne(name) || name[end...] == ".tmp")
    }
    if !Checkpoint.isOne("\(path)/\(CheckpointFolder.best)") {
      // The manifest is written last.
      let complete = unfinished.first { $0.hasPrefix(CheckpointFolder.best + ".") && Checkpoint.isOne("\(path)/\($0)") }
      if let complete {
        try Files.remove("\(path)/\(CheckpointFolder.best)")
        try Files.rename("\(path)/\(complete)", to: "\(path)/\(CheckpointFolder.best)")
      }
    }
    for name in unfinished where Files.exists("\(path)/\(name)") { try Files.remove("\(path)/\(name)") }
    let replaced = Set(
      names.compactMap { name in name.firstIndex(of: ".").map { name[..<$0] } }.filter(isCheckpoint).map(String.init))
    for name in replaced.sorted() { try Files.recover("\(path)/\(name)") }
  }
}

extension Checkpoint {
  /// Whether there is a checkpoint at a path: a folder with a manifest.
  static func isOne(_ path: String) -> Bool { Files.isDirectory(path) && Files.exists("\(path)/\(manifestName)") }
}
