import Basics
import Stores
import TestSupport
import Testing

/// Scores say what they can't be read without: precision, dates that were trained on, forecasts that are not among them.
@Suite struct ScoreOriginTests {
  private func workspace() throws -> Workspace { try Workspace(copying: Workspace.trained.get()) }

  private func succeed(_ workspace: Workspace, _ arguments: [String]) throws -> Program.Output {
    let output = try workspace.run(arguments)
    #expect(output.status == 0, "\(arguments): \(output.err)")
    return output
  }

  /// All files of scores in a folder of them.
  private func files(_ workspace: Workspace, _ folder: String) throws -> [(name: String, text: String)] {
    try ["scores.csv", "spectra.csv", "scorecard.md", "scorecard.svg", "lineage.json"].map {
      ($0, try Files.readText("\(workspace.path)/run/\(folder)/\($0)"))
    }
  }

  @Test func anotherPrecisionIsAnotherForecast() throws {
    let w = try workspace()
    let one = ["--from", "2001-01-13", "--lead", "12", "--output", "mixed/a.nc"]
    let other = ["--from", "2001-01-14", "--lead", "12", "--output", "mixed/b.nc", "--set", "precision=bf16"]
    _ = try succeed(w, ["forecast", "run"] + one)
    _ = try succeed(w, ["forecast", "run"] + other)
    let mixed = try w.run(["evaluate", "run", "--forecast", "mixed"])
    #expect(mixed.status == 1)
    #expect(
      mixed.lastLine.contains("b.nc: is computed otherwise than mixed/a.nc (precision); expected fp32, found bf16"),
      "\(mixed.err)")
    _ = try succeed(w, ["forecast", "run", "--overwrite", "--set", "precision=bf16"])
    let output = try succeed(w, ["evaluate", "run"])
    #expect(
      output.err.contains("note: run/forecast.zarr was computed in bf16, where the run's configuration says fp32"),
      "\(output.err)")
    for (name, text) in try files(w, "evaluation") { #expect(text.contains("bf16"), "\(name)") }
    _ = try succeed(w, ["report", "run"])
    #expect(try Files.readText("\(w.path)/run/report.html").contains("), bf16"))
    _ = try succeed(w, ["forecast", "run", "--overwrite"])
    #expect(try !succeed(w, ["evaluate", "run"]).err.contains("computed in"))
  }

  @Test func datesThatWereTrainedOnAreToldOf() throws {
    let w = try workspace()
    let plain = try succeed(w, ["evaluate", "run"])
    #expect(!plain.err.contains("warning: ") && !plain.out.contains("Note: "), "\(plain.err)")
    let sentence =
      "4 of 4 forecasts are verified on dates that the model was trained on (2001-01-01 00:00 … 2001-01-10 00:00)"
    let seen = ["--set", "data.test.start=2001-01-05", "--set", "data.test.end=2001-01-09"]
    let forecast = try succeed(w, ["forecast", "run", "--overwrite"] + seen)
    #expect(
      forecast.err.contains("warning: 4 of 4 forecasts are over dates that the model was trained on"), "\(forecast.err)"
    )
    // Another training period in the settings of the verification hides nothing.
    for settings in [[], ["--set", "data.train.start=2001-01-11", "--set", "data.train.end=2001-01-12"]] {
      let output = try succeed(w, ["evaluate", "run", "--json"] + settings)
      #expect(output.err.contains("warning: \(sentence)"), "\(output.err)")
      #expect(output.out.contains("\"forecastsOnTrainingDates\" : 4"))
      for (name, text) in try files(w, "evaluation") {
        #expect(text.contains(name == "scorecard.svg" ? "4 forecasts on training dates" : sentence), "\(name)")
      }
      _ = try succeed(w, ["report", "run"])
      let page = try Files.readText("\(w.path)/run/report.html")
      #expect(page.contains(sentence))
      #expect(page.contains("period of the climatology: the scores were made with") != settings.isEmpty)
    }
  }

  /// By which the best checkpoint was chosen.
  @Test func datesOfTheValidationAreToldOf() throws {
    let w = try workspace()
    let chosen = ["--set", "data.test.start=2001-01-10T18", "--set", "data.test.end=2001-01-12"]
    _ = try succeed(w, ["forecast", "run", "--overwrite"] + chosen)
    let output = try succeed(w, ["evaluate", "run"])
    #expect(
      output.err.contains("1 of 1 forecasts are verified on dates by which the best checkpoint was chosen"),
      "\(output.err)")
    _ = try succeed(w, ["forecast", "run", "--overwrite", "--checkpoint", "newest"] + chosen)
    #expect(try !succeed(w, ["evaluate", "run"]).err.contains("was chosen"))
  }

  /// A model that was trained further on other dates has seen those before, too.
  @Test func datesOfTheTrainingBeforeAreToldOf() throws {
    let w = try workspace()
    _ = try succeed(
      w,
      [
        "train", "config.yaml", "--set", "run=fine", "--set", "training.initialWeights=run", "--set",
        "data.train.start=2001-01-08", "--set", "training.updates=2",
      ])
    _ = try succeed(w, ["resume", "fine", "--set", "training.updates=4"])
    _ = try succeed(
      w, ["forecast", "fine", "--set", "data.test.start=2001-01-03", "--set", "data.test.end=2001-01-05"])
    let output = try succeed(w, ["evaluate", "fine"])
    #expect(
      output.err.contains("2 of 2 forecasts are verified on dates that the model was trained on (2001-01-01 00:00 …"),
      "\(output.err)")
  }

  @Test(arguments: ["1", "2"]) func forecastsThatAreLeftOutAreCountedAndNamed(ranks: String) throws {
    let w = try workspace()
    try w.change("data.nc", to: "part-1.nc") { $0.keep(0..<54) }
    try w.change("data.nc", to: "part-2.nc") { $0.keep(55..<60) }
    let gaps = ["--ranks", ranks, "--set", "data.sources=[{path: part-*.nc}]"]
    let forecast = try succeed(w, ["forecast", "run", "--overwrite", "--every", "12"] + gaps)
    #expect(
      forecast.err.contains("warning: 1 of 4 initial times is left out (2001-01-14 12:00): "), "\(forecast.err)")
    let output = try succeed(w, ["evaluate", "run", "--json"] + gaps)
    let folder = try #require(try Files.list("\(w.path)/run").first { $0.hasPrefix("evaluation-against-") })
    let sentences = [
      "1 initial time has no forecast, since the data lack what it needs: 2001-01-14 12:00",
      "2 of 3 forecasts are left out, since the truth lacks times of theirs: 2001-01-13 12:00, 2001-01-14 00:00",
    ]
    for sentence in sentences {
      #expect(output.err.contains("warning: \(sentence)"), "\(output.err)")
      for (name, text) in try files(w, folder) {
        #expect(text.contains(name == "scorecard.svg" ? "3 left out" : sentence), "\(name)")
      }
    }
    for text in ["\"leftOut\" : [", "\"2001-01-13T12:00:00\"", "\"2001-01-14T12:00:00\""] {
      #expect(output.out.contains(text), "\(output.out)")
    }
    // Initial times without a forecast are missing from scores against the run's own data, too.
    let own = try succeed(w, ["evaluate", "run"])
    #expect(own.err.contains(sentences[0]) && !own.err.contains("lacks times of theirs"), "\(own.err)")
    _ = try succeed(w, ["report", "run"])
    #expect(try Files.readText("\(w.path)/run/report.html").contains(sentences[0]))
  }

  /// A checkpoint that is named by its path may be another run's; one of the run is known wherever the run lies now.
  @Test func theCheckpointThatWasNamedIsTold() throws {
    let w = try workspace()
    _ = try succeed(w, ["train", "config.yaml", "--set", "run=other", "--set", "seed=2"])
    _ = try succeed(w, ["forecast", "run", "--overwrite", "--checkpoint", "other/checkpoints/best"])
    _ = try succeed(w, ["evaluate", "run"])
    for (name, text) in try files(w, "evaluation") {
      #expect(text.contains("other/checkpoints/best"), "\(name)")
    }
    _ = try succeed(w, ["report", "run"])
    #expect(try Files.readText("\(w.path)/run/report.html").contains("named as "))
    _ = try succeed(w, ["forecast", "run", "--overwrite", "--checkpoint", "run/checkpoints/best"])
    try Files.rename("\(w.path)/run", to: "\(w.path)/moved")
    _ = try succeed(w, ["evaluate", "moved"])
    _ = try succeed(w, ["resume", "moved", "--set", "training.updates=40", "--set", "training.learningRate=0.01"])
    let stale = try w.run(["evaluate", "moved"])
    #expect(stale.status == 1 && stale.lastLine.contains("is not of the run's checkpoint"), "\(stale.err)")
    // One that its training has removed since.
    _ = try succeed(w, ["forecast", "moved", "--overwrite", "--checkpoint", "moved/checkpoints/update-0000038"])
    try Files.remove("\(w.path)/moved/checkpoints/update-0000038")
    #expect(try succeed(w, ["evaluate", "moved"]).err.contains("update-0000038, which is not there any more"))
  }

  /// A checkpoint that is not there any more may have been another training's.
  @Test func aForecastOfAnotherTrainingIsNotTheRunsWithoutItsCheckpoint() throws {
    let w = try workspace()
    _ = try succeed(w, ["forecast", "run", "--overwrite", "--checkpoint", "run/checkpoints/update-0000002"])
    _ = try succeed(
      w, ["train", "config.yaml", "--overwrite", "--set", "seed=5", "--set", "training.checkpoint.keep=1"])
    try #require(!Files.exists("\(w.path)/run/checkpoints/update-0000002"))
    let output = try w.run(["evaluate", "run"])
    #expect(output.status == 1 && output.lastLine.contains("is not of the run's checkpoint"), "\(output.err)")
    #expect(output.lastLine.contains("of a training that began with other settings or data"), "\(output.err)")
    #expect(try succeed(w, ["report", "run"]).err.contains("is not of the run's checkpoint"))
  }

  /// What changes nothing is refused.
  @Test func aVerificationTakesNothingThatItDoesNotRead() throws {
    let w = try workspace()
    for setting in [
      "data.test.start=2001-01-14", "data.stepHours=12", "training.updates=2", "forecast.leadHours=12", "seed=4",
    ] {
      let output = try w.run(["evaluate", "run", "--set", setting])
      #expect(
        output.status == 1 && output.lastLine.contains("changes nothing in a verification"), "\(output.err)")
    }
    _ = try succeed(w, ["evaluate", "run", "--set", "data.stepHours=6", "--set", "evaluation.leadHours=[24]"])
  }

  @Test func requestsOfInitialTimesAreFollowedOrToldOf() throws {
    let w = try workspace()
    let request = ["forecast", "run", "--overwrite", "--from", "2001-01-13", "--lead", "6"]
    let cut = try succeed(w, request + ["--to", "2001-01-14T12", "--every", "24"])
    #expect(
      cut.err.contains("note: the last forecast starts at 2001-01-14 00:00: --to 2001-01-14 12:00 is not reached"),
      "\(cut.err)")
    #expect(try !succeed(w, request + ["--to", "2001-01-14", "--every", "24"]).err.contains("is not reached"))
    let alone = try w.run(request + ["--every", "24"])
    #expect(alone.status == 64 && alone.err.contains("--every with --from needs --to"), "\(alone.err)")
  }

  /// A part of the same files is other data.
  @Test func anotherSelectionOfTheDataIsNoted() throws {
    let w = try workspace()
    let part = "data.sources=[{open: {dataset: data.nc, end: 2001-01-15}}]"
    _ = try succeed(w, ["forecast", "run", "--overwrite", "--set", part])
    #expect(try succeed(w, ["evaluate", "run"]).err.contains("note: run/forecast.zarr: selection: made from {"))
    _ = try succeed(w, ["forecast", "run", "--overwrite"])
    #expect(try !succeed(w, ["evaluate", "run"]).err.contains("selection"))
  }
}
