import Basics
import TestSupport
import Testing

/// `jigsaw data check`: what the data lack for a configuration, and for a model that was trained.
@Suite struct DataCheckTests {
  @Test func dataAreCheckedAgainstACheckpoint() throws {
    let workspace = try Workspace(copying: Workspace.trained.get())
    let checkpoint = ["data", "check", "config.yaml", "--checkpoint", "run/checkpoints/best"]
    // What the model needs counts, not what the configuration asks for.
    try workspace.edit("config.yaml", "variables: [z, t, msl]", "variables: [z]")
    let fine = try workspace.run(checkpoint)
    #expect(fine.status == 0 && fine.out.hasSuffix("fine\n"), "\(fine.out)\(fine.err)")
    #expect(fine.out.contains("fields: z_850, z_500, t_850, t_500, msl\n"), "\(fine.out)")
    for origin in ["z (850, 500 hPa): z", "msl: msl"] {
      let line = "from: \(origin) of data.nc, 60 times from 2001-01-01 00:00 to 2001-01-15 18:00\n"
      #expect(fine.out.contains(line), "\(fine.out)")
    }
    try workspace.change("data.nc") { $0.arrays["msl"] = nil }
    let lacking = try workspace.run(checkpoint)
    #expect(lacking.status == 1 && lacking.out.contains("problem: ") && lacking.out.contains("msl"), "\(lacking.out)")
    let configured = try workspace.run(["data", "check", "config.yaml"])
    #expect(configured.status == 0 && configured.out.contains("fields: z_850, z_500\n"), "\(configured.out)")
  }

  /// In a check and in a training: impossible values, also of static fields, and chunks that were never written.
  @Test func valuesThatCannotBeAreNamed() throws {
    let workspace = try Workspace()
    try workspace.edit("config.yaml", "data.nc", "odd.zarr")
    try workspace.change("data.nc", to: "odd.zarr") { store in
      store.arrays["orog"]?.values[3] = 1e6
      store.arrays["msl"]?.values[300] = 9e9
    }
    let training = try workspace.run(["train", "config.yaml"])
    for text in ["warning: msl goes from ", "warning: orog (odd.zarr: orog) goes from "] {
      #expect(training.err.contains(text), "\(training.err)")
    }
    try Files.remove("\(workspace.path)/odd.zarr/msl/2.0.0")
    let check = try workspace.run(["data", "check", "config.yaml"])
    #expect(check.status == 1)
    for text in [
      "problem: orog (odd.zarr: orog) goes from ", "absent: odd.zarr: msl: 1 chunk was never written",
      "problem: msl has 1281 values in 11 of 54 times that can't be, first at 2001-01-01 12:00 (odd.zarr: msl)",
    ] { #expect(check.out.contains(text), "\(text) in \(check.out)") }
  }

  @Test func gapsAndMissingValuesAreNamed() throws {
    let workspace = try Workspace()
    try workspace.change("data.nc") {
      // The tenth of January is missing.
      for i in 36..<60 { $0.arrays["time"]?.values[i] += 24 }
      $0.arrays["msl"]?.values[128 * 5 + 3] = .nan
    }
    let values = try workspace.run(["data", "check", "config.yaml"])
    #expect(values.status == 1)
    for text in [
      "gaps: 4 times missing in 1 gap\n  between 2001-01-09 18:00 and 2001-01-11 00:00",
      "problem: msl has 1 missing values in 1 of ", "first at 2001-01-02 06:00",
    ] { #expect(values.out.contains(text), "\(text) in \(values.out)") }
    // Without reading values only the gap is seen, which is no obstacle.
    let quick = try workspace.run(["data", "check", "config.yaml", "--no-values"])
    #expect(quick.status == 0 && quick.out.contains("gaps: 4 times"), "\(quick.out)")
  }
}
