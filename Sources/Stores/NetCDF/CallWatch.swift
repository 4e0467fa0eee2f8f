import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// Watches the calls of a library from a thread of its own: damaged files make some compute without end, which nothing but the end of
/// the process stops. Time of the processor counts, so that slow disks do no harm.
final class CallWatch: Sendable {
  private struct Call {
    var number = 0
    /// The clock of the calling thread's processor time; nil between calls.
    var clock: clockid_t?
    var limitSeconds = 0.0
    var excess: (@Sendable () -> Void)?
  }

  private let call = Mutex(Call())
  private let intervalSeconds: Double

  /// - Parameter intervalSeconds: between two looks.
  /// Nil when no thread can be started.
  init?(intervalSeconds: Double = 1) {
    self.intervalSeconds = intervalSeconds
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { argument in
        Unmanaged<CallWatch>.fromOpaque(argument!).takeRetainedValue().watch()
        return nil
      }, Unmanaged.passRetained(self).toOpaque())
    if status != 0 { return nil }
    pthread_detach(thread)
  }

  /// One call at a time.
  ///
  /// - Parameter excess: done on the watch's thread where `body` takes more time of the processor than the limit.
  func watching<R>(limitSeconds: Double, excess: @escaping @Sendable () -> Void, _ body: () throws -> R) rethrows -> R {
    var clock = clockid_t()
    pthread_getcpuclockid(pthread_self(), &clock)
    call.withLock { call in
      call.number += 1
      (call.clock, call.limitSeconds, call.excess) = (clock, limitSeconds, excess)
    }
    defer { call.withLock { call in (call.clock, call.excess) = (nil, nil) } }
    return try body()
  }

  private func watch() {
    var (seen, start) = (0, 0.0)
    while true {
      usleep(UInt32(intervalSeconds * 1e6))
      // Within the lock, so that the call can't end meanwhile.
      call.withLock { call in
        guard let clock = call.clock else { return }
        var time = timespec()
        guard clock_gettime(clock, &time) == 0 else { return }
        let seconds = Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
        if call.number != seen {
          (seen, start) = (call.number, seconds)
        } else if seconds - start > call.limitSeconds {
          call.excess?()
          call.excess = nil
        }
      }
    }
  }
}
