import Basics
import Stores
import TestSupport
import Testing

/// NetCDF files that are cut short or something else end in an error that names the file.
@Suite struct DamagedNetCDFTests {
  static let files = ["types4.nc", "types3.nc", "types3offset.nc", "types5.nc", "packed.nc", "classic.nc"]

  @Test(arguments: files) func cutFilesAreRefused(name: String) throws {
    let folder = try TemporaryFolder()
    let whole = try Files.read(Goldens.path(name))
    let path = "\(folder.path)/cut.nc"
    for share in [0.0, 0.01, 0.3, 0.6, 0.9, 0.99] {
      try Files.writeAtomically(Array(whole[..<Int(Double(whole.count) * share)]), to: path)
      let error = #expect(throws: JigsawError.self, "\(share)") {
        let store = try openStore(path)
        for array in store.arrays.keys { _ = try store.read(array) }
      }
      #expect(error?.place.hasPrefix(path) == true, "\(share)")
    }
  }

  @Test(arguments: ["", "<html>404</html>", "GRIB", "CDF\u{1}", "\u{89}HDF\r\n\u{1A}\n"]) func otherFilesAreRefused(
    content: String
  ) throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.nc"
    try Files.writeAtomically(Array(content.unicodeScalars.map { UInt8($0.value) }), to: path)
    let error = #expect(throws: JigsawError.self) { try openStore(path) }
    #expect(error?.place == path)
  }

  @Test func missingFilesAreNamed() {
    let error = #expect(throws: JigsawError.self) { try openStore("/nowhere/a.nc") }
    #expect(error?.description.hasPrefix("/nowhere/a.nc: no such file or folder") == true)
  }
}
