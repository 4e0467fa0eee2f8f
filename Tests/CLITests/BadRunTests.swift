import Basics
import TestSupport
import Testing

/// Runs, checkpoints, forecasts and evaluations that can't be.
@Suite struct BadRunTests {
  static let checkpoint = "run/checkpoints/update-0000004"

  private static func resume(
    _ name: String, set settings: [String] = [], _ expected: [String],
    prepare: @escaping @Sendable (Workspace) throws -> Void = { _ in }
  ) -> BadInput {
    let arguments = ["resume", "run", "--set", "training.updates=6"] + settings.flatMap { ["--set", $0] }
    return BadInput(
      name, arguments, expected: expected, needsRun: true, absent: ["run/checkpoints/update-0000006"], prepare: prepare)
  }

  static let resuming: [BadInput] = [
    resume("no checkpoint", ["run: holds no checkpoint to resume from; start with 'jigsaw train'"]) {
      try Files.remove("\($0.path)/run/checkpoints")
    },
    BadInput(
      "not a run", ["resume", "nowhere"],
      expected: ["nowhere: is not the folder of a run; expected a folder with config.yaml", "jigsaw train"]),
    resume(
      "another model", set: ["model.channels=12"],
      ["\(checkpoint): was made with another model; expected channels 12, found channels 8", "start a new run"]),
    resume(
      "other variables", set: ["data.variables=[z, msl, t]"],
      ["\(checkpoint): was made with other variables", "found z_850, z_500, t_850, t_500, msl"]),
    resume(
      "other static fields", set: ["data.static=[]", "data.forcings=[insolation, sin_latitude]"],
      ["\(checkpoint): was made with other static fields; expected none, found orog"]),
    resume(
      "other forcings", set: ["data.forcings=[cos_latitude]"],
      ["\(checkpoint): was made with other forcings; expected cos_latitude, found insolation"]),
    resume(
      "another step", set: ["data.stepHours=12"],
      ["\(checkpoint): was made with another step; expected 12 h, found 6 h"]),
    resume("another seed", set: ["seed=2"], ["\(checkpoint): was made with another seed; expected 2, found 1"]),
    resume(
      "truncated tensors",
      [
        "\(checkpoint)/model.safetensors: is not a complete safetensors file: 'decoder.bias' ends at byte",
        "another checkpoint",
      ]
    ) {
      try $0.cut("\(checkpoint)/model.safetensors", to: 0.9)
    },
    resume(
      "truncated header", ["\(checkpoint)/model.safetensors: is not a complete safetensors file: its header claims"]
    ) {
      try $0.cut("\(checkpoint)/model.safetensors", to: 0.05)
    },
    resume("truncated moments", ["\(checkpoint)/optimizer.safetensors: is not a complete safetensors file"]) {
      try $0.cut("\(checkpoint)/optimizer.safetensors", to: 0.5)
    },
    resume("missing moments", ["\(checkpoint)/optimizer.safetensors: can't open this file (No such file or directory)"])
    {
      try Files.remove("\($0.path)/\(checkpoint)/optimizer.safetensors")
    },
    resume(
      "missing average", ["\(checkpoint)/average.safetensors: can't open this file (No such file or directory)"]
    ) { try Files.remove("\($0.path)/\(checkpoint)/average.safetensors") },
    resume(
      "tensor of another shape",
      ["\(checkpoint)/model.safetensors: decoder.norm.weight: doesn't fit; expected F32 [8], found F32 [2, 4]"]
    ) {
      try withoutChecksums($0)
      try reshape($0)
    },
    resume("damaged manifest", ["\(checkpoint)/manifest.json: can't be read as the manifest of a checkpoint"]) {
      try $0.cut("\(checkpoint)/manifest.json", to: 0.5)
    },
    resume(
      "manifest of another format",
      ["\(checkpoint)/manifest.json: has another format; expected jigsaw-checkpoint-2, found jigsaw-checkpoint-9"]
    ) {
      try Files.writeAtomically(
        "{\"format\": \"jigsaw-checkpoint-9\", \"layers\": []}", to: "\($0.path)/\(checkpoint)/manifest.json")
    },
    resume(
      "manifest that contradicts itself",
      ["\(checkpoint)/manifest.json: contradicts itself (model.blocks)", "use another"]
    ) {
      try withoutChecksums($0)
      try $0.edit("\(checkpoint)/manifest.json", "\"blocks\" : 1", "\"blocks\" : -1")
    },
    resume("manifest of another grid", ["\(checkpoint)/manifest.json: contradicts itself (grid)"]) {
      try withoutChecksums($0)
      try $0.edit("\(checkpoint)/manifest.json", "\"gridRows\" : 8", "\"gridRows\" : 0")
    },
    resume("manifest of a latitude that can't be", ["\(checkpoint)/manifest.json: contradicts itself (grid)"]) {
      try withoutChecksums($0)
      try $0.edit(
        "\(checkpoint)/manifest.json", "\"latitudes\" : [\n      78.75", "\"latitudes\" : [\n      178.75")
    },
    resume("manifest of a name that leads out", ["\(checkpoint)/manifest.json: contradicts itself (names)"]) {
      try withoutChecksums($0)
      try $0.edit("\(checkpoint)/manifest.json", "\"variable\" : \"msl\"", "\"variable\" : \"../msl\"")
    },
    resume("manifest of more samples than can be", ["\(checkpoint)/manifest.json: contradicts itself (progress)"]) {
      try withoutChecksums($0)
      try $0.edit("\(checkpoint)/manifest.json", "\"samples\" : 8", "\"samples\" : 9223372036854775807")
    },
    resume("changed manifest", ["\(checkpoint)/manifest.json: was changed since it was written"]) {
      try $0.edit("\(checkpoint)/manifest.json", "\"blocks\" : 1", "\"blocks\" : 2")
    },
    resume(
      "model of another update",
      ["\(checkpoint)/model.safetensors: ", "was changed since it was written, or is of another"]
    ) {
      let other = "\($0.path)/run/checkpoints/update-0000002/model.safetensors"
      try Files.writeAtomically(try Files.read(other), to: "\($0.path)/\(checkpoint)/model.safetensors")
    },
    resume(
      "another training period",
      set: ["data.train.start=2001-01-02"],
      ["\(checkpoint): was made with another training period; expected 2001-01-02", "found 2001-01-01"]),
    resume(
      "missing manifests",
      ["\(checkpoint): is no complete checkpoint; expected a folder with manifest.json, found none in it"]
    ) {
      try Files.remove("\($0.path)/run/checkpoints/update-0000002")
      try Files.remove("\($0.path)/\(checkpoint)/manifest.json")
    },
  ]

  /// Makes a checkpoint one of version 0.1.
  private static func withoutChecksums(_ workspace: Workspace) throws {
    try workspace.edit("\(checkpoint)/manifest.json", "jigsaw-checkpoint-2", "jigsaw-checkpoint-1")
    try workspace.edit("\(checkpoint)/manifest.json", "\"files\" : {", "\"unknown\" : {")
  }

  /// Gives a vector two dimensions in the header; the header's length stays.
  private static func reshape(_ workspace: Workspace) throws {
    let file = "\(workspace.path)/\(checkpoint)/model.safetensors"
    var bytes = try Files.read(file)
    let key = Array("\"decoder.norm.weight\":".utf8)
    let start = (0..<bytes.count - key.count).first { Array(bytes[$0..<$0 + key.count]) == key } ?? 0
    let shape = Array("\"shape\":[8]".utf8)
    let at = (start..<bytes.count - shape.count).first { Array(bytes[$0..<$0 + shape.count]) == shape } ?? 0
    bytes.replaceSubrange(at..<at + shape.count, with: Array("\"shape\":[2,4]".utf8))
    // Two bytes more: they come from the padding, or the header grows by eight.
    let length = bytes[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
    var header = Array(bytes[8..<8 + length + 2])
    let data = Array(bytes[(8 + length + 2)...])
    while header.last == UInt8(ascii: " ") { header.removeLast() }
    while header.count % 8 != 0 { header.append(UInt8(ascii: " ")) }
    try Files.writeAtomically(
      withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header + data, to: file)
  }

  private static func forecast(
    _ name: String, _ arguments: [String], _ expected: [String], status: Int32 = 1,
    fileSizeLimit: Int? = nil, absent: [String] = [],
    prepare: @escaping @Sendable (Workspace) throws -> Void = { _ in }
  ) -> BadInput {
    BadInput(
      name, ["forecast", "run"] + arguments, expected: expected, status: status, needsRun: true,
      fileSizeLimit: fileSizeLimit, absent: absent, prepare: prepare)
  }

  static let forecasting: [BadInput] = [
    forecast(
      "date outside the data", ["--from", "2011-01-01", "--output", "f.zarr"],
      [
        "--from: no data at the initial time 2011-01-01 00:00; found times from 2001-01-01 00:00 to 2001-01-15 18:00",
        "within the data",
      ], absent: ["f.zarr"]),
    forecast(
      "date between the data", ["--from", "2001-01-13T03", "--output", "f.nc"],
      ["no data at the initial time 2001-01-13 03:00"], absent: ["f.nc"]),
    forecast(
      "dates backwards", ["--from", "2001-01-14", "--to", "2001-01-13", "--overwrite"], ["--from: is later than --to"]),
    forecast("no date", ["--from", "someday"], ["The value 'someday' is invalid for '--from"], status: 64),
    forecast("--to alone", ["--to", "2001-01-13"], ["--to needs --from"], status: 64),
    forecast("lead of no time", ["--lead", "0"], ["--lead must be between 1 and 87600 hours"], status: 64),
    forecast(
      "lead beyond all", ["--lead", "9223372036854775807"], ["--lead must be between 1 and 87600 hours"], status: 64),
    forecast(
      "interval between the times of the data", ["--every", "5", "--overwrite"],
      [
        "forecast.everyHours (--every): is not a multiple of the data's interval; expected a multiple of 6",
        "found 5 h",
      ]),
    forecast(
      "interval beyond all", ["--from", "2001-01-13", "--every", "9223372036854775807"],
      ["--every must be between 1 and 87600 hours"], status: 64),
    forecast(
      "lead between steps", ["--lead", "20", "--overwrite"],
      ["forecast.leadHours: is not a whole number of steps; expected a multiple of 6, found 20"]),
    forecast(
      "lead beyond the test period", ["--lead", "240", "--overwrite"],
      ["data.test: leaves no room for a forecast of 240 h", "shorten --lead"]),
    forecast("existing output", [], ["run/forecast.zarr: already exists; pass --overwrite or another --output"]),
    forecast(
      "the data as output", ["--output", "./data.nc", "--overwrite"],
      ["./data.nc: is where the data come from (data.nc); name another output"]),
    forecast(
      "unwritable output", ["--output", "data.nc/f.nc"], ["data.nc: is a file where a folder is needed"]),
    forecast(
      "inputs missing from the data", ["--set", "data.sources=[{path: other.nc}]", "--overwrite"],
      ["other.nc: no variable 't'", "expected an array called 't' or 'temperature'"]
    ) {
      try $0.change("data.nc", to: "other.nc") { $0.arrays["t"] = nil }
    },
    forecast(
      "levels missing from the data", ["--set", "data.sources=[{path: other.nc}]", "--overwrite"],
      ["other.nc: z: has no level 850 hPa; found 500"]
    ) {
      var other = SyntheticData()
      other.levels = [500]
      try other.write("\($0.path)/other.nc")
    },
    forecast(
      "data on another grid", ["--set", "data.sources=[{path: other.nc}]", "--overwrite"],
      ["other.nc: is on another grid than the checkpoint's model; expected 8 × 16", "found 8 × 32"]
    ) {
      var other = SyntheticData()
      other.columns = 32
      try other.write("\($0.path)/other.nc")
    },
    forecast(
      "NaN in the initial state", ["--overwrite"],
      ["data.nc: msl: has 1 missing values (NaN) in msl at 2001-01-13 00:00"]
    ) { w in
      try w.change("data.nc") { $0.arrays["msl"]?.values[48 * 128] = .nan }
    },
    forecast(
      "no checkpoint", ["--overwrite"],
      ["run: holds no checkpoint; train first with 'jigsaw train', or pass --checkpoint"]
    ) {
      try Files.remove("\($0.path)/run/checkpoints")
    },
    forecast(
      "not a checkpoint", ["--checkpoint", "run", "--overwrite"],
      ["run: is not a checkpoint; expected a folder with manifest.json", "RUN/checkpoints"]),
    forecast(
      "truncated weights", ["--checkpoint", "newest", "--overwrite"],
      ["\(checkpoint)/average.safetensors: is not a complete safetensors file"]
    ) {
      try $0.cut("\(checkpoint)/average.safetensors", to: 0.8)
    },
    forecast(
      "full disk, Zarr", ["--output", "f.zarr"], ["f.zarr", "can't write (File too large)", "free some space"],
      fileSizeLimit: 1, absent: ["f.zarr"]),
    forecast(
      "full disk, NetCDF", ["--output", "f.nc"], ["f.nc: ", "can't write", "free some space"], fileSizeLimit: 8,
      absent: ["f.nc"]),
    BadInput(
      "full disk while training", ["train", "config.yaml"],
      expected: ["can't write (File too large)", "free some space"], fileSizeLimit: 4,
      absent: ["run/checkpoints/best", "run/checkpoints/update-0000002"]),
    BadInput("not a run", ["forecast", "nowhere"], expected: ["nowhere: is not the folder of a run"]),
  ]

  private static func evaluate(
    _ name: String, _ arguments: [String], _ expected: [String],
    prepare: @escaping @Sendable (Workspace) throws -> Void = { _ in }
  ) -> BadInput {
    BadInput(
      name, ["evaluate", "run"] + arguments, expected: expected, needsRun: true, absent: ["run/evaluation"],
      prepare: prepare)
  }

  static let evaluating: [BadInput] = [
    evaluate("no forecast", [], ["run: holds no forecast; make one with 'jigsaw forecast run'"]) {
      try Files.remove("\($0.path)/run/forecast.zarr")
    },
    evaluate("missing forecast", ["--forecast", "none.zarr"], ["none.zarr: no such file or folder"]),
    evaluate("not a forecast", ["--forecast", "data.nc"], ["data.nc: does not say when its forecasts start"]),
    evaluate(
      "another grid", ["--set", "data.sources=[{path: other.nc}]"],
      ["run/forecast.zarr: has another grid than the truth; expected 8 × 32", "found 8 × 16"]
    ) {
      var other = SyntheticData()
      other.columns = 32
      try other.write("\($0.path)/other.nc")
    },
    evaluate(
      "no truth", ["--set", "data.sources=[{path: other.nc}]"],
      ["run/forecast.zarr: has no forecast whose valid times are all in the truth; found truth to 2001-01-11 00:00"]
    ) {
      var other = SyntheticData()
      other.times = 41
      try other.write("\($0.path)/other.nc")
    },
    evaluate(
      "a lead that is not there beside one that is", ["--set", "evaluation.leadHours=[24, 120]"],
      ["evaluation.leadHours: names leads that the forecast doesn't have; expected 6, 12, 18, 24, found 120"]),
    evaluate(
      "leads that are not there", ["--set", "evaluation.leadHours=[120]"],
      ["evaluation.leadHours: names no lead of the forecast; expected 6, 12, 18, 24, found 120"]),
    evaluate("variables that are not there", ["--set", "data.variables=[z, u]"], ["data.nc: no variable 'u'"]),
    evaluate("damaged forecast", [], ["run/forecast.zarr/z/0.0.0.0.0: is a damaged chunk"]) {
      try $0.cut("run/forecast.zarr/z/0.0.0.0.0", to: 0.5)
    },
  ]

  static let reporting: [BadInput] = [
    BadInput("report of no run", ["report", "nowhere"], expected: ["nowhere: is not the folder of a run"]),
    BadInput(
      "report without the forecast", ["report", "run", "--forecast", "none.zarr"],
      expected: ["none.zarr: no such file or folder"], needsRun: true, absent: ["run/report.html"]),
    BadInput(
      "report to nowhere", ["report", "run", "--output", "data.nc/page.html"],
      expected: ["data.nc", "is a file where a folder is needed"], needsRun: true),
    BadInput(
      "report on a full disk", ["report", "run"], expected: ["run/report.html", "can't write (File too large)"],
      needsRun: true, fileSizeLimit: 8, absent: ["run/report.html"]),
  ]

  @Test(arguments: resuming) func badResumesEndInASentence(_ input: BadInput) throws { try input.check() }
  @Test(arguments: forecasting) func badForecastsEndInASentence(_ input: BadInput) throws { try input.check() }
  @Test(arguments: reporting) func badReportsEndInASentence(_ input: BadInput) throws { try input.check() }
  @Test(arguments: evaluating) func badEvaluationsEndInASentence(_ input: BadInput) throws { try input.check() }
}
