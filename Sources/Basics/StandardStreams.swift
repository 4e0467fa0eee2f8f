#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Standard input, output and error.
public enum StandardStreams {
  /// Opens those that the process was started without on /dev/null. Otherwise the next file opened would get the descriptor of one,
  /// and what is printed would go into that file.
  public static func openMissing() {
    // The lowest free descriptor is taken, so that ascending order gives each its own.
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
      _ = open("/dev/null", O_RDWR)
    }
  }

  /// Writes to standard output. Where the reader of a pipe has gone, the rest is dropped.
  /// - Throws: when the system can't take it, as on a full disk.
  public static func print(_ text: String) throws {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
      if count >= 0 {
        bytes = bytes.dropFirst(count)
        continue
      }
      let status = errno
      if status == EINTR { continue }
      if status == EPIPE { return }
      throw JigsawError(
        "standard output", "can't write the answer (\(Files.reason(status)))",
        remedy: "make room, or print it elsewhere")
    }
  }
}
