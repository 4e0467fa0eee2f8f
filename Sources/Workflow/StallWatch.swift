import Basics
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// Watches one rank from a thread of its own: where nothing begins, ends or proceeds for too long, it says what is under way and ends
/// the job. It takes no part in what ranks exchange, so that it works whatever they wait for.
final class StallWatch: Sendable {
  private let seconds: Double
  private let trace: Trace
  private let rank: Int
  /// The rank's own thread.
  private let watched: pthread_t
  private let isStopped = Atomic<Bool>(false)
  private let act: @Sendable (String) -> Void

  /// Ranks that wait for a stopped one notice within this time of each other; each says so before the first ends the job.
  private static let graceSeconds: UInt32 = 2

  /// - Parameters:
  ///   - minutes: without progress.
  ///   - trace: of the calling thread's rank.
  ///   - act: what to do with the description; nil: write it to stderr with the stack, and end the process, which ends those of the
  ///     other ranks.
  /// - Throws: when no thread can be started.
  init(minutes: Double, rank: Int, _ trace: Trace, act: (@Sendable (String) -> Void)? = nil) throws {
    seconds = 60 * minutes
    self.rank = rank
    self.trace = trace
    watched = pthread_self()
    let own = watched
    self.act = act ?? { StallWatch.end(own, $0) }
    // A stack is known to its own thread alone.
    Stack.write(on: SIGUSR2)
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { argument in
        Unmanaged<StallWatch>.fromOpaque(argument!).takeRetainedValue().watch()
        return nil
      }, Unmanaged.passRetained(self).toOpaque())
    if status != 0 { throw JigsawError("training.stallMinutes", "can't start its thread (\(Files.reason(status)))") }
    pthread_detach(thread)
  }

  func stop() { isStopped.store(true, ordering: .relaxed) }

  private func watch() {
    let interval = min(1, seconds / 10)
    while true {
      usleep(UInt32(interval * 1e6))
      if isStopped.load(ordering: .relaxed) { return }
      if monotonicSeconds() - trace.lastChange > seconds { break }
    }
    act(description)
  }

  /// One sentence.
  private var description: String {
    let now = monotonicSeconds()
    let activities = trace.activities.map { activity in
      let what =
        switch activity.lane {
        case .phases: "in '\(activity.name)'"
        case .compute: "computing a \(activity.name)"
        case .waiting: "waiting \(activity.name)"
        case .io: activity.name
        }
      return "\(what) for \(duration(now - activity.since))"
    }
    return "error: rank \(rank): training.stallMinutes: no progress for \(duration(now - trace.lastChange)): "
      + (activities.isEmpty ? "between two phases" : activities.joined(separator: ", "))
  }

  // MARK: The end

  private static func end(_ thread: pthread_t, _ description: String) {
    let line = Array((terminalText(description) + "\nwhere it is (addresses for addr2line):\n").utf8)
    _ = write(STDERR_FILENO, line, line.count)
    pthread_kill(thread, SIGUSR2)
    sleep(graceSeconds)
    _exit(1)
  }
}
