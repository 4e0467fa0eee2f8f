import CLinux

#if canImport(Glibc)
  import Glibc
#endif

extension Files {
  public static func isLink(_ path: String) -> Bool {
    var info = stat()
    return lstat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFLNK
  }

  /// Whether it is a folder itself, not a link to one.
  public static func isFolderItself(_ path: String) -> Bool {
    var info = stat()
    return lstat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFDIR
  }

  /// The number that a file or folder keeps when it is renamed; nil where there is none.
  public static func inode(_ path: String) -> UInt64? {
    var info = stat()
    return lstat(path, &info) == 0 ? UInt64(info.st_ino) : nil
  }

  /// From the root on, without "."; links of what exists are resolved.
  public static func absolute(_ path: String) -> String {
    if path.contains("://") { return withoutUserInformation(path) }
    if let resolved = realpath(path, nil) {
      defer { free(resolved) }
      return String(cString: resolved)
    }
    guard !path.hasPrefix("/"), let folder = getcwd(nil, 0) else { return path }
    defer { free(folder) }
    return "\(String(cString: folder))/\(path)"
  }

  /// When a file or folder was last changed, in seconds since 1970; nil if it is not there.
  public static func modificationSeconds(_ path: String) -> Double? {
    var info = stat()
    guard stat(path, &info) == 0 else { return nil }
    return Double(info.st_mtim.tv_sec) + Double(info.st_mtim.tv_nsec) * 1e-9
  }

  /// Creates a folder under a name at which there is nothing.
  public static func createNewDirectory(_ path: String, shownAs: String) throws {
    try createDirectory(parent(of: path))
    if mkdir(path, 0o777) != 0 {
      throw JigsawError(
        shownAs, "can't create this folder (\(reason()))", remedy: "choose a folder that you may write to")
    }
  }

  /// Gives a complete file or folder its name, in place of what has it. A stop at any moment leaves the old or the new one:
  /// under its name, or (of a folder, where the file system can't exchange two) aside, from where `recover` fetches it.
  public static func replace(_ path: String, by complete: String) throws {
    var info = stat()
    // A file takes another's place at once, and anything a free one.
    let isFolder = lstat(complete, &info) == 0 && info.st_mode & S_IFMT == S_IFDIR
    let isFree = lstat(path, &info) != 0
    if !isFree, !isFolder, info.st_mode & S_IFMT == S_IFDIR {
      throw JigsawError(path, "is a folder, whose place no file takes", remedy: "name another output")
    }
    if isFree || !isFolder { return try rename(complete, to: path) }
    if jl_exchange(complete, path) == 0 {
      try syncDirectory(parent(of: path))
      return try remove(complete)
    }
    let aside = "\(path).\(Temporary.unique())\(replaced)"
    try rename(path, to: aside)
    try rename(complete, to: path)
    try remove(aside)
  }

  /// Removes a folder, under a temporary name first: a stop in between leaves no part of it under its own, and
  /// `Temporary.removeAbandoned` finds the rest.
  public static func removeAtOnce(_ path: String) throws {
    let going = Temporary.name(for: path)
    try rename(path, to: going)
    try remove(going)
  }

  /// Ends a replacement that was stopped: gives what was set aside its name back if nothing has it, else removes it. For
  /// whoever holds the lock of the output.
  public static func recover(_ path: String) throws {
    for aside in try Temporary.siblings(of: path, replaced) {
      if exists(path) { try remove(aside) } else { try rename(aside, to: path) }
    }
  }

  private static let replaced = ".old"
}
