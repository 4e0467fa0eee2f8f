import Basics
import Configuration
import Datasets
import Tensors
import Verification

/// The origin of scores: checks of the forecast, remarks, and the record beside the scores.
extension EvaluateWorkflow {
  var truthText: String {
    Assembly.descriptions(configuration.data).map { withoutUserInformation($0.display) }.joined(separator: ", ")
  }

  /// Refuses a forecast of the run that is of another checkpoint than a forecast made now would be.
  ///
  /// - Parameters:
  ///   - isOwn: whether it is the run's own forecast.
  ///   - selection: what is chosen of the truth.
  func checkLineage(_ reader: ForecastReader, isOwn: Bool, _ inputs: ScoredInputs, _ selection: String) throws {
    guard let lineage = reader.lineage else {
      console.say(
        "note: \(reader.path) does not say what it was made from; that it is of this run's model is not known")
      return
    }
    guard isOwn else { return }
    if let difference = try ForecastWorkflow.staleness(of: lineage, folder) {
      throw JigsawError(
        reader.path, "is not of the run's checkpoint", expected: difference.now, found: difference.recorded,
        remedy:
          "forecast again with 'jigsaw forecast \(folder.path) --overwrite', or move it elsewhere and name it with "
          + "--forecast")
    }
    if let absence = try ForecastWorkflow.absence(of: lineage, folder) {
      console.say("note: \(reader.path) \(absence)")
    }
    let (precision, asked) = (lineage.settings[Lineage.precision], configuration.precision)
    if let precision, precision != asked.rawValue, try precision != asked.products().precision.rawValue {
      console.say(
        "note: \(reader.path) was computed in \(precision), where the run's configuration says \(asked.rawValue)")
    }
    guard try folder.isOwn(inputs.sources) else { return }
    let now = Lineage(
      data: inputs.truth,
      settings: [Lineage.selection: Lineage.text(selection: selection)])
    if let difference = lineage.difference(from: now) {
      console.say("note: \(reader.path): \(difference.sentence)")
    }
  }

  /// Properties of the forecasts that readers of the scores must know.
  func remarks(_ evaluation: Evaluation, _ reader: ForecastReader, isOwn: Bool) throws -> ScoreRemarks {
    var trained = reader.lineage?.trained
    if trained == nil, isOwn, reader.lineage?.model != nil, Files.exists(folder.configuration) {
      // Versions that did not record it: the run's own, whatever the settings of this verification.
      let (start, end) = try RunConfiguration.load(folder.configuration).data.train.range("data.train")
      trained = [Lineage.Period(start.description, end.description)]
    }
    let (start, end) = try configuration.data.train.range("data.train")
    return ScoreRemarks(
      evaluation, trained: trained, validated: reader.lineage?.validated,
      climatology: Lineage.Period(start.description, end.description), unmade: reader.leftOut)
  }

  /// The record of scores.
  func lineage(of scored: Scored) throws -> Lineage {
    let (times, forecast) = (scored.evaluation.initialTimes, scored.reader.lineage)
    let remarks = scored.scorecard.source.remarks
    var settings = try EvaluateWorkflow.baseline(configuration)
    settings.merge(forecast?.computation.settings ?? [:]) { first, _ in first }
    settings["period"] = "\(times[0]) to \(times[times.count - 1])"
    settings["truth"] = truthText
    settings[Lineage.choice] = forecast?.settings[Lineage.choice]
    var made = Lineage(data: scored.inputs.truth, model: forecast?.model, settings: settings)
    made.forecast = Lineage.Forecast(path: Files.absolute(scored.inputs.path), content: scored.inputs.forecast)
    made.training = forecast?.training
    (made.trained, made.validated) = (forecast?.trained, forecast?.validated)
    made.leftOut = remarks.leftOut.map(\.description)
    made.remarks = remarks.sentences
    return made
  }

  /// Settings that decide what forecasts are compared with.
  static func baseline(_ configuration: RunConfiguration) throws -> [String: String] {
    let (start, end) = try configuration.data.train.range("data.train")
    return [
      "period of the climatology": "\(start) to \(end)",
      "evaluation.climatologyWindowDays": "\(configuration.evaluation.climatologyWindowDays)",
    ]
  }
}
