import Basics
import Datasets
import Training

/// Shows a training on the console and writes it to metrics files.
final class TrainingDisplay {
  private let console: Console
  private let metrics: MetricsFile
  private let validations: MetricsFile
  private let tensorBoard: TensorBoardFile
  private let channels: [Channel]
  private let peakFLOPPerSecond: Double
  private let start = monotonicSeconds()
  private let rollout: RolloutPlan
  /// Channels whose true values at the validation dates can't be, as has been said.
  private var doubtful: Set<Int> = []
  private var workDone = 0.0
  private var workLeft: Double

  /// The updates of a training, some of which may be done.
  struct Updates {
    let first, total: Int
    let rollout: RolloutPlan
    let seed: UInt64

    fileprivate var work: Double {
      (first..<max(first, total)).reduce(0.0) {
        $0 + rollout.work(steps: rollout.steps(update: $1, of: total, seed: seed))
      }
    }
  }

  init(
    _ folder: RunFolder, _ console: Console, channels: [Channel], _ updates: Updates, peakFLOPPerSecond: Double,
    unixSeconds: Double
  ) throws {
    let firstUpdate = updates.first
    self.console = console
    self.channels = channels
    self.peakFLOPPerSecond = peakFLOPPerSecond
    rollout = updates.rollout
    workLeft = updates.work
    let resumed = firstUpdate > 0 ? firstUpdate : nil
    metrics = try MetricsFile(
      folder.metrics,
      columns: [
        "update", "epoch", "samples", "rollout_steps", "loss", "gradient_norm", "learning_rate", "seconds",
        "wait_seconds", "samples_per_second", "tflops_per_second", "peak_share",
      ], lastUpdate: resumed)
    validations = try MetricsFile(
      folder.validation, columns: ["update", "loss"] + channels.map { "rmse_\($0.name)" }, lastUpdate: resumed)
    try TensorBoardFile.removeEvents(after: firstUpdate, in: folder.tensorBoard)
    tensorBoard = try TensorBoardFile(folder: folder.tensorBoard, unixSeconds: unixSeconds, firstUpdate: firstUpdate)
  }

  func updated(_ r: UpdateReport) throws {
    let share = r.teraFLOPPerSecond * 1e12 / peakFLOPPerSecond
    try metrics.append([
      Double(r.update), r.epoch, Double(r.samples), Double(r.rolloutSteps), r.loss, r.gradientNorm, r.learningRate,
      r.seconds, r.waitSeconds, r.samplesPerSecond, r.teraFLOPPerSecond, share,
    ])
    try tensorBoard.add(
      [
        ("train/loss", r.loss), ("train/gradient_norm", r.gradientNorm), ("train/learning_rate", r.learningRate),
        ("speed/samples_per_second", r.samplesPerSecond), ("speed/tflops_per_second", r.teraFLOPPerSecond),
        ("speed/wait_share", r.waitSeconds / r.seconds),
      ], step: r.update, unixSeconds: Machine.unixSeconds)
    let work = rollout.work(steps: r.rolloutSteps)
    workDone += work
    workLeft -= work
    let eta = (monotonicSeconds() - start) * max(0, workLeft) / workDone
    console.update(
      "\(console.bar(Double(r.update) / Double(r.totalUpdates), width: 12)) \(r.update)/\(r.totalUpdates)  "
        + "epoch \(fixed(r.epoch, 1))  loss \(significant(r.loss))  |g| \(significant(r.gradientNorm, 3))  "
        + "lr \(significant(r.learningRate, 3))  \(significant(r.samplesPerSecond, 3)) samples/s  "
        + "\(significant(r.teraFLOPPerSecond, 3)) TFLOP/s (\(fixed(100 * share, 0)) % of peak)  "
        + "wait \(fixed(100 * r.waitSeconds / r.seconds, 0)) %  ETA \(duration(eta))",
      isFinal: r.update == r.totalUpdates)
  }

  func validated(_ r: ValidationReport) throws {
    try validations.append([Double(r.update), r.loss] + r.rmse)
    try tensorBoard.add(
      [("validation/loss", r.loss)] + zip(channels, r.rmse).map { ("validation_rmse/\($0.name)", $1) },
      step: r.update, unixSeconds: Machine.unixSeconds)
    let shown = ["z_500", "t_850", "t2m", "msl"].compactMap { name -> String? in
      guard let index = channels.firstIndex(where: { $0.name == name }) else { return nil }
      return "\(name) \(significant(r.rmse[index], 3)) \(Lexicon.variable(channels[index].variable).units)"
    }
    console.say(
      "validation at \(r.update): loss \(significant(r.loss))\(r.isBest ? " (best)" : "")  "
        + (shown.isEmpty ? "" : "one-step RMSE " + shown.joined(separator: ", ")))
    for (index, channel) in channels.enumerated() where !doubtful.contains(index) {
      guard let (low, high) = r.truthExtremes[index],
        let text = Lexicon[channel.variable]?.implausible(from: low, to: high)
      else { continue }
      doubtful.insert(index)
      console.say(
        "warning: the true \(channel.name) at the validation dates goes \(text); 'jigsaw data check' says where")
    }
  }
}
