#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Files written so that a crash at any moment leaves either the old or the new content, never a mixture.
public enum Files {
  /// The system's sentence for `errno`.
  public static func reason(_ code: Int32 = errno) -> String { String(cString: strerror(code)) }

  /// - Throws: for a path with a zero byte, of which the system would take what stands before it.
  static func requireWhole(_ path: String) throws {
    guard path.utf8.contains(0) else { return }
    throw JigsawError(path, "is no path, since it has a zero byte", remedy: "correct it")
  }

  public static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  public static func isDirectory(_ path: String) -> Bool {
    var info = stat()
    return stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFDIR
  }

  /// Whether two paths lead to the same file or folder.
  public static func isSame(_ a: String, _ b: String) -> Bool {
    var (first, second) = (stat(), stat())
    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev
      && first.st_ino == second.st_ino
  }

  /// Size in bytes of a regular file, nil if there is none.
  public static func size(_ path: String) -> Int? {
    var info = stat()
    guard stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFREG else { return nil }
    return Int(info.st_size)
  }

  /// Names in a directory, sorted; throws if it can't be read.
  public static func list(_ path: String) throws -> [String] {
    guard let directory = opendir(path) else {
      throw JigsawError(path, "can't list this folder (\(reason()))")
    }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// Creates a directory and those above it.
  /// - Parameter isPrivate: nobody but this user may look into those that are new.
  public static func createDirectory(_ path: String, isPrivate: Bool = false) throws {
    try requireWhole(path)
    if path.isEmpty || isDirectory(path) { return }
    let parent = self.parent(of: path)
    if parent != path { try createDirectory(parent, isPrivate: isPrivate) }
    // Only the attempt tells: other ranks create the same folder at the same time.
    if mkdir(path, isPrivate ? 0o700 : 0o777) == 0 { return }
    let status = errno
    if status != EEXIST {
      throw JigsawError(
        path, "can't create this folder (\(reason(status)))", remedy: "choose a folder that you may write to")
    }
    if !isDirectory(path) {
      throw JigsawError(path, "is a file where a folder is needed", remedy: "choose another place")
    }
  }

  public static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// The content, or its first `limit` bytes.
  public static func read(_ path: String, atMost limit: Int = .max) throws -> [UInt8] {
    guard let bytes = try readIfPresent(path, atMost: limit) else {
      throw JigsawError(path, "can't open this file (\(reason(ENOENT)))")
    }
    return bytes
  }

  /// Nil when there is no such file; a file that exists but can't be read is an error.
  public static func readIfPresent(_ path: String, atMost limit: Int = .max) throws -> [UInt8]? {
    try readIfPresent(path) { 0..<min(limit, $0) }?.bytes
  }

  /// Some bytes of a file, and the length of all of it.
  ///
  /// - Parameter part: which, by the length; cut off at the end.
  public static func readIfPresent(_ path: String, part: (Int) -> Range<Int>) throws -> (bytes: [UInt8], length: Int)? {
    guard let file = try openIfPresent(path) else { return nil }
    defer { close(file.descriptor) }
    let range = part(file.length).clamped(to: 0..<file.length)
    let bytes = try [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
      count = try read(file.descriptor, range, into: UnsafeMutableRawPointer(buffer.baseAddress), path)
    }
    return (bytes, file.length)
  }

  /// The same into memory.
  ///
  /// - Parameter memory: gives room for so many bytes.
  /// - Returns: how many were read: fewer than asked for when the file is cut short meanwhile.
  public static func readIfPresent(
    _ path: String, part: (Int) -> Range<Int>, into memory: (Int) -> UnsafeMutableRawPointer
  ) throws -> (read: Int, length: Int)? {
    guard let file = try openIfPresent(path) else { return nil }
    defer { close(file.descriptor) }
    let range = part(file.length).clamped(to: 0..<file.length)
    return (try read(file.descriptor, range, into: memory(range.count), path), file.length)
  }

  /// A regular file, opened for reading, and its length; nil when there is none. Pipes and devices are refused, not waited for.
  public static func openIfPresent(_ path: String) throws -> (descriptor: Int32, length: Int)? {
    try requireWhole(path)
    // Without O_NONBLOCK opening a named pipe waits for a writer; regular files don't mind it.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    if descriptor < 0 && (errno == ENOENT || errno == ENOTDIR) { return nil }
    guard descriptor >= 0 else { throw JigsawError(path, "can't open this file (\(reason()))") }
    var info = stat()
    guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw JigsawError(path, "is not a regular file")
    }
    return (descriptor, Int(info.st_size))
  }

  /// Opens a file as `openIfPresent` does; a missing file is an error.
  public static func openToRead(_ path: String) throws -> (descriptor: Int32, length: Int) {
    guard let file = try openIfPresent(path) else {
      throw JigsawError(path, "can't open this file (\(reason(ENOENT)))")
    }
    return file
  }

  /// Reads some bytes of an open file into memory.
  ///
  /// - Returns: the number of bytes read: fewer than `range` has where the file ends within it.
  /// - Throws: naming the file at `path`.
  public static func read(
    _ descriptor: Int32, _ range: Range<Int>, into memory: UnsafeMutableRawPointer?, _ path: String
  ) throws -> Int {
    var count = 0
    while let memory, count < range.count {
      let n = pread(descriptor, memory + count, range.count - count, off_t(range.lowerBound + count))
      if n < 0 && errno == EINTR { continue }
      if n < 0 { throw JigsawError(path, "can't read this file (\(reason()))") }
      if n == 0 { break }
      count += n
    }
    return count
  }

  /// - Parameter limit: bytes; a longer file is an error.
  public static func readText(_ path: String, atMost limit: Int = .max) throws -> String {
    if let size = size(path), size > limit {
      throw JigsawError(path, "is too long", expected: "at most \(limit) bytes", found: "\(size)")
    }
    guard let text = String(validating: try read(path), as: UTF8.self) else {
      throw JigsawError(path, "is not a text file in UTF-8")
    }
    return text
  }

  /// Writes to a temporary name beside `path`, syncs, renames.
  public static func writeAtomically(_ text: String, to path: String) throws {
    try writeAtomically(Array(text.utf8), to: path)
  }

  public static func writeAtomically(_ bytes: [UInt8], to path: String) throws {
    try bytes.withUnsafeBytes { try writeAtomically($0, to: path) }
  }

  public static func writeAtomically(_ bytes: UnsafeRawBufferPointer, to path: String) throws {
    try rename(writeTemporarily(bytes, for: path), to: path)
  }

  /// Writes what is to be at `path` to a temporary name beside, and syncs.
  /// - Returns: the name, to be renamed or removed.
  public static func writeTemporarily(_ bytes: UnsafeRawBufferPointer, for path: String) throws -> String {
    try requireWhole(path)
    let temporary = Temporary.name(for: path)
    do {
      let file = try OutputFile(creating: temporary, shownAs: path)
      try file.write(bytes)
      try file.sync()
      try file.close()
    } catch {
      unlink(temporary)
      throw error
    }
    return temporary
  }

  /// Renames and syncs the folder, so that the new name survives a crash.
  public static func rename(_ from: String, to path: String) throws {
    for name in [from, path] { try requireWhole(name) }
    if Glibc.rename(from, path) != 0 {
      throw JigsawError(path, "can't rename \(from) to this (\(reason()))")
    }
    try syncDirectory(parent(of: path))
  }

  /// Waits until the names in a folder are on the disk. File systems that know no such request are left alone.
  public static func syncDirectory(_ path: String) throws {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw JigsawError(path, "can't open this folder to sync it (\(reason()))") }
    defer { close(descriptor) }
    if fsync(descriptor) != 0, errno != EINVAL, errno != ENOTSUP {
      throw JigsawError(path, "can't sync the names in this folder to disk (\(reason()))")
    }
  }

  /// Removes a file or a directory with all that is in it; what is not there is fine.
  public static func remove(_ path: String) throws {
    try requireWhole(path)
    var info = stat()
    if lstat(path, &info) != 0 { return }
    if info.st_mode & S_IFMT == S_IFDIR {
      for name in try list(path) { try remove(path + "/" + name) }
      if rmdir(path) != 0 { throw JigsawError(path, "can't remove this folder (\(reason()))") }
    } else if unlink(path) != 0 {
      throw JigsawError(path, "can't remove this file (\(reason()))")
    }
  }
}
