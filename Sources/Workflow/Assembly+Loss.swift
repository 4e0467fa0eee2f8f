import Basics
import Configuration
import Datasets
import Tensors
import Training

// Weights and scalers of the training loss.

extension Assembly {
  /// The weights of levels, in hPa. Checks those of variables, too.
  static func levelWeights(_ loss: LossSection, _ dataset: FieldDataset) throws -> [Double: Double] {
    let variables = Set(dataset.channels.map(\.variable))
    for name in loss.variableWeights.keys.sorted() where !variables.contains(name) {
      throw JigsawError(
        "training.loss.variableWeights.\(name)", "is not a predicted variable",
        expected: "one of \(variables.sorted().joined(separator: ", "))",
        remedy: nearest(to: name, among: variables.sorted()).map { "did you mean '\($0)'?" })
    }
    let levels = dataset.channels.compactMap(\.levelHPa)
    var weights: [Double: Double] = [:]
    for (text, weight) in loss.levelWeights.sorted(by: { $0.key < $1.key }) {
      guard let level = Double(text), levels.contains(level) else {
        let known = Set(levels).sorted(by: >)
        throw JigsawError(
          "training.loss.levelWeights.\(text)", "is not a predicted level",
          expected: "one of \(known.map { Channel.text($0) }.joined(separator: ", "))")
      }
      weights[level] = weight
    }
    return weights
  }

  /// The points of the first of several grids and their share of the loss; nil where their areas say it.
  /// - Throws: where there are no several grids that are all predicted.
  static func firstGrid(_ loss: LossSection, _ dataset: FieldDataset) throws -> (isIn: [Bool], share: Double)? {
    guard let share = loss.firstGridShare else { return nil }
    guard let isIn = dataset.firstGrid, dataset.boundary == nil, Set(isIn).count == 2 else {
      throw JigsawError(
        "training.loss.firstGridShare", "needs a source of several combined grids that are all predicted",
        expected: "a source such as open: {cutout: [area.zarr, around.zarr]}, and data.boundary: none",
        found: dataset.origin, remedy: "set it to null")
    }
    return (isIn, share)
  }

  static func lossWeights(
    _ configuration: RunConfiguration, _ dataset: FieldDataset, _ tiling: Tiling, _ normalization: Normalization
  ) throws -> LossWeights {
    let loss = configuration.training.loss
    let levels = try levelWeights(loss, dataset)
    let firstGrid = try firstGrid(loss, dataset)
    let scalers = try scalers(loss.scalers, dataset.channels)
    let factors = dataset.channels.enumerated().map { index, channel in
      Float(
        scalers.factor(
          channel, tendencyScale: Double(normalization.tendencyScale[index]),
          isDiagnostic: configuration.data.diagnostic.contains(channel.variable)))
    }
    return LossWeights(
      points: LossWeights.points(
        dataset.grid, tiling, loss.latitudeWeights, boundary: dataset.boundary, firstGrid: firstGrid),
      channels: dataset.channels, normalization: normalization, variables: loss.variableWeights, levelsHPa: levels,
      perTendency: loss.perTendency, factors: factors)
  }

  /// - Throws: where a name is no variable's.
  static func scalers(_ section: ScalersSection, _ channels: [Channel]) throws -> LossScalers {
    var scalers = LossScalers()
    let own = Set(channels.map(\.variable))
    for (name, factor) in section.generalVariable.sorted(by: { $0.key < $1.key }) {
      let variable = own.contains(name) || name == "default" ? name : Lexicon.find(name)?.name
      let place = "training.loss.scalers.general_variable.\(name)"
      guard let variable else {
        throw JigsawError(
          place, "is no variable",
          expected: "one of \(own.sorted().joined(separator: ", ")), another name of one, or default",
          remedy: nearest(to: name, among: own.sorted()).map { "did you mean '\($0)'?" })
      }
      if let other = scalers.generalVariable[variable], other != factor {
        throw JigsawError(place, "contradicts another name of \(variable)", expected: "\(other)", found: "\(factor)")
      }
      scalers.generalVariable[variable] = factor
    }
    scalers.pressureLevel = section.pressureLevel.scaling
    (scalers.slope, scalers.intercept) = (section.pressureLevel.slope, section.pressureLevel.intercept)
    (scalers.stdevTendency, scalers.varTendency) = (section.stdevTendency, section.varTendency)
    return scalers
  }
}
