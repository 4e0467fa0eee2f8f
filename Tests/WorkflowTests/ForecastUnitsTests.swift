import Basics
import Configuration
import Stores
import TestSupport
import Testing
import Verification

@testable import Workflow

@Suite struct ForecastUnitsTests {
  /// xarray writes days when all leads are whole days.
  @Test func leadsAreReadInTheirUnit() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    var configuration = try ResumeTests.configuration(folder.path, run: "run", rollout: "latent")
    try TrainWorkflow(configuration, stopAfter: 1, console: .silent).start()
    (configuration.forecast.leadHours, configuration.forecast.everyHours) = (24, 24)
    let path = try ForecastWorkflow(configuration, checkpoint: .newest, console: .silent).run(.init())
    #expect(try ForecastReader(path).leadHours == [6, 12, 18, 24])
    func changed(_ units: String?, _ hours: Double) throws -> ForecastReader {
      var store = try EditedStore(path)
      store.arrays["prediction_timedelta"]?.type = .float64
      store.arrays["prediction_timedelta"]?.attributes["units"] = units.map { .text($0) }
      store.arrays["prediction_timedelta"]?.values = [6, 12, 18, 24].map { $0 / hours }
      let copy = "\(folder.path)/copy.nc"
      try Files.remove(copy)
      try store.write(copy)
      return try ForecastReader(copy)
    }
    for (units, hours) in [("days", 24.0), ("minutes", 1.0 / 60), ("s", 1.0 / 3_600), ("nanoseconds", 1 / 3.6e12)] {
      #expect(try changed(units, hours).leadHours == [6, 12, 18, 24], "\(units)")
    }
    for units in ["m", nil] {
      let error = #expect(throws: JigsawError.self) { try changed(units, 1) }
      #expect(error?.problem == "has units that are no span of time")
    }
    #expect(throws: JigsawError.self) { try changed("hours", 7) }
  }

  /// Nothing is known to convert them to.
  @Test func unitsOfUnknownVariablesAreThoseOfTheTraining() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/data.nc"
    var data = SyntheticData()
    data.surface = ["dust"]
    try data.write(path)
    func setUnits(_ units: String) throws {
      var store = try EditedStore(path)
      store.arrays["dust"]?.attributes["units"] = .text(units)
      try Files.remove(path)
      try store.write(path)
    }
    try setUnits("g kg-1")
    var configuration = try ResumeTests.configuration(folder.path, run: "run", rollout: "latent")
    configuration.data.variables = ["z", "t", "dust"]
    try TrainWorkflow(configuration, stopAfter: 1, console: .silent).start()
    try setUnits("kg kg-1")
    let error = #expect(throws: JigsawError.self) {
      try ForecastWorkflow(configuration, checkpoint: .newest, console: .silent).run(.init())
    }
    #expect(error?.problem == "has other units than when the checkpoint's model was trained")
    #expect(error?.description.contains("expected 'g kg-1', found 'kg kg-1'") == true)
  }

  /// Static fields are those of the training; "1" is a unit like others.
  @Test func staticFieldsAreThoseOfTheTraining() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/data.nc"
    var data = SyntheticData()
    (data.statics, data.surface) = (["foo"], ["dust"])
    try data.write(path)
    func change(_ body: (inout EditedStore) -> Void) throws {
      var store = try EditedStore(path)
      body(&store)
      try Files.remove(path)
      try store.write(path)
    }
    var configuration = try ResumeTests.configuration(folder.path, run: "run", rollout: "latent")
    (configuration.data.variables, configuration.data.staticFields) = (["z", "t", "dust"], ["foo"])
    (configuration.forecast.leadHours, configuration.forecast.everyHours) = (6, 24)
    try TrainWorkflow(configuration, stopAfter: 1, console: .silent).start()
    func forecast() -> JigsawError? {
      var request = ForecastWorkflow.Request()
      request.overwrites = true
      do {
        try ForecastWorkflow(configuration, checkpoint: .newest, console: .silent).run(request)
        return nil
      } catch { return error as? JigsawError }
    }
    #expect(forecast() == nil)
    try change { $0.arrays["foo"]?.attributes["units"] = .text("0.01") }
    #expect(forecast()?.problem == "has other units than when the checkpoint's model was trained")
    try change {
      $0.arrays["foo"]?.attributes["units"] = .text("1")
      $0.arrays["foo"]?.values.reverse()
    }
    #expect(forecast()?.problem == "is another static field than the one that the model was trained with")
    try change {
      $0.arrays["foo"]?.values.reverse()
      $0.arrays["dust"]?.attributes["units"] = .text("0.1")
    }
    #expect(forecast()?.problem == "has other units than when the checkpoint's model was trained")
  }
}
