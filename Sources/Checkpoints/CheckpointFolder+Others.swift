import Basics

/// Files of others in folders that have the name of a checkpoint.
extension CheckpointFolder {
  private static let files: Set<String> = [
    Checkpoint.manifestName, Checkpoint.modelName, Checkpoint.averageName, Checkpoint.optimizerName,
    Checkpoint.graphName, CheckpointGrid.fileName,
  ]

  /// Whether a folder is no checkpoint, and holds files that no training wrote.
  public func holdsOthers(_ name: String) throws -> Bool {
    let folder = "\(path)/\(name)"
    guard Files.isFolderItself(folder), !Checkpoint.isOne(folder) else { return false }
    return try Files.list(folder).contains { !CheckpointFolder.files.contains($0) && !Temporary.isOne($0) }
  }

  /// Gives such a folder another name before a checkpoint takes its place.
  func keepOthers(_ name: String) throws {
    guard try holdsOthers(name) else { return }
    var target = "\(path)/\(name)-earlier"
    while Files.exists(target) { target += "-earlier" }
    try Files.rename("\(path)/\(name)", to: target)
  }
}
