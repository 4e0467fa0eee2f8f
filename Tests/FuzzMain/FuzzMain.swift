import Basics
import FuzzCases
import TestSupport

#if canImport(Glibc)
  import Glibc
#endif

/// Reads damaged stores: `fuzz-stores KIND COUNT SEED [--limit-bytes N]`, `fuzz-stores KIND --only NUMBER SEED` for one case
/// again. Kinds: metadata, chunks, zip, netcdf, grib.
///
/// A case fails when it ends in anything but numbers or a `JigsawError`, ends the process, takes more than 2 s of processor
/// time, lets memory grow by more than N bytes, or asks for a key outside the store. Cases run in child processes, so that
/// a crash ends no run; each failure is printed with its number. Ends with 1 if there was one.
@main struct FuzzMain {
  static func main() throws {
    var words = Array(CommandLine.arguments.dropFirst())
    var limit = 2 << 30
    if let place = words.firstIndex(of: "--limit-bytes"), place + 1 < words.count, let bytes = Int(words[place + 1]) {
      limit = bytes
      words.removeSubrange(place...place + 1)
    }
    if words.count == 4, words[1] == "--only", let number = Int(words[2]), let seed = UInt64(words[3]) {
      return try only(words[0], number, seed)
    }
    if words.count == 6, words[1] == "--child", let from = Int(words[2]), let count = Int(words[3]),
      let seed = UInt64(words[4])
    {
      return try FuzzChild.run(words[0], from..<count, seed, limit: limit, status: words[5])
    }
    guard words.count == 3, fuzzKinds.contains(words[0]), let count = Int(words[1]), let seed = UInt64(words[2]) else {
      print("usage: fuzz-stores KIND COUNT SEED [--limit-bytes N], fuzz-stores KIND --only NUMBER SEED")
      exit(64)
    }
    let failures = try FuzzRun.run(words[0], count, seed, limit: limit)
    if failures > 0 { exit(1) }
  }

  private static func only(_ name: String, _ number: Int, _ seed: UInt64) throws {
    let folder = try scratch()
    defer { try? Files.remove(folder) }
    guard let kind = try fuzzKind(name, folder: folder) else { return print("no such kind") }
    var mutator = Mutator(seed: seed, number: number)
    print(try kind.run(&mutator) ? "opened" : "refused")
  }

  /// A folder in memory where there is one.
  static func scratch() throws -> String {
    let path = "\(Files.isDirectory("/dev/shm") ? "/dev/shm" : "/tmp")/jigsaw-fuzz-\(getpid())"
    try Files.createDirectory(path)
    return path
  }
}
