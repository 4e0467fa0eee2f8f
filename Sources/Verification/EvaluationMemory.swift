import Basics
import Datasets

/// The memory of one rank of an evaluation at its peak, bytes, without the program's and that of reading.
public struct EvaluationMemory: Sendable, Equatable {
  /// Decoded fields of the truth that are kept.
  public private(set) var fields = 0
  /// Sums of the climatology while they are made, or the fields made of them.
  public private(set) var climatology = 0
  /// Fields that are compared, their statistics and spectra.
  public private(set) var scores = 0

  /// - Parameters:
  ///   - truth: whose metadata alone are looked at.
  ///   - initialTimes: of all forecasts that are verified.
  ///   - leadHours: that are verified.
  ///   - own: the places of a rank's initial times among them.
  ///   - cacheBytes: how much of the truth a rank may keep.
  public init(
    truth: FieldDataset, initialTimes: [Timestamp], leadHours: [Int], options: Evaluation.Options, own: Range<Int>,
    cacheBytes: Int
  ) {
    let groups = EvaluationGroups(
      initialTimes, leadHours: leadHours, truth: truth, options: options, own: own)
    let float = MemoryLayout<Float>.size
    let channels = groups.channels.map(\.count).max() ?? 0
    let plane = channels * truth.grid.count * float
    let training = truth.indices(from: options.trainingStart, through: options.trainingEnd)
    let verified = Set(own.flatMap { place in ([0] + leadHours).map { initialTimes[place].adding(hours: $0) } })
    let read = Set(training).union(verified.compactMap { truth.index(of: $0) }).sorted()
    func kept(_ indices: [Int]) -> Int { min(cacheBytes, truth.timesDecoded(reading: indices) * plane) }

    let coverage = Climatology.coverage(
      groups.keys, training.map { Climatology.Key(truth.times[$0]) }, halfWidth: options.climatologyWindowDays / 2)
    let windows = coverage.values.count { $0.share > 0 }
    let hours = Climatology.Key.hours(coverage.filter { $0.value.share < 1 }.keys).count
    let leadsAtOnce = max(1, min(leadHours.count, options.threads / max(1, channels)))
    let statistics = EvaluationMemory.statistics(truth, initialTimes.count, leadHours.count, options)
    // While sums are added up of the training period, and later, while fields are compared.
    let adding = (windows + hours) * plane / float * Climatology.bytesPerElement + ClimatologyAdding.timesAtOnce * plane
    let (held, comparing) = (groups.keys.count * plane, (1 + 2 * leadsAtOnce) * plane)
    if kept(training) + adding > kept(read) + held + comparing {
      (fields, climatology, scores) = (kept(training), adding, statistics)
    } else {
      (fields, climatology, scores) = (kept(read), held, comparing + statistics)
    }
  }

  /// The table of statistics and the spectra.
  private static func statistics(
    _ truth: FieldDataset, _ initialTimes: Int, _ leads: Int, _ options: Evaluation.Options
  ) -> Int {
    let fields = truth.channels.count * leads
    let regions = Region.standard(for: truth.grid, isPartial: truth.boundary != nil).count
    let systems = System.allCases.count - (options.usesDampedPersistence ? 0 : 1)
    let statistics = Metrics.statistics(of: options.metrics).count
    let wavenumbers = options.usesSpectra ? truth.grid.raster.flatMap(ZonalSpectrum.init)?.count ?? 0 : 0
    return fields * (systems * regions * initialTimes * statistics + 2 * wavenumbers) * MemoryLayout<Double>.size
  }
}
