import Basics
import Checkpoints
import Configuration

extension RunFolder {
  /// The traces here of a training that had checkpoints, in words; nil where none had one. Statistics are made before the first, and
  /// a log, metrics and a validation begin before it.
  func remains() throws -> String? {
    var found: [String] = []
    if Files.exists(log), try Files.readText(log).contains("/checkpoints/\(CheckpointFolder.prefix)") {
      found.append("\(log), which names some")
    }
    // The first validation is followed by a checkpoint.
    if try rows(validation).count > 1 { found.append(validation) }
    if Files.exists(configuration), let every = try? RunConfiguration.load(configuration).training.checkpoint.every,
      every > 0, try rows(metrics).contains(where: { $0 > every })
    {
      found.append(metrics)
    }
    let scores = Files.isDirectory(path) ? try Files.list(path).filter { $0.hasPrefix("evaluation") } : []
    found += existingForecasts + scores.map { "\(path)/\($0)" }.filter { Files.exists(RunFolder.scores($0)) }
    return found.isEmpty ? nil : found.joined(separator: ", ")
  }

  /// The error where a checkpoint is needed and there is none; a training that is at work here writes one later.
  ///
  /// - Parameter alternative: what else can be done, where there is something.
  func noCheckpoint(or alternative: String = "") -> JigsawError {
    guard let holder = OutputLock.holder(folder: path) else {
      return JigsawError(path, "holds no checkpoint", remedy: "train first with 'jigsaw train'\(alternative)")
    }
    return JigsawError(
      path, "holds no checkpoint yet, and a training is at work in it", found: holder.isEmpty ? nil : holder,
      remedy: "wait for its first checkpoint\(alternative)")
  }

  /// The updates that a table has rows of.
  private func rows(_ path: String) throws -> [Int] {
    guard Files.exists(path) else { return [] }
    return try Files.readText(path).split(separator: "\n").compactMap { row in
      row.split(separator: ",").first.flatMap { Int($0) }
    }
  }
}
