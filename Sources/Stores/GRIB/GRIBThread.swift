#if canImport(Glibc)
  import Glibc
#endif

/// The thread on which all calls into ecCodes are made, one after the other.
///
/// A lock around them is not enough: where an assertion fails, the way out of the library passes over code that would let go of
/// its own locks. The thread that holds them may take them again; any other would wait for ever.
final class GRIBThread: @unchecked Sendable {
  private let begin = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
  private let done = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
  private var job: () -> Void = {}
  private var isStarted = false

  /// Lives as long as the program.
  init() {
    sem_init(begin, 0, 0)
    sem_init(done, 0, 0)
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      {
        Unmanaged<GRIBThread>.fromOpaque($0!).takeUnretainedValue().serve()
        return nil
      }, Unmanaged.passRetained(self).toOpaque())
    isStarted = status == 0
    if isStarted { pthread_detach(thread) } else { Unmanaged.passUnretained(self).release() }
  }

  /// Returns when `body` has. One caller at a time.
  func run(_ body: () -> Void) {
    // No thread to be had: better here than not at all.
    if !isStarted { return body() }
    withoutActuallyEscaping(body) { body in
      job = body
      sem_post(begin)
      while sem_wait(done) != 0 {}  // interrupted by a signal
      job = {}
    }
  }

  private func serve() {
    while true {
      while sem_wait(begin) != 0 {}
      perform()
      sem_post(done)
    }
  }

  /// Apart, so that nothing of the job is held when its end is signalled.
  @inline(never)
  private func perform() { job() }
}
