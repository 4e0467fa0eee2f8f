import Basics
import TestSupport
import Testing

/// What the three standard streams do to results.
@Suite struct StreamTests {
  /// A program started without streams opens its files under their numbers, and what it prints would go into them.
  @Test func filesAreWholeWithoutStandardStreams() throws {
    let w = try Workspace(copying: Workspace.trained.get())
    for (output, streams) in [("usual", nil), ("closed", "<&- >&- 2>&-")] {
      let found = try w.run(
        ["forecast", "run", "--lead", "12", "--output", "\(output).grib2"], streams: streams)
      #expect(found.status == 0)
    }
    #expect(try Files.read("\(w.path)/usual.grib2") == Files.read("\(w.path)/closed.grib2"))
  }

  @Test func anAnswerThatCannotBeWrittenIsAnError() throws {
    let w = try Workspace()
    for arguments in [
      ["data", "inspect", "data.nc", "--json"], ["config", "show", "config.yaml"], ["config", "schema"],
    ] {
      let found = try w.run(arguments, streams: ">/dev/full")
      #expect(found.status == 1)
      #expect(
        found.lastLine.contains("standard output: can't write the answer (No space left on device)"), "\(found.err)")
    }
  }

  @Test func aConfigurationMayBeginWithAByteOrderMark() throws {
    let w = try Workspace()
    try Files.writeAtomically("\u{FEFF}" + Workspace.configuration, to: "\(w.path)/config.yaml")
    let found = try w.run(["config", "validate", "config.yaml"])
    #expect(found.status == 0, "\(found.err)")
  }
}
