import Basics
import Configuration
import Datasets
import Distribution
import Forecasting
import Planning
import Stores
import Tensors
import Training
import Verification

#if canImport(Glibc)
  import Glibc
#endif

/// The data that the verbs of a configuration read, of which a plan looks at the metadata alone.
struct PlannedData {
  private let configuration: RunConfiguration
  private let dataset: FieldDataset
  private let forcings: FieldDataset?
  /// Places of the times in the training period, and of those that validations read.
  private let training, validation: [Int]
  /// Initial times of the forecasts of the test period; empty where there is none.
  let initialTimes: [Timestamp]

  init(_ configuration: RunConfiguration, _ dataset: FieldDataset, forcings: FieldDataset?) throws {
    self.configuration = configuration
    self.dataset = dataset
    self.forcings = forcings
    let data = configuration.data
    let (start, end) = try data.train.range("data.train")
    training = dataset.indices(from: start, through: end)
    validation = try PlannedData.validation(configuration, dataset)
    if data.test.start != nil {
      let (start, end) = try data.test.range("data.test")
      initialTimes = ForecastWorkflow.times(
        dataset, from: start, through: end, every: configuration.forecast.everyHours,
        leadHours: configuration.forecast.leadHours)
    } else {
      initialTimes = []
    }
  }

  private static func validation(_ configuration: RunConfiguration, _ dataset: FieldDataset) throws -> [Int] {
    let (section, period) = (configuration.training.validation, configuration.data.validation)
    guard section.every > 0, period.start != nil else { return [] }
    let (start, end) = try period.range("data.validation")
    let sampler = try Sampler(
      dataset, from: start, through: end, configuration.steps(last: section.steps),
      seed: UInt64(configuration.seed), isShuffled: false, place: "data.validation")
    let count = min(section.samples, sampler.count)
    let states = (0..<count).flatMap { sample -> [Int] in
      let first = sampler.starts[sample * sampler.count / count]
      return (0...section.steps).compactMap {
        dataset.index(of: dataset.times[first].adding(hours: $0 * configuration.data.stepHours))
      }
    }
    return Set(states).sorted()
  }

  // MARK: Training

  /// Decoded fields that the ranks of a model instance read again and again, bytes.
  func decodedBytes(_ layout: Layout, samplesPerEpoch: Int) -> Int {
    let all = dataset.timesDecoded(reading: training)
    let validated = dataset.timesDecoded(reading: Set(training).union(validation).sorted()) - all
    let share = readShare(layout, samplesPerEpoch: samplesPerEpoch)
    let ofDataset = Int((Double(all) * share).rounded(.up)) + validated
    let planes = dataset.channels.count + (forcings?.channels.count ?? 0)
    return ofDataset * planes * dataset.grid.count * ElementType.float32.byteCount
  }

  /// The share of the training period that one replica has read at its end, as it is to be expected of samples that are drawn at
  /// random. Statistics are shared out by all ranks; without a mesh within the instance they leave what they read.
  private func readShare(_ layout: Layout, samplesPerEpoch: Int) -> Double {
    let mesh = layout.mesh
    let isNew = configuration.data.statistics == nil && mesh.instance == 1
    let ofStatistics = isNew ? 1 / Double(mesh.count) : 0
    let perUpdate = layout.batch * layout.accumulation
    let updates =
      configuration.training.updates
      ?? Int((configuration.training.epochs ?? 1) * Double(samplesPerEpoch) / Double(perUpdate * mesh.replica))
    let times = max(1, training.count)
    // Times that one draw brings: those of its chunk, and the states of a sample.
    let chunk = Double(times) / Double(max(1, dataset.chunkRuns(training)))
    let states = chunk + Double(layout.longestRollout)
    let missed = 1 - min(1, states / Double(times))
    return 1 - (1 - ofStatistics) * exp(Double(updates * perUpdate) * log(max(missed, 1e-300)))
  }

  /// The memory of a training beside that of its updates.
  func surroundings(threads: Int) -> RunSurroundings {
    surroundings(dataset.readingMemory(Set(training).union(validation).sorted()), threads: threads)
  }

  private func surroundings(_ reading: ReadingMemory, threads: Int) -> RunSurroundings {
    var result = RunSurroundings()
    result.reading = reading.perThread * threads
    result.libraries = reading.keptByLibraries + reading.ofLibraries
    result.program = MachineModel.measuredRunBytes(hasProductLibrary: !(standardProducts() is PackedProducts))
    return result
  }

  // MARK: Forecast and evaluation

  /// - Parameter cacheBytes: decoded fields that a rank may keep.
  func forecast(_ mesh: Mesh, threads: Int, cacheBytes: Int) throws -> TrainingSimulator.Forecast {
    let section = configuration.forecast
    let read = initialTimes.compactMap { dataset.index(of: $0) }
    let batch = min(section.batchSize, max(1, initialTimes.count))
    var result = TrainingSimulator.Forecast(mesh: mesh, batch: batch)
    // Replicas take batches in turn: with fewer whole ones than replicas, the last one has a replica of its own.
    result.lastBatch = initialTimes.count / batch >= mesh.replica ? initialTimes.count % batch : 0
    let planes = dataset.channels.count + (forcings?.channels.count ?? 0)
    result.decodedBytes =
      dataset.timesDecoded(reading: read) * planes * dataset.grid.count * ElementType.float32.byteCount / mesh.replica
    result.decodedBytesLimit = cacheBytes
    var reading = dataset.readingMemory(read)
    // A rollout goes on with all forecasts of its batch, whose files are open until its end.
    try addForecasts(to: &reading, files: batch, library: section.storedFormat.entry.libraryBytes.writing)
    result.surroundings = surroundings(reading, threads: threads)
    return result
  }

  /// Adds memory of libraries that write the forecasts or read them.
  ///
  /// - Parameters:
  ///   - files: that are open at a time where each forecast has one.
  ///   - library: bytes that the library takes for itself.
  private func addForecasts(to memory: inout ReadingMemory, files: Int, library: Int) throws {
    let section = configuration.forecast
    memory.ofLibraries = max(memory.ofLibraries, library)
    if initialTimes.isEmpty { return }
    let leads = Array(
      stride(from: configuration.data.stepHours, through: section.leadHours, by: configuration.data.stepHours))
    let contents = try ForecastContents(
      grid: dataset.grid, channels: dataset.channels, initialTimes: initialTimes, leadHours: leads, source: "")
    let isPerForecast = section.layout == .perForecast || initialTimes.count == 1
    memory.keptByLibraries += section.storedFormat.entry.bytesKept(contents, isPerForecast ? files : nil)
  }

  /// The memory of an evaluation of the forecasts; nil where there are none.
  /// - Parameters:
  ///   - cacheBytes: decoded fields that a rank may keep.
  ///   - climatologyBytes: memory that a rank takes for the climatology.
  func evaluation(
    ranks: Int, machine: MachineModel, cacheBytes: Int, climatologyBytes: Int
  ) throws -> RankMemory? {
    if initialTimes.isEmpty { return nil }
    let data = configuration.data
    let (start, end) = try data.train.range("data.train")
    var options = Evaluation.Options(trainingStart: start, trainingEnd: end, stepHours: data.stepHours)
    options.climatologyWindowDays = configuration.evaluation.climatologyWindowDays
    options.usesSpectra = configuration.evaluation.spectra
    options.usesDampedPersistence = configuration.evaluation.dampedPersistence
    options.threads = machine.threads
    options.climatologyBytes = climatologyBytes
    let all = Array(stride(from: data.stepHours, through: configuration.forecast.leadHours, by: data.stepHours))
    let wanted = configuration.evaluation.leadHours
    let leads = wanted.isEmpty ? all : all.filter(wanted.contains)
    let own = chunk(initialTimes.count, into: ranks, 0)
    let found = EvaluationMemory(
      truth: dataset, initialTimes: initialTimes, leadHours: leads, options: options, own: own, cacheBytes: cacheBytes)
    let verified = Set(own.flatMap { place in ([0] + leads).map { initialTimes[place].adding(hours: $0) } })
    let read = Set(training).union(verified.compactMap { dataset.index(of: $0) }).sorted()
    var reading = dataset.readingMemory(read)
    try addForecasts(
      to: &reading, files: initialTimes.count, library: configuration.forecast.storedFormat.entry.libraryBytes.reading)
    let around = surroundings(reading, threads: machine.threads)
    var memory = RankMemory()
    (memory.fields, memory.climatology, memory.scores) = (found.fields, found.climatology, found.scores)
    memory.reading = around.reading
    memory.libraries = around.libraries
    memory.program = machine.programBytes + MachineModel.measuredEvaluationBytes
    return memory
  }
}
