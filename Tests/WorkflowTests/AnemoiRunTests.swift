import Basics
import Checkpoints
import Configuration
import Datasets
import Execution
import Geometry
import Models
import Tensors
import TestSupport
import Testing
import Training
import Verification

@testable import Stores
@testable import Workflow

/// A checkpoint of Anemoi as a run: its forecast is the one that anemoi-inference made (Tests/Goldens/anemoi).
@Suite struct AnemoiRunTests {
  private static let start = Timestamp(year: 2020, month: 1, day: 14)
  private static let surface = ["t2m": 0, "msl": 7]
  private static let upper = ["t": [12, 13, 14], "u": [15, 16, 17], "z": [18, 19, 20]]
  private static let statics = ["lsm": 6, "zs": 21]
  private static let levels = [1_000.0, 500, 850]

  /// The two states from which the recorded forecast starts, and its first one; diagnostic variables are 0.
  private static func writeData(_ path: String, inputs: [[Float]]) throws {
    // The second state of a later input is a forecast.
    func value(_ time: Int, _ point: Int, _ variable: Int) -> Float {
      inputs[time / 2][((time == 2 ? 1 : time) * 684 + point) * 22 + variable]
    }
    let units = ["t2m": "K", "msl": "Pa", "t": "K", "u": "m s-1", "z": "m2 s-2", "lsm": "1", "zs": "m2 s-2"]
    func array(_ name: String, _ dimensions: [String], _ unit: String) -> ArrayDefinition {
      ArrayDefinition(
        name: name, type: name.count > 5 ? .float64 : .float32, dimensions: dimensions,
        attributes: ["units": .text(unit)])
    }
    let plane = ["latitude", "longitude"]
    let own =
      (surface.keys + ["u10", "v10"]).map { array($0, ["time"] + plane, units[$0] ?? "m s-1") }
      + upper.keys.map { array($0, ["time", "level"] + plane, units[$0] ?? "1") }
      + statics.keys.map { array($0, plane, units[$0] ?? "1") }
    let axes = [
      ArrayDefinition(
        name: "time", type: .float64, dimensions: ["time"], attributes: ["units": .text("hours since 2020-01-14")]),
      ArrayDefinition(
        name: "level", type: .float64, dimensions: ["level"],
        attributes: ["units": .text("hPa"), "standard_name": .text("air_pressure")]),
      array("latitude", ["latitude"], "degrees_north"), array("longitude", ["longitude"], "degrees_east"),
    ]
    let writer = try createStore(
      path,
      StoreDefinition(
        dimensions: [
          .init(name: "time", size: 3), .init(name: "level", size: 3), .init(name: "latitude", size: 19),
          .init(name: "longitude", size: 36),
        ], arrays: axes + own, attributes: ["Conventions": .text("CF-1.8")]))
    try writer.write("time", [-6, 0, 6])
    try writer.write("level", levels)
    try writer.write("latitude", (0..<19).map { 90 - 10 * Double($0) })
    try writer.write("longitude", (0..<36).map { 10 * Double($0) })
    func write(_ name: String, _ box: [Range<Int>], _ values: [Float]) throws {
      try values.withUnsafeBufferPointer { try writer.write(name, box + [0..<19, 0..<36], $0) }
    }
    for (name, variable) in surface {
      try write(name, [0..<3], (0..<3).flatMap { time in (0..<684).map { value(time, $0, variable) } })
    }
    for name in ["u10", "v10"] { try write(name, [0..<3], [Float](repeating: 0, count: 3 * 684)) }
    for (name, variables) in upper {
      try write(
        name, [0..<3, 0..<3],
        (0..<3).flatMap { time in variables.flatMap { variable in (0..<684).map { value(time, $0, variable) } } })
    }
    for (name, variable) in statics { try write(name, [], (0..<684).map { value(1, $0, variable) }) }
    try writer.finish()
  }

  private static func imported(_ folder: String) throws -> RunConfiguration {
    let recorded = try Safetensors.File("\(AnemoiCheckpointTests.folder)/forecast.safetensors")
    try writeData("\(folder)/data.nc", inputs: [recorded.floats("input_0"), recorded.floats("input_1")])
    _ = try AnemoiImport.run(
      AnemoiCheckpointTests.path, to: "\(folder)/run", data: "\(folder)/data.nc", overwrites: false)
    return try RunConfiguration.load("\(folder)/run/config.yaml", settings: ["threads=1"])
  }

  @Test func itsForecastIsTheRecordedOne() throws {
    let folder = try TemporaryFolder()
    let configuration = try Self.imported(folder.path)
    var request = ForecastWorkflow.Request()
    (request.from, request.leadHours) = (Self.start, 18)
    let forecast = try ForecastReader(
      ForecastWorkflow(configuration, checkpoint: .automatic, console: .silent).run(request))
    let recorded = try Safetensors.File("\(AnemoiCheckpointTests.folder)/forecast.safetensors")
    let names =
      ["u10", "v10", "t2m", "msl"]
      + ["t", "u", "z"].flatMap { name in ["1000", "500", "850"].map { "\(name)_\($0)" } }
    for step in 0..<3 {
      let values = try recorded.floats("output_\(step)")
      for (column, name) in names.enumerated() {
        let channel = try #require(forecast.channels.first { $0.name == name })
        let own = try forecast.read(channel, initial: 0, lead: step)
        let theirs = (0..<684).map { values[13 * $0 + column] }
        func norm(_ values: [Float]) -> Double { values.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot() }
        let error = norm(zip(own, theirs).map { $0 - $1 }) / norm(theirs)
        #expect(error < 1e-5, "\(name) at \(6 * (step + 1)) h")
      }
    }
  }

  /// Periods are those of the original, not all that its dataset or ours has.
  @Test func periodsAreThoseOfItsTraining() throws {
    let folder = try TemporaryFolder()
    let configuration = try Self.imported(folder.path)
    func text(_ period: PeriodSection) -> [String?] { [period.start?.display, period.end?.display] }
    #expect(text(configuration.data.train) == ["2020-01-01 00:00", "2020-01-12 18:00"])
    #expect(text(configuration.data.validation) == ["2020-01-13 00:00", "2020-01-15 18:00"])
    #expect(text(configuration.data.test) == ["2020-01-13 00:00", "2020-01-15 18:00"])
    let manifest = try Checkpoint("\(folder.path)/run/checkpoints/update-0000000").manifest
    #expect(manifest.trainingEnd.hasPrefix("2020-01-12T18:00"))
    // These data hold 18 hours from the 13th on.
    let again = try AnemoiImport.run(
      AnemoiCheckpointTests.path, to: "\(folder.path)/run", data: "\(folder.path)/data.nc", overwrites: true)
    #expect(again.contains("note: the data hold no time of data.train, 2020-01-01 00:00 to 2020-01-12 18:00"))
    #expect(!again.contains("data.validation"))
  }

  /// Static fields and points are compared from the first forecast on.
  @Test func dataAreComparedFromTheImportOn() throws {
    let folder = try TemporaryFolder()
    var configuration = try Self.imported(folder.path)
    let path = "\(folder.path)/other.nc"
    func write(_ change: (inout EditedStore) -> Void) throws {
      var store = try EditedStore("\(folder.path)/data.nc")
      change(&store)
      try Files.remove(path)
      try store.write(path)
    }
    configuration.data.sources[0].path = path
    var request = ForecastWorkflow.Request()
    (request.from, request.leadHours) = (Self.start, 6)
    try write { store in
      let values = store.arrays["lsm"]?.values ?? []
      store.arrays["lsm"]?.values = values.map { 1 - $0 }
    }
    let changed = #expect(throws: JigsawError.self) {
      try ForecastWorkflow(configuration, checkpoint: .automatic, console: .silent).run(request)
    }
    #expect(changed?.problem == "is another static field than the one that the model was trained with")
    // Points that the model doesn't have are found at the import.
    try write { $0.arrays["longitude"]?.values = (0..<36).map { 10 * Double($0) + 5 } }
    let elsewhere = #expect(throws: JigsawError.self) {
      try AnemoiImport.run(AnemoiCheckpointTests.path, to: "\(folder.path)/elsewhere", data: path, overwrites: false)
    }
    #expect(elsewhere?.problem == "is on another grid than the checkpoint's model")
    #expect(!Files.exists("\(folder.path)/elsewhere"))
    // A checkpoint that has no record says so.
    _ = try AnemoiImport.run(AnemoiCheckpointTests.path, to: "\(folder.path)/unseen", overwrites: false)
    let unseen = try Checkpoint("\(folder.path)/unseen/checkpoints/update-0000000").manifest
    configuration.data.sources[0].path = "\(folder.path)/data.nc"
    let dataset = try Assembly.dataset(for: unseen, configuration.data, cacheBytes: 0, threads: 1)
    #expect(try Assembly.staticNotes(unseen, dataset).first?.contains("no record of lsm, zs") == true)
  }

  @Test func trainingGoesOnFromIt() throws {
    let folder = try TemporaryFolder()
    var configuration = try Self.imported(folder.path)
    (configuration.data.train.start, configuration.data.train.end) = (
      Self.start.adding(hours: -6), Self.start.adding(hours: 6)
    )
    (configuration.data.validation, configuration.data.test) = (PeriodSection(), PeriodSection())
    let checkpoint = try Checkpoint("\(folder.path)/run/checkpoints/update-0000000")
    #expect(checkpoint.manifest.imported?.contains("inference-tiny.ckpt") == true)
    #expect(checkpoint.manifest.model.fields.diagnostics == [0, 1])
    #expect(checkpoint.manifest.staticFields == ["lsm", "zs"] && checkpoint.manifest.forcings.count == 9)
    #expect(try checkpoint.problems().isEmpty)
    configuration.training.updates = 2
    try TrainWorkflow(configuration, console: .silent).resume()
    #expect(try Checkpoint("\(folder.path)/run/checkpoints/update-0000002").manifest.imported != nil)
    // A new training that begins with the same weights sees static fields as the model did, and so has the same first loss.
    configuration.training.initialWeights = "\(folder.path)/run/checkpoints/update-0000000"
    configuration.run = "\(folder.path)/tuned"
    try TrainWorkflow(configuration, console: .silent).start()
    let tuned = try Checkpoint("\(folder.path)/tuned/checkpoints/update-0000002").manifest
    #expect(tuned.initialWeights?.left.isEmpty == true)
    #expect(tuned.auxiliaryScaling == checkpoint.manifest.auxiliaryScaling)
    func losses(_ run: String) throws -> [String] {
      try Files.readText("\(folder.path)/\(run)/metrics.csv").split(separator: "\n").map {
        $0.split(separator: ",", omittingEmptySubsequences: false)[0...6].joined(separator: ",")
      }
    }
    #expect(try losses("run") == losses("tuned") && losses("run").count == 3)
    // Other static fields than the checkpoint's are refused, not computed with.
    configuration.run = "\(folder.path)/run"
    configuration.training.initialWeights = nil
    configuration.training.updates = 3
    configuration.data.staticFields = ["lsm"]
    let error = #expect(throws: JigsawError.self) { try TrainWorkflow(configuration, console: .silent).resume() }
    #expect(error?.description.contains("model.inputOrder") == true)
  }

  /// There and back: every tensor of the original, weights bit for bit.
  @Test func anExportIsWhatWasImported() throws {
    let folder = try TemporaryFolder()
    _ = try Self.imported(folder.path)
    let output = "\(folder.path)/exported"
    _ = try AnemoiExport.run("\(folder.path)/run", to: output, overwrites: false)
    #expect(throws: JigsawError.self) { try AnemoiExport.run("\(folder.path)/run", to: output, overwrites: false) }
    let original = try AnemoiCheckpoint(AnemoiCheckpointTests.path)
    let exported = try Safetensors.File("\(output)/state_dict.safetensors")
    // Changes are not predicted; limits are part of the settings.
    let expected = original.state.keys.filter { !$0.contains("_tendencies") && !$0.contains(".boundings.") }
    #expect(Set(exported.entries.keys) == Set(expected))
    for name in expected {
      let (own, theirs) = (try exported.tensor(name), try original.tensor(name))
      #expect(own.type == theirs.type && own.shape == theirs.shape, "\(name)")
      guard own.bytes != theirs.bytes else { continue }
      func numbers(_ tensor: Safetensors.Tensor) -> [Float] {
        tensor.bytes.withUnsafeBytes { bytes in
          (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
        }
      }
      #expect(name.contains("_norm_") || name.contains("latlons"), "\(name)")
      let isNear = zip(numbers(own), numbers(theirs)).allSatisfy { abs($0 - $1) <= 1e-6 * max(1, abs($1)) }
      #expect(isNear, "\(name)")
    }
    let graph = try GraphWorkflow.read("\(output)/graph.safetensors")
    #expect(graph.spaces == original.graph.spaces)
  }

  /// Processing around a network that no run does is reported.
  @Test(arguments: [
    (
      #"{"data": {"datasets": {"data": {"processors": {"imputer": {"config": {"default": "none", "mean": ["sst"]}}}}}}}"#,
      "imputer"
    ),
    (#"{"data": {"processors": {"remapper": {"_target_": "Remapper"}}}}"#, "remapper"),
    (#"{"model": {"output_mask": {"_target_": "Boolean1DMask"}}}"#, "Boolean1DMask"),
  ]) func whatNoRunDoesIsRefused(configuration: String, word: String) throws {
    let json = try JSONValue(parsing: Array(configuration.utf8), place: "test")
    let error = #expect(throws: JigsawError.self) {
      try AnemoiRun.checkSurroundings(json, "data", outputMask: nil, "test")
    }
    #expect(error?.description.contains(word) == true)
  }

  @Test func whatDoesNothingIsNoObstacle() throws {
    let json = try JSONValue(
      parsing: Array(
        #"{"data": {"processors": {"imputer": {"config": {"default": "none"}}, "normalizer": {"config": {"default": "std"}}}}}"#
          .utf8), place: "test")
    try AnemoiRun.checkSurroundings(json, "data", outputMask: [1, 1], "test")
    #expect(throws: JigsawError.self) { try AnemoiRun.checkSurroundings(json, "data", outputMask: [1, 0], "test") }
  }

  /// A raster whose rows go from south to north, or begin at −180°, is reordered with its graph and all that follows its points.
  @Test func pointsInAnotherOrderGiveTheSamePrediction() throws {
    let (rows, columns) = (19, 36)
    let order = (0..<rows).flatMap { row in
      (0..<columns).map { (rows - 1 - row) * columns + ($0 + columns / 2) % columns }
    }
    let checkpoint = try AnemoiCheckpoint(AnemoiCheckpointTests.path)
    func predict(_ reader: AnemoiModelReader, _ x: Tensor) throws -> [Float] {
      let model = GraphModel(try reader.description(), try ModelGraph(reader.graph))
      let parameters = ParameterStore(model.parameters, hasGradients: false)
      try reader.load(parameters)
      let operations = LocalOperations(compute: Compute(threads: 1), parameters: parameters)
      return try model.step(Value(x), operations).tensor.values
    }
    let x = Tensor(zeros: [684, 1, 44])
    RandomStream(seed: 2, name: "x").fillNormal(x.floats, deviation: 1, row: 0, columns: 0..<x.count)
    let turned = Tensor(order.flatMap { x.values[44 * $0..<44 * ($0 + 1)] }, shape: [684, 1, 44])
    let plain = try predict(AnemoiModelReader(checkpoint), x)
    let found = try predict(AnemoiModelReader(checkpoint, order: order), turned)
    let expected = order.flatMap { plain[13 * $0..<13 * ($0 + 1)] }
    let error = largestDifference(found, expected)
    #expect(error < 1e-5)
    #expect(zip(plain, expected).contains { abs($0 - $1) > 1e-2 })
    // What order that is follows from the coordinates.
    func places(_ latitudes: [Double], _ longitudes: [Double]) -> (grid: FieldGrid, order: [Int]?) {
      AnemoiRun.grid(
        latitudes: latitudes.flatMap { [Double](repeating: $0, count: longitudes.count) },
        longitudes: latitudes.flatMap { _ in longitudes })
    }
    let southwards = (0..<rows).map { 90 - 10 * Double($0) }
    let usual = places(southwards, (0..<columns).map { 10 * Double($0) })
    let other = places(southwards.reversed(), (0..<columns).map { 10 * Double($0) - 180 })
    #expect(usual.order == nil && other.order == order && usual.grid.matches(other.grid))
  }

  /// Points that are no raster are points of the run.
  @Test func pointsThatAreNoRasterAreImported() throws {
    let folder = try TemporaryFolder()
    let checkpoint = try AnemoiCheckpoint(AnemoiCheckpointTests.path)
    var values = try EditedCheckpoint.entries()
    // One point moves by a degree, in the graph and in the supporting array.
    let space = try #require(checkpoint.graph.spaces["data"])
    let moved = 300
    let latitude = space.latitudes[moved]
    let old = zip(space.latitudes, space.longitudes).flatMap { [$0, $1] }.withUnsafeBytes { Array($0) }
    let place = try #require(values.first { $0.key.contains("/data/") && $0.value == old }?.key)
    withUnsafeBytes(of: latitude + Float.pi / 180) {
      values[place]?.replaceSubrange(8 * moved..<8 * moved + 4, with: $0)
    }
    let entry = try #require(checkpoint.metadata["supporting_arrays_paths"]?["data"]?["latitudes"])
    let array = try #require(entry["path"]?.string)
    let degrees = Double(latitude) * 180 / .pi + 1
    let width = entry["dtype"]?.string == "float64" ? 8 : 4
    let bytes =
      width == 8 ? withUnsafeBytes(of: degrees) { Array($0) } : withUnsafeBytes(of: Float(degrees)) { Array($0) }
    values[array]?.replaceSubrange(width * moved..<width * (moved + 1), with: bytes)
    let path = "\(folder.path)/moved.ckpt"
    try Files.writeAtomically(EditedCheckpoint.archive(values), to: path)
    #expect(try !AnemoiImport.run(path, to: "\(folder.path)/run", overwrites: false).contains("no run"))
    let imported = try Checkpoint("\(folder.path)/run/checkpoints/update-0000000")
    #expect(imported.manifest.grid.summary.contains("684 points"), "\(imported.manifest.grid.summary)")
    #expect(try imported.description().makeModel().form.tokens == 684)
  }

  /// Each variable once, in an order that inputs and predictions share.
  @Test func variablesAreListedOnce() throws {
    #expect(try ExportedVariables.merged(["a", "b", "f"], ["d", "a", "b", "e"]) == ["d", "a", "b", "f", "e"])
    #expect(try ExportedVariables.merged(["a"], ["b"]) == ["a", "b"])
    let error = #expect(throws: JigsawError.self) { try ExportedVariables.merged(["a", "b"], ["b", "a"]) }
    #expect(error?.description.contains("model.outputOrder") == true)
  }

  /// An export says of which weights it is, and damaged ones are not exported.
  @Test func exportsAreOfTheWeightsThatWereWritten() throws {
    let folder = try TemporaryFolder()
    _ = try Self.imported(folder.path)
    let run = "\(folder.path)/run"
    _ = try AnemoiExport.run(run, to: "\(folder.path)/exported", overwrites: false)
    let checkpoint = try Checkpoint("\(run)/checkpoints/update-0000000")
    let said = try JSONValue(parsing: Files.read("\(folder.path)/exported/variables.json"), place: "variables.json")
    #expect(said["weights"]?.string == checkpoint.manifest.identity.hash)
    // Not z, which is the geopotential on levels.
    let names = try #require(said["variables"]?.array).compactMap { $0["name"]?.string }
    #expect(names.contains("zs") && names.contains("10u") && !names.contains("z"))
    let checksums = try #require(said["crc32c"]?.object)
    #expect(try checksums.count == checkpoint.description().makeModel().parameters.specs.count)
    let file = try #require(
      try Files.list(checkpoint.path).first { $0.hasPrefix("model") && $0.hasSuffix("safetensors") })
    var bytes = try Files.read("\(checkpoint.path)/\(file)")
    bytes[bytes.count - 9] ^= 1
    try Files.writeAtomically(bytes, to: "\(checkpoint.path)/\(file)")
    let error = #expect(throws: JigsawError.self) {
      try AnemoiExport.run(run, to: "\(folder.path)/again", overwrites: false)
    }
    #expect(error?.description.contains("was changed since it was written") == true)
  }

  @Test func foldersOfOtherThingsAreNotReplaced() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/mine"
    try Files.createDirectory("\(path)/work")
    let calls = [
      { _ = try AnemoiImport.run(AnemoiCheckpointTests.path, to: path, data: nil, overwrites: true) },
      { _ = try AnemoiExport.run(try Self.imported(folder.path).run, to: path, overwrites: true) },
    ]
    for call in calls {
      let error = #expect(throws: JigsawError.self) { try call() }
      #expect(error?.problem == "is a folder that holds other things than this command writes")
    }
    #expect(Files.exists("\(path)/work"))
    // Beside a description of some model: names that only begin like those of an import, notes among checkpoints.
    try Files.remove("\(path)/work")
    try Files.writeAtomically("{}", to: "\(path)/model.json")
    for name in ["forecast-thesis.txt", "checkpoints-of-mine/a", "checkpoints/notes.txt"] {
      try Files.createDirectory(Files.parent(of: "\(path)/\(name)"))
      try Files.writeAtomically("years of work", to: "\(path)/\(name)")
      let error = #expect(throws: JigsawError.self) { try calls[0]() }
      #expect(error?.problem == "is a folder that holds other things than this command writes", "\(name)")
      #expect(try Files.readText("\(path)/\(name)") == "years of work")
      for entry in try Files.list(path) where entry != "model.json" { try Files.remove("\(path)/\(entry)") }
    }
  }
}
