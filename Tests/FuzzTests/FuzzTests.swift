import Basics
import FuzzCases
import TestSupport
import Testing

/// Some of the cases that Scripts/fuzz.sh runs by the million. NetCDF-4 files are left to it: HDF5 itself crashes on some.
@Suite struct FuzzTests {
  @Test(arguments: [
    ("metadata", 400), ("chunks", 300), ("zip", 200), ("classic", 300), ("grib", 200), ("checkpoint", 40),
  ])
  func damagedStoresAreReadOrRefused(name: String, count: Int) throws {
    let folder = try TemporaryFolder()
    let kind = try #require(try fuzzKind(name, folder: folder.path, bombByteCount: 8 << 20))
    var opened = 0
    for number in 0..<count {
      var mutator = Mutator(seed: 20_260_101, number: number)
      do { if try kind.run(&mutator) { opened += 1 } } catch { Issue.record("\(name) \(number): \(error)") }
    }
    // Neither all unreadable nor, but for chunks, all unharmed.
    #expect(opened > count / 20 && (opened < count || name == "chunks"))
  }
}
