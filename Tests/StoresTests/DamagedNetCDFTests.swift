import Basics
import TestSupport
import Testing

@testable import Stores

#if canImport(Glibc)
  import Glibc
#endif

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

  /// Found by fuzz-stores: netCDF-C divides by the width of a type that it doesn't know, and by a length of zero.
  @Test func headersThatNetCDFCrashesOnAreRefused() throws {
    func number(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) } }
    func name(_ letter: String) -> [UInt8] { number(1) + Array(letter.utf8) + [0, 0, 0] }
    func file(type: Int, lengths: [Int]) -> [UInt8] {
      let dimensions = number(10) + number(2) + name("x") + number(lengths[0]) + name("y") + number(lengths[1])
      let variable = name("a") + number(2) + number(0) + number(1) + number(0) + number(0) + number(type) + number(16)
      let header =
        Array("CDF\u{1}".utf8) + number(0) + dimensions + number(0) + number(0) + number(11) + number(1) + variable
      return header + number(header.count + 4) + [UInt8](repeating: 0, count: 16)
    }
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.nc"
    try Files.writeAtomically(file(type: 5, lengths: [2, 2]), to: path)
    #expect(try openStore(path).read("a").count == 4)
    for (type, lengths) in [(12, [2, 2]), (0, [2, 2]), (5, [2, 0])] {
      try Files.writeAtomically(file(type: type, lengths: lengths), to: path)
      let error = #expect(throws: JigsawError.self) { try openStore(path) }
      #expect(error?.place == path && error?.problem == "has a damaged header")
    }
  }

  /// Found by fuzz-stores: HDF5 has extents of 64 bits, which are negative here.
  @Test func extentsAreBounded() {
    #expect(ArrayInfo.fits([1 << 30, 1 << 28], .float32, 1 << 60))
    #expect(ArrayInfo.fits([1 << 59, 0, 2], .int8, 1 << 60))
    #expect(!ArrayInfo.fits([-1, 4], .int8, 1 << 60))
    #expect(!ArrayInfo.fits([1 << 40, 1 << 40], .float64, 1 << 60))
  }

  @Test func missingFilesAreNamed() {
    let error = #expect(throws: JigsawError.self) { try openStore("/nowhere/a.nc") }
    #expect(error?.description.hasPrefix("/nowhere/a.nc: no such file or folder") == true)
  }

  /// HDF5 crashes on some damaged files: the process ends with a sentence that names the file.
  @Test(arguments: [SIGSEGV, SIGBUS]) func crashesOfTheLibraryEndInASentence(signal: Int32) async throws {
    let result = await #expect(processExitsWith: .exitCode(1), observing: [\.standardErrorContent]) {
      [signal] in
      endInSentencesWhereLibrariesCrash()
      NetCDFLibrary.withLock(LibraryFault("data/a\u{1B}.nc")) { _ = raise(signal) }
    }
    let said = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
    #expect(said.contains("error: data/a\\x1b.nc: can't be read: the HDF5 library crashes on it; the file is damaged"))
    // Elsewhere a crash stays one.
    await #expect(processExitsWith: .signal(signal)) { [signal] in
      endInSentencesWhereLibrariesCrash()
      _ = LibraryFault("data/a.nc")
      raise(signal)
    }
  }
}
