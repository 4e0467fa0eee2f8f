import Basics

#if canImport(Glibc)
  import Glibc
#endif

/// Starts children until all cases have run, and counts what became of them.
enum FuzzRun {
  /// - Returns: how many cases failed.
  static func run(_ name: String, _ count: Int, _ seed: UInt64, limit: Int) throws -> Int {
    let folder = try FuzzMain.scratch()
    defer { try? Files.remove(folder) }
    let status = try FuzzStatus.map("\(folder)/status")
    var crashes: [String: Int] = [:]
    var next = 0
    let start = secondsNow()
    while next < count {
      let words = [
        CommandLine.arguments[0], name, "--child", "\(next)", "\(count)", "\(seed)", "\(folder)/status",
        "--limit-bytes", "\(limit)",
      ]
      status.pointee.number = next
      let (code, pid) = try runChild(words, errors: "\(folder)/errors")
      try Files.remove("\(Files.parent(of: folder))/jigsaw-fuzz-\(pid)")
      if code == 0 { break }
      let number = status.pointee.number
      let place = culprit(try Files.read("\(folder)/errors", atMost: 1 << 16))
      print("crash \(name) \(number): \(signalName(code)) in \(place)")
      fflush(nil)
      crashes["\(signalName(code)) in \(place)", default: 0] += 1
      next = number + 1
    }
    let result = status.pointee
    let crashed = crashes.values.reduce(0, +)
    for (place, times) in crashes.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
      print("crashes \(name): \(times) × \(place)")
    }
    print(
      "result \(name): \(count) cases of seed \(seed), \(result.opened) opened, \(result.refused) refused, longest "
        + "\(result.longestMicroseconds / 1_000) ms (case \(result.longestNumber)), memory +\(result.peakGrowth >> 20) MiB, "
        + "\(result.failures) failures, \(crashed) crashes, \(Int(secondsNow() - start)) s")
    return result.failures + crashed
  }

  private static func runChild(_ words: [String], errors: String) throws -> (code: Int32, pid: pid_t) {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    var arguments = words.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var pid = pid_t()
    guard posix_spawn(&pid, "/proc/self/exe", &actions, nil, &arguments, environ) == 0 else {
      throw JigsawError(words[0], "can't be started")
    }
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    // Ended by a signal, or by its report of one.
    return (status & 0x7F != 0 ? 128 + status & 0x7F : status >> 8 & 0xFF, pid)
  }

  private static func secondsNow() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  private static func signalName(_ code: Int32) -> String {
    switch code - 128 {
    case SIGSEGV: "SIGSEGV"
    case SIGBUS: "SIGBUS"
    case SIGILL, SIGTRAP: "trap"
    case SIGABRT: "abort"
    case SIGFPE: "SIGFPE"
    case SIGKILL: "SIGKILL"
    case SIGPROF: "more than 2 s"
    case SIGALRM: "more than a minute"
    default: "exit \(code)"
    }
  }

  /// Where it ended: "libhdf5_serial.so.103(H5O__layout_decode+0x12)". First stand the report's own frames, up to the
  /// C library's that called it.
  private static func culprit(_ trace: [UInt8]) -> String {
    let lines = String(decoding: trace, as: UTF8.self).split(separator: "\n").filter { $0.hasSuffix("]") }
    let frames = lines.map { $0.split(separator: "/").last.map(String.init) ?? "" }
    let rest = frames.drop { !$0.hasPrefix("libc.so") }.drop { $0.hasPrefix("libc.so") }
    return String((rest.first ?? "an unknown place").prefix { $0 != "[" }.prefix(160))
  }
}
