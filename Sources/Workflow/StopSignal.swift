import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// The last signal; 0: none. Global because a signal handler can have no context.
private let received = Atomic<Int32>(0)

/// SIGINT, SIGTERM and SIGUSR1 ask a training to save and end; a second SIGINT ends at once.
public enum StopSignal {
  public static func install() {
    for signal in [SIGINT, SIGTERM, SIGUSR1] {
      Glibc.signal(signal) { number in
        if number == SIGINT && received.load(ordering: .relaxed) == SIGINT { _exit(130) }
        received.store(number, ordering: .relaxed)
      }
    }
  }

  /// The signal that came, if any.
  public static var current: Int32? {
    let number = received.load(ordering: .relaxed)
    return number == 0 ? nil : number
  }
}
