import Basics
import Stores
import TestSupport
import Testing

/// `jigsaw data inspect`: the verdict comes first, and the status says it, too.
@Suite struct InspectTests {
  private func verdict(_ output: Program.Output) -> Substring { output.out.prefix { $0 != "\n" } }

  @Test func variablesAreRecognisedOrMapped() throws {
    let workspace = try Workspace()
    let fine = try workspace.run(["data", "inspect", "data.nc"])
    #expect(fine.status == 0 && verdict(fine) == "data.nc: usable: 4 of 4 variables recognised", "\(fine.out)")
    #expect(fine.out.contains("  z = z: geopotential, m2 s-2, 2 levels\n"), "\(fine.out)")
    try workspace.change("data.nc", to: "other.nc") {
      $0.arrays["Mean_Sea_Level_Pressure"] = $0.arrays.removeValue(forKey: "msl")
      $0.arrays["foo"] = $0.arrays.removeValue(forKey: "orog")
      for name in ["Mean_Sea_Level_Pressure", "foo"] {
        for attribute in ["standard_name", "long_name"] { $0.arrays[name]?.attributes[attribute] = nil }
      }
      $0.arrays["foo"]?.attributes["units"] = .text("parsec")
      $0.arrays["t"]?.attributes["units"] = .text("kg")
    }
    let other = try workspace.run(["data", "inspect", "other.nc"])
    #expect(
      other.status == 0 && verdict(other) == "other.nc: usable: 1 of 4 variables recognised; not usable: t",
      "\(other.out)")
    #expect(other.out.contains("'names: {msl: Mean_Sea_Level_Pressure}' under data.sources"), "\(other.out)")
    #expect(other.out.contains("'names: {NAME: foo}' under data.sources"), "\(other.out)")
    #expect(other.out.contains("t = t: temperature, K; not usable: other.nc: t: has units that don't fit t"))
  }

  @Test func whatIsNotUsableSaysWhyAndFails() throws {
    let workspace = try Workspace()
    try workspace.change("data.nc", to: "bare.nc") { $0.arrays["latitude"] = nil }
    let bare = try workspace.run(["data", "inspect", "bare.nc"])
    #expect(bare.status == 1 && verdict(bare).hasPrefix("bare.nc: not usable as fields: bare.nc"), "\(bare.out)")
    #expect(bare.out.contains("z(time 60"))
    let forecast = try Workspace(copying: Workspace.trained.get()).run(["data", "inspect", "run/forecast.zarr"])
    #expect(forecast.status == 0 && verdict(forecast).hasPrefix("run/forecast.zarr: usable as a forecast"))
  }

  @Test func aPatternIsOneView() throws {
    let workspace = try Workspace()
    try workspace.change("data.nc", to: "part-1.nc") { $0.keep(0..<20) }
    try workspace.change("data.nc", to: "part-2.nc") { $0.keep(20..<60) }
    let output = try workspace.run(["data", "inspect", "part-*.nc"])
    #expect(output.status == 0, "\(output.out)")
    #expect(verdict(output) == "part-*.nc: usable: 4 of 4 variables recognised, 2 files as one")
    #expect(output.out.contains("times: 60 from 2001-01-01 00:00 to 2001-01-15 18:00, every 6 h"), "\(output.out)")
    #expect(
      output.out.contains(
        "msl = msl: mean sea level pressure, Pa, in 2 of 2 files, 60 times from 2001-01-01 00:00 to 2001-01-15 18:00"),
      "\(output.out)")
    let run = try workspace.run(["data", "inspect", "part-*.nc", "--json"])
    let document = try JSONValue(parsing: Array(run.out.utf8), place: "json")
    #expect(document["format"] == .string("jigsaw-inspect-1") && document["isUsable"] == .bool(true))
    #expect(document["files"]?.strings == ["part-1.nc", "part-2.nc"] && document["kind"] == .string("grid"))
    let field = try #require(document["fields"]?.array?.first { $0["storedName"] == .string("z") })
    #expect(field["levelsHPa"]?.array?.compactMap(\.double) == [850, 500] && field["times"]?["count"] == .integer(60))
    // What the second file lacks is named.
    try workspace.change("part-2.nc") { $0.arrays["msl"] = nil }
    let lacking = try workspace.run(["data", "inspect", "part-*.nc"])
    #expect(lacking.status == 0 && verdict(lacking).hasSuffix("; not usable: msl"), "\(lacking.out)")
    #expect(lacking.out.contains("part-2.nc: lacks the variable 'msl' that other files of the source have"))
  }

  @Test func aCheckIsADocument() throws {
    let workspace = try Workspace()
    try workspace.edit("config.yaml", "variables: [z, t, msl]", "variables: [z, t, msl, q]")
    let output = try workspace.run(["data", "check", "config.yaml", "--json"])
    let document = try JSONValue(parsing: Array(output.out.utf8), place: "json")
    #expect(output.status == 1 && document["format"] == .string("jigsaw-check-1"))
    #expect(document["isFine"] == .bool(false) && document["problems"]?.array?.count == 1)
    try workspace.edit("config.yaml", "variables: [z, t, msl, q]", "variables: [z, t, msl]")
    let fine = try workspace.run(["data", "check", "config.yaml", "--no-values", "--json"])
    let whole = try JSONValue(parsing: Array(fine.out.utf8), place: "json")
    #expect(fine.status == 0 && whole["isFine"] == .bool(true))
    let origin = try #require(whole["origins"]?.array?.first { $0["variable"] == .string("z") })
    #expect(origin["source"] == .string("data.nc") && origin["times"]?["count"] == .integer(60))
    #expect(whole["findings"]?.strings?.contains { $0.hasPrefix("times: 60 from 2001-01-01 00:00") } == true)
  }

  /// Notes of what is composed come through.
  @Test func composedViewsAreChecked() throws {
    let workspace = try Workspace()
    try workspace.edit(
      "config.yaml", "[{path: data.nc}]",
      "[{open: {dataset: {dataset: data.nc, area: [90, 0, 0, 360]}, regrid: {grid: [8, 16], method: nearest, max_distance_km: 2000}}}]"
    )
    try workspace.edit("config.yaml", "static: [orog]", "static: []")
    let output = try workspace.run(["data", "check", "config.yaml"])
    #expect(output.status == 1 && output.out.contains("problem: z_850 has "), "\(output.out)")
    #expect(
      output.out.contains("note: regrid: 64 of 128 points have no values: data.nc does not reach them"), "\(output.out)"
    )
  }

  @Test func conversionsSayWhichDatesAreLeftOut() throws {
    let workspace = try Workspace()
    try workspace.change("data.nc", to: "msl.nc") {
      $0.keep(3..<58)
      for name in ["z", "t", "orog"] { $0.arrays[name] = nil }
    }
    try workspace.change("data.nc") { $0.arrays["msl"] = nil }
    try workspace.edit("config.yaml", "[{path: data.nc}]", "[{path: data.nc}, {path: msl.nc}]")
    let output = try workspace.run(["data", "convert", "config.yaml", "out.zarr"])
    #expect(output.status == 0, "\(output.err)")
    #expect(
      output.out == """
        wrote out.zarr
        5 dates that msl lacks are left out: 2001-01-01 00:00, 2001-01-01 06:00, 2001-01-01 12:00, 2001-01-15 12:00, \
        2001-01-15 18:00

        """, "\(output.out)")
  }
}
