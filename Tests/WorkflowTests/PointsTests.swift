import Basics
import Checkpoints
import Communication
import Configuration
import Datasets
import Geometry
import Models
import Stores
import TestSupport
import Testing
import Training
import Verification

@testable import Workflow

#if canImport(Glibc)
  import Glibc
#endif

/// The whole job on points that are no raster.
@Suite struct PointsTests {
  /// 97 points spread evenly over the globe (a Fibonacci lattice): no number of ranks divides them.
  static let scattered: [(latitude: Double, longitude: Double)] = (0..<97).map { point in
    let height: Double = 1 - (2 * Double(point) + 1) / 97
    let turns: Double = Double(point) * 0.618_033_988_75
    return (asin(height) * 180 / Double.pi, 360 * turns.truncatingRemainder(dividingBy: 1))
  }

  static func data(_ folder: String, chunking: SyntheticData.Chunking = .tenTimes) throws {
    var data = SyntheticData()
    (data.points, data.chunking) = (scattered, chunking)
    try data.write("\(folder)/data.nc")
  }

  static func configuration(_ folder: String, run: String, _ layout: MeshTrainingTests.Layout = .init()) throws
    -> RunConfiguration
  {
    var configuration = try RunConfiguration.parse(
      """
      run: \(folder)/\(run)
      seed: 3
      threads: 1
      data:
        sources: [{path: \(folder)/data.nc}]
        variables: [z, t, msl]
        levels: [850, 500]
        static: [orog]
        forcings: [cos_julian_day, insolation, sin_longitude]
        train: {start: 2001-01-01, end: 2001-01-10}
        validation: {start: 2001-01-11, end: 2001-01-13}
        test: {start: 2001-01-13, end: 2001-01-15}
      model: {family: linear-regression, patch: [1, 1]}
      training:
        updates: 12
        batchSize: 4
        warmUpUpdates: 2
        learningRate: 0.02
        rollout: {stages: [{fraction: 0, steps: 1}, {fraction: 0.5, steps: 2}]}
        validation: {every: 6, samples: 4}
        checkpoint: {every: 6, keep: 3}
      forecast: {leadHours: 24, everyHours: 6, batchSize: 2}
      """, file: "test")
    configuration.training.batchSize = 4 / layout.replicas
    configuration.parallel.domain = layout.domain
    configuration.parallel.tensor = layout.tensor
    configuration.parallel.splitOptimizer = layout.splitsOptimizer
    return configuration
  }

  @Test(arguments: [SyntheticData.Chunking.tenTimes, .tiles])
  func everyMeshTrainsTheSameModel(chunking: SyntheticData.Chunking) throws {
    let folder = try TemporaryFolder()
    try Self.data(folder.path, chunking: chunking)
    func run(_ layout: MeshTrainingTests.Layout) throws -> (losses: [Double], norms: [Double], validation: [Double]) {
      let name = "run-\(layout.replicas)-\(layout.domain)-\(layout.tensor)"
      try MeshTrainingTests.train(Self.configuration(folder.path, run: name, layout), layout.ranks)
      let path = "\(folder.path)/\(name)"
      return (
        try MeshTrainingTests.column("\(path)/metrics.csv", "loss"),
        try MeshTrainingTests.column("\(path)/metrics.csv", "gradient_norm"),
        try MeshTrainingTests.column("\(path)/validation.csv", "loss")
      )
    }
    let one = try run(.init())
    #expect(one.losses.count == 12 && one.losses[11] < one.losses[6])
    for layout in [
      MeshTrainingTests.Layout(domain: 2), .init(tensor: 2), .init(replicas: 2), .init(domain: 3),
      .init(replicas: 2, domain: 2, splitsOptimizer: true),
    ] {
      let found = try run(layout)
      MeshTrainingTests.expectAlike(found.losses, one.losses, 1e-5, "loss, \(layout.testDescription)")
      MeshTrainingTests.expectAlike(found.norms, one.norms, 1e-4, "norm, \(layout.testDescription)")
      MeshTrainingTests.expectAlike(found.validation, one.validation, 1e-5, "validation, \(layout.testDescription)")
    }
  }

  @Test func forecastsAndScoresAreAlikeOnAllMeshes() throws {
    let folder = try TemporaryFolder()
    try Self.data(folder.path)
    let one = try Self.configuration(folder.path, run: "one")
    try MeshTrainingTests.train(one, 1)
    func scores(_ layout: MeshTrainingTests.Layout, _ output: String) throws -> [Double] {
      var configuration = try Self.configuration(folder.path, run: "one", layout)
      configuration.training.batchSize = one.training.batchSize
      var request = ForecastWorkflow.Request()
      request.output = "\(folder.path)/\(output)"
      try Ranks.run(asThreads: layout.ranks) { [configuration, request] world in
        try ForecastWorkflow(configuration, checkpoint: .newest, on: world, console: .silent).run(request)
        try EvaluateWorkflow(configuration, on: world, console: .silent).run(forecast: request.output)
      }
      let name = output.split(separator: ".")[0]
      #expect(!Files.exists("\(folder.path)/one/evaluation-\(name)/spectra.csv"))
      return try MeshTrainingTests.column("\(folder.path)/one/evaluation-\(name)/scores.csv", "rmse")
    }
    let expected = try scores(.init(), "one.zarr")
    #expect(expected.count > 100)
    MeshTrainingTests.expectAlike(try scores(.init(domain: 3), "domain.zarr"), expected, 1e-6, "domain")
    MeshTrainingTests.expectAlike(try scores(.init(replicas: 2, tensor: 2), "mixed.zarr"), expected, 1e-5, "replicas")
    MeshTrainingTests.expectAlike(try scores(.init(domain: 2), "two.nc"), expected, 1e-6, "NetCDF")
    // Each part of the domain is a chunk.
    let store = try openStore("\(folder.path)/domain.zarr")
    #expect(try store.info("msl").dimensionNames == ["time", "prediction_timedelta", "point"])
    #expect(try store.info("msl").chunks == [1, 1, 33])
    let reader = try ForecastReader("\(folder.path)/domain.zarr")
    #expect(reader.grid.rows == 97 && reader.grid.raster == nil)
  }

  /// Scores are those of plain sums over points, weighted by the areas of their cells.
  @Test func scoresAreMeansOverCells() throws {
    let folder = try TemporaryFolder()
    try Self.data(folder.path)
    let configuration = try Self.configuration(folder.path, run: "run")
    try TrainWorkflow(configuration, console: .silent).start()
    let path = try ForecastWorkflow(configuration, checkpoint: .newest, console: .silent).run(.init())
    try EvaluateWorkflow(configuration, console: .silent).run()
    let (forecasts, truth) = (try ForecastReader(path), try Assembly.dataset(configuration.data))
    let channel = Channel(variable: "t", levelHPa: 500)
    let place = try #require(truth.channels.firstIndex(of: channel))
    let weights = truth.grid.areaWeights
    var planes = [Float](repeating: 0, count: truth.channels.count * 97)
    func rmse(_ region: (Double) -> Bool) throws -> Double {
      var (sum, count) = (0.0, 0)
      for (index, initial) in forecasts.initialTimes.enumerated() {
        guard let time = truth.index(of: initial.adding(hours: 12)) else { continue }
        let forecast = try forecasts.read(channel, initial: index, lead: 1)
        try planes.withUnsafeMutableBufferPointer { try truth.readChecked(time: time, into: $0.baseAddress!) }
        let points = (0..<97).filter { region(Self.scattered[$0].latitude) }
        let area = points.reduce(0) { $0 + weights[$1] }
        sum += points.reduce(0) { sum, point in
          let error = Double(forecast[point]) - Double(planes[place * 97 + point])
          return sum + weights[point] / area * error * error
        }
        count += 1
      }
      return (sum / Double(count)).squareRoot()
    }
    let rows = try Files.readText("\(configuration.run)/evaluation/scores.csv").split(separator: "\n").map(String.init)
    func score(_ region: String) throws -> Double {
      let columns = rows[0].split(separator: ",").map(String.init)
      let wanted = ["system": "model", "channel": "t_500", "lead_hours": "12", "region": region]
      let row = try #require(
        rows.dropFirst().map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) }.first {
          row in
          wanted.allSatisfy { key, value in columns.firstIndex(of: key).map { row[$0] == value } ?? false }
        })
      return try #require(columns.firstIndex(of: "rmse").flatMap { Double(row[$0]) })
    }
    #expect(abs(try score("globe") / rmse { _ in true } - 1) < 1e-5)
    #expect(abs(try score("tropics") / rmse { abs($0) <= 20 } - 1) < 1e-5)
    #expect(abs(try score("extratropics-south") / rmse { $0 < -20 } - 1) < 1e-5)
  }

  /// Fields that lack values at some points are trained alike on all meshes, and left out there.
  @Test func imputedPointsAreLeftOutOnAllMeshes() throws {
    let folder = try TemporaryFolder()
    var data = SyntheticData()
    (data.points, data.missing) = (Self.scattered, ["t": [3, 48, 49, 96]])
    try data.write("\(folder.path)/data.nc")
    func losses(_ layout: MeshTrainingTests.Layout, _ method: String) throws -> [Double] {
      let run = "run-\(method)-\(layout.domain)-\(layout.tensor)"
      var configuration = try Self.configuration(folder.path, run: run, layout)
      try configuration.apply("data.impute={t: \(method)}")
      configuration.training.updates = 4
      try MeshTrainingTests.train(configuration, layout.ranks)
      return try MeshTrainingTests.column("\(folder.path)/\(run)/metrics.csv", "loss")
    }
    for method in ["mean", "nearest"] {
      let one = try losses(.init(), method)
      #expect(one.count == 4)
      MeshTrainingTests.expectAlike(try losses(.init(domain: 3), method), one, 1e-5, "domain, \(method)")
      MeshTrainingTests.expectAlike(try losses(.init(domain: 2, tensor: 2), method), one, 1e-5, "both, \(method)")
    }
  }

  /// Sources are joined on the same points alone, in the same order.
  @Test func otherPointsAreNotJoined() throws {
    let folder = try TemporaryFolder()
    var data = SyntheticData()
    data.points = Self.scattered
    try data.write("\(folder.path)/data.nc")
    data.points?.swapAt(10, 11)
    data.surface = ["u10"]
    data.statics = []
    data.upper = []
    try data.write("\(folder.path)/other.nc")
    var configuration = try Self.configuration(folder.path, run: "run")
    try configuration.apply("data.sources=[{path: \(folder.path)/data.nc}, {path: \(folder.path)/other.nc}]")
    try configuration.apply("data.variables=[z, t, msl, u10]")
    let other = problem { _ = try Assembly.dataset(configuration.data) }
    #expect(other.contains("other.nc") && other.contains("has another grid than"), "\(other)")
  }

  private func problem(_ body: () throws -> Void) -> String {
    #expect(throws: JigsawError.self) { try body() }.map { "\($0)" } ?? ""
  }

  @Test func whatNeedsARasterSaysSo() throws {
    let folder = try TemporaryFolder()
    try Self.data(folder.path)
    var configuration = try Self.configuration(folder.path, run: "mixer")
    try configuration.apply("model.family=weather-mixer")
    let mixer = problem { try TrainWorkflow(configuration, console: .silent).start() }
    #expect(mixer.contains("WeatherMixer needs a raster") && mixer.contains("linear-regression"), "\(mixer)")
    configuration = try Self.configuration(folder.path, run: "patch")
    try configuration.apply("model.patch=[1, 2]")
    let patch = problem { try TrainWorkflow(configuration, console: .silent).start() }
    #expect(patch.contains("needs rows and columns") && patch.contains("[1, 1]"), "\(patch)")
    configuration = try Self.configuration(folder.path, run: "roll")
    configuration.training.rollLongitudes = true
    #expect(problem { try TrainWorkflow(configuration, console: .silent).start() }.contains("around the globe"))
    configuration = try Self.configuration(folder.path, run: "grib")
    try TrainWorkflow(configuration, stopAfter: 1, console: .silent).start()
    var request = ForecastWorkflow.Request()
    request.output = "\(folder.path)/f.grib2"
    let grib = problem {
      try ForecastWorkflow(configuration, checkpoint: .newest, console: .silent).run(request)
    }
    #expect(grib.contains("neither a raster nor a reduced Gaussian grid") && grib.contains("Zarr or NetCDF"), "\(grib)")
  }

  /// Points are recognised by their places, and data on others are refused.
  @Test func aCheckpointKnowsItsPoints() throws {
    let folder = try TemporaryFolder()
    try Self.data(folder.path)
    let configuration = try Self.configuration(folder.path, run: "run")
    try TrainWorkflow(configuration, stopAfter: 1, console: .silent).start()
    let path = "\(folder.path)/run/checkpoints/update-0000001"
    let checkpoint = try Checkpoint(path)
    #expect(try checkpoint.problems().isEmpty && checkpoint.manifest.files?["points.safetensors"] != nil)
    #expect(try Files.readText("\(path)/manifest.json").contains("\"points\" : 97"))
    let places = try #require(checkpoint.manifest.model.fields.points)
    #expect(places.latitudes == Self.scattered.map(\.latitude) && places.longitudes == Self.scattered.map(\.longitude))
    // Without their file, and with that of other points.
    let file = "\(path)/points.safetensors"
    let bytes = try Files.read(file)
    var data = SyntheticData()
    data.points = Self.scattered
    data.points?[40].longitude += 0.5
    try data.write("\(folder.path)/data.nc")
    let other = problem { try ForecastWorkflow(configuration, checkpoint: .newest, console: .silent).run(.init()) }
    #expect(
      other.contains("is on another grid than the checkpoint's model") && other.contains("fingerprint"), "\(other)")
    let resumed = problem { try TrainWorkflow(configuration, console: .silent).resume() }
    #expect(resumed.contains("97 points"), "\(resumed)")
    var changed = bytes
    changed[changed.count - 100] ^= 4
    try Files.remove(file)
    try Files.writeAtomically(changed, to: file)
    #expect(problem { _ = try Checkpoint(path) }.contains("was changed since it was written"))
    try Files.remove(file)
    #expect(problem { _ = try Checkpoint(path) }.contains("points.safetensors"))
  }
}
