import Basics
import Checkpoints
import Communication
import Configuration
import Datasets
import Distribution
import Execution
import Forecasting
import Stepping
import Tensors
import TestSupport
import Testing
import Training

@testable import Workflow

/// Memory of a forecast: its weights once, and activations.
@Suite struct ForecastMemoryTests {
  @Test func weightsAreHeldOnceAndGradientsNotAtAll() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    let configuration = try RunConfiguration.parse(
      """
      run: \(folder.path)/run
      threads: 1
      data:
        sources: [{path: \(folder.path)/data.nc}]
        variables: [z, t, msl]
        levels: [850, 500]
        train: {start: 2001-01-01, end: 2001-01-10}
        validation: {start: 2001-01-11, end: 2001-01-13}
        test: {start: 2001-01-13, end: 2001-01-15}
      model: {patch: [4, 4], channels: 384, tokenWidth: 32, channelWidth: 1024, blocks: 3}
      training:
        updates: 1
        batchSize: 1
        warmUpUpdates: 0
        validation: {every: 1, samples: 1}
        checkpoint: {every: 1}
      forecast: {leadHours: 12, everyHours: 24}
      """, file: "test")
    try MeshTrainingTests.train(configuration, 1)
    let workflow = ForecastWorkflow(configuration, checkpoint: .newest, console: .silent)
    let checkpoint = try #require(try RunFolder(configuration.run).checkpoints().newest())
    let run = try RunContext(SingleRank(), threads: 1, console: .silent)
    let dataset = try Assembly.dataset(for: checkpoint.manifest, configuration.data, cacheBytes: 0, threads: 1)
    let stepper = try workflow.stepper(checkpoint, dataset, run)
    let rank = stepper.rank
    let reader = Assembly.reader(
      dataset, try checkpoint.manifest.normalization, stepper.tiling, rank, cacheBytes: 0)
    let fields = dataset.channels.indices
    var units = 0
    try Forecaster(
      stepper: stepper, reader: reader, units: [FieldGather.Unit(fields: fields, rows: 0..<dataset.grid.rows)],
      toFirst: true
    ).run([dataset.times[48]], keep: [1, 2], batchSize: 1) { _, values, _, _ in
      units += 1
      #expect(values.count == fields.count * dataset.grid.count)
    }
    #expect(units == 2)
    let weights = checkpoint.manifest.parameterCount * MemoryLayout<Float>.size
    let peak = rank.compute.pool.counters.peakBytesInUse
    // Activations are some hundred kilobytes, so that any second copy of the weights would be seen.
    #expect(weights > 8 << 20 && peak > 0 && peak < weights / 20)
    #expect(rank.parameters.byteCount + peak <= weights + weights / 10)
  }
}
