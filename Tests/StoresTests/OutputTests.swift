import Basics
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct OutputTests {
  @Test func anOutputHasOneWriterThatIsNamed() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/made/a.zarr"
    do {
      let lock = try OutputLock(path)
      let error = #expect(throws: JigsawError.self) { try OutputLock(path) }
      #expect(error?.description.contains("process \(getpid()) on \(Machine.hostName) since") == true)
      withExtendedLifetime(lock) {}
    }
    // Nothing stays, and a lock that a killed process left is taken over.
    #expect(try Files.list(folder.path).isEmpty)
    try Files.writeAtomically("process 1 on elsewhere since 2001-01-01 00:00 UTC\n", to: "\(folder.path)/a.nc.lock")
    _ = try OutputLock("\(folder.path)/a.nc")
    #expect(try Files.list(folder.path).isEmpty)
  }

  @Test func nothingIsWrittenThroughALink() throws {
    let folder = try TemporaryFolder()
    let (victim, planted) = ("\(folder.path)/victim", "\(folder.path)/planted")
    try Files.writeAtomically("precious", to: victim)
    for plant in [{ symlink(victim, planted) }, { link(victim, planted) }] {
      #expect(plant() == 0)
      #expect(throws: JigsawError.self) { try OutputFile(creating: planted) }
      try OutputFile(appendingTo: planted).write("log")
      #expect(try Files.readText(planted).hasSuffix("log"))
      try Files.remove(planted)
      #expect(plant() == 0)
      try OutputFile(replacing: planted).write("new")
      #expect(try Files.readText(planted) == "new" && Files.readText(victim) == "precious")
      try Files.remove(planted)
    }
    #expect(symlink(victim, "\(folder.path)/a.lock") == 0)
    #expect(throws: JigsawError.self) { try OutputLock("\(folder.path)/a") }
    #expect(try Files.readText(victim) == "precious")
    #expect(symlink("\(folder.path)/nothing", "\(folder.path)/b.lock") == 0)
    #expect(throws: JigsawError.self) { try OutputLock("\(folder.path)/b") }
    #expect(!Files.exists("\(folder.path)/nothing"))
  }

  @Test func temporariesAreFoundAgainAndOthersLeftAlone() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.nc"
    let names = [Temporary.name(for: path), Temporary.name(for: path)]
    #expect(names[0] != names[1])
    for name in names + [path + ".tmp", path + ".mine.tmp", "\(folder.path)/b.nc.1-0123456789abcdef.tmp"] {
      try Files.writeAtomically("x", to: name)
    }
    #expect(try Temporary.abandoned(of: path) == names.sorted())
    try Temporary.removeAbandoned(of: path)
    #expect(try Files.list(folder.path) == ["a.nc.mine.tmp", "a.nc.tmp", "b.nc.1-0123456789abcdef.tmp"])
  }

  @Test func foldersAreReplacedByCompleteOnes() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/best"
    func make(_ place: String, _ text: String) throws {
      try Files.createDirectory(place)
      try Files.writeAtomically(text, to: "\(place)/file")
    }
    for text in ["one", "two"] {
      try make("\(folder.path)/new", text)
      try Files.replace(path, by: "\(folder.path)/new")
      #expect(try Files.list(folder.path) == ["best"] && Files.readText("\(path)/file") == text)
    }
    // Stopped between the two renames of a file system that can't exchange names.
    try Files.rename(path, to: "\(path).1-0123456789abcdef.old")
    try Files.recover(path)
    #expect(try Files.list(folder.path) == ["best"])
    try make("\(path).1-0123456789abcdef.old", "old")
    try Files.recover(path)
    #expect(try Files.list(folder.path) == ["best"] && Files.readText("\(path)/file") == "two")
  }
}
