import Basics
import TestSupport
import Testing

@testable import Stores

/// ZIP archives; those of zarr-python are read in Tests/Interop.
@Suite struct ZipStorageTests {
  /// An archive that Python's zipfile made of two texts, one stored and one deflated, and one in a folder:
  /// Tests/Goldens/make_store_goldens.py.
  static let path = Goldens.path("entries.zip")

  @Test func entriesAreRead() throws {
    let zip = try ZipStorage(Self.path)
    #expect(zip.list("") == ["deflated", "folder", "stored"])
    #expect(zip.list("folder") == ["inner"])
    #expect(try zip.read("stored") == Array("stored as it is".utf8))
    #expect(try zip.read("stored", .range(7..<9))?.bytes == Array("as".utf8))
    #expect(try zip.read("stored", .last(2))?.bytes == Array("is".utf8))
    let long = Array(String(repeating: "again and ", count: 100).utf8)
    #expect(try zip.read("deflated") == long)
    #expect(try zip.read("deflated", .range(990..<2_000))?.bytes == Array("again and ".utf8))
    #expect(try zip.read("folder/inner", .range(0..<0))?.length == 5)
    #expect(try zip.read("none") == nil)
  }

  /// Whatever changes: entries or an error, never a crash.
  @Test func changedArchivesNeverCrash() throws {
    let folder = try TemporaryFolder()
    let whole = try Files.read(Self.path)
    for number in 0..<800 {
      var mutator = Mutator(seed: 4, number: number)
      // The directory stands at the end.
      let bytes =
        number % 2 == 0 ? mutator.changed(whole) : mutator.changed(whole.reversed(), header: 200).reversed()
      try Files.writeAtomically(bytes, to: "\(folder.path)/a.zip")
      do {
        let zip = try ZipStorage("\(folder.path)/a.zip")
        for key in ["stored", "deflated", "folder/inner"] {
          _ = try zip.read(key)
          _ = try zip.read(key, .last(3))
        }
      } catch is JigsawError {
      }
    }
  }
}
