import Basics
import Stores
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
    // Whatever the truth is.
    try Files.copy("\(w.path)/data.nc", to: "\(w.path)/other.nc")
    let against = try w.run(["evaluate", "run", "--set", "data.sources=[{path: other.nc}]"])
    #expect(against.status == 1 && against.lastLine.contains("is not of the run's checkpoint"), "\(against.err)")
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

  @Test func scoresAgainstOtherDataAreNotTheRuns() throws {
    let w = try workspace()
    _ = try succeed(w, ["evaluate", "run"])
    let own = try Files.readText("\(w.path)/run/evaluation/scores.csv")
    try w.change("data.nc", to: "other.nc") { store in
      for index in store.arrays["msl"]?.values.indices ?? 0..<0 { store.arrays["msl"]?.values[index] += 300 }
    }
    _ = try succeed(w, ["evaluate", "run", "--set", "data.sources=[{path: other.nc}]"])
    #expect(try Files.readText("\(w.path)/run/evaluation/scores.csv") == own)
    #expect(try Files.list("\(w.path)/run").contains { $0.hasPrefix("evaluation-against-") })
    // Data corrected in place.
    #expect(try !succeed(w, ["report", "run"]).err.contains("of other data"))
    try Files.copy("\(w.path)/other.nc", to: "\(w.path)/data.nc")
    let report = try succeed(w, ["report", "run"])
    #expect(report.err.contains("run/evaluation/scores.csv is of other data than those there now"), "\(report.err)")
    _ = try succeed(w, ["evaluate", "run"])
    #expect(try !succeed(w, ["report", "run"]).err.contains("of other data"))
  }

  @Test func unitsOfOthersForecastsAreTold() throws {
    let w = try workspace()
    _ = try succeed(w, ["forecast", "run", "--lead", "12", "--output", "theirs.nc"])
    let known = try succeed(w, ["evaluate", "run", "--forecast", "theirs.nc"])
    #expect(!known.err.contains("assumed") && !known.err.contains("the forecast of msl goes"))
    try w.change("theirs.nc", to: "hectopascals.nc") { store in
      store.arrays["msl"]?.attributes["units"] = nil
      for index in store.arrays["msl"]?.values.indices ?? 0..<0 { store.arrays["msl"]?.values[index] /= 100 }
    }
    let output = try succeed(w, ["evaluate", "run", "--forecast", "hectopascals.nc"])
    #expect(output.err.contains("note: hectopascals.nc: msl is assumed to be in Pa"), "\(output.err)")
    #expect(output.err.contains("warning: the forecast of msl goes from"), "\(output.err)")
  }

  /// As data, the same arrays are refused.
  @Test func forecastsThatContradictTheirNameAreNotScored() throws {
    let w = try workspace()
    _ = try succeed(w, ["forecast", "run", "--lead", "12", "--output", "theirs.nc"])
    for (key, value) in [("cell_methods", "time: maximum"), ("standard_name", "surface_air_pressure")] {
      try w.change("theirs.nc", to: "others.nc") { $0.arrays["msl"]?.attributes[key] = .text(value) }
      let output = try w.run(["evaluate", "run", "--forecast", "others.nc"])
      #expect(
        output.err.contains("others.nc: msl: is called msl") && output.err.contains("says that it is another quantity"),
        "\(key): \(output.err)")
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

  /// Data that have changed where no statistics are made of them.
  @Test func otherChangesOfTheDataAreNoted() throws {
    let w = try workspace()
    try w.change("data.nc") { store in
      for index in store.arrays["msl"]?.values.indices.suffix(128) ?? 0..<0 { store.arrays["msl"]?.values[index] += 1 }
    }
    let scored = try succeed(w, ["evaluate", "run"])
    #expect(scored.err.contains("note: run/forecast.zarr: data: made from "), "\(scored.err)")
    let resumed = try succeed(w, ["resume", "run", "--set", "training.updates=5"])
    #expect(resumed.err.contains("training resumes with the data as they are now"), "\(resumed.err)")
  }

  /// Version 0.1 kept no checksums.
  @Test func checkpointsWithoutChecksumsAreReadWithANote() throws {
    let w = try workspace()
    for name in try Files.list("\(w.path)/run/checkpoints") {
      let manifest = "run/checkpoints/\(name)/manifest.json"
      try w.edit(manifest, "jigsaw-checkpoint-2", "jigsaw-checkpoint-1")
      try w.edit(manifest, "\"files\" : {", "\"unknown\" : {")
    }
    for arguments in [["forecast", "run", "--overwrite"], ["resume", "run", "--set", "training.updates=5"]] {
      #expect(try succeed(w, arguments).err.contains("without checksums: damage to its numbers would go unnoticed"))
    }
    let verified = try w.run(["checkpoint", "verify", "run/checkpoints/update-0000004"])
    #expect(verified.status == 1 && verified.err.contains("has no checksums to verify"), "\(verified.err)")
  }

  /// A training that begins to replace the run, and fails at its first validation, before it has a checkpoint.
  private func failInTraining(_ w: Workspace) throws {
    // 2001-01-11, of 8 × 16 points every six hours.
    try w.change("data.nc", to: "gap.nc") { $0.arrays["msl"]?.values[40 * 128] = .nan }
    let settings = ["data.sources=[{path: gap.nc}]", "training.checkpoint.every=9"].flatMap { ["--set", $0] }
    let failed = try w.run(["train", "config.yaml", "--overwrite"] + settings)
    #expect(failed.status == 1 && failed.lastLine.contains("missing values"), "\(failed.err)")
    #expect(failed.err.contains("model: WeatherMixer"), "\(failed.err)")
  }

  @Test func aRunIsReplacedOnlyByOneWithACheckpoint() throws {
    let w = try workspace()
    let before = try Files.list("\(w.path)/run/checkpoints")
    try w.change("data.nc", to: "bad.nc") { $0.arrays["msl"]?.values[40] = .nan }
    let bad = try w.run(["train", "config.yaml", "--overwrite", "--set", "data.sources=[{path: bad.nc}]"])
    #expect(bad.status == 1 && bad.lastLine.contains("missing values"))
    // What was put aside comes back.
    let log = try Files.readText("\(w.path)/run/train.log")
    try failInTraining(w)
    #expect(try Files.list("\(w.path)/run/checkpoints") == before)
    #expect(try Files.readText("\(w.path)/run/train.log") == log && !Files.exists("\(w.path)/run/.replaced"))
    // Killed before its first checkpoint, by hand.
    try Files.createDirectory("\(w.path)/run/.replaced")
    try Files.rename("\(w.path)/run/checkpoints", to: "\(w.path)/run/.replaced/checkpoints")
    try Files.rename("\(w.path)/run/config.yaml", to: "\(w.path)/run/.replaced/config.yaml")
    _ = try succeed(w, ["forecast", "run", "--overwrite"])
    #expect(try Files.list("\(w.path)/run/checkpoints") == before && !Files.exists("\(w.path)/run/.replaced"))
  }

  @Test func aRunThatLostItsCheckpointsComesBackToo() throws {
    let w = try workspace()
    try Files.remove("\(w.path)/run/checkpoints")
    let log = try Files.readText("\(w.path)/run/train.log")
    try failInTraining(w)
    #expect(try Files.readText("\(w.path)/run/train.log") == log && !Files.exists("\(w.path)/run/.replaced"))
  }

  /// While a training replaces a run and has no checkpoint yet, results of the earlier model are not the new one's.
  @Test func resultsOfARunThatIsBeingReplacedAreLeftOut() throws {
    let w = try workspace()
    _ = try succeed(w, ["evaluate", "run"])
    try Files.createDirectory("\(w.path)/run/.replaced")
    try Files.rename("\(w.path)/run/checkpoints", to: "\(w.path)/run/.replaced/checkpoints")
    let lock = try OutputLock(folder: "\(w.path)/run")
    defer { withExtendedLifetime(lock) {} }
    for (verb, sentence) in [
      ("evaluate", "forecast.zarr: is not of the run's checkpoint; expected none yet"),
      ("resume", "run: is in use by another training; found process"),
      ("forecast", "run: holds no checkpoint yet, and a training is at work in it; found process"),
    ] {
      let output = try w.run([verb, "run"])
      #expect(output.status == 1 && output.lastLine.contains(sentence), "\(output.err)")
    }
    #expect(try succeed(w, ["report", "run"]).err.contains("forecast.zarr is not of the run's checkpoint"))
    try Files.remove("\(w.path)/run/forecast.zarr")
    #expect(try succeed(w, ["report", "run"]).err.contains("scores.csv is not of the run's checkpoint"))
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

  /// In a folder that a training gives the name of a checkpoint.
  @Test func filesOfOthersOutliveCheckpoints() throws {
    let w = try workspace()
    let checkpoints = "\(w.path)/run/checkpoints"
    for update in [6, 9] {
      try Files.createDirectory("\(checkpoints)/update-000000\(update)")
      try Files.writeAtomically("mine", to: "\(checkpoints)/update-000000\(update)/notes.txt")
    }
    _ = try succeed(w, ["resume", "run", "--set", "training.updates=6"])
    #expect(try Files.readText("\(checkpoints)/update-0000006-earlier/notes.txt") == "mine")
    #expect(try succeed(w, ["checkpoint", "verify", "run/checkpoints/update-0000006"]).status == 0)
    _ = try succeed(w, ["train", "config.yaml", "--overwrite"])
    for name in ["update-0000006-earlier", "update-0000009-earlier"] {
      #expect(try Files.readText("\(checkpoints)/\(name)/notes.txt") == "mine")
    }
  }

  @Test func verifyNamesWhatWasChanged() throws {
    let w = try workspace()
    let path = "run/checkpoints/update-0000004"
    #expect(try succeed(w, ["checkpoint", "verify", path]).out.contains("as they were written"))
    let file = "\(w.path)/\(path)/optimizer.safetensors"
    var bytes = try Files.read(file)
    bytes[bytes.count - 1] ^= 1
    try Files.writeAtomically(bytes, to: file)
    try Files.writeAtomically("", to: "\(w.path)/\(path)/notes.txt")
    let output = try w.run(["checkpoint", "verify", path])
    #expect(output.status == 1)
    #expect(output.out.contains("problem: \(path)/optimizer.safetensors: moment2."), "\(output.out)")
    #expect(output.out.contains("problem: \(path)/notes.txt: is not a file of this checkpoint"), "\(output.out)")
  }

  @Test func aCheckpointUnderAnothersNameIsNotResumed() throws {
    let w = try workspace()
    let checkpoints = "\(w.path)/run/checkpoints"
    try Files.copy("\(checkpoints)/update-0000002", to: "\(checkpoints)/update-0000009")
    for arguments in [["resume", "run"], ["checkpoint", "verify", "run/checkpoints/update-0000009"]] {
      let output = try w.run(arguments)
      #expect(output.status == 1)
      #expect(
        (output.out + output.err).contains(
          "update-0000009: holds another update than its name says; expected update 9, found update 2"),
        "\(output.err)")
    }
    try Files.remove("\(checkpoints)/update-0000009")
    _ = try succeed(w, ["resume", "run", "--set", "training.updates=6"])
  }

  @Test func aForecastTakesNothingThatItsCheckpointDecides() throws {
    let w = try workspace()
    for setting in ["data.stepHours=12", "data.variables=[z]", "data.inputSteps=[-6, 0]", "model.blocks=2"] {
      let output = try w.run(["forecast", "run", "--output", "f.zarr", "--set", setting])
      #expect(output.status == 1 && output.lastLine.contains("is decided by the checkpoint"), "\(output.err)")
    }
    _ = try succeed(w, ["forecast", "run", "--output", "f.zarr", "--set", "data.stepHours=6", "--set", "threads=2"])
  }

  @Test func initialValuesThatCannotBeAreNamed() throws {
    let w = try workspace()
    #expect(try !succeed(w, ["forecast", "run", "--output", "f.zarr"]).err.contains("the initial"))
    try w.change("data.nc", to: "hectopascals.nc") { store in
      for index in store.arrays["msl"]?.values.indices ?? 0..<0 { store.arrays["msl"]?.values[index] /= 100 }
    }
    let output = try succeed(
      w, ["forecast", "run", "--output", "g.zarr", "--set", "data.sources=[{path: hectopascals.nc}]"])
    #expect(output.err.contains("warning: the initial msl goes from"), "\(output.err)")
  }

  @Test func statisticsOfARunInUseStay() throws {
    let w = try workspace()
    let before = try Files.readText("\(w.path)/run/statistics.json")
    let lock = try OutputLock(folder: "\(w.path)/run")
    // By whichever name they are meant.
    for others in [[], ["--set", "run=other", "--output", "run/statistics.json"]] {
      let output = try w.run(["data", "stats", "config.yaml"] + others)
      #expect(output.status == 1 && output.err.contains("run: is in use by another training"), "\(output.err)")
    }
    withExtendedLifetime(lock) {}
    #expect(try Files.readText("\(w.path)/run/statistics.json") == before)
  }

  /// Nothing but a store is replaced by one.
  @Test func foldersOfOtherThingsAreNotReplaced() throws {
    let w = try workspace()
    try Files.createDirectory("\(w.path)/mine.zarr/work")
    for command in [["data", "convert", "config.yaml", "mine.zarr"], ["forecast", "run", "--output", "mine.zarr"]] {
      let output = try w.run(command + ["--overwrite"])
      #expect(
        output.status == 1 && output.err.contains("mine.zarr: is a folder that holds other things"), "\(output.err)")
    }
    #expect(Files.exists("\(w.path)/mine.zarr/work"))
    _ = try succeed(w, ["data", "convert", "config.yaml", "ours.zarr"])
    _ = try succeed(w, ["data", "convert", "config.yaml", "ours.zarr", "--overwrite"])
  }
}
