import Basics
import Stores
import TestSupport
import Testing

/// Names and texts of files and configurations in what other programs take: pages, tables, a terminal.
@Suite struct EscapingTests {
  @Test func namesOfFieldsStayNames() throws {
    let workspace = try Workspace()
    let name = "=x<b>|,y"
    try workspace.edit("config.yaml", "{path: data.nc}", "{path: data.nc, names: {'\(name)': msl}}")
    try workspace.edit("config.yaml", "variables: [z, t, msl]", "variables: ['\(name)']")
    for arguments in [["train", "config.yaml"], ["forecast", "run"], ["evaluate", "run"], ["report", "run"]] {
      let output = try workspace.run(arguments)
      #expect(output.status == 0, "\(arguments): \(output.err)")
    }
    for (file, text) in [
      ("evaluation/scorecard.svg", ">=x&lt;b&gt;|,y</text>"), ("evaluation/scorecard.md", "| =x&lt;b&gt;\\|,y |"),
      ("evaluation/scores.csv", "\nmodel,\"'=x<b>|,y\","), ("validation.csv", ",\"rmse_=x<b>|,y\"\n"),
      ("report.html", "=x&lt;b&gt;|,y"),
    ] {
      let found = try Files.readText("\(workspace.path)/run/\(file)")
      #expect(found.contains(text), "\(file): \(found.prefix(1_000))")
      #expect(file.hasSuffix("csv") || !found.contains("<b>|,y"), "\(file)")
    }
  }

  @Test func controlCharactersAreShown() throws {
    let workspace = try Workspace()
    try workspace.change("data.nc") { $0.arrays["msl"]?.attributes["long_name"] = .text("x\u{1B}]0;title\u{07}") }
    let inspected = try workspace.run(["data", "inspect", "data.nc"])
    #expect(inspected.out.contains("x\\x1b]0;title\\x07") && !inspected.out.contains("\u{1B}"), "\(inspected.out)")
    try workspace.edit("config.yaml", "variables: [z, t, msl]", "variables: [\"m\\x1b[31msl\"]")
    let refused = try workspace.run(["data", "stats", "config.yaml"])
    #expect(refused.status == 1 && !refused.err.contains("\u{1B}"))
    #expect(refused.lastLine.contains("m\\x1b[31msl', whose name has a control character"), "\(refused.err)")
  }
}
