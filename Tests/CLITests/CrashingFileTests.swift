import Basics
import TestSupport
import Testing

/// A damaged NetCDF-4 file on which HDF5 1.10.8 ends the process with SIGSEGV: the case 320 of `fuzz-stores netcdf`, seed 21.
@Suite struct CrashingFileTests {
  @Test func aFileOnWhichTheLibraryCrashesEndsInASentence() throws {
    let workspace = try Workspace()
    let golden = "/" + #filePath.split(separator: "/").dropLast(2).joined(separator: "/") + "/Goldens/crashing.nc"
    try Files.copy(golden, to: "\(workspace.path)/crashing.nc")
    let result = try workspace.run(["data", "inspect", "crashing.nc"])
    #expect(result.status == 1)
    // The sentence is that of the crash, or of what refuses the file before the library crashes.
    #expect((result.err + result.out).contains("crashing.nc: "), "\(result.err)")
  }
}
