import Basics
import FuzzCases
import TestSupport

#if canImport(Glibc)
  import Glibc
#endif

/// Runs cases one after the other, until one ends the process.
enum FuzzChild {
  static func run(_ name: String, _ range: Range<Int>, _ seed: UInt64, limit: Int, status path: String) throws {
    CrashReport.install()
    // What the machine is spared when a limit of ours is missing.
    var space = rlimit(rlim_cur: 24 << 30, rlim_max: 24 << 30)
    setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &space)
    let status = try FuzzStatus.map(path)
    let folder = try FuzzMain.scratch()
    defer { try? Files.remove(folder) }
    guard let kind = try fuzzKind(name, folder: folder) else { throw JigsawError(name, "is no kind") }
    forgetPeak()
    let before = peak()
    for number in range {
      status.pointee.number = number
      var mutator = Mutator(seed: seed, number: number)
      let start = processorMicroseconds()
      CrashReport.limitCase()
      func fail(_ problem: String) {
        print("failure \(name) \(number): \(problem)")
        fflush(nil)
        status.pointee.failures += 1
      }
      do {
        if try kind.run(&mutator) { status.pointee.opened += 1 } else { status.pointee.refused += 1 }
      } catch {
        fail("\(error)")
      }
      let time = processorMicroseconds() - start
      if time > status.pointee.longestMicroseconds {
        status.pointee.longestMicroseconds = time
        status.pointee.longestNumber = number
      }
      let growth = peak() - before
      status.pointee.peakGrowth = max(status.pointee.peakGrowth, growth)
      if growth > limit {
        fail("memory grew by \(growth >> 20) MiB")
        forgetPeak()
      }
    }
    status.pointee.number = range.upperBound
  }

  private static func processorMicroseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return time.tv_sec * 1_000_000 + time.tv_nsec / 1_000
  }

  /// Linux's /proc/PID/clear_refs: 5 sets the peak to what is resident now.
  private static func forgetPeak() {
    guard let file = fopen("/proc/self/clear_refs", "w") else { return }
    fputs("5", file)
    fclose(file)
  }

  /// The most bytes that were resident at once.
  private static func peak() -> Int {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss * 1_024
  }
}

/// Says where the process was when it ended.
enum CrashReport {
  private typealias Backtrace = @convention(c) (UnsafeMutablePointer<UnsafeMutableRawPointer?>, Int32) -> Int32
  private typealias Symbols = @convention(c) (UnsafeMutablePointer<UnsafeMutableRawPointer?>, Int32, Int32) -> Void
  nonisolated(unsafe) private static var backtrace: Backtrace?
  nonisolated(unsafe) private static var symbols: Symbols?
  nonisolated(unsafe) private static let frames = UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(capacity: 48)

  static func install() {
    // The C library has them; its module for Swift has not.
    backtrace = dlsym(nil, "backtrace").map { unsafeBitCast($0, to: Backtrace.self) }
    symbols = dlsym(nil, "backtrace_symbols_fd").map { unsafeBitCast($0, to: Symbols.self) }
    _ = backtrace?(frames, 48)  // loads what it needs while that is safe
    let size = 1 << 17
    var stack = stack_t(ss_sp: malloc(size), ss_flags: 0, ss_size: size)
    sigaltstack(&stack, nil)
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { CrashReport.report($0) }
    action.sa_flags = Int32(SA_ONSTACK) | Int32(bitPattern: UInt32(SA_RESETHAND))
    for signal in [SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGABRT, SIGPROF, SIGALRM] {
      sigaction(signal, &action, nil)
    }
  }

  private static func report(_ signal: Int32) {
    let count = backtrace?(frames, 48) ?? 0
    symbols?(frames, count, 2)
    _exit(128 + signal)
  }

  /// 2 s of processor time, or a minute of waiting, and the process ends.
  static func limitCase() {
    var time = itimerval(it_interval: timeval(), it_value: timeval(tv_sec: 2, tv_usec: 0))
    setitimer(__itimer_which_t(ITIMER_PROF.rawValue), &time, nil)
    alarm(60)
  }
}
