import Distribution

/// One way to run a training: the mesh and what else decides memory and speed of an update.
public struct Layout: Sendable, Hashable {
  public var mesh: Mesh
  /// Samples of one model instance at once.
  public var batch = 1
  public var accumulation = 1
  /// Steps of an auto-regressive rollout.
  public var rolloutSteps = 1
  public var checkpointsActivations = false
  public var splitsOptimizer = false
  public var averagesWeights = false
  public var overlaps = true
  /// Frames read ahead.
  public var prefetch = 2
  /// Frames that reading ahead holds in all, where these are more than it takes for steps not to wait; they take memory alone.
  public var framesHeld = 0
  /// Stored bytes of one state of one sample, of all fields, as they lie in the store; 0: nothing is read. A frame has as
  /// many of these as the batch has samples.
  public var storedBytesPerFrame = 0
  /// Decoded fields that a model instance reads again and again, bytes, and how much of them a rank may keep.
  public var decodedBytes = 0
  public var decodedBytesLimit = 0
  /// Memory of the whole run beside that of its updates.
  public var surroundings = RunSurroundings()
  /// Steps of the longest rollout of the run, which decide its memory where they are more than `rolloutSteps`.
  public var longestRollout = 1
  /// Whether the run has validations, whose single samples take pieces of memory of their own.
  public var validates = false

  public init(mesh: Mesh) { self.mesh = mesh }
}

/// The memory of a whole run beside that of the steps of its model, bytes.
public struct RunSurroundings: Sendable, Hashable {
  /// Scratch of a rank's threads that read.
  public var reading = 0
  /// Decoded chunks that libraries of file formats keep, once for all ranks of a process.
  public var libraries = 0
  /// Code and data of the program beyond those that steps alone use, once for all ranks of a process.
  public var program = 0

  public init() {}
}

/// The memory of one rank at its peak, bytes.
public struct RankMemory: Sendable, Equatable {
  public var weights = 0
  public var gradients = 0
  /// Moments and moving average.
  public var optimizer = 0
  /// Values kept for backward, and those in use.
  public var activations = 0
  /// Blocks and sums on their way to and from other ranks.
  public var exchange = 0
  /// Gradients on their way to other replicas.
  public var buckets = 0
  /// The graph that a model computes on, whole on every rank, and a rank's lists of its part of it.
  public var graph = 0
  /// Frames read ahead, what is read for other ranks, static fields.
  public var frames = 0
  /// Decoded fields kept from one epoch to the next.
  public var fields = 0
  /// Scratch of threads that read.
  public var reading = 0
  /// Decoded chunks that libraries of file formats keep, of what they read and write.
  public var libraries = 0
  /// Sums and fields of the climatology, in an evaluation.
  public var climatology = 0
  /// Fields that are compared, their statistics and spectra, in an evaluation.
  public var scores = 0
  /// Fields on their way to the output, in a forecast.
  public var output = 0
  /// Scratch of GEMMs and kernels, the program itself.
  public var program = 0

  public init() {}

  /// Without what is read ahead or kept to be read again.
  public var ofUpdate: Int { total - frames - fields - reading - libraries }

  public var total: Int {
    weights + gradients + optimizer + activations + exchange + buckets + graph + frames + fields + reading + libraries
      + climatology + scores + output + program
  }
}

/// The cost of a simulated update.
public struct Prediction: Sendable {
  /// Per rank of one model instance, of the rank that has most of each.
  public struct Work: Sendable, Equatable {
    public var productFLOPs = 0
    /// Read and written by everything but GEMMs.
    public var passBytes = 0
    /// Sent along each axis of the mesh.
    public var bytesSent: [MeshAxis: Int] = [:]
    /// Read from stores.
    public var bytesRead = 0

    public init() {}
  }

  /// The seconds of one update of the whole mesh.
  public var seconds: Double
  /// The waiting of the rank that waited most: seconds for other ranks, and for samples.
  public var waitSeconds, readingWaitSeconds: Double
  /// Seconds of the update's phases ("forward and backward", "gradient reduction", "optimiser", …), of the slowest rank.
  public var phases: [(name: String, seconds: Double)]
  /// The memory of the rank that holds most.
  public var memory: RankMemory
  public var work: Work
  public var samples: Int

  public init(
    seconds: Double, waitSeconds: Double, readingWaitSeconds: Double, phases: [(name: String, seconds: Double)],
    memory: RankMemory, work: Work, samples: Int
  ) {
    self.seconds = seconds
    self.waitSeconds = waitSeconds
    self.readingWaitSeconds = readingWaitSeconds
    self.phases = phases
    self.memory = memory
    self.work = work
    self.samples = samples
  }
}

/// Who can say what an update will cost.
public protocol Predictor: Sendable {
  func predict(_ layout: Layout, on machine: MachineModel) throws -> Prediction
}
