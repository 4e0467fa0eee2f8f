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

  /// A changed bit is seen, whether all of the entry is read or a part.
  @Test func everyEntryIsComparedWithItsChecksum() throws {
    let folder = try TemporaryFolder()
    var bytes = try Files.read(Self.path)
    let text = Array("stored as it is".utf8)
    let place = try #require(bytes.indices.first { bytes[$0...].starts(with: text) })
    bytes[place] ^= 1
    try Files.writeAtomically(bytes, to: "\(folder.path)/a.zip")
    let zip = try ZipStorage("\(folder.path)/a.zip")
    for read in [{ try zip.read("stored") }, { try zip.read("stored", .range(7..<9))?.bytes }] {
      #expect(throws: JigsawError.self) { try read() }
    }
    #expect(try zip.read("folder/inner", .range(0..<2))?.bytes.count == 2)
  }

  /// Deflate shrinks to no less than a 1032nd: nobody reserves what an entry merely claims.
  @Test(arguments: ["deflated", "stored"]) func lengthsThatCannotBeAreRefused(name: String) throws {
    let folder = try TemporaryFolder()
    var bytes = try Files.read(Self.path)
    // The last place of the name is in the directory, 46 bytes behind the entry's beginning there.
    let place = try #require(bytes.indices.last { bytes[$0...].starts(with: name.utf8) }) - 46
    #expect(bytes[place...].starts(with: [0x50, 0x4B, 1, 2]))
    bytes.replaceSubrange(place + 24..<place + 28, with: [0, 0, 0, 0x40])
    try Files.writeAtomically(bytes, to: "\(folder.path)/a.zip")
    let error = #expect(throws: JigsawError.self) { try ZipStorage("\(folder.path)/a.zip") }
    #expect(error?.description.contains("the entry \(name) of 1073741824 bytes") == true)
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
