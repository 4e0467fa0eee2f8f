import Basics
import Checkpoints
import Foundation
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// Which folders are the checkpoints of a training, and in which order.
@Suite struct CheckpointFolderTests {
  private func make(_ names: [String], in folder: TemporaryFolder) throws {
    for name in names {
      try Files.createDirectory("\(folder.path)/\(name)")
      try Files.writeAtomically("{}", to: "\(folder.path)/\(name)/manifest.json")
    }
  }

  /// Beyond seven digits names are no longer in the order of their numbers.
  @Test func checkpointsAreCountedAsNumbers() throws {
    let folder = try TemporaryFolder()
    try make(
      ["update-10000000", "update-9999999", "update-0000002", "update-2", "update-0000003.mine", "best"], in: folder)
    try Files.createDirectory("\(folder.path)/update-0000004")
    try Files.writeAtomically("mine", to: "\(folder.path)/update-0000005")
    try #require(symlink("update-0000002", "\(folder.path)/update-0000006") == 0)
    #expect(try CheckpointFolder(folder.path).numbered() == ["update-0000002", "update-9999999", "update-10000000"])
  }

  /// A stop while an old one is removed leaves no part of it under its name: it has another by then.
  @Test func whatIsRemovedLosesItsNameFirst() throws {
    let folder = try TemporaryFolder()
    try make(["update-0000002"], in: folder)
    let descriptor = open("\(folder.path)/update-0000002", O_RDONLY | O_DIRECTORY)
    defer { close(descriptor) }
    try Files.removeAtOnce("\(folder.path)/update-0000002")
    #expect(try Files.list(folder.path).isEmpty)
    let last = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(descriptor)")
    #expect(last.contains("/update-0000002.\(getpid())-") && last.hasSuffix(".tmp (deleted)"), "\(last)")
  }
}
