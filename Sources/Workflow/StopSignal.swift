import Communication
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// The last signal; 0: none. Global because a signal handler can have no context.
private let received = Atomic<Int32>(0)
/// Whether this process may end without telling others.
private let endsAlone = Atomic<Bool>(false)
/// Whether a signal ends the process at once, since there is nothing yet to be saved.
private let endsAtOnce = Atomic<Bool>(false)
private let farewell: StaticString = "stopped by a signal before there was anything to save; the same command resumes\n"

/// SIGINT, SIGTERM and SIGUSR1 ask a training, or a pass for statistics, to save and end with status 0; a second SIGINT ends at once.
/// SIGHUP, which a lost connection sends, is ignored.
///
/// A thread that does nothing else takes them. oneDNN computes GEMMs with the stack pointer in a buffer on the heap: a handler on a
/// thread that computes would write over what lies below it.
public enum StopSignal {
  private static let signals = [SIGINT, SIGTERM, SIGUSR1]

  /// - Parameter isAlone: whether this process may end without telling others. Until `willSave` a signal then ends it at
  ///   once: opening data can take long and leaves nothing to save.
  public static func install(isAlone: Bool) {
    endsAlone.store(isAlone, ordering: .relaxed)
    endsAtOnce.store(isAlone, ordering: .relaxed)
    Glibc.signal(SIGHUP, SIG_IGN)
    for signal in signals {
      Glibc.signal(signal) { number in
        if endsAtOnce.load(ordering: .relaxed) {
          _ = write(STDERR_FILENO, farewell.utf8Start, farewell.utf8CodeUnitCount)
          _exit(0)
        }
        if number == SIGINT && received.load(ordering: .relaxed) == SIGINT { _exit(130) }
        received.store(number, ordering: .relaxed)
      }
    }
    takeOnOwnThread()
  }

  /// Blocks the signals for this thread and those that it starts, and starts one that takes them.
  private static func takeOnOwnThread() {
    mask(SIG_BLOCK)
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { _ in
        StopSignal.mask(SIG_UNBLOCK)
        while true { pause() }
      }, nil)
    if status == 0 { pthread_detach(thread) } else { mask(SIG_UNBLOCK) }
  }

  private static func mask(_ how: Int32) {
    var set = sigset_t()
    sigemptyset(&set)
    for signal in signals { sigaddset(&set, signal) }
    pthread_sigmask(how, &set, nil)
  }

  /// From here on a signal is only noted, and whoever works looks for it.
  static func willSave() { endsAtOnce.store(false, ordering: .relaxed) }

  /// Runs what takes long, leaves nothing to save and doesn't look for signals: one ends the process at once, unless others would have
  /// to be told.
  static func endingAtOnce<Result>(_ body: () throws -> Result) throws -> Result {
    guard endsAlone.load(ordering: .relaxed), !endsAtOnce.load(ordering: .relaxed) else { return try body() }
    endsAtOnce.store(true, ordering: .relaxed)
    defer { willSave() }
    if current != nil { throw Interrupted() }
    return try body()
  }

  /// The signal that came, if any.
  public static var current: Int32? {
    let number = received.load(ordering: .relaxed)
    return number == 0 ? nil : number
  }

  /// Runs `body` on all ranks; where a signal to any of them ends it before there is a result, that is said.
  /// - Returns: nil where a signal came.
  static func unlessStopped<Result>(
    _ what: String, on world: any Communicator, _ console: Console, _ body: () throws -> Result
  )
    throws -> Result?
  {
    do { return try body() } catch  where error is Interrupted || error is FailedElsewhere {
      guard try cameToAny(of: world) else { throw error }
      console.say("stopped by a signal \(what); the same command resumes it")
      return nil
    }
  }

  /// Whether any rank was asked to end. All ranks call it together.
  static func cameToAny(of world: any Communicator) throws -> Bool {
    try !world.all(current == nil)
  }
}

/// A signal asked to end before there was anything to save.
struct Interrupted: Error, CustomStringConvertible {
  let description = "stopped by a signal"
}
