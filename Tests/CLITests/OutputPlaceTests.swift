import Basics
import Stores
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// Outputs take the place of earlier ones of their kind, and of nothing else.
@Suite struct OutputPlaceTests {
  private func refusal(_ workspace: Workspace, _ arguments: [String]) throws -> String {
    let output = try workspace.run(arguments)
    #expect(output.status == 1, "\(arguments): \(output.err)")
    return output.lastLine
  }

  @Test func aForecastReplacesNoFolderThatHoldsOtherThings() throws {
    let workspace = try Workspace(copying: Workspace.trained.get())
    let path = workspace.path
    try Files.createDirectory("\(path)/docs/deep")
    try Files.writeAtomically("years of work", to: "\(path)/docs/deep/thesis.txt")
    for (output, problem) in [
      ("docs", "is a folder, and the output is one file"), ("docs/", "is a folder, and the output is one file"),
      ("run", "holds the run"), (".", "holds the working folder"), ("..", "holds the working folder"),
      ("data.nc", "is where the data come from"),
    ] {
      let found = try refusal(workspace, ["forecast", "run", "--output", output, "--overwrite"])
      #expect(found.contains(problem) || found.contains("is where the data come from"), "\(output): \(found)")
    }
    let other = try refusal(
      workspace, ["forecast", "run", "--output", "docs", "--overwrite", "--set", "forecast.layout=perForecast"])
    #expect(other.contains("holds other things than forecasts"), "\(other)")
    #expect(try Files.readText("\(path)/docs/deep/thesis.txt") == "years of work")
    #expect(Files.exists("\(path)/data.nc") && Files.exists("\(path)/run/checkpoints"))
  }

  /// A folder of NetCDF files is no folder of forecasts; one of forecasts is.
  @Test func aFolderOfForecastsReplacesOneAlone() throws {
    let workspace = try Workspace(copying: Workspace.trained.get())
    let path = workspace.path
    let arguments = ["forecast", "run", "--output", "archive", "--overwrite", "--set", "forecast.layout=perForecast"]
    try Files.createDirectory("\(path)/archive")
    for name in ["e0.nc", "20010113T000000.nc"] {
      try Files.copy("\(path)/data.nc", to: "\(path)/archive/\(name)")
      #expect(try refusal(workspace, arguments).contains("found \(name)"))
      try Files.remove("\(path)/archive/\(name)")
    }
    #expect(try workspace.run(arguments).status == 0 && workspace.run(arguments).status == 0)
    // Sources below it.
    try Files.createDirectory("\(path)/sources")
    try Files.rename("\(path)/data.nc", to: "\(path)/sources/data.nc")
    let above = try refusal(
      workspace,
      ["forecast", "run", "--set", "data.sources=[{path: sources/data.nc}]", "--output", "sources", "--overwrite"]
        + ["--set", "forecast.layout=perForecast"])
    #expect(above.contains("sources: is where the data come from (sources/data.nc)"), "\(above)")
  }

  @Test func namesSayTheFormat() throws {
    let workspace = try Workspace(copying: Workspace.trained.get())
    for name in ["f.txt", "f.zarr.zip", "f.h5"] {
      #expect(
        try refusal(workspace, ["forecast", "run", "--output", name]).contains("has an ending that tells no format"))
    }
    for address in ["s3://bucket/x.zarr", "https://host/x.nc"] {
      #expect(try refusal(workspace, ["forecast", "run", "--output", address]).contains("can't be written to"))
    }
    #expect(try Files.list(workspace.path).sorted() == ["config.yaml", "data.nc", "run"])
    #expect(try workspace.run(["forecast", "run", "--output", "f.GRIB2", "--from", "2001-01-13"]).status == 0)
    #expect(try Files.read("\(workspace.path)/f.GRIB2", atMost: 4) == Array("GRIB".utf8))
    #expect(try workspace.run(["forecast", "run", "--output", "f.zarr/"]).status == 0)
  }

  /// A killed process leaves a file under a temporary name beside any output; the next that writes this output removes it.
  @Test func noTemporaryOfAnyOutputIsLeft() throws {
    let workspace = try Workspace(copying: Workspace.trained.get())
    let run = "\(workspace.path)/run"
    let verbs = [
      ["resume", "run", "--set", "training.updates=12"], ["forecast", "run", "--overwrite"],
      ["forecast", "run", "--overwrite", "--output", "run/f.grib2"], ["evaluate", "run"], ["report", "run"],
    ]
    for arguments in verbs.dropFirst() { #expect(try workspace.run(arguments).status == 0) }
    var planted = 0
    let folders = [run, "\(run)/checkpoints", "\(run)/tensorboard", "\(run)/evaluation"]
    for folder in folders {
      for name in try Files.list(folder) where name != "train.log" && !folders.contains("\(folder)/\(name)") {
        let temporary = Temporary.name(for: "\(folder)/\(name)")
        if Files.isDirectory("\(folder)/\(name)") {
          try Files.createDirectory(temporary)
        } else {
          try Files.writeAtomically("half", to: temporary)
        }
        planted += 1
      }
    }
    #expect(planted > 12)
    for arguments in verbs { #expect(try workspace.run(arguments).status == 0, "\(arguments)") }
    for folder in folders {
      #expect(try Files.list(folder).filter { $0.hasSuffix(".tmp") } == [])
    }
  }

  /// The run's settings are written as `config.yaml`, in whose place another file may be.
  @Test func aConfigurationThatNoTrainingWroteStays() throws {
    let workspace = try Workspace()
    let text = "# notes of the user\n" + Workspace.configuration
    try Files.createDirectory("\(workspace.path)/run")
    try Files.writeAtomically(text, to: "\(workspace.path)/run/config.yaml")
    try Files.writeAtomically("notes", to: "\(workspace.path)/run/statistics.json")
    let train = ["train", "run/config.yaml", "--set", "data.sources=[{path: data.nc}]"]
    #expect(
      try refusal(workspace, train).contains("run/config.yaml: already exists and was not written by a training"))
    #expect(
      try refusal(workspace, ["data", "stats", "config.yaml"]).contains("run/statistics.json: is not a statistics"))
    #expect(try Files.readText("\(workspace.path)/run/config.yaml") == text)
    #expect(try Files.readText("\(workspace.path)/run/statistics.json") == "notes")
  }

  /// Folders of a run hold what others put there, too.
  @Test func anOverwrittenRunKeepsWhatNoTrainingWrote() throws {
    let workspace = try Workspace(copying: Workspace.trained.get())
    let run = "\(workspace.path)/run"
    try Files.copy("\(run)/checkpoints/best", to: "\(run)/checkpoints/best-of-paper")
    try Files.writeAtomically("notes", to: "\(run)/tensorboard/notes.txt")
    let events = try Files.list("\(run)/tensorboard").count
    #expect(try workspace.run(["train", "config.yaml", "--overwrite"]).status == 0)
    #expect(try workspace.run(["checkpoint", "verify", "run/checkpoints/best-of-paper"]).status == 0)
    #expect(try Files.readText("\(run)/tensorboard/notes.txt") == "notes")
    #expect(try Files.list("\(run)/tensorboard").count == events && !Files.exists("\(run)/.replaced"))
  }

  @Test func picturesAndTablesReplaceTheirKindAlone() throws {
    let workspace = try Workspace()
    let path = workspace.path
    let graph =
      "/\(#filePath.split(separator: "/").dropLast(2).joined(separator: "/"))/Goldens/graphs/global.safetensors"
    try Files.writeAtomically("precious", to: "\(path)/figure.svg")
    let plotted = try refusal(workspace, ["graph", "plot", graph, "figure.svg"])
    #expect(plotted.contains("figure.svg: already exists and is no picture of 'jigsaw graph plot'"), "\(plotted)")
    for _ in 0..<2 { #expect(try workspace.run(["graph", "plot", graph, "graph.svg"]).status == 0) }
    for name in ["scaling.csv", "roofline.svg"] {
      try Files.createDirectory("\(path)/pictures")
      try Files.writeAtomically("precious", to: "\(path)/pictures/\(name)")
      let found = try refusal(
        workspace, ["plan", "config.yaml", "--machine", "h100", "--sweep", "ranks=1..2", "--output", "pictures"])
      #expect(found.contains("pictures/\(name): already exists"), "\(found)")
      try Files.remove("\(path)/pictures")
    }
  }

  /// What no store has, beside Zarr's documents.
  @Test func storesThatHoldOtherFilesAreNotReplaced() throws {
    let workspace = try Workspace(copying: Workspace.trained.get())
    try Files.writeAtomically("notes", to: "\(workspace.path)/run/forecast.zarr/thesis.txt")
    let found = try refusal(workspace, ["forecast", "run", "--overwrite"])
    #expect(found.contains("other things than a Zarr store") && found.contains("thesis.txt"), "\(found)")
    try Files.remove("\(workspace.path)/run/forecast.zarr/thesis.txt")
    #expect(try workspace.run(["forecast", "run", "--overwrite"]).status == 0)
  }

  /// Whatever ends as forecasts do.
  @Test func forecastsReplaceForecastsAlone() throws {
    let workspace = try Workspace(copying: Workspace.trained.get())
    let path = workspace.path
    try Files.copy("\(path)/data.nc", to: "\(path)/era5.nc")
    try Files.writeAtomically("notes", to: "\(path)/notes.grib2")
    #expect(try workspace.run(["data", "convert", "config.yaml", "converted.zarr"]).status == 0)
    for name in ["era5.nc", "notes.grib2", "converted.zarr"] {
      let found = try refusal(workspace, ["forecast", "run", "--output", name, "--overwrite"])
      #expect(found.contains("\(name): already exists and is no forecast that 'jigsaw forecast' wrote"), "\(found)")
    }
    #expect(try Files.readText("\(path)/notes.grib2") == "notes")
    for name in ["f.nc", "f.grib2", "f.zarr"] {
      for _ in 0..<2 {
        #expect(
          try workspace.run(["forecast", "run", "--output", name, "--overwrite", "--from", "2001-01-13"]).status == 0)
      }
    }
    // Another file under the name of one that was recorded beside it.
    try Files.copy("\(path)/data.nc", to: "\(path)/f.grib2")
    #expect(
      try refusal(workspace, ["forecast", "run", "--output", "f.grib2", "--overwrite"]).contains("is no forecast"))
    for name in ["f.zarr", "best/f.nc", "new/f.nc"] {
      let found = try refusal(workspace, ["forecast", "run", "--output", "run/checkpoints/\(name)"])
      #expect(found.contains("lies among the run's checkpoints (run/checkpoints)"), "\(found)")
    }
    #expect(try workspace.run(["checkpoint", "verify", "run/checkpoints/best"]).status == 0)
  }

  @Test func answersReplaceAnswersAlone() throws {
    let workspace = try Workspace(copying: Workspace.trained.get())
    let manifest = try #require(try Files.list("\(workspace.path)/run/checkpoints").first { $0.hasPrefix("update") })
    for file in ["data.nc", "config.yaml", "run", "run/checkpoints/\(manifest)/manifest.json"] {
      let found = try refusal(workspace, ["doctor", "--json", file])
      #expect(found.contains("no earlier answer of this command"), "\(file): \(found)")
    }
    for _ in 0..<2 { #expect(try workspace.run(["doctor", "--json", "doctor.json"]).status == 0) }
    #expect(
      try refusal(workspace, ["data", "check", "config.yaml", "--json", "doctor.json"]).contains("no earlier answer"))
    for file in ["data.nc", "config.yaml", "run"] {
      _ = try refusal(workspace, ["report", "run", "--output", file])
    }
    for _ in 0..<2 { #expect(try workspace.run(["report", "run", "--output", "page.html"]).status == 0) }
    #expect(Files.isDirectory("\(workspace.path)/run") && Files.size("\(workspace.path)/data.nc") ?? 0 > 10_000)
  }

  @Test func anOutputThatIsBeingWrittenIsLeftAlone() throws {
    let workspace = try Workspace(copying: Workspace.trained.get())
    for (arguments, output) in [
      (["forecast", "run", "--lead", "6", "--output", "f.zarr"], "f.zarr"),
      (["data", "convert", "config.yaml", "c.zarr"], "c.zarr"), (["evaluate", "run"], "run/evaluation"),
      (["report", "run"], "run/report.html"),
    ] {
      let lock = try OutputLock("\(workspace.path)/\(output)")
      #expect(try refusal(workspace, arguments).contains("\(output): is being written; found process \(getpid()) on"))
      withExtendedLifetime(lock) {}
      #expect(!Files.exists("\(workspace.path)/\(output)"))
    }
  }

  /// A run that was passed on may have links in place of folders.
  @Test func scoresFollowNoLink() throws {
    let workspace = try Workspace(copying: Workspace.trained.get())
    try Files.createDirectory("\(workspace.path)/victim")
    try Files.writeAtomically("precious", to: "\(workspace.path)/victim/scores.csv")
    try #require(symlink("../victim", "\(workspace.path)/run/evaluation") == 0)
    #expect(try refusal(workspace, ["evaluate", "run"]).contains("run/evaluation: is a link to another folder"))
    #expect(try Files.readText("\(workspace.path)/victim/scores.csv") == "precious")
  }

  @Test(arguments: ["checkpoints", "tensorboard"]) func trainingsFollowNoLink(_ folder: String) throws {
    let workspace = try Workspace(copying: Workspace.trained.get())
    try Files.createDirectory("\(workspace.path)/run/\(folder)")
    try Files.rename("\(workspace.path)/run/\(folder)", to: "\(workspace.path)/victim")
    let before = try Files.list("\(workspace.path)/victim")
    try #require(symlink("../victim", "\(workspace.path)/run/\(folder)") == 0)
    #expect(try refusal(workspace, ["resume", "run"]).contains("run/\(folder): is a link, behind which"))
    #expect(try Files.list("\(workspace.path)/victim") == before)
  }

  /// Where an earlier run is put aside.
  @Test func nothingIsPutAsideBehindALink() throws {
    let workspace = try Workspace(copying: Workspace.trained.get())
    try Files.createDirectory("\(workspace.path)/victim")
    try Files.writeAtomically("precious", to: "\(workspace.path)/victim/config.yaml")
    try #require(symlink("../victim", "\(workspace.path)/run/.replaced") == 0)
    let found = try refusal(workspace, ["train", "config.yaml", "--overwrite"])
    #expect(found.contains("run/.replaced: is a link, behind which"), "\(found)")
    #expect(try Files.list("\(workspace.path)/victim") == ["config.yaml"])
    #expect(try Files.readText("\(workspace.path)/victim/config.yaml") == "precious")
  }

  @Test func aMachineReplacesNothingButAMachine() throws {
    let workspace = try Workspace()
    try Files.writeAtomically("years of work", to: "\(workspace.path)/thesis.txt")
    let found = try refusal(workspace, ["bench", "machine", "--output", "thesis.txt"])
    #expect(found.contains("thesis.txt: already exists and is no description of a machine"), "\(found)")
    #expect(try Files.readText("\(workspace.path)/thesis.txt") == "years of work")
  }
}
