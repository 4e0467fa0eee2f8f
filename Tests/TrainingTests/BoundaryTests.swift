import Basics
import Datasets
import Distribution
import Execution
import Models
import Stepping
import Tensors
import TestSupport
import Testing

@testable import Training

/// Limited areas whose surroundings are given at every step.
@Suite struct BoundaryTests {
  private let folder: TemporaryFolder
  private let dataset: FieldDataset
  private let tiling: Tiling
  private let rank: ModelRank
  private let runner: StepRunner
  private let reader: FrameReader

  init() throws { try self.init(isRaster: false) }

  /// Points with a model of single points, or a raster with one that mixes all of them, so that errors at the boundary would
  /// reach the area.
  private init(isRaster: Bool) throws {
    folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/around.nc")
    var fine = SyntheticData()
    (fine.rows, fine.columns) = (16, 32)
    try fine.write("\(folder.path)/fine.nc")
    let (around, inner) = ("\(folder.path)/around.nc", "\(folder.path)/fine.nc")
    let view = try JSONValue(
      parsing: Array(
        (isRaster
          ? """
          {"cutout": [{"dataset": "\(around)", "area": [40, 40, -40, 140]}, {"dataset": "\(around)", "area": [80, 0, -80, 180]}]}
          """
          : """
          {"cutout": [{"dataset": "\(inner)", "area": [60, 0, 20, 90]}, "\(around)"], "adjust": "all"}
          """).utf8), place: "test")
    let opened = try OpenedSources([SourceDescription(path: "", open: view)], boundary: .cutout)
    dataset = try FieldDataset(opened, variables: ["z", "msl"], levelsHPa: [500], cacheBytes: 1 << 30)
    let normalization = try Normalization(
      DatasetStatistics.compute(dataset, from: dataset.times[0], through: dataset.times[59], stepHours: 6),
      channels: dataset.channels, place: "test")
    var fields = ModelFields(
      gridRows: dataset.grid.rows, gridColumns: dataset.grid.columns, variables: 2, auxiliaries: 0,
      tendencyScale: normalization.tendencyScale, points: dataset.grid.places)
    fields.inputSteps = [-1, 0]
    let settings: any ModelSettings =
      isRaster
      ? WeatherMixerSettings(
        patch: [1, 1], channels: 8, tokenWidth: 12, channelWidth: 8, blocks: 1, output: .residual)
      : LinearRegressionSettings()
    let description = ModelDescription(settings, fields)
    tiling = try description.tiling()
    let (model, compute) = (try description.makeModel(), Compute(threads: 2))
    rank = try ModelRank(.single(), compute, model.parameters) { _ in }
    runner = StepRunner(
      Stepper(
        model: model, fields: fields, rank: rank,
        auxiliary: AuxiliaryFields(grid: dataset.grid, statics: [], forcings: []),
        tiling: tiling, stepHours: 6, boundary: dataset.boundary),
      weights: LossWeights(
        points: LossWeights.points(dataset.grid, tiling, .area, boundary: dataset.boundary), channels: dataset.channels,
        normalization: normalization, variables: [:], levelsHPa: [:], perTendency: false),
      unpredictedCount: dataset.unpredictedCount)
    reader = FrameReader(dataset, normalization, tiling, compute)
    let values = rank.parameters.values
    rank.initialize(seed: 1)
    let numbers = Tensor(zeros: [values.count])
    RandomStream(seed: 5, name: "weights").fillNormal(
      numbers.floats, deviation: 0.3, row: 0, columns: 0..<values.count)
    for i in 0..<values.count { values.pointer[i] += numbers.pointer[i] }
  }

  @Test func allButTheFirstDatasetIsBoundary() throws {
    let boundary = try #require(dataset.boundary)
    let inner = boundary.count { !$0 }
    #expect(inner > 20 && inner < boundary.count - 20)
    for (point, isBoundary) in boundary.enumerated() where !isBoundary {
      let (latitude, longitude) = (dataset.grid.points.latitudes[point], dataset.grid.points.longitudes[point])
      #expect((20...60).contains(latitude) && (0...90).contains(longitude))
    }
    #expect(dataset.unpredictedCount == 2 * (boundary.count - inner))
    let weights = LossWeights.points(dataset.grid, tiling, .area, boundary: boundary)
    #expect(zip(weights, boundary).allSatisfy { ($0 == 0) == $1 })
    let mean = weights.reduce(0.0) { $0 + Double($1 * $1) } / Double(inner)
    #expect(abs(mean - 1) < 1e-5)
    // A share of the loss, where all is predicted.
    let shared = LossWeights.points(
      dataset.grid, tiling, .area, firstGrid: (isIn: boundary.map { !$0 }, share: 0.75))
    let squares = shared.map { Double($0 * $0) }
    let inside = zip(squares, boundary).reduce(0.0) { $0 + ($1.1 ? 0 : $1.0) }
    #expect(abs(inside / squares.reduce(0, +) - 0.75) < 1e-5)
    // Each of its points has as much, as with anemoi-training's ReweightedGraphNodeAttributeScaler.
    #expect(Set(zip(shared, boundary).filter { !$0.1 }.map(\.0)).count == 1)
  }

  private func loss(_ steps: Int) throws -> Double {
    let start = try runner.stepper.start(reader, [3, 7])
    var history = runner.stepper.history(start)
    var total = 0.0
    for step in 0..<steps {
      let state = try runner.stepper.advance(history, from: start, step: step)
      history = history.dropFirst() + [state]
      let truth = try reader.read([4 + step, 8 + step]).state
      // Boundary points have the truth.
      for (point, isBoundary) in (dataset.boundary ?? []).enumerated() where isBoundary {
        #expect(state.tensor.values[4 * point..<4 * point + 4] == truth.values[4 * point..<4 * point + 4])
      }
      total += try runner.loss(state.tensor, truth, gradient: nil, accumulate: false, scale: 1)
    }
    return total / Double(steps)
  }

  @Test(arguments: [1, 3], [false, true]) func gradientsOfARolloutAreThoseOfTheLoss(steps: Int, isRaster: Bool) throws {
    try BoundaryTests(isRaster: isRaster).checkGradients(steps)
  }

  private func checkGradients(_ steps: Int) throws {
    rank.parameters.clearGradients()
    let targets = try (1...steps).map { try reader.read([3 + $0, 7 + $0]) }
    let start = try runner.stepper.start(reader, [3, 7])
    var next = steps
    let value = try runner.autoregressive(start, steps: steps, scale: 1) {
      next -= 1
      return targets[next]
    }
    #expect(abs(try loss(steps) - value) < 1e-5 * value)
    let (values, gradients) = (rank.parameters.values, rank.parameters.gradients)
    let direction = Tensor(zeros: [values.count])
    RandomStream(seed: 5, name: "direction").fillNormal(
      direction.floats, deviation: 1, row: 0, columns: 0..<values.count)
    let slope = (0..<values.count).reduce(0.0) { $0 + Double(gradients.pointer[$1]) * Double(direction.pointer[$1]) }
    let before = values.values
    func moved(_ by: Float) throws -> Double {
      for i in before.indices { values.pointer[i] = before[i] + by * direction.pointer[i] }
      return try loss(steps)
    }
    let difference = (try moved(1e-3) - moved(-1e-3)) / 2e-3
    #expect(abs(difference - slope) < 1e-2 * abs(slope), "\(difference), \(slope)")
  }

  /// Grids that fit together are one raster, whose points come in its order.
  @Test func aCutoutMayBeARaster() throws {
    let path = "\(folder.path)/around.nc"
    let view = try JSONValue(
      parsing: Array(
        """
        {"cutout": [{"dataset": "\(path)", "area": [40, 40, -40, 140]}, {"dataset": "\(path)", "area": [80, 0, -80, 180]}]}
        """.utf8), place: "test")
    let opened = try OpenedSources([SourceDescription(path: "", open: view)], boundary: .cutout)
    let dataset = try FieldDataset(opened, variables: ["z"], levelsHPa: [500])
    let raster = try #require(dataset.grid.raster)
    let boundary = try #require(dataset.boundary)
    for (row, latitude) in raster.latitudes.enumerated() {
      for (column, longitude) in raster.longitudes.enumerated() {
        let isIn = abs(latitude) < 40 && (40...140).contains(longitude)
        #expect(boundary[row * raster.columns + column] == !isIn)
      }
    }
    let tiling = try #require(Tiling(rows: raster.rows, columns: raster.columns, tileRows: 1, tileColumns: 1))
    #expect(tiling.spread(boundary) == boundary)
    let tiles = try #require(Tiling(rows: 2, columns: 4, tileRows: 2, tileColumns: 2))
    #expect(tiles.spread(Array(0..<8)) == [0, 1, 4, 5, 2, 3, 6, 7])
  }

  @Test func withoutCutoutThereIsNoBoundary() {
    let error = #expect(throws: JigsawError.self) {
      _ = try OpenedSources([SourceDescription(path: "\(folder.path)/around.nc")], boundary: .cutout)
    }
    #expect(error?.description.contains("there is no cutout") == true)
  }
}
