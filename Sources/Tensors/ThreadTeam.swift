import CKernels
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// Threads that share out the rows of one kernel or the blocks of one GEMM.
///
/// Idle members spin for some microseconds, since the next kernel of a training step follows at once, then sleep.
/// Which member does what depends on the sizes and the member count alone, so results repeat bit for bit. Their work takes numbers
/// below the least normal one as zero (`withoutSubnormals`).
public final class ThreadTeam: Sendable {
  public let count: Int
  private let shared: Shared
  private let threads: [pthread_t]
  private let isDry: Bool

  private static let spins = 4_000

  /// - Parameter isDry: has no threads and is never given work: for dry runs.
  public init(count: Int, isDry: Bool = false) {
    precondition(count >= 1)
    self.count = count
    self.isDry = isDry
    let shared = Shared()
    self.shared = shared
    threads = (1..<(isDry ? 1 : count)).map { index in
      var thread = pthread_t()
      let member = Unmanaged.passRetained(Member(shared: shared, index: index))
      let status = pthread_create(
        &thread, nil,
        { argument in
          let member = Unmanaged<Member>.fromOpaque(argument!).takeRetainedValue()
          member.shared.serve(member.index)
          return nil
        }, member.toOpaque())
      precondition(status == 0, "can't start a thread: \(status)")
      return thread
    }
  }

  deinit {
    shared.stop()
    for thread in threads { pthread_join(thread, nil) }
  }

  /// Calls `work` with 0 … count − 1, one call per member, and returns when all have returned. Not to be nested.
  public func run(_ work: (Int) -> Void) {
    precondition(!isDry, "work for a team that has no threads")
    ThreadTeam.withoutSubnormals {
      if count == 1 { return work(0) }
      withoutActuallyEscaping(work) { shared.run($0, members: count) }
    }
  }

  /// Calls `body` with numbers below the least normal one, 1.2e-38, read and stored as zero on the calling thread. Where exponentials
  /// leave such numbers, as GELU does far below zero, some processors take a hundred times as long for an operation with them.
  static func withoutSubnormals<R>(_ body: () throws -> R) rethrows -> R {
    let before = jk_subnormals_to_zero()
    defer { jk_subnormals_back(before) }
    return try body()
  }

  /// Splits 0 ..< n into one range per member, bounds at multiples of `grain`; members without work are not called.
  public func split(_ n: Int, grain: Int = 1, _ work: (Range<Int>) -> Void) {
    precondition(!isDry, "work for a team that has no threads")
    let grains = (n + grain - 1) / grain
    if count == 1 || grains <= 1 {
      if n > 0 { ThreadTeam.withoutSubnormals { work(0..<n) } }
      return
    }
    run { member in
      let lower = min(n, grains * member / count * grain)
      let upper = min(n, grains * (member + 1) / count * grain)
      if lower < upper { work(lower..<upper) }
    }
  }

  /// CPUs this process may run on.
  public static var availableCPUs: Int { Int(jk_available_cpus()) }

  /// A bit for each of them, by their number; all zero when the system does not say.
  public static var availableCPUMask: [UInt8] {
    var mask = [UInt8](repeating: 0, count: 128)
    _ = jk_cpu_mask(&mask, mask.count)
    return mask
  }

  private final class Member {
    let shared: Shared
    let index: Int
    init(shared: Shared, index: Int) {
      self.shared = shared
      self.index = index
    }
  }

  /// State that the members share; it outlives the team until the last thread has ended.
  private final class Shared: @unchecked Sendable {
    private var job: ((Int) -> Void)?
    private let generation = Atomic<Int>(0)
    private let pending = Atomic<Int>(0)
    private let sleepers = Atomic<Int>(0)
    private let stopped = Atomic<Bool>(false)
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let wake = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    init() {
      pthread_mutex_init(mutex, nil)
      pthread_cond_init(wake, nil)
    }

    deinit {
      pthread_cond_destroy(wake)
      pthread_mutex_destroy(mutex)
      mutex.deallocate()
      wake.deallocate()
    }

    func run(_ work: @escaping (Int) -> Void, members: Int) {
      job = work
      pending.store(members - 1, ordering: .relaxed)
      generation.add(1, ordering: .sequentiallyConsistent)
      if sleepers.load(ordering: .sequentiallyConsistent) > 0 { wakeAll() }
      work(0)
      var spin = 0
      while pending.load(ordering: .acquiring) > 0 {
        spin += 1
        if spin < ThreadTeam.spins { jk_relax() } else { sched_yield() }
      }
      job = nil
    }

    func stop() {
      stopped.store(true, ordering: .sequentiallyConsistent)
      generation.add(1, ordering: .sequentiallyConsistent)
      wakeAll()
    }

    private func wakeAll() {
      pthread_mutex_lock(mutex)
      pthread_cond_broadcast(wake)
      pthread_mutex_unlock(mutex)
    }

    func serve(_ index: Int) {
      _ = jk_subnormals_to_zero()
      var seen = 0
      while true {
        var spin = 0
        while generation.load(ordering: .acquiring) == seen {
          spin += 1
          if spin < ThreadTeam.spins {
            jk_relax()
            continue
          }
          pthread_mutex_lock(mutex)
          sleepers.add(1, ordering: .sequentiallyConsistent)
          while generation.load(ordering: .sequentiallyConsistent) == seen { pthread_cond_wait(wake, mutex) }
          sleepers.subtract(1, ordering: .sequentiallyConsistent)
          pthread_mutex_unlock(mutex)
        }
        seen += 1
        if stopped.load(ordering: .acquiring) { return }
        job?(index)
        pending.subtract(1, ordering: .acquiringAndReleasing)
      }
    }
  }
}
