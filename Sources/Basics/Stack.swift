import CLinux

#if canImport(Glibc)
  import Glibc
#endif

/// The calls that a thread is in, for descriptions of where it hangs.
public enum Stack {
  /// From here on a thread that gets `signal` writes its stack to stderr, even while it waits.
  public static func write(on signal: Int32) {
    // The first call loads a library, which a signal handler must not.
    jl_write_stack(-1)
    Glibc.signal(signal) { _ in jl_write_stack(STDERR_FILENO) }
  }
}
