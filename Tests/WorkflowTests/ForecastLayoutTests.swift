import Basics
import Communication
import Configuration
import Datasets
import Stores
import TestSupport
import Testing
import Verification

@testable import Workflow

/// One file per initial time, however many ranks write them, and what such a folder replaces.
@Suite struct ForecastLayoutTests {
  private static func trained(_ folder: String) throws -> RunConfiguration {
    try SyntheticData().write("\(folder)/data.nc")
    var configuration = try ResumeTests.configuration(folder, run: "run", rollout: "latent")
    try TrainWorkflow(configuration, stopAfter: 1, console: .silent).start()
    (configuration.forecast.leadHours, configuration.forecast.everyHours) = (12, 12)
    (configuration.forecast.batchSize, configuration.threads) = (2, 1)
    return configuration
  }

  @Test func filesOfTwoInstancesHoldWhatOneStoreHolds() throws {
    let folder = try TemporaryFolder()
    var configuration = try Self.trained(folder.path)
    let together = try ForecastReader(
      ForecastWorkflow(configuration, checkpoint: .newest, console: .silent).run(.init()))
    configuration.forecast.layout = .perForecast
    let perForecast = configuration
    _ = try ThreadRanks.run(2) { world in
      try ForecastWorkflow(perForecast, checkpoint: .newest, on: world, console: .silent).run(.init())
    }
    let path = "\(configuration.run)/forecast"
    let files = try ForecastReader(path)
    #expect(together.initialTimes.count > 2)
    #expect(files.initialTimes == together.initialTimes && files.leadHours == together.leadHours)
    #expect(Set(files.channels) == Set(together.channels) && files.lineage?.model == together.lineage?.model)
    #expect(try Files.list(path).count == files.initialTimes.count)
    for channel in together.channels {
      for initial in together.initialTimes.indices {
        for lead in together.leadHours.indices {
          #expect(
            try files.read(channel, initial: initial, lead: lead)
              == together.read(channel, initial: initial, lead: lead))
        }
      }
    }
    let store = try openStore("\(path)/20010113T000000.nc")
    #expect(try store.info("z").dimensionNames == ["time", "level", "latitude", "longitude"])
    #expect(store.arrays.values.allSatisfy { $0.dimensions.count <= 4 })
    #expect(try store.info("forecast_reference_time").dimensions.isEmpty)
  }

  @Test func whatCanNotBeWrittenThisWayIsRefused() throws {
    let folder = try TemporaryFolder()
    var configuration = try Self.trained(folder.path)
    configuration.forecast.layout = .perForecast
    func problem(_ output: String?, _ format: ForecastSection.Format? = nil, overwrites: Bool = false) -> String? {
      var (changed, request) = (configuration, ForecastWorkflow.Request())
      changed.forecast.format = format
      request.output = output.map { "\(folder.path)/\($0)" }
      request.overwrites = overwrites
      let error = #expect(throws: JigsawError.self) {
        try ForecastWorkflow(changed, checkpoint: .newest, console: .silent).run(request)
      }
      return error?.problem
    }
    for (output, format) in [("f.zarr", nil), ("f.grib2", nil), (nil, ForecastSection.Format.zarr)] {
      #expect(problem(output, format) == "is perForecast, of which only NetCDF files are written")
    }
    #expect(problem("f.nc")?.hasPrefix("is the name of one file") == true)
    // Nothing but forecasts is ever replaced.
    try Files.createDirectory("\(folder.path)/mine")
    try Files.writeAtomically("thesis", to: "\(folder.path)/mine/thesis.txt")
    #expect(problem("mine", overwrites: true) == "is a folder that holds other things than forecasts")
    #expect(try Files.readText("\(folder.path)/mine/thesis.txt") == "thesis")
  }
}
