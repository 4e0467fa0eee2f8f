#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Files written so that a crash at any moment leaves either the old or the new content, never a mixture.
public enum Files {
  /// The system's sentence for `errno`.
  public static func reason(_ code: Int32 = errno) -> String { String(cString: strerror(code)) }

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
  public static func createDirectory(_ path: String) throws {
    if path.isEmpty || isDirectory(path) { return }
    let parent = self.parent(of: path)
    if parent != path { try createDirectory(parent) }
    // Only the attempt tells: other ranks create the same folder at the same time.
    if mkdir(path, 0o777) == 0 { return }
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

  /// Nil when there is no such file; a file that is there but can't be read is an error.
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

  /// A regular file, opened, and its length.
  private static func openIfPresent(_ path: String) throws -> (descriptor: Int32, length: Int)? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    if descriptor < 0 && (errno == ENOENT || errno == ENOTDIR) { return nil }
    guard descriptor >= 0 else { throw JigsawError(path, "can't open this file (\(reason()))") }
    var info = stat()
    guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw JigsawError(path, "is not a regular file")
    }
    return (descriptor, Int(info.st_size))
  }

  private static func read(
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

  public static func readText(_ path: String) throws -> String {
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
    let temporary = "\(path).\(getpid()).tmp"
    do {
      let file = try OutputFile(temporary, shownAs: path)
      try file.write(bytes)
      try file.sync()
      try file.close()
    } catch {
      unlink(temporary)
      throw error
    }
    try rename(temporary, to: path)
  }

  /// Renames and syncs the folder, so that the new name survives a crash.
  public static func rename(_ from: String, to path: String) throws {
    if Glibc.rename(from, path) != 0 {
      throw JigsawError(path, "can't rename \(from) to this (\(reason()))")
    }
    syncDirectory(parent(of: path))
  }

  public static func syncDirectory(_ path: String) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    if descriptor >= 0 {
      fsync(descriptor)
      close(descriptor)
    }
  }

  /// Removes a file or a directory with all that is in it; what is not there is fine.
  public static func remove(_ path: String) throws {
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

/// A file being written. Every failure (a full disk above all) throws with the path and the system's reason.
public final class OutputFile {
  /// As it is called in errors.
  public let path: String
  private var descriptor: Int32

  /// Creates or truncates; with `appending`, goes on at the end.
  /// - Parameter shownAs: the final name, where `path` is a temporary one.
  public init(_ path: String, appending: Bool = false, shownAs: String? = nil) throws {
    self.path = shownAs ?? path
    descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (appending ? O_APPEND : O_TRUNC), 0o666)
    if descriptor < 0 {
      throw JigsawError(
        self.path, "can't open this file for writing (\(Files.reason()))",
        remedy: "choose a place that you may write to")
    }
  }

  /// Opens a file that is there, to write at places in it.
  public init(existing path: String) throws {
    self.path = path
    descriptor = open(path, O_WRONLY | O_CLOEXEC)
    if descriptor < 0 { throw JigsawError(path, "can't open this file for writing (\(Files.reason()))") }
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

/// A claim on a folder that ends with the process, however it ends.
public final class FolderLock {
  private let descriptor: Int32

  /// - Throws: when another process holds the folder.
  public init(_ folder: String) throws {
    let path = "\(folder)/.lock"
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      throw JigsawError(path, "can't open this file for writing (\(Files.reason()))")
    }
    if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      close(descriptor)
      throw JigsawError(
        folder, "is in use by another training",
        remedy: "wait for it, stop it, or choose another folder with --set run=…")
    }
  }

  deinit { close(descriptor) }
}
