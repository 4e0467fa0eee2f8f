import Basics
import Stores
import TestSupport
import Testing

/// The main job on a GRIB file: fields to train on, initial states and truth.
@Suite struct GRIBDataTests {
  /// The workspace's fields as messages of GRIB 2, 16 bits a number.
  private func write(_ path: String) throws {
    let data = SyntheticData()
    let writer = try GRIBWriter(path)
    func write(_ paramId: Int, _ level: Double?, time: Int, _ values: [Float]) throws {
      let field = GRIBFieldDefinition(
        paramId: paramId, levelHPa: level,
        grid: .regular(
          latitudes: (0..<data.rows).map { 90 - 180 / Double(data.rows) * (Double($0) + 0.5) },
          longitudes: (0..<data.columns).map { 360 / Double(data.columns) * Double($0) }),
        baseTime: Timestamp(seconds: data.start.seconds + Int64(3_600 * data.stepHours * time)), leadHours: 0)
      try values.withUnsafeBufferPointer { try writer.write(field, $0) }
    }
    for time in 0..<data.times {
      // z, t, msl.
      for (variable, paramId) in [129, 130].enumerated() {
        for (index, level) in data.levels.enumerated() {
          try write(paramId, level, time: time, data.field(variable: variable, level: index, time: time))
        }
      }
      try write(151, nil, time: time, data.field(variable: 2, level: 0, time: time))
    }
    // orog, at one time as archives have it.
    try write(228_002, nil, time: 0, (0..<data.rows * data.columns).map { Float($0 % 7) * 100 })
    try writer.finish()
  }

  /// What a variable of a file lacks is said by its name.
  @Test func gapsOfOneVariableAreNamed() throws {
    let workspace = try Workspace()
    let writer = try GRIBWriter("\(workspace.path)/gaps.grib")
    for (paramId, hours) in [(167, Array(0...12)), (151, [0, 6, 12])] {
      for hour in hours {
        let field = GRIBFieldDefinition(
          paramId: paramId, levelHPa: nil,
          grid: .regular(latitudes: [60, 50, 40], longitudes: [0, 10, 20, 30]),
          baseTime: Timestamp(year: 2020, month: 1, day: 1, hour: hour), leadHours: 0)
        try [Float](repeating: Float(hour), count: 12).withUnsafeBufferPointer { try writer.write(field, $0) }
      }
    }
    try writer.finish()
    let inspected = try workspace.run(["data", "inspect", "gaps.grib"])
    #expect(
      inspected.out.contains(
        "msl = msl: mean sea level pressure, Pa, 3 times from 2020-01-01 00:00 to 2020-01-01 12:00\n"),
      "\(inspected.out)")
    let period = "{start: 2020-01-01, end: 2020-01-01T12}"
    try Files.writeAtomically(
      "data: {variables: [t2m, msl], sources: [{path: gaps.grib}], stepHours: 6, train: \(period), validation: \(period), "
        + "test: \(period)}\n", to: "\(workspace.path)/check.yaml")
    let checked = try workspace.run(["data", "check", "check.yaml", "--no-values"])
    for said in [
      "from: msl: msl of gaps.grib, 3 times from 2020-01-01 00:00 to 2020-01-01 12:00",
      "from: t2m: 2t of gaps.grib, 13 times",
      "10 dates that msl lacks are left out: 2020-01-01 01:00, ",
    ] { #expect(checked.out.contains(said), "\(checked.out)") }
    for (variables, layout, said) in [
      ("variables: [t2m, msl], ", "fields", "10 dates that msl lacks are left out: 2020-01-01 01:00, "),
      ("", "anemoi", "10 dates have no values of msl, which the source lacks there: 2020-01-01 01:00, "),
    ] {
      try Files.writeAtomically(
        "data: {\(variables)sources: [{path: gaps.grib}]}\n", to: "\(workspace.path)/gaps.yaml")
      let output = try workspace.run(
        ["data", "convert", "gaps.yaml", "gaps.zarr", "--layout", layout, "--overwrite"])
      #expect(output.status == 0 && output.out.contains(said), "\(output.out) \(output.err)")
    }
  }

  /// A file that can't be read as data is no forecast either: two messages stand for one date of both. On points, too.
  @Test(arguments: [false, true]) func rivalsAreNamedByInspection(onPoints: Bool) throws {
    let workspace = try Workspace()
    let writer = try GRIBWriter("\(workspace.path)/rivals.grib")
    let gaussian = [59.444_408_289_166_76, 19.875_719_147_440_9, -19.875_719_147_440_9, -59.444_408_289_166_76]
    let grid: GRIBOutputGrid =
      onPoints
      ? .reducedGaussian(latitudes: gaussian, pointsPerRing: [4, 8, 8, 4])
      : .regular(latitudes: [60, 50, 40], longitudes: [0, 10, 20, 30])
    for (hour, value) in [(0, 280), (6, 281), (6, 282), (12, 283)] {
      let field = GRIBFieldDefinition(
        paramId: 167, levelHPa: nil, grid: grid, baseTime: Timestamp(year: 2020, month: 1, day: 1, hour: hour),
        leadHours: 0)
      try (0..<grid.count).map { Float(value) + Float($0) / 8 }.withUnsafeBufferPointer { try writer.write(field, $0) }
    }
    try writer.finish()
    let output = try workspace.run(["data", "inspect", "rivals.grib"])
    #expect(output.status == 1 && output.out.hasPrefix("rivals.grib: not usable as fields: "), "\(output.out)")
    #expect(output.out.contains("2t of 2020-01-01 06:00") && output.out.contains("is stored twice"), "\(output.out)")
  }

  @Test func aModelIsTrainedOnGRIBAndVerifiedAgainstIt() throws {
    let workspace = try Workspace()
    try write("\(workspace.path)/data.grib")
    try workspace.edit("config.yaml", "data.nc", "data.grib")
    func scores(_ more: [String]) throws -> [[Substring]] {
      let output = try workspace.run(["evaluate", "run"] + more)
      #expect(output.status == 0, "\(output.err)")
      return try Files.readText("\(workspace.path)/run/evaluation/scores.csv").split(separator: "\n").map {
        $0.split(separator: ",", omittingEmptySubsequences: false)
      }
    }
    let steps: [(arguments: [String], expected: String)] = [
      (["data", "inspect", "data.grib"], "times: 60 from 2001-01-01 00:00"), (["data", "check", "config.yaml"], ""),
      (["train", "config.yaml"], ""), (["forecast", "run"], ""),
    ]
    for (arguments, expected) in steps {
      let output = try workspace.run(arguments)
      #expect(output.status == 0, "\(arguments): \(output.err)")
      #expect(expected.isEmpty || output.out.contains(expected), "\(arguments): \(output.out)")
    }
    // The same forecast against the same fields in FP32.
    let (grib, netCDF) = (try scores([]), try scores(["--set", "data.sources=[{path: data.nc}]"]))
    #expect(grib.count == netCDF.count && grib.count > 20)
    for (a, b) in zip(grib, netCDF) {
      // The last cells name what the scores are of: other truth.
      for (x, y) in zip(a.prefix(11), b) {
        guard let x = Double(x), let y = Double(y) else {
          #expect(x == y)
          continue
        }
        #expect(abs(x - y) <= 0.01 * max(abs(x), abs(y)) + 0.02, "\(a) \(b)")
      }
    }
  }
}
