import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// Threads for work beside the computation proper: requests to servers, reading ahead. They are started when first needed
/// and end with the pool.
public final class WorkerPool: Sendable {
  private let shared: Shared
  public let count: Int

  /// - Parameters:
  ///   - threads: beside the thread that calls `run`; may be 0.
  ///   - isBackground: whether they give way to threads that compute, and use what these leave.
  public init(threads: Int, isBackground: Bool = false) {
    precondition(threads >= 0)
    count = threads
    shared = Shared(isBackground: isBackground)
  }

  /// The calling thread gives way to others from now on.
  public static func yieldToOthers() {
    // On Linux the priority of a process is that of the calling thread. A system that refuses leaves it as it is.
    _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 19)
  }

  deinit { shared.stop() }

  /// Calls `body` with 0 ..< n, some at a time, and returns when all have returned. From several threads at once too.
  ///
  /// - Parameter atOnce: how many calls run side by side, where that is to be another number than the threads allow; more
  ///   threads are started if need be.
  public func run(_ n: Int, atOnce: Int? = nil, _ body: @escaping @Sendable (Int) -> Void) {
    let helpers = min(n, atOnce ?? count + 1) - 1
    if helpers < 1 {
      for index in 0..<max(0, n) { body(index) }
    } else {
      shared.run(n, helpers: helpers, body)
    }
  }

  /// The same for what may fail. Nothing new is begun after a failure.
  /// - Throws: of the failures the one of the lowest index, whatever the threads do.
  public func tryRun(_ n: Int, atOnce: Int? = nil, _ body: @escaping @Sendable (Int) throws -> Void) throws {
    let failure = Mutex<(index: Int, error: any Error)?>(nil)
    run(n, atOnce: atOnce) { index in
      // Pieces before a failed one were begun before it.
      if failure.withLock({ $0.map { $0.index < index } ?? false }) { return }
      do {
        try body(index)
      } catch {
        failure.withLock { if $0.map({ index < $0.index }) ?? true { $0 = (index, error) } }
      }
    }
    if let error = failure.withLock({ $0?.error }) { throw error }
  }

  /// State that threads and pool share; it outlives the pool until the last thread has ended.
  private final class Shared: @unchecked Sendable {
    /// One call of `run`.
    private final class Batch {
      let body: @Sendable (Int) -> Void
      let count: Int
      /// Threads of the pool that may work on it, and those that do.
      let helpers: Int
      var active = 0
      var next = 0
      var finished = 0

      init(_ count: Int, helpers: Int, _ body: @escaping @Sendable (Int) -> Void) {
        self.count = count
        self.helpers = helpers
        self.body = body
      }
    }

    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let change = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var batches: [Batch] = []
    private var started = 0
    private var isStopped = false
    private let isBackground: Bool

    init(isBackground: Bool) {
      self.isBackground = isBackground
      pthread_mutex_init(mutex, nil)
      pthread_cond_init(change, nil)
    }

    deinit {
      pthread_cond_destroy(change)
      pthread_mutex_destroy(mutex)
      mutex.deallocate()
      change.deallocate()
    }

    func run(_ n: Int, helpers: Int, _ body: @escaping @Sendable (Int) -> Void) {
      let batch = Batch(n, helpers: helpers, body)
      pthread_mutex_lock(mutex)
      batches.append(batch)
      while started < helpers, start() { started += 1 }
      pthread_cond_broadcast(change)
      // The caller works too, so that all is done even where no thread could be started.
      while batch.next < batch.count { work(on: batch) }
      while batch.finished < batch.count { pthread_cond_wait(change, mutex) }
      batches.removeAll { $0 === batch }
      pthread_mutex_unlock(mutex)
    }

    /// Does one piece, with the lock let go.
    private func work(on batch: Batch) {
      let index = batch.next
      batch.next += 1
      pthread_mutex_unlock(mutex)
      batch.body(index)
      pthread_mutex_lock(mutex)
      batch.finished += 1
      if batch.finished == batch.count { pthread_cond_broadcast(change) }
    }

    private func start() -> Bool {
      var thread = pthread_t()
      let status = pthread_create(
        &thread, nil,
        {
          Unmanaged<Shared>.fromOpaque($0!).takeRetainedValue().serve()
          return nil
        }, Unmanaged.passRetained(self).toOpaque())
      if status == 0 { pthread_detach(thread) } else { Unmanaged.passUnretained(self).release() }
      return status == 0
    }

    private func serve() {
      if isBackground { WorkerPool.yieldToOthers() }
      pthread_mutex_lock(mutex)
      while !isStopped {
        if let batch = batches.first(where: { $0.next < $0.count && $0.active < $0.helpers }) {
          batch.active += 1
          work(on: batch)
          batch.active -= 1
        } else {
          pthread_cond_wait(change, mutex)
        }
      }
      pthread_mutex_unlock(mutex)
    }

    func stop() {
      pthread_mutex_lock(mutex)
      isStopped = true
      pthread_cond_broadcast(change)
      pthread_mutex_unlock(mutex)
    }
  }
}
