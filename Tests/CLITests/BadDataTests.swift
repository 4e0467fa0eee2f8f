import Basics
import Stores
import TestSupport
import Testing

@Suite struct BadDataTests {
  static let train = ["train", "config.yaml"]

  /// Makes Zarr data instead of NetCDF.
  private static func zarr(_ w: Workspace) throws {
    try SyntheticData().write("\(w.path)/data.zarr")
    try w.edit("config.yaml", "data.nc", "data.zarr")
  }

  static let cases: [BadInput] = [
    BadInput(
      "missing file", train, expected: ["error: data.nc: no such file or folder", "check the path"], absent: ["run"]
    ) {
      try Files.remove("\($0.path)/data.nc")
    },
    BadInput(
      "pattern without match", train, expected: ["nothing-*.nc: no file or folder matches this pattern"],
      absent: ["run"]
    ) {
      try $0.edit("config.yaml", "data.nc", "nothing-*.nc")
    },
    BadInput(
      "missing variable", train,
      expected: [
        "data.nc: no variable 'q'", "expected an array called 'q' or 'specific_humidity'", "found latitude, level",
        "data.sources.names",
      ],
      absent: ["run"]
    ) { try $0.edit("config.yaml", "[z, t, msl]", "[z, q, msl]") },
    BadInput(
      "missing level", train, expected: ["data.nc: z: has no level 250 hPa; found 850, 500; choose data.levels"],
      absent: ["run"]
    ) {
      try $0.edit("config.yaml", "[850, 500]", "[850, 250]")
    },
    BadInput(
      "missing static field", train,
      expected: ["data.nc: no static field 'lsm'", "'land_sea_mask'", "correct data.static"], absent: ["run"]
    ) {
      try $0.edit("config.yaml", "[orog]", "[lsm]")
    },
    BadInput(
      "static field with time", train, expected: ["data.nc: msl: varies in time, but is among data.static"],
      absent: ["run"]
    ) {
      try $0.edit("config.yaml", "[orog]", "[msl]")
    },
    BadInput(
      "wrong units", train,
      expected: [
        "data.nc: t: has units that don't fit t (temperature); expected 'K', found 'furlong'", "correct the units",
      ],
      absent: ["run"]
    ) { try $0.change("data.nc") { $0.arrays["t"]?.attributes["units"] = .text("furlong") } },
    BadInput(
      "NaN in the data", train,
      expected: [
        "data.nc: msl: has 2 missing values (NaN) in msl at 2001-01-02 06:00", "a number at every grid point",
      ],
      absent: ["run/checkpoints", "run/statistics.json"]
    ) { w in
      try w.change("data.nc") {
        $0.arrays["msl"]?.values[5 * 128 + 7] = .nan
        $0.arrays["msl"]?.values[5 * 128 + 8] = .nan
      }
    },
    BadInput(
      "NaN in the validation period", train,
      expected: ["data.nc: z: has 1 missing values (NaN) in z_500 at 2001-01-11 06:00"],
      absent: ["run/checkpoints/best"]
    ) { w in try w.change("data.nc") { $0.arrays["z"]?.values[(41 * 2 + 1) * 128] = .nan } },
    BadInput(
      "NaN in a static field", train,
      expected: ["data.nc: orog: has missing values (NaN)", "leave this static field out"],
      absent: ["run/checkpoints", "run/statistics.json"]
    ) {
      try $0.change("data.nc") { $0.arrays["orog"]?.values[3] = .nan }
    },
    BadInput(
      "constant field", train, expected: ["data.nc: msl: is constant over 2001-01-01", "move it to data.static"],
      absent: ["run/checkpoints"]
    ) {
      try $0.change("data.nc") { store in
        store.arrays["msl"]?.values = [Double](repeating: 3, count: 60 * 128)
      }
    },
    BadInput(
      "truncated NetCDF", train, expected: ["data.nc: can't open this as NetCDF", "complete NetCDF file"],
      absent: ["run"]
    ) {
      try $0.cut("data.nc", to: 0.7)
    },
    BadInput("text as NetCDF", train, expected: ["data.nc: can't open this as NetCDF", "Zarr folder"], absent: ["run"])
    {
      try Files.writeAtomically("<html>404 Not Found</html>\n", to: "\($0.path)/data.nc")
    },
    BadInput("empty file", train, expected: ["data.nc: can't open this as NetCDF"], absent: ["run"]) {
      try Files.writeAtomically("", to: "\($0.path)/data.nc")
    },
    BadInput(
      "truncated chunk", train, expected: ["data.zarr/z/1.0.0.0: is a damaged chunk", "copy the store again"],
      absent: ["run/checkpoints"]
    ) {
      try zarr($0)
      try $0.cut("data.zarr/z/1.0.0.0", to: 0.5)
    },
    BadInput(
      "garbage chunk", train,
      expected: ["data.zarr/msl/2.0.0: is a damaged chunk; expected 5120 bytes from blosc(lz4, 5, shuffle)"],
      absent: ["run/checkpoints"]
    ) {
      try zarr($0)
      try Files.writeAtomically(String(repeating: "garbage ", count: 60), to: "\($0.path)/data.zarr/msl/2.0.0")
    },
    BadInput(
      "damaged chunk of a coordinate", train, expected: ["data.zarr/time/0: is a damaged chunk"], absent: ["run"]
    ) {
      try zarr($0)
      try $0.cut("data.zarr/time/0", to: 0.5)
    },
    BadInput(
      "Zarr 4", train, expected: ["data.zarr/zarr.json: is not that of a Zarr group of format 3", "zarr_format 3"],
      absent: ["run"]
    ) {
      try Files.createDirectory("\($0.path)/data.zarr")
      try Files.writeAtomically("{\"zarr_format\": 4, \"node_type\": \"group\"}", to: "\($0.path)/data.zarr/zarr.json")
      try $0.edit("config.yaml", "data.nc", "data.zarr")
    },
    BadInput("folder that is no store", train, expected: ["data.zarr: is not a Zarr group"], absent: ["run"]) {
      try Files.createDirectory("\($0.path)/data.zarr")
      try $0.edit("config.yaml", "data.nc", "data.zarr")
    },
    BadInput(
      "damaged Zarr metadata", train, expected: ["data.zarr/.zmetadata: is not a JSON document"], absent: ["run"]
    ) {
      try zarr($0)
      try $0.cut("data.zarr/.zmetadata", to: 0.5)
    },
    BadInput(
      "no coordinates", train,
      expected: [
        "data.nc: has no coordinate variables for latitude and longitude", "(a regular grid)",
        "found level(level), longitude",
      ],
      absent: ["run"]
    ) { try $0.change("data.nc") { $0.arrays["latitude"] = nil } },
    BadInput(
      "another grid in the second file", train,
      expected: ["data2.nc: has another grid than data.nc; expected 8 × 16", "found 8 × 32", "regrid"], absent: ["run"]
    ) {
      var other = SyntheticData()
      (other.columns, other.start) = (32, other.start.adding(hours: 600))
      try other.write("\($0.path)/data2.nc")
      try $0.edit("config.yaml", "data.nc", "data*.nc")
    },
    BadInput(
      "overlapping files", train,
      expected: ["data2.nc: has the time 2001-01-01 00:00 that is also in data.nc", "remove the overlap"],
      absent: ["run"]
    ) {
      try Files.copy("\($0.path)/data.nc", to: "\($0.path)/data2.nc")
      try $0.edit("config.yaml", "data.nc", "data*.nc")
    },
    BadInput(
      "times that don't ascend", train,
      expected: [
        "data.nc: time: is not ascending; found 2001-01-01 06:00 after 2001-01-01 12:00", "sort the store by time",
      ], absent: ["run"]
    ) {
      try $0.change("data.nc") { $0.arrays["time"]?.values.swapAt(1, 2) }
    },
    BadInput(
      "calendar", train,
      expected: [
        "data.nc: time: has a calendar that is not supported; expected standard, gregorian, proleptic_gregorian",
        "found none",
      ], absent: ["run"]
    ) {
      try $0.change("data.nc") { $0.arrays["time"]?.attributes["calendar"] = .text("none") }
    },
    BadInput(
      "time units", train,
      expected: ["data.nc: time: has time units that can't be read", "found 'lunations since 2000-01-01'"],
      absent: ["run"]
    ) {
      try $0.change("data.nc") { $0.arrays["time"]?.attributes["units"] = .text("lunations since 2000-01-01") }
    },
    BadInput(
      "times never written", train,
      expected: ["data.nc: time: has a time that can't be", "was not written completely"], absent: ["run"]
    ) {
      try $0.change("data.nc") {
        $0.arrays["time"]?.type = .float64
        $0.arrays["time"]?.values[59] = 9.96921e36
      }
    },
    BadInput(
      "a source without data of the period", train,
      expected: [
        "data.train: holds no sample of 1 steps of 6 h", "found times from 2001-01-01 00:00 to 2001-01-15 18:00",
      ], absent: ["run"]
    ) {
      try $0.edit(
        "config.yaml", "train: {start: 2001-01-01, end: 2001-01-10}", "train: {start: 2011-01-01, end: 2011-01-10}")
    },
    BadInput(
      "inspecting nothing", ["data", "inspect", "nothing.nc"], expected: ["nothing.nc: no such file or folder"]),
    BadInput(
      "inspecting text", ["data", "inspect", "config.yaml"], expected: ["config.yaml: can't open this as NetCDF"]),
    BadInput(
      "statistics over something else", ["data", "stats", "config.yaml", "--output", "data.nc"],
      expected: ["data.nc: is not a statistics file"], present: ["data.nc"]),
    BadInput(
      "statistics of damaged data", ["data", "stats", "config.yaml"], expected: ["msl: has 1 missing values"],
      absent: ["run"]
    ) {
      try $0.change("data.nc") { $0.arrays["msl"]?.values[9] = .nan }
    },
  ]

  @Test(arguments: cases) func badDataEndsInASentence(_ input: BadInput) throws { try input.check() }
}
