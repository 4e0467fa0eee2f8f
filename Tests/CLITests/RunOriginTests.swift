import Basics
import TestSupport
import Testing

/// Checkpoints of other runs, left behind or damaged, are never taken without a word.
@Suite struct RunOriginTests {
  private func workspace() throws -> Workspace { try Workspace(copying: Workspace.trained.get()) }

  private func succeed(_ workspace: Workspace, _ arguments: [String]) throws -> Program.Output {
    let output = try workspace.run(arguments)
    #expect(output.status == 0, "\(arguments): \(output.err)")
    return output
  }

  /// Another training's best, of another seed, other settings, or an earlier state of the same run.
  @Test(arguments: ["seed=2", "training.learningRate=0.002", ""])
  func aBestOfAnotherRunIsNotTaken(setting: String) throws {
    let w = try workspace()
    let best = "\(w.path)/run/checkpoints/best"
    if setting.isEmpty {
      try Files.copy(best, to: "\(w.path)/old")
      _ = try succeed(w, ["resume", "run", "--set", "training.updates=40", "--set", "training.learningRate=0.01"])
    } else {
      _ = try succeed(w, ["train", "config.yaml", "--set", "run=other", "--set", setting])
      try Files.copy("\(w.path)/other/checkpoints/best", to: "\(w.path)/old")
    }
    let own = "\(w.path)/own"
    try Files.rename(best, to: own)
    try Files.copy("\(w.path)/old", to: best)
    for arguments in [
      ["forecast", "run", "--overwrite"], ["forecast", "run", "--overwrite", "--ranks", "2"], ["evaluate", "run"],
    ] {
      let output = try w.run(arguments)
      #expect(output.status == 1, "\(arguments)")
      #expect(output.lastLine.contains("run/checkpoints/best: is "), "\(output.err)")
      #expect(output.lastLine.contains(setting.isEmpty ? "not the best checkpoint of this run" : "of another run"))
    }
    #expect(try succeed(w, ["report", "run"]).err.contains("run/checkpoints/best: is "))
    _ = try succeed(w, ["forecast", "run", "--checkpoint", best, "--output", "named.zarr"])
    let resumed = try succeed(w, ["resume", "run", "--set", "training.updates=44"])
    #expect(resumed.err.contains("note: run/checkpoints/best: is "), "\(resumed.err)")
    #expect(resumed.err.contains("the checkpoint called best is not this run's: the next validation makes a new one"))
    _ = try succeed(w, ["forecast", "run", "--overwrite"])
  }

  /// A run elsewhere, its best alone, and one saved after the newest numbered checkpoint are the run's.
  @Test func theRunsOwnBestIsTaken() throws {
    let w = try workspace()
    try Files.copy("\(w.path)/run", to: "\(w.path)/elsewhere/copy")
    #expect(try succeed(w, ["forecast", "elsewhere/copy", "--overwrite"]).err.contains("checkpoints/best (update"))
    for update in [2, 4] {
      let path = "\(w.path)/elsewhere/copy/checkpoints/update-000000\(update)"
      try Files.remove(path)
      #expect(try succeed(w, ["forecast", "elsewhere/copy", "--overwrite"]).err.contains("checkpoints/best (update"))
      _ = try succeed(w, ["evaluate", "elsewhere/copy"])
    }
  }

  @Test(arguments: [["resume", "run"], ["train", "config.yaml", "--set", "resume=auto"]])
  func anIncompleteNewestCheckpointIsNamed(command: [String]) throws {
    let w = try workspace()
    let arguments = command + ["--set", "training.updates=6"]
    let newest = "run/checkpoints/update-0000004"
    try Files.remove("\(w.path)/\(newest)/manifest.json")
    let output = try succeed(w, arguments)
    #expect(output.err.contains("note: \(newest): is no complete checkpoint; expected a folder with manifest.json"))
    #expect(output.err.contains("Resuming from run/checkpoints/update-0000002"), "\(output.err)")
  }

  /// Whatever else of the run has gone.
  @Test(arguments: [["resume", "run"], ["train", "config.yaml", "--set", "resume=auto"], ["train", "config.yaml"]])
  func noTrainingBeginsAnewOverIncompleteCheckpoints(command: [String]) throws {
    let w = try workspace()
    for name in ["best", "update-0000002", "update-0000004"] {
      try Files.remove("\(w.path)/run/checkpoints/\(name)/manifest.json")
    }
    try Files.remove("\(w.path)/run/train.log")
    let before = try Files.list("\(w.path)/run/checkpoints/update-0000004")
    let output = try w.run(command + ["--set", "training.updates=6"])
    #expect(output.status == 1)
    let expected =
      command.count == 2 && command[0] == "train"
      ? "run: already holds a trained run" : "run/checkpoints/update-0000004: is no complete checkpoint"
    #expect(output.lastLine.contains(expected), "\(output.err)")
    #expect(try Files.list("\(w.path)/run/checkpoints/update-0000004") == before)
    _ = try succeed(w, ["train", "config.yaml", "--overwrite"])
  }

  @Test func aDamagedBestIsNamed() throws {
    let w = try workspace()
    let best = "run/checkpoints/best"
    for ranks in ["1", "2"] {
      let forecast = ["forecast", "run", "--overwrite", "--ranks", ranks]
      let file = "\(w.path)/\(best)/average.safetensors"
      let bytes = try Files.read(file)
      var flipped = bytes
      flipped[bytes.count - 1] ^= 1
      try Files.writeAtomically(flipped, to: file)
      let damaged = try w.run(forecast)
      #expect(damaged.status == 1 && damaged.lastLine.contains("\(best)/average.safetensors: "), "\(damaged.err)")
      try Files.writeAtomically(bytes, to: file)
      try Files.rename("\(w.path)/\(best)/manifest.json", to: "\(w.path)/manifest")
      let output = try succeed(w, forecast)
      #expect(output.err.contains("\(best) (of update 4) has no manifest.json"), "\(output.err)")
      try Files.rename("\(w.path)/manifest", to: "\(w.path)/\(best)/manifest.json")
    }
    // Damage of the newest one doesn't stand in the way of the best.
    try w.cut("run/checkpoints/update-0000004/manifest.json", to: 0.5)
    #expect(
      try succeed(w, ["forecast", "run", "--overwrite"]).err.contains("\(best) is the run's best is not known: "))
  }
}
