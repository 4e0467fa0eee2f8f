import Basics
import TestSupport
import Testing

@testable import Datasets

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct FingerprintTests {
  /// Sets the time of modification, in seconds since 1970.
  private func touch(_ path: String, _ seconds: Int) {
    var times = [timespec(tv_sec: seconds, tv_nsec: 0), timespec(tv_sec: seconds, tv_nsec: 0)]
    #expect(utimensat(AT_FDCWD, path, &times, 0) == 0)
  }

  @Test func smallDataAreKnownByAllTheirBytes() throws {
    let folder = try TemporaryFolder()
    let (path, copy) = ("\(folder.path)/a.nc", "\(folder.path)/b.nc")
    var bytes = [UInt8](repeating: 1, count: 300_000)
    try Files.writeAtomically(bytes, to: path)
    touch(path, 1_000)
    let first = try DataFingerprint(paths: [path])
    #expect(first.isWhole && first.files == 1 && first.bytes == 300_000)
    touch(path, 2_000)
    #expect(try first.isSame(as: DataFingerprint(paths: [path])), "other time, same content")
    try Files.writeAtomically(bytes, to: copy)
    #expect(try first.isSame(as: DataFingerprint(paths: [copy])), "copied")
    bytes[170_001] ^= 1
    try Files.writeAtomically(bytes, to: path)
    touch(path, 1_000)
    #expect(try !first.isSame(as: DataFingerprint(paths: [path])), "one bit, the time set back")
    #expect(try !first.isSame(as: DataFingerprint(paths: [copy, copy])))
  }

  @Test func largeDataAreKnownBySamplesAndTimes() throws {
    let folder = try TemporaryFolder()
    let (path, copy) = ("\(folder.path)/a.nc", "\(folder.path)/b.nc")
    for place in [path, copy] {
      let file = try OutputFile(creating: place)
      try file.resize(to: DataFingerprint.wholeBytes + 1)
      try file.close()
      touch(place, 1_000)
    }
    let first = try DataFingerprint(paths: [path])
    #expect(!first.isWhole)
    #expect(try first.isSame(as: DataFingerprint(paths: [path])))
    #expect(try first.isSame(as: DataFingerprint(paths: [copy])), "copied elsewhere with its time")
    touch(copy, 2_000)
    let later = try DataFingerprint(paths: [copy])
    #expect(later.content == first.content && !first.isSame(as: later), "corrected between the samples, perhaps")
    let difference = Lineage(data: first).difference(from: Lineage(data: later))
    #expect(difference?.now.hasSuffix(" in the parts that are read, with other times of its files") == true)
    touch(copy, 1_000)
    touch(path, 3_000)
    let touched = try DataFingerprint(paths: [path])
    #expect(!first.isSame(as: touched) && touched.key != first.key, "changed in place, where no sample is")
    let file = try OutputFile(existing: copy)
    try [UInt8](repeating: 1, count: 2 << 20).withUnsafeBytes { try file.write($0, at: 32 << 20) }
    #expect(try !first.isSame(as: DataFingerprint(paths: [copy])), "another content elsewhere")
  }

  @Test(.timeLimit(.minutes(1))) func linksThatLeadAroundAreRefused() throws {
    let folder = try TemporaryFolder()
    try #require(symlink(".", "\(folder.path)/again") == 0)
    let error = #expect(throws: JigsawError.self) { try DataFingerprint(paths: [folder.path]) }
    #expect(error?.problem == "lies in more than 32 folders of the data")
  }

  @Test func foldersAreKnownByNamesSizesAndMetadata() throws {
    let folder = try TemporaryFolder()
    let store = "\(folder.path)/a.zarr"
    try Files.createDirectory("\(store)/t")
    try Files.writeAtomically("{}", to: "\(store)/t/.zarray")
    for chunk in 0..<DataFingerprint.wholeFiles { try OutputFile(creating: "\(store)/t/\(chunk)").write("chunk") }
    let first = try DataFingerprint(paths: [store])
    #expect(!first.isWhole && first.files == DataFingerprint.wholeFiles + 1)
    #expect(try first.isSame(as: DataFingerprint(paths: [store])))
    try OutputFile(replacing: "\(store)/t/17").write("chunky")
    #expect(try first.content != DataFingerprint(paths: [store]).content)
    try OutputFile(replacing: "\(store)/t/17").write("chunk")
    try Files.writeAtomically("{1", to: "\(store)/t/.zarray")
    #expect(try first.content != DataFingerprint(paths: [store]).content)
  }

  @Test func differencesNameBothSides() throws {
    let model = Lineage.Model(update: 20, hash: "aa")
    let made = Lineage(model: model, settings: ["period": "2001"])
    #expect(made.difference(from: Lineage(settings: ["other": "x"])) == nil, "what one does not know is no difference")
    #expect(made.difference(from: made) == nil && made.difference(from: Lineage(model: model)) == nil)
    let other = made.difference(from: Lineage(model: Lineage.Model(update: 40, hash: "bb")))
    #expect(other?.sentence == "checkpoint: made from update 20 (aa), now update 40 (bb)")
    #expect(
      made.difference(from: Lineage(settings: ["period": "2002"]))?.sentence == "period: made from 2001, now 2002")
    #expect(Lineage(json: try made.json().utf8) == made)
  }
}
