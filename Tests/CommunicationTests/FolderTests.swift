import Basics
import Communication
import Testing

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct FolderTests {
  /// Ranks that write their parts at the same time all find the folder missing.
  @Test func manyRanksCreateTheSameFolders() throws {
    let base = "/tmp/jigsaw-folders-\(getpid())"
    defer { try? Files.remove(base) }
    _ = try ThreadRanks.run(4) { world in
      for i in 0..<100 {
        try world.barrier()
        try Files.createDirectory("\(base)/\(i)/a/b")
      }
    }
    #expect(Files.isDirectory("\(base)/99/a/b"))
  }
}
