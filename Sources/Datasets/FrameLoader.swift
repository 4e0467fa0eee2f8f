import Basics
import Synchronization
import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// Which samples a frame is made of.
public struct FrameRequest: Sendable, Equatable {
  /// Indices of the dataset's times, one per sample.
  public let indices: [Int]
  /// For each sample, the grid column that becomes the first: fields turned around the globe's axis.
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

  public init(state: Tensor, times: [Timestamp], columnShifts: [Int]? = nil) {
    self.state = state
    self.times = times
    self.columnShifts = columnShifts ?? Array(repeating: 0, count: times.count)
  }
}

/// Makes frames: reads, normalises, tiles.
public struct FrameReader: Sendable {
  public let dataset: FieldDataset
  public let normalization: Normalization
  public let tiling: Tiling
  private let pool: BufferPool

  public init(_ dataset: FieldDataset, _ normalization: Normalization, _ tiling: Tiling, pool: BufferPool) {
    self.dataset = dataset
    self.normalization = normalization
    self.tiling = tiling
    self.pool = pool
  }

  /// The states at the given indices of the dataset.
  public func read(_ indices: [Int]) throws -> Frame { try read(FrameRequest(indices: indices)) }

  public func read(_ request: FrameRequest) throws -> Frame {
    let channels = dataset.channels.count
    let shape = [tiling.tokens, request.indices.count, tiling.pointsPerToken * channels]
    let state = Tensor(
      shape: shape, buffer: pool.buffer(byteCount: shape.reduce(1, *) * ElementType.float32.byteCount))
    let planes = pool.buffer(byteCount: channels * dataset.grid.count * ElementType.float32.byteCount)
    let pointer = planes.pointer.assumingMemoryBound(to: Float.self)
    for (sample, index) in request.indices.enumerated() {
      try dataset.readChecked(time: index, into: pointer)
      tiling.tile(
        pointer, fields: channels, mean: normalization.mean, factor: normalization.inverseDeviation, into: state,
        sample: sample, columnShift: request.columnShifts[sample])
    }
    return Frame(
      state: state, times: request.indices.map { dataset.times[$0] }, columnShifts: request.columnShifts)
  }
}

/// Which frames are read, one after the other.
public protocol FrameSequence: Sendable {
  /// Nil at the end.
  mutating func next() -> FrameRequest?
}

/// Frames read ahead on a thread of its own, in the order of a sequence; at most `depth` frames wait.
public final class FrameLoader: @unchecked Sendable {
  private struct State {
    var ready: [Result<Frame, any Error>] = []
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

  /// The next frame of the plan, waiting for it if need be.
  public func next() throws -> Frame {
    let result: Result<Frame, any Error> = locked {
      if state.ready.isEmpty {
        let start = monotonicSeconds()
        while state.ready.isEmpty && !state.isFinished { pthread_cond_wait(changed, mutex) }
        waitedSeconds += monotonicSeconds() - start
      }
      precondition(!state.ready.isEmpty, "more frames were asked for than planned")
      let first = state.ready.removeFirst()
      pthread_cond_broadcast(changed)
      return first
    }
    return try result.get()
  }

  private func work() {
    while let request = sequence.next() {
      let stopped = locked {
        while state.ready.count >= depth && !state.isStopped { pthread_cond_wait(changed, mutex) }
        return state.isStopped
      }
      if stopped { return }
      let result = Result { try reader.read(request) }
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
