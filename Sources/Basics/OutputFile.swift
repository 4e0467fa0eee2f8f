#if canImport(Glibc)
  import Glibc
#endif

/// A file being written. Every failure (a full disk above all) throws with the path and the system's reason. Nothing is ever
/// written through a symbolic link.
public final class OutputFile {
  /// The path that errors name.
  public let path: String
  private var descriptor: Int32 = -1

  /// Creates a file under a name at which there is nothing.
  /// - Parameters:
  ///   - shownAs: the final name, where `path` is a temporary one.
  ///   - isPrivate: nobody but this user may read it, from the first moment on.
  public init(creating path: String, shownAs: String? = nil, isPrivate: Bool = false) throws {
    self.path = shownAs ?? path
    try Files.requireWhole(path)
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
    descriptor = open(path, flags, isPrivate ? 0o600 : 0o666)
    if descriptor < 0 { throw OutputFile.failure(self.path) }
  }

  /// Creates a file in place of what has its name: a link is replaced, its target stays.
  public init(replacing path: String, shownAs: String? = nil) throws {
    self.path = shownAs ?? path
    try Files.requireWhole(path)
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
    descriptor = open(path, flags, 0o666)
    if descriptor < 0, errno == EEXIST, unlink(path) == 0 { descriptor = open(path, flags, 0o666) }
    if descriptor < 0 { throw OutputFile.failure(self.path) }
  }

  /// Goes on at the end of a file, or creates it. A symbolic link in its place is replaced by a new file, a file that has other
  /// names too by a copy: what they lead to stays as it is.
  public init(appendingTo path: String) throws {
    self.path = path
    try Files.requireWhole(path)
    var info = stat()
    if lstat(path, &info) == 0 {
      if info.st_mode & S_IFMT == S_IFLNK { try Files.remove(path) }
      if info.st_mode & S_IFMT == S_IFREG && info.st_nlink > 1 {
        try Files.writeAtomically(try Files.read(path), to: path)
      }
    }
    descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0o666)
    if descriptor < 0 { throw OutputFile.failure(path) }
    guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG else {
      Glibc.close(descriptor)
      descriptor = -1
      throw JigsawError(path, "is not a regular file", remedy: "remove it, or choose another place")
    }
  }

  /// Opens an existing file, to write at places in it.
  public init(existing path: String) throws {
    self.path = path
    try Files.requireWhole(path)
    descriptor = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC)
    if descriptor < 0 { throw JigsawError(path, "can't open this file for writing (\(Files.reason()))") }
  }

  private static func failure(_ path: String) -> JigsawError {
    JigsawError(
      path, "can't open this file for writing (\(Files.reason()))", remedy: "choose a place that you may write to")
  }

  deinit { if descriptor >= 0 { Glibc.close(descriptor) } }

  public func write(_ bytes: UnsafeRawBufferPointer) throws { try write(bytes, from: nil) }

  /// Writes at a place, whatever was written before.
  public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws { try write(bytes, from: offset) }

  /// Cuts the file off or fills it with zeros up to a length.
  public func resize(to byteCount: Int) throws {
    if ftruncate(descriptor, off_t(byteCount)) != 0 {
      throw JigsawError(path, "can't be made \(byteCount) bytes long (\(Files.reason()))")
    }
  }

  private func write(_ bytes: UnsafeRawBufferPointer, from offset: Int?) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let (start, count) = (rest.base.baseAddress! + rest.startIndex, min(rest.count, 1 << 30))
      let n =
        offset.map { pwrite(descriptor, start, count, off_t($0 + rest.startIndex)) }
        ?? Glibc.write(descriptor, start, count)
      if n < 0 && errno == EINTR { continue }
      if n <= 0 {
        throw JigsawError(path, "can't write (\(Files.reason()))", remedy: "free some space or choose another disk")
      }
      rest = rest.dropFirst(n)
    }
  }

  public func write(_ text: String) throws {
    var text = text
    try text.withUTF8 { try write(UnsafeRawBufferPointer($0)) }
  }

  /// Returns once the content is on the disk.
  public func sync() throws {
    if fsync(descriptor) != 0 { throw JigsawError(path, "can't sync to disk (\(Files.reason()))") }
  }

  public func close() throws {
    let result = Glibc.close(descriptor)
    descriptor = -1
    if result != 0 { throw JigsawError(path, "can't close this file (\(Files.reason()))") }
  }
}
