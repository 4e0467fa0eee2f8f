#if canImport(Glibc)
  import Glibc
#endif

/// A claim on an output, a file or a folder, that says who holds it: `OUTPUT.lock` beside it, or `.lock` in the folder of a run.
/// It ends with the process, however that ends; the file of a process that was killed is taken over.
public final class OutputLock {
  private let path: String
  private let descriptor: Int32
  /// A folder that was made for the output; if nothing is in it at the end, it goes.
  private let madeFolder: String?

  /// Claims an output that is to be written.
  /// - Throws: naming who writes it already.
  public convenience init(_ output: String) throws {
    let folder = Files.parent(of: output)
    let isThere = Files.isDirectory(folder)
    try Files.createDirectory(folder)
    var output = output
    while output.count > 1 && output.hasSuffix("/") { output.removeLast() }
    try self.init(file: output + ".lock", madeFolder: isThere ? nil : folder) {
      JigsawError(
        output, "is being written", found: $0.isEmpty ? nil : $0, remedy: "wait for it, or write to another place")
    }
  }

  /// Claims the folder of a run, which must be there.
  /// - Throws: naming who holds it.
  public convenience init(folder: String) throws {
    try self.init(file: OutputLock.file(folder: folder), madeFolder: nil) { OutputLock.inUse(folder, by: $0) }
  }

  private static func file(folder: String) -> String { "\(folder)/.lock" }

  /// The error for the folder of a run that another holds.
  public static func inUse(_ folder: String, by holder: String) -> JigsawError {
    JigsawError(
      folder, "is in use by another training", found: holder.isEmpty ? nil : holder,
      remedy: "wait for it, stop it, or choose another folder with --set run=…")
  }

  /// Who holds the folder of a run, in words; nil where nobody does.
  public static func holder(folder: String) -> String? {
    guard let file = try? Files.openIfPresent(file(folder: folder)) else { return nil }
    defer { close(file.descriptor) }
    if flock(file.descriptor, LOCK_SH | LOCK_NB) == 0 { return nil }
    let isHeld = errno == EWOULDBLOCK
    let holder = content(file.descriptor)
    return isHeld || !isDead(holder) ? holder : nil
  }

  private init(file: String, madeFolder: String?, held: (String) -> JigsawError) throws {
    path = file
    self.madeFolder = madeFolder
    descriptor = try OutputLock.acquire(file, held)
    let holder = OutputLock.holder
    guard ftruncate(descriptor, 0) == 0, pwrite(descriptor, holder, holder.utf8.count, 0) == holder.utf8.count else {
      let reason = Files.reason()
      close(descriptor)
      throw JigsawError(file, "can't write (\(reason))", remedy: "free some space or choose another disk")
    }
  }

  deinit {
    // While it is held: whoever opened the file meanwhile finds that it has no name any more and tries again.
    unlink(path)
    close(descriptor)
    if let madeFolder { rmdir(madeFolder) }
  }

  private static var holder: String {
    "process \(getpid()) on \(Machine.hostName) since \(Timestamp(seconds: Int64(Machine.unixSeconds)).display) UTC\n"
  }

  private static func acquire(_ file: String, _ held: (String) -> JigsawError) throws -> Int32 {
    try Files.requireWhole(file)
    while true {
      let descriptor = open(file, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0o666)
      guard descriptor >= 0 else {
        throw JigsawError(
          file, "can't open this file for writing (\(Files.reason()))", remedy: "choose a place that you may write to")
      }
      do {
        if try claim(descriptor, file, held) { return descriptor }
      } catch {
        close(descriptor)
        throw error
      }
      close(descriptor)
    }
  }

  /// Whether the file is now ours; false where it has lost its name since it was opened.
  private static func claim(_ descriptor: Int32, _ file: String, _ held: (String) -> JigsawError) throws -> Bool {
    if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      let code = errno
      let holder = content(descriptor)
      if code == EWOULDBLOCK { throw held(holder) }
      if code == EINTR { return false }
      // File systems without locks: the file says who holds it, and whether that process still runs.
      if !isDead(holder) { throw held(holder) }
    }
    var (opened, named) = (stat(), stat())
    guard fstat(descriptor, &opened) == 0, opened.st_mode & S_IFMT == S_IFREG else {
      throw JigsawError(file, "is not a regular file", remedy: "remove it")
    }
    return lstat(file, &named) == 0 && opened.st_dev == named.st_dev && opened.st_ino == named.st_ino
  }

  private static func content(_ descriptor: Int32) -> String {
    var bytes = [UInt8](repeating: 0, count: 400)
    let count = pread(descriptor, &bytes, bytes.count, 0)
    let text = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).prefix { $0 != "\n" }
    // Text that another process wrote goes to a terminal.
    return String(text.unicodeScalars.filter { $0.value >= 32 && $0.value != 127 })
  }

  /// Whether the holder was a process of this machine that has ended; nobody holds a file without content.
  private static func isDead(_ holder: String) -> Bool {
    let words = holder.split(separator: " ")
    if words.isEmpty { return true }
    guard words.count > 3, words[3] == Machine.hostName, let process = Int32(words[1]), process > 0 else {
      return false
    }
    return kill(process, 0) != 0 && errno == ESRCH
  }
}
