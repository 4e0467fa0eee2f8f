import Basics
import Communication
import Synchronization
import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// Which samples a frame is made of.
public struct FrameRequest: Sendable, Equatable {
  /// Indices of the dataset's times, one per sample.
  public let indices: [Int]
  /// For each sample, the grid column that becomes the first: fields rolled in longitude.
  public let columnShifts: [Int]

  public init(indices: [Int], columnShifts: [Int]? = nil) {
    self.indices = indices
    self.columnShifts = columnShifts ?? Array(repeating: 0, count: indices.count)
  }
}

/// One state of each sample of a batch, normalised, in the training layout [T, B, s·V].
public struct Frame: Sendable {
  public let state: Tensor
  public let times: [Timestamp]
  public let columnShifts: [Int]
  /// Places in the state at which fields have no values: they hold what is imputed, and are no part of a loss.
  public let imputed: [Int]

  public init(state: Tensor, times: [Timestamp], columnShifts: [Int]? = nil, imputed: [Int] = []) {
    self.state = state
    self.imputed = imputed
    self.times = times
    self.columnShifts = columnShifts ?? Array(repeating: 0, count: times.count)
  }
}

/// Which frames are read, one after the other.
public protocol FrameSequence: Sendable {
  /// Nil at the end.
  mutating func next() -> FrameRequest?
}

/// Frames read ahead on a thread of its own, in the order of a sequence; at most `depth` frames wait. What ranks exchange
/// is started by `next` as soon as it is loaded, so that it travels during the step before.
public final class FrameLoader: @unchecked Sendable {
  private struct State {
    var ready: [Result<LoadedFrame, any Error>] = []
    var isStopped = false
    var isFinished = false
  }

  private let reader: FrameReader
  /// Used by the loader's thread alone.
  private var sequence: any FrameSequence
  private let depth: Int
  private var state = State()
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var thread: pthread_t?

  /// Seconds that `next` has waited for data in all.
  public private(set) var waitedSeconds = 0.0

  public init(_ reader: FrameReader, depth: Int, sequence: any FrameSequence) throws {
    self.reader = reader
    self.sequence = sequence
    self.depth = max(1, depth)
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(changed, nil)
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { argument in
        Unmanaged<FrameLoader>.fromOpaque(argument!).takeUnretainedValue().work()
        return nil
      }, Unmanaged.passUnretained(self).toOpaque())
    if status != 0 { throw JigsawError("loader", "can't start its thread (\(Files.reason(status)))") }
    self.thread = thread
  }

  deinit {
    locked {
      state.isStopped = true
      pthread_cond_broadcast(changed)
    }
    if let thread { pthread_join(thread, nil) }
    pthread_cond_destroy(changed)
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
    changed.deallocate()
  }

  /// Frames whose exchange this rank has started, and those that were taken.
  private var startedCount = 0
  private var takenCount = 0

  /// The next frame of the plan, waiting for it if need be.
  public func next() throws -> Frame { try next(startsAhead: true) }

  /// Completes transfers still under way; all ranks that read together call it at their end, so that no transfer is left.
  public func drain() throws {
    let most = Int(try reader.communicator.allReduce([Double(startedCount)], .maximum)[0])
    while takenCount < most { _ = try next(startsAhead: false) }
  }

  private func next(startsAhead: Bool) throws -> Frame {
    let start = monotonicSeconds()
    let (first, ahead): (Result<LoadedFrame, any Error>, [Result<LoadedFrame, any Error>]) = locked {
      while state.ready.isEmpty && !state.isFinished { pthread_cond_wait(changed, mutex) }
      precondition(!state.ready.isEmpty, "more frames were asked for than planned")
      let first = state.ready.removeFirst()
      pthread_cond_broadcast(changed)
      return (first, state.ready)
    }
    defer { waitedSeconds += monotonicSeconds() - start }
    let loaded = try first.get()
    takenCount += 1
    startedCount = max(startedCount, takenCount)
    try reader.start(loaded, .ahead)
    // In order: behind a failure nothing follows.
    for case .success(let frame) in ahead where startsAhead {
      try reader.start(frame, .ahead)
    }
    if startsAhead { startedCount = max(startedCount, takenCount + ahead.count) }
    return try reader.finish(loaded)
  }

  private func work() {
    // Threads that compute go first; the next frame is wanted only after the step.
    WorkerPool.yieldToOthers()
    while let request = sequence.next() {
      let stopped = locked {
        while state.ready.count >= depth && !state.isStopped { pthread_cond_wait(changed, mutex) }
        return state.isStopped
      }
      if stopped { return }
      let result = Result { try reader.load(request) }
      locked {
        state.ready.append(result)
        pthread_cond_broadcast(changed)
      }
      if case .failure = result { break }
    }
    locked {
      state.isFinished = true
      pthread_cond_broadcast(changed)
    }
  }

  private func locked<R>(_ body: () -> R) -> R {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return body()
  }
}
