import Basics
import Foundation
import TestSupport
import Testing

@Suite struct HappyPathTests {
  @Test func trainForecastEvaluate() throws {
    let workspace = try Workspace(copying: Workspace.trained.get())
    let evaluation = try workspace.run(["evaluate", "run"])
    #expect(evaluation.status == 0, "\(evaluation.err)")
    #expect(evaluation.out.contains("| z_500 | m2 s-2 |") && evaluation.out.contains("climatology"))
    for file in [
      "config.yaml", "provenance.json", "statistics.json", "metrics.csv", "validation.csv", "train.log",
      "checkpoints/best/model.safetensors", "checkpoints/update-0000004/manifest.json",
      "checkpoints/update-0000004/optimizer.safetensors", "checkpoints/update-0000004/average.safetensors",
      "forecast.zarr/.zmetadata", "evaluation/scores.csv", "evaluation/spectra.csv", "evaluation/scorecard.md",
      "evaluation/scorecard.svg",
    ] { #expect((Files.size("\(workspace.path)/run/\(file)") ?? 0) > 0, "\(file)") }
    #expect(try Files.readText("\(workspace.path)/run/metrics.csv").split(separator: "\n").count == 5)
    let leftovers = try FileManager.default.subpathsOfDirectory(atPath: workspace.path).filter { $0.contains(".tmp") }
    #expect(leftovers == [])
  }

  @Test func otherCommandsAnswer() throws {
    let workspace = try Workspace(copying: Workspace.trained.get())
    let answers: [(arguments: [String], expected: [String])] = [
      (["version"], ["jigsaw \(jigsawVersion)"]), (["--version"], [jigsawVersion]),
      (["doctor"], ["version: ", "netcdf: ", "kernels: ", "machineFile: none; "]),
      (
        ["bench", "machine", "--quick", "--threads", "1", "--output", "machine.json"],
        ["fused multiply-add", "triad", "saved machine.json"]
      ),
      (
        ["bench", "step", "config.yaml", "--updates", "1", "--json", "step.json"],
        ["5 fields and 2 more", "token mixing backward", "2 samples per step", "% of"]
      ),
      (
        ["bench", "step", "config.yaml", "--updates", "1", "--forecast", "--json", "-", "--ranks", "2"],
        ["\"kind\":\"forecast\"", "\"ranks\":2", "\"shareOfPeak\":"]
      ),
      (["config", "validate", "config.yaml"], ["config.yaml: fine", "z_850, z_500, t_850, t_500, msl", "4 updates"]),
      (["config", "show", "config.yaml", "--set", "seed=7"], ["seed: 7", "stepHours: 6"]),
      (["config", "schema"], ["\"$schema\"", "rollLongitudes"]),
      (
        ["data", "inspect", "data.nc"],
        ["NetCDF-4", "z(time 60, level 2,", "grid: 8 × 16", "every 6 h", "orog", "static"]
      ),
      (["data", "inspect", "run/forecast.zarr"], ["Zarr 2 (consolidated)", "prediction_timedelta"]),
      (["data", "stats", "config.yaml"], ["z_500", "37 times", "saved run/statistics.json"]),
      (["data", "stats", "config.yaml", "--output", "run/statistics.json"], ["saved run/statistics.json"]),
      (["checkpoint", "inspect", "run/checkpoints/best"], ["WeatherMixer", "encoder.weight", "F32 ["]),
      (["forecast", "run", "--from", "2001-01-13T06", "--lead", "6", "--output", "one.nc"], []),
      (
        ["evaluate", "run", "--forecast", "one.nc", "--set", "evaluation.dampedPersistence=true"], ["1 forecasts from"]
      ),
      (["report", "run", "--output", "page.html"], []),
      (["resume", "run", "--set", "training.updates=6"], []),
      (["train", "config.yaml", "--overwrite", "--set", "training.updates=2"], []),
      (["init", "new.yaml"], ["wrote new.yaml"]), (["config", "show", "new.yaml"], ["data/era5.zarr"]),
    ]
    for (arguments, expected) in answers {
      let output = try workspace.run(arguments)
      #expect(output.status == 0, "\(arguments): \(output.err)")
      for text in expected { #expect(output.out.contains(text), "\(arguments): \(text) in \(output.out)") }
    }
    #expect(Files.exists("\(workspace.path)/run/checkpoints/update-0000002"))
    #expect(!Files.exists("\(workspace.path)/run/checkpoints/update-0000006"), "--overwrite starts anew")
    #expect(try Files.readText("\(workspace.path)/page.html").contains("</html>"))
  }

  @Test func aFinishedTrainingSaysSo() throws {
    let workspace = try Workspace(copying: Workspace.trained.get())
    let output = try workspace.run(["resume", "run"])
    #expect(output.status == 0 && output.err.contains("nothing to do: update 4 of 4 is reached"), "\(output.err)")
    #expect(try Files.list("\(workspace.path)/run/checkpoints") == ["best", "update-0000002", "update-0000004"])
  }

  /// The texts that users read first; run the tests with UPDATE_HELP=1 to accept changes.
  @Test func helpTextsAreAsCommitted() throws {
    let commands = [
      [], ["train"], ["resume"], ["forecast"], ["evaluate"], ["report"], ["data"], ["data", "inspect"],
      ["data", "check"], ["data", "stats"], ["data", "convert"], ["data", "fetch"], ["data", "fetch", "weatherbench2"],
      ["checkpoint"], ["checkpoint", "inspect"], ["checkpoint", "verify"], ["graph"], ["graph", "build"],
      ["graph", "inspect"], ["graph", "plot"], ["import"], ["import", "anemoi"], ["export"], ["export", "anemoi"],
      ["config"], ["config", "show"],
      ["config", "validate"],
      ["config", "schema"], ["init"], ["plan"], ["machines"], ["bench"], ["bench", "machine"],
      ["bench", "step"], ["doctor"], ["version"],
    ]
    var text = ""
    for command in commands {
      let output = try Program.run(command + ["--help"], in: "/")
      #expect(output.status == 0 && output.err.isEmpty)
      text += "$ jigsaw \((command + ["--help"]).joined(separator: " "))\n\(output.out)\n"
    }
    let file = Files.parent(of: #filePath) + "/help.txt"
    if ProcessInfo.processInfo.environment["UPDATE_HELP"] != nil { try Files.writeAtomically(text, to: file) }
    #expect(try Files.readText(file) == text)
    // Every command is in there.
    let listed = try Program.run(["--help"], in: "/").out.split(separator: "\n").drop { !$0.hasPrefix("SUBCOMMANDS") }
      .dropFirst().filter { $0.hasPrefix("  ") && !$0.hasPrefix("   ") }
      .compactMap { $0.split(separator: " ").first.map(String.init) }
    #expect(Set(listed).subtracting(["help", "See"]) == Set(commands.compactMap(\.first)))
  }
}
