import Basics
import TestSupport
import Testing

/// Results of one run after another: what was made from something else is not taken for what is there now.
@Suite struct LineageTests {
  private func workspace() throws -> Workspace { try Workspace(copying: Workspace.trained.get()) }

  private func succeed(_ workspace: Workspace, _ arguments: [String]) throws -> Program.Output {
    let output = try workspace.run(arguments)
    #expect(output.status == 0, "\(arguments): \(output.err)")
    return output
  }

  @Test func aForecastOfAnEarlierModelIsNotScoredAsTheRuns() throws {
    let w = try workspace()
    _ = try succeed(w, ["evaluate", "run"])
    _ = try succeed(w, ["train", "config.yaml", "--overwrite", "--set", "training.updates=6"])
    let output = try w.run(["evaluate", "run"])
    #expect(output.status == 1)
    #expect(
      output.lastLine.contains("run/forecast.zarr: is not of the run's checkpoint; expected update "), "\(output.err)")
    #expect(output.lastLine.contains("found update "))
    let report = try succeed(w, ["report", "run"])
    #expect(report.err.contains("is not of the run's checkpoint"))
    _ = try succeed(w, ["forecast", "run", "--overwrite"])
    // Scores are now older than the forecast.
    #expect(try succeed(w, ["report", "run"]).err.contains("run/evaluation/scores.csv is older than what it is of"))
    _ = try succeed(w, ["evaluate", "run"])
    #expect(try !succeed(w, ["report", "run"]).err.contains("older"))
  }

  @Test func scoresOfAnotherForecastLieBesideTheRuns() throws {
    let w = try workspace()
    _ = try succeed(w, ["evaluate", "run"])
    let own = try Files.readText("\(w.path)/run/evaluation/scores.csv")
    for output in ["f.zarr", "f.grib2", "other/f.zarr"] {
      _ = try succeed(w, ["forecast", "run", "--lead", "12", "--output", output])
      _ = try succeed(w, ["evaluate", "run", "--forecast", output])
    }
    #expect(try Files.readText("\(w.path)/run/evaluation/scores.csv") == own)
    let folders = try Files.list("\(w.path)/run").filter { $0.hasPrefix("evaluation") }
    #expect(folders.count == 4, "\(folders)")
    for folder in folders {
      for name in ["scores.csv", "spectra.csv", "scorecard.md", "scorecard.svg", "lineage.json"] {
        let text = try Files.readText("\(w.path)/run/\(folder)/\(name)")
        for part in ["update", "data.nc", folder == "evaluation" ? "forecast.zarr" : "/f."] {
          #expect(text.contains(part), "\(folder)/\(name) does not name \(part)")
        }
      }
    }
  }

  @Test func statisticsOfDataThatHaveChangedAreComputedAnew() throws {
    let w = try Workspace()
    _ = try succeed(w, ["data", "stats", "config.yaml"])
    let before = try Files.readText("\(w.path)/run/statistics.json")
    try w.change("data.nc") { $0.arrays["msl"]?.values[40] += 1_000 }
    let output = try succeed(w, ["train", "config.yaml"])
    #expect(output.err.contains("run/statistics.json: data: made from "))
    #expect(try Files.readText("\(w.path)/run/statistics.json") != before)
    // The training's own are found again, wherever the same data lie.
    try Files.copy("\(w.path)/data.nc", to: "\(w.path)/moved.nc")
    let moved = try succeed(
      w,
      [
        "train", "config.yaml", "--overwrite", "--set", "data.sources=[{path: moved.nc}]", "--set",
        "training.updates=1",
      ])
    #expect(!moved.err.contains("anew"))
  }

  @Test func aResumeThatIsRefusedLeavesTheRunAsItWas() throws {
    let w = try workspace()
    let files = ["statistics.json", "config.yaml", "metrics.csv", "train.log", "provenance.json"]
    let before = try files.map { try Files.readText("\(w.path)/run/\($0)") }
    try w.change("data.nc") { array in
      for index in array.arrays["msl"]?.values.indices ?? 0..<0 { array.arrays["msl"]?.values[index] += 500 }
    }
    let output = try w.run(["resume", "run", "--set", "training.updates=6"])
    #expect(output.status == 1 && output.lastLine.contains("was made with other statistics of msl; expected mean"))
    #expect(try files.map { try Files.readText("\(w.path)/run/\($0)") } == before)
  }

  @Test func aRunIsReplacedOnlyByOneWithACheckpoint() throws {
    let w = try workspace()
    let before = try Files.list("\(w.path)/run/checkpoints")
    try w.change("data.nc", to: "bad.nc") { $0.arrays["msl"]?.values[40] = .nan }
    let bad = try w.run(["train", "config.yaml", "--overwrite", "--set", "data.sources=[{path: bad.nc}]"])
    #expect(bad.status == 1 && bad.lastLine.contains("missing values"))
    // Fails when it trains: what was put aside comes back.
    let log = try Files.readText("\(w.path)/run/train.log")
    let diverged = try w.run(["train", "config.yaml", "--overwrite", "--set", "training.learningRate=1e38"])
    #expect(diverged.status == 1, "\(diverged.err)")
    #expect(try Files.list("\(w.path)/run/checkpoints") == before)
    #expect(try Files.readText("\(w.path)/run/train.log") == log && !Files.exists("\(w.path)/run/.replaced"))
    // Killed before its first checkpoint, by hand.
    try Files.createDirectory("\(w.path)/run/.replaced")
    try Files.rename("\(w.path)/run/checkpoints", to: "\(w.path)/run/.replaced/checkpoints")
    try Files.rename("\(w.path)/run/config.yaml", to: "\(w.path)/run/.replaced/config.yaml")
    _ = try succeed(w, ["forecast", "run", "--overwrite"])
    #expect(try Files.list("\(w.path)/run/checkpoints") == before && !Files.exists("\(w.path)/run/.replaced"))
  }

  @Test func bestOutlivesAStopAndItsLossIsNoted() throws {
    let w = try workspace()
    let checkpoints = "\(w.path)/run/checkpoints"
    try Files.rename("\(checkpoints)/best", to: "\(checkpoints)/best.7-0123456789abcdef.tmp")
    _ = try succeed(w, ["forecast", "run", "--overwrite"])
    #expect(try Files.list(checkpoints).contains("best"))
    try Files.remove("\(checkpoints)/best")
    let output = try succeed(w, ["forecast", "run", "--overwrite"])
    #expect(output.err.contains("note: run/checkpoints/best (of update "), "\(output.err)")
    #expect(try w.run(["forecast", "run", "--overwrite", "--checkpoint", "best"]).status == 1)
  }

  @Test func onlyCheckpointsOfTheTrainingAreCounted() throws {
    let w = try workspace()
    let checkpoints = "\(w.path)/run/checkpoints"
    try Files.copy("\(checkpoints)/update-0000004", to: "\(checkpoints)/update-0000004.mine")
    try Files.copy("\(checkpoints)/update-0000004", to: "\(checkpoints)/update-4")
    try Files.createDirectory("\(checkpoints)/update-0000009")
    try Files.writeAtomically("mine", to: "\(checkpoints)/update-log.txt")
    _ = try succeed(w, ["resume", "run", "--set", "training.updates=8"])
    #expect(
      try Files.list(checkpoints) == [
        "best", "update-0000004.mine", "update-0000006", "update-0000008", "update-0000009", "update-4",
        "update-log.txt",
      ])
  }

  @Test func verifyNamesWhatWasChanged() throws {
    let w = try workspace()
    let path = "run/checkpoints/update-0000004"
    #expect(try succeed(w, ["checkpoint", "verify", path]).out.contains("as they were written"))
    let file = "\(w.path)/\(path)/optimizer.safetensors"
    var bytes = try Files.read(file)
    bytes[bytes.count - 1] ^= 1
    try Files.writeAtomically(bytes, to: file)
    let output = try w.run(["checkpoint", "verify", path])
    #expect(output.status == 1)
    #expect(output.out.contains("problem: \(path)/optimizer.safetensors: moment2."), "\(output.out)")
  }
}
