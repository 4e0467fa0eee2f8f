#if canImport(Glibc)
  import Glibc
#endif

/// Threads for work that waits more than it computes, such as requests to servers. They are started when first needed and
/// end with the pool.
public final class WorkerPool: Sendable {
  private let shared = Shared()
  private let count: Int

  public init(threads: Int) {
    precondition(threads >= 1)
    count = threads
  }

  deinit { shared.stop() }

  /// Calls `body` with 0 ..< n, some at a time, and returns when all have returned. From several threads at once too.
  public func run(_ n: Int, _ body: @escaping @Sendable (Int) -> Void) {
    if n == 1 { return body(0) }
    if n > 0 { shared.run(n, threads: count, body) }
  }

  /// What threads and pool share; it outlives the pool until the last thread has ended.
  private final class Shared: @unchecked Sendable {
    /// One call of `run`.
    private final class Batch {
      let body: @Sendable (Int) -> Void
      let count: Int
      var next = 0
      var finished = 0

      init(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
        self.count = count
        self.body = body
      }
    }

    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let change = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var batches: [Batch] = []
    private var started = 0
    private var isStopped = false

    init() {
      pthread_mutex_init(mutex, nil)
      pthread_cond_init(change, nil)
    }

    deinit {
      pthread_cond_destroy(change)
      pthread_mutex_destroy(mutex)
      mutex.deallocate()
      change.deallocate()
    }

    func run(_ n: Int, threads: Int, _ body: @escaping @Sendable (Int) -> Void) {
      let batch = Batch(n, body)
      pthread_mutex_lock(mutex)
      batches.append(batch)
      while started < min(threads, n), start() { started += 1 }
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
      pthread_mutex_lock(mutex)
      while !isStopped {
        if let batch = batches.first(where: { $0.next < $0.count }) {
          work(on: batch)
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
