import Basics
import Communication
import Configuration
import Datasets
import Forecasting
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
    let zarr = try openStore("\(configuration.run)/forecast.zarr")
    #expect(
      roles(zarr) == [
        "time": "forecast_reference_time", "valid_time": "time", "prediction_timedelta": "forecast_period",
      ])
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
    #expect(
      roles(store) == [
        "time": "time", "forecast_reference_time": "forecast_reference_time", "forecast_period": "forecast_period",
      ])
    // Files of several models are not scored as one.
    var other = try EditedStore("\(path)/20010113T000000.nc")
    let lineage = try #require(other.attributes["jigsaw_lineage"]?.text)
    try #require(lineage.contains("\"update\":1"))
    other.attributes["jigsaw_lineage"] = .text(lineage.replacing("\"update\":1", with: "\"update\":2"))
    try Files.remove("\(path)/20010113T000000.nc")
    try other.write("\(path)/20010113T000000.nc")
    let error = #expect(throws: JigsawError.self) { try ForecastReader(path) }
    #expect(error?.problem.hasPrefix("is of another model than ") == true)
  }

  /// CF's roles of the coordinates of time.
  private func roles(_ store: any ArrayStore) -> [String: String] {
    store.arrays.compactMapValues { $0.attributes["standard_name"]?.text }.filter { name, role in
      ["time", "forecast_reference_time", "forecast_period"].contains(role)
    }
  }

  /// GRIB has no place for the record of what it was made from: the one beside is of the very file that it was written for.
  @Test func aRecordBesideAnotherFileIsNone() throws {
    let folder = try TemporaryFolder()
    var configuration = try Self.trained(folder.path)
    configuration.forecast.format = .grib2
    func forecast(_ name: String, leadHours: Int) throws -> String {
      var request = ForecastWorkflow.Request()
      (request.output, request.leadHours) = ("\(folder.path)/\(name)", leadHours)
      return try ForecastWorkflow(configuration, checkpoint: .newest, console: .silent).run(request)
    }
    let (first, second) = (try forecast("a.grib2", leadHours: 12), try forecast("b.grib2", leadHours: 6))
    #expect(try ForecastReader(first).lineage?.model?.update == 1)
    try Files.copy(second, to: first)
    #expect(try ForecastReader(first).lineage == nil)
  }

  /// A stop at any moment leaves a file with its record.
  @Test func aFileOfMessagesNeverLosesItsRecord() throws {
    let folder = try TemporaryFolder()
    let (path, kept) = ("\(folder.path)/f.grib2", "\(folder.path)/kept.json")
    let record = Lineage.sidecar(path)
    let contents = try ForecastContents(
      grid: .raster(LatLonGrid(latitudes: [10, 0], longitudes: [0, 10, 20])), channels: [Channel(variable: "msl")],
      initialTimes: [Timestamp(year: 2001, month: 1, day: 1)], leadHours: [6], source: "a test")
    func write(update: Int, beforeItsNames: () throws -> Void = {}) throws {
      let lineage = Lineage(model: .init(update: update, hash: "a"))
      let writer = try GRIBForecastWriter(path, contents, lineage: lineage)
      for unit in contents.units(bands: 1) {
        let values = (0..<6).map { Float(100_000 * update + $0) }
        try values.withUnsafeBufferPointer { try writer.write(unit, $0, initial: 0, lead: 0) }
      }
      try beforeItsNames()
      try writer.finish()
    }
    try write(update: 1)
    try Files.copy(record, to: kept)
    #expect(throws: JigsawError.self) {
      try write(update: 2) {
        // No file takes the place of a folder.
        try Files.remove(path)
        try Files.createDirectory(path)
      }
    }
    #expect(try Lineage.read(record)?.model?.update == 1)
    #expect(try Files.list(folder.path) == ["f.grib2", "f.grib2.lineage.json", "kept.json"])
    try Files.remove(path)
    // Between the names of the file and of its record.
    try write(update: 2)
    try Files.rename(record, to: "\(record).7-0123456789abcdef.tmp")
    try Files.rename(kept, to: record)
    #expect(try ForecastReader(path).lineage?.model?.update == 2)
    try Replaceable.requireForecast(path, isGRIB: true)
    try Lineage.recoverBeside(path)
    #expect(try Lineage.read(record)?.model?.update == 2)
    #expect(try Files.list(folder.path) == ["f.grib2", "f.grib2.lineage.json"])
  }

  /// Data at 12 UTC alone have no time at the first hour of the test period.
  @Test func initialTimesAreThoseOfTheData() throws {
    let folder = try TemporaryFolder()
    var data = SyntheticData()
    (data.start, data.stepHours) = (Timestamp(year: 2001, month: 1, day: 1, hour: 12), 24)
    try data.write("\(folder.path)/data.nc")
    var configuration = try ResumeTests.configuration(folder.path, run: "run", rollout: "latent")
    configuration.data.stepHours = 24
    configuration.data.train.end = Timestamp("2001-01-30")
    configuration.data.validation = PeriodSection()
    (configuration.data.test.start, configuration.data.test.end) = (Timestamp("2001-02-01"), Timestamp("2001-02-06"))
    (configuration.forecast.leadHours, configuration.forecast.everyHours) = (48, 24)
    try TrainWorkflow(configuration, stopAfter: 1, console: .silent).start()
    let path = try ForecastWorkflow(configuration, checkpoint: .newest, console: .silent).run(.init())
    #expect(
      try ForecastReader(path).initialTimes == (1...3).map { Timestamp(year: 2001, month: 2, day: $0, hour: 12) })
  }

  @Test func whatCanNotBeWrittenThisWayIsRefused() throws {
    let folder = try TemporaryFolder()
    var configuration = try Self.trained(folder.path)
    configuration.forecast.layout = .perForecast
    func problem(_ output: String?, _ format: ForecastFormat? = nil, overwrites: Bool = false) -> String? {
      var (changed, request) = (configuration, ForecastWorkflow.Request())
      changed.forecast.format = format
      request.output = output.map { "\(folder.path)/\($0)" }
      request.overwrites = overwrites
      let error = #expect(throws: JigsawError.self) {
        try ForecastWorkflow(changed, checkpoint: .newest, console: .silent).run(request)
      }
      return error?.problem
    }
    for (output, format) in [("f.zarr", nil), ("f.grib2", nil), (nil, ForecastFormat.zarr)] {
      #expect(problem(output, format) == "is perForecast, of which only NetCDF files are written")
    }
    #expect(problem("f.nc")?.hasPrefix("is the name of one file") == true)
    // Nothing but forecasts is ever replaced.
    try Files.createDirectory("\(folder.path)/mine")
    try Files.writeAtomically("thesis", to: "\(folder.path)/mine/thesis.txt")
    #expect(problem("mine", overwrites: true) == "is a folder that holds other things than forecasts")
    #expect(try Files.readText("\(folder.path)/mine/thesis.txt") == "thesis")
    configuration.forecast.layout = .together
    let contradictions: [(String, ForecastFormat)] = [
      ("f.nc", .grib2), ("f.nc", .zarr3), ("f.zarr", .netcdf), ("f.GRB", .zarr),
    ]
    for (output, format) in contradictions {
      #expect(problem(output, format) == "has the ending of another format than forecast.format says")
    }
    for format in [nil, ForecastFormat.zarr] {
      #expect(problem("f.hdf", format) == "has an ending that tells no format")
    }
  }

  @Test func theWorkingFolderIsNoOutput() throws {
    for output in [".", ".."] {
      let error = #expect(throws: JigsawError.self) { try Replaceable.require(output, inputs: []) }
      #expect(error?.problem == "holds the working folder")
    }
  }
}
