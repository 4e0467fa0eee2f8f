import Basics
import FuzzCases
import TestSupport
import Testing

/// Some of the cases that Scripts/fuzz.sh runs by the million. NetCDF-4 files are left to it: HDF5 itself crashes on some.
@Suite struct FuzzTests {
  /// Inputs of the corpus that are sound as a store or document: refused is at most a variable in it.
  private static let opened: Set<String> = [
    "fill-1e999.store.json", "longitudes-1e19.store.json", "number-1e400.json", "scale-as-list.store.json",
    "scale-as-text.store.json", "time-units-year-1e9.store.json", "times-1e300.store.json", "type-f4096.store.json",
  ]

  @Test(.timeLimit(.minutes(1))) func inputsOfTheCorpusAreReadOrRefused() throws {
    let folder = "\(Goldens.folder)/../../FuzzTests/Corpus"
    let names = try Files.list(folder)
    #expect(names.count > 15)
    for name in names {
      #expect(try Corpus.replay("\(folder)/\(name)") == FuzzTests.opened.contains(name), "\(name)")
    }
  }

  /// Numbers of cases.
  private static let counts = [
    ("metadata", 400), ("attributes", 2_000), ("chunks", 300), ("zip", 200), ("classic", 300), ("grib", 200),
    ("checkpoint", 12),
  ]

  @Test func everyKindIsRun() throws {
    #expect(Self.counts.map(\.0).sorted() == fuzzKinds.filter { $0 != "netcdf" })
    let script = try Files.readText("\(Goldens.folder)/../../../Scripts/fuzz.sh")
    for kind in fuzzKinds { #expect(script.contains("  half \(kind) "), "Scripts/fuzz.sh runs no case of \(kind)") }
  }

  @Test(arguments: counts)
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
