import Basics
import Datasets
import Synchronization

/// Scores the forecasts of some initial times for some channels: fields are read, compared and let go of.
struct VerificationPass {
  private let forecasts: ForecastReader
  private let truth: FieldDataset
  private let options: Evaluation.Options
  private let plan: EvaluationPlan
  private let areas: [ScoredArea]
  private let statistics: [any Statistic.Type]
  let spectrum: ZonalSpectrum?
  private let workers: WorkerPool

  /// The results of one forecast field.
  struct Found: Sendable {
    let channel: Int
    /// [system][region][statistic].
    let means: [[[Double]]]
    let truthExtremes, forecastExtremes: (low: Double, high: Double)
    /// S_k; nil for fields with gaps.
    let power, truthPower: [Double]?
  }

  init(
    _ forecasts: ForecastReader, _ truth: FieldDataset, _ options: Evaluation.Options, _ plan: EvaluationPlan,
    _ areas: [ScoredArea], statistics: [any Statistic.Type]
  ) {
    self.forecasts = forecasts
    self.truth = truth
    self.options = options
    self.plan = plan
    self.areas = areas
    self.statistics = statistics
    spectrum = options.usesSpectra ? truth.grid.raster.flatMap(ZonalSpectrum.init) : nil
    workers = WorkerPool(threads: max(1, options.threads) - 1)
  }

  /// - Parameters:
  ///   - reader: of the channels to score.
  ///   - block: of initial times, as places in the plan's usable ones.
  ///   - days: takes in what the climatology rests on.
  ///   - found: given the place of the initial time and of the lead, in order.
  func run(
    _ reader: ChannelReader, _ block: Range<Int>, days: inout ClimatologyDays,
    found: (_ initial: Int, _ lead: Int, Found) -> Void, initialDone: () -> Void
  ) throws {
    let initials = block.map { forecasts.initialTimes[plan.usable[$0]] }
    let training = truth.indices(from: options.trainingStart, through: options.trainingEnd)
    var times = initials.flatMap { time in ([0] + plan.leadHours).map { time.adding(hours: $0) } }
    if options.usesDampedPersistence { times += training.map { truth.times[$0] } }
    let climatology = try Climatology(
      reader, training: training, for: times, windowDays: options.climatologyWindowDays,
      workers: workers)
    days.merge(climatology.days)
    let damped =
      options.usesDampedPersistence
      ? try DampedPersistence(
        reader, training: training, stepHours: options.stepHours, climatology: climatology) : nil
    let truthPowers = TruthPowers()
    var initialPlanes = [Float](repeating: 0, count: reader.count)
    // Fields of several leads at once where the channels are too few for the threads.
    let leadsAtOnce = max(1, min(plan.leads.count, options.threads / reader.channels.count))
    var planes = [[Float]](repeating: initialPlanes, count: leadsAtOnce)
    var predicted = planes
    let channels = Array(truth.channels[reader.channels])
    let isMissing = reader.channels.map { areas[$0].isMissing }
    for (place, initial) in zip(block, initials) {
      try reader.readChecked(time: index(initial), into: &initialPlanes)
      truthPowers.forget(before: initial)
      for first in stride(from: 0, to: plan.leads.count, by: leadsAtOnce) {
        let leads = Array(first..<min(plan.leads.count, first + leadsAtOnce))
        for (slot, lead) in leads.enumerated() {
          try reader.readChecked(time: index(initial.adding(hours: plan.leadHours[lead])), into: &planes[slot])
          try forecasts.read(
            channels, initial: plan.usable[place], lead: plan.leads[lead], isMissing: isMissing, workers: workers,
            into: &predicted[slot])
        }
        let batch = Batch(
          reader: reader, initial: initial, leads: leads, initialPlanes: initialPlanes, planes: planes,
          predicted: predicted,
          climatology: climatology, damped: damped, truthPowers: truthPowers)
        for (index, result) in scores(of: batch).enumerated() {
          found(place, leads[index / reader.channels.count], result)
        }
      }
      initialDone()
    }
  }

  /// Times that are verified are in the truth: the plan saw to it.
  private func index(_ time: Timestamp) -> Int {
    guard let index = truth.index(of: time) else { preconditionFailure("\(time) is not in the truth") }
    return index
  }

  /// Fields that are scored at once: all channels at some leads.
  private struct Batch: Sendable {
    let reader: ChannelReader
    let initial: Timestamp
    let leads: [Int]
    /// [channel, row, column] at the initial time, and by lead at the valid times.
    let initialPlanes: [Float]
    let planes: [[Float]]
    /// The field as forecast, by lead.
    let predicted: [[Float]]
    let climatology: Climatology
    let damped: DampedPersistence?
    let truthPowers: TruthPowers
  }

  /// By lead and channel.
  private func scores(of batch: Batch) -> [Found] {
    let channels = batch.reader.channels.count
    let results = Mutex([Found?](repeating: nil, count: batch.leads.count * channels))
    workers.run(batch.leads.count * channels) { index in
      let result = score(batch, slot: index / channels, channel: index % channels)
      results.withLock { $0[index] = result }
    }
    return results.withLock { $0.compactMap { $0 } }
  }

  /// - Parameter channel: within the reader's.
  private func score(_ batch: Batch, slot: Int, channel: Int) -> Found {
    let (lead, size) = (batch.leads[slot], truth.grid.count)
    func plane(_ planes: [Float]) -> ArraySlice<Float> { planes[channel * size..<(channel + 1) * size] }
    let number = batch.reader.channels.lowerBound + channel
    let (area, hours) = (areas[number], plan.leadHours[lead])
    let valid = batch.initial.adding(hours: hours)
    let (truth, mean) = (plane(batch.planes[slot]), plane(batch.climatology.field(valid)))
    let (model, initial) = (plane(batch.predicted[slot]), plane(batch.initialPlanes))
    let means = plan.systems.map { system in
      let field: ArraySlice<Float> =
        switch system {
        case .model: model
        case .persistence: initial
        case .climatology: mean
        case .dampedPersistence:
          batch.damped?.forecast(
            channel, initial: initial, initialClimatology: plane(batch.climatology.field(batch.initial)),
            validClimatology: mean, leadHours: hours)[...] ?? []
        }
      return area.means(forecast: field, truth: truth, climatology: mean, of: statistics)
    }
    let spectrum = area.isMissing == nil ? self.spectrum : nil
    return Found(
      channel: number, means: means, truthExtremes: extremes(truth, area.isMissing),
      forecastExtremes: extremes(model, area.isMissing), power: spectrum?.power(model),
      truthPower: spectrum.map { spectrum in batch.truthPowers.power(number, valid) { spectrum.power(truth) } })
  }

  private func extremes(_ field: ArraySlice<Float>, _ isMissing: [Bool]?) -> (low: Double, high: Double) {
    field.withUnsafeBufferPointer { field in
      var (low, high) = (Float.infinity, -Float.infinity)
      for (point, value) in field.enumerated() where !(isMissing?[point] ?? false) {
        if value < low { low = value }
        if value > high { high = value }
      }
      return (Double(low), Double(high))
    }
  }
}

/// Spectra of true fields, each computed once for all forecasts that are valid at its time.
final class TruthPowers: Sendable {
  private struct Key: Hashable {
    let channel: Int
    let time: Timestamp
  }

  private let held = Mutex<[Key: [Double]]>([:])

  func power(_ channel: Int, _ time: Timestamp, _ compute: () -> [Double]) -> [Double] {
    let key = Key(channel: channel, time: time)
    if let power = held.withLock({ $0[key] }) { return power }
    // Fields that are scored at once differ in channel or lead, so that none is computed twice.
    let power = compute()
    held.withLock { $0[key] = power }
    return power
  }

  /// Drops fields valid before an initial time. Initial times ascend, so none of them is read again.
  func forget(before time: Timestamp) { held.withLock { $0 = $0.filter { $0.key.time >= time } } }
}
