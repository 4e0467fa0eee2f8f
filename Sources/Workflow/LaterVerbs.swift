import Basics
import Configuration
import Datasets

/// Settings that only verbs after the training read: what these would refuse is said before it.
enum LaterVerbs {
  /// One sentence for each setting that doesn't fit the others or the data.
  static func warnings(_ configuration: RunConfiguration, _ dataset: FieldDataset) -> [String] {
    let step = configuration.data.stepHours
    let (lead, every) = (configuration.forecast.leadHours, configuration.forecast.everyHours)
    var warnings: [String] = []
    if lead % step != 0 {
      warnings.append(
        "forecast.leadHours is \(lead), which is no multiple of data.stepHours, \(step): 'forecast' will refuse it")
    }
    let unreachable = configuration.evaluation.leadHours.filter { $0 % step != 0 || $0 > lead }
    if !unreachable.isEmpty {
      warnings.append(
        "evaluation.leadHours has \(unreachable.map(String.init).joined(separator: ", ")), which forecasts of \(lead) h in steps "
          + "of \(step) h don't have: 'evaluate' will refuse them")
    }
    let intervals = zip(dataset.times, dataset.times.dropFirst()).map { $1.seconds - $0.seconds }
    if let interval = intervals.min(), Int64(every) * 3_600 % interval != 0 {
      warnings.append(
        "forecast.everyHours is \(every), and the data are \(Channel.text(Double(interval) / 3_600)) h apart: 'forecast' will refuse it"
      )
    }
    let weights = configuration.training.loss.variableWeights
    if !configuration.data.variables.isEmpty, configuration.data.variables.allSatisfy({ weights[$0] == 0 }) {
      warnings.append("training.loss.variableWeights are all 0: nothing will be learnt")
    }
    return warnings.map { "warning: \($0)" }
  }
}
