import Basics
import Communication
import Stores
import Tensors
import TestSupport
import Testing

@testable import Datasets

/// What passes over all dates decode through views of stores with ten times in a chunk: 60 times of three variables, in 18 chunks.
@Suite struct ViewPassTests {
  enum Kind: String, CaseIterable { case conversion, wholeConversion, check, statistics }

  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    /// `a` and `b` stand for stores of which the second follows the first, `c` for other variables of the first's times, `l` for
    /// arrays with levels in their names, all with ten times in a chunk; `p` for the first one as an Anemoi dataset with twelve, and
    /// `q` for that with points in two runs.
    let request: String
    let variables: [String]
    /// Chunks that hold what is wanted of `variables`, and of all that is there.
    let chunks, all: Int
    let levels: [Double]
    var testDescription: String { name }

    init(
      _ name: String, _ request: String, _ variables: [String], _ chunks: Int, all: Int? = nil,
      levels: [Double] = [850, 500]
    ) {
      self.name = name
      self.request = request
      self.variables = variables
      self.chunks = chunks
      self.all = all ?? chunks
      self.levels = levels
    }
  }

  // Where all of a store is converted, its static field is read for each ten times. Chunks of ten and of twelve don't nest: some of
  // the smaller ones are decoded twice.
  static let cases = [
    Case("store", #"{"dataset": "a"}"#, ["z", "t", "msl"], 18, all: 24),
    Case("select", #"{"dataset": "a", "select": ["t_500", "msl"]}"#, ["t", "msl"], 12, levels: [500]),
    Case("rename", #"{"dataset": "a", "drop": ["orog"], "rename": {"msl": "pressure"}}"#, ["z", "t", "pressure"], 18),
    Case(
      "period", #"{"dataset": "a", "start": "2001-01-02T12", "end": "2001-01-10", "drop": ["orog"]}"#, ["z", "t"], 8,
      all: 12),
    Case("frequency", #"{"dataset": "a", "frequency": "12h", "drop": ["orog"]}"#, ["z", "t", "msl"], 18),
    Case("thinning", #"{"dataset": "a", "thinning": 2, "drop": ["orog"]}"#, ["z", "t", "msl"], 18),
    Case("area", #"{"dataset": "a", "area": [60, 20, -60, 200], "drop": ["orog"]}"#, ["z", "t", "msl"], 18),
    Case(
      "regrid", #"{"dataset": "a", "regrid": {"grid": [6, 12], "method": "nearest"}, "drop": ["orog"]}"#,
      ["z", "t", "msl"], 18),
    Case("rescale", #"{"dataset": "a", "rescale": {"msl": [2, 1]}, "select": ["msl"]}"#, ["msl"], 6),
    Case("join", #"{"join": [{"dataset": "a", "drop": ["orog"]}, "c"]}"#, ["z", "t", "msl", "u10"], 24),
    Case("concat", #"{"concat": ["a", "b"], "drop": ["orog"]}"#, ["z", "t", "msl"], 36),
    Case(
      "frequency of a row", #"{"concat": ["a", "b"], "frequency": "18h", "drop": ["orog"]}"#, ["z", "t", "msl"], 36),
    Case("anemoi", #"{"dataset": "p"}"#, ["z", "t", "msl"], 5),
    Case(
      "frequency of anemoi", #"{"dataset": "p", "frequency": "1d", "select": ["z_500", "t_500"]}"#, ["z", "t"], 5,
      levels: [500]),
    Case("join with anemoi", #"{"join": ["c", {"dataset": "p", "select": ["msl"]}]}"#, ["u10", "msl"], 15),
    Case(
      "join of runs", #"{"join": [{"dataset": "p", "select": ["z_500"]}, {"dataset": "q", "select": ["msl"]}]}"#,
      ["z", "msl"], 15, levels: [500]),
    Case("levels in names", #"{"dataset": "l"}"#, ["z", "t", "msl"], 30, all: 36),
  ]

  private static func write(_ folder: String) throws {
    var data = SyntheticData()
    try data.write("\(folder)/a.zarr")
    data.start = Timestamp(seconds: data.start.seconds + 60 * 6 * 3_600)
    try data.write("\(folder)/b.zarr")
    data = SyntheticData()
    (data.upper, data.surface, data.statics) = ([], ["u10"], [])
    try data.write("\(folder)/c.zarr")
    try writeAnemoi("\(folder)/p.zarr", SyntheticData(), runs: 1)
    try writeAnemoi("\(folder)/q.zarr", SyntheticData(), runs: 2)
    data = SyntheticData()
    (data.upper, data.surface) = ([], ["z_850", "z_500", "t_850", "t_500", "msl"])
    try data.write("\(folder)/l.zarr")
  }

  /// The same fields as variables z_850, z_500, t_850, t_500, msl, twelve dates of all of them in a chunk; the seventh date is
  /// missing.
  private static func writeAnemoi(_ path: String, _ data: SyntheticData, runs: Int) throws {
    let names = ["z_850", "z_500", "t_850", "t_500", "msl"]
    let points = data.rows * data.columns
    func dimension(_ name: String, _ size: Int) -> ArrayInfo.Dimension { ArrayInfo.Dimension(name: name, size: size) }
    let missing = Timestamp(seconds: data.start.seconds + 6 * 6 * 3_600)
    let writer = try createStore(
      path,
      StoreDefinition(
        dimensions: [
          dimension("time", data.times), dimension("variable", names.count), dimension("ensemble", 1),
          dimension("cell", points),
        ],
        arrays: [
          ArrayDefinition(
            name: "data", type: .float32, dimensions: ["time", "variable", "ensemble", "cell"],
            chunks: [12, names.count, 1, points / runs]),
          ArrayDefinition(name: "dates", type: .int64, meaning: .date(unit: "s"), dimensions: ["time"]),
          ArrayDefinition(name: "latitudes", type: .float64, dimensions: ["cell"]),
          ArrayDefinition(name: "longitudes", type: .float64, dimensions: ["cell"]),
        ],
        attributes: [
          "variables": .json(.array(names.map { .string($0) })),
          "missing_dates": .json(.array([.string(missing.description)])),
        ]))
    try writer.write("dates", (0..<data.times).map { Double(data.start.seconds) + Double($0) * 21_600 })
    let rows = (0..<data.rows).map { 90 - 180 / Double(data.rows) * (Double($0) + 0.5) }
    let columns = (0..<data.columns).map { 360 / Double(data.columns) * Double($0) }
    try writer.write("latitudes", rows.flatMap { row in columns.map { _ in row } })
    try writer.write("longitudes", rows.flatMap { _ in columns })
    try writer.write(
      "data",
      (0..<data.times).flatMap { time in
        [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)].flatMap { variable, level in
          data.field(variable: variable, level: level, time: time).map { Double($0) }
        }
      })
    try writer.finish()
  }

  private static func source(_ request: String, _ folder: String) throws -> SourceDescription {
    var text = request
    for name in ["a", "b", "c", "p", "q", "l"] {
      text = text.split(separator: "\"\(name)\"", omittingEmptySubsequences: false)
        .joined(separator: "\"\(folder)/\(name).zarr\"")
    }
    return SourceDescription(path: "", open: try JSONValue(parsing: Array(text.utf8), place: "test"))
  }

  /// Chunks that a pass decodes, after what opening decodes.
  private func decoded(_ kind: Kind, _ test: Case, _ folder: String, windowBytes: Int? = nil) throws -> Int {
    let source = try Self.source(test.request, folder)
    func convert(_ input: ConversionInput, _ layout: ConversionLayout) throws {
      var options = Conversion.Options()
      options.layout = layout
      let output = "\(folder)/\(test.name)-\(layout).zarr"
      try Conversion(input, to: output, options).run(on: SingleRank()) { _, _ in }
      try Files.remove(output)
    }
    if kind == .wholeConversion {
      let view = try source.openView(key: "test")
      let before = view.reads.chunks
      try convert(
        ConversionInput(view, origin: source.display, from: nil, through: nil, windowBytes: windowBytes), .anemoi)
      return view.reads.chunks - before
    }
    let dataset = try FieldDataset(sources: [source], variables: test.variables, levelsHPa: test.levels)
    let before = dataset.reads.chunks
    let times = dataset.times
    switch kind {
    case .conversion:
      try convert(ConversionInput(dataset, from: nil, through: nil, windowBytes: windowBytes), .fields)
    case .check:
      let found = try ValueSurvey(dataset, times: Array(times.indices), windowBytes: windowBytes)
      #expect(found.rows.allSatisfy { $0.missing == nil })
    case .statistics:
      let hours = Int(times[1].hours(since: times[0]))
      _ = try DatasetStatistics.compute(
        dataset, from: times[0], through: times[times.count - 1], stepHours: hours, windowBytes: windowBytes)
    case .wholeConversion: break
    }
    return dataset.reads.chunks - before
  }

  @Test(arguments: cases) func chunksAreDecodedOnce(_ test: Case) throws {
    let folder = try TemporaryFolder()
    try Self.write(folder.path)
    for kind in Kind.allCases {
      let found = try decoded(kind, test, folder.path)
      #expect(found == (kind == .wholeConversion ? test.all : test.chunks), "\(kind)")
    }
  }

  /// With memory for four dates a chunk is decoded for each four of the ten that it holds.
  @Test(arguments: Kind.allCases) func memoryIsBounded(_ kind: Kind) throws {
    let folder = try TemporaryFolder()
    try Self.write(folder.path)
    let bytes = 4 * 2 * 8 * 16 * 4
    let plain = Case("plain", #"{"dataset": "a", "select": ["z_850", "z_500"]}"#, ["z"], 6)
    #expect(try decoded(kind, plain, folder.path, windowBytes: bytes) == 3 * 6)
    #expect(try decoded(kind, plain, folder.path, windowBytes: 0) == 60)
    // A quarter of the points is asked for, but those between lie in memory, too: that is room for three dates.
    let thinned = Case("thinned", #"{"dataset": "a", "select": ["z_850", "z_500"], "thinning": 2}"#, ["z"], 6)
    #expect(try decoded(kind, thinned, folder.path, windowBytes: bytes) == 4 * 6)
  }

  /// Whatever the memory, the numbers are those of dates read one by one.
  @Test(arguments: cases) func numbersAreThoseOfSingleDates(_ test: Case) throws {
    let folder = try TemporaryFolder()
    try Self.write(folder.path)
    let view = try Self.source(test.request, folder.path).openView(key: "test")
    let size = view.variables.count * view.points.count
    let dates = Set(view.dates.indices.filter { !view.missing.contains($0) })
    for bytes in [nil, 5 * size * 4] {
      let window = ViewWindow(view, of: dates, bytes: bytes)
      var values = [Float](repeating: -1, count: size)
      for date in dates.sorted() {
        try values.withUnsafeMutableBufferPointer { try window.read(date, into: try #require($0.baseAddress)) }
        #expect(try values == view.read(date: date))
      }
    }
  }

  @Test func ranksDoNotDecodeEachOthersChunks() throws {
    let folder = try TemporaryFolder()
    try Self.write(folder.path)
    let test = Self.cases[0]
    let found = try ThreadRanks.run(3) { world in
      let dataset = try FieldDataset(
        sources: [Self.source(test.request, folder.path)], variables: test.variables, levelsHPa: [850, 500])
      let before = dataset.reads.chunks
      _ = try ValueSurvey(dataset, times: Array(dataset.times.indices), on: world)
      return dataset.reads.chunks - before
    }
    #expect(found.reduce(0, +) == test.chunks)
  }

  @Test func runsOfDates() {
    let tens = DateRuns(count: 25, together: 10)
    #expect([0, 9, 10, 24].map(tens.run) == [0..<10, 0..<10, 10..<20, 20..<25])
    #expect(tens.groups([1, 2, 9, 11, 24]) == [0..<3, 3..<4, 4..<5])
    let picked = tens.picked([3, 9, 12, 18, 19])
    #expect(picked.run(of: 1) == 0..<2 && picked.run(of: 4) == 2..<5 && picked.count == 5)
    let row = DateRuns.row([tens, DateRuns(count: 0, together: 4), DateRuns(count: 2, together: 1), picked])
    #expect([24, 25, 26, 27, 31].map(row.run) == [20..<25, 25..<26, 26..<27, 27..<29, 29..<32])
    #expect(DateRuns(count: 3, together: .max).run(of: 2) == 0..<3)
    #expect(DateRuns(count: 0, together: 10).groups([]).isEmpty)
    #expect(DateRuns.coarsest([DateRuns(count: 25, together: 1), tens, DateRuns(count: 25, together: 6)]) == tens)
    let alone = DateRuns(count: 4, together: 1)
    #expect(alone.picked([0, 3]) == DateRuns(count: 2, together: 1) && alone.run(of: 3) == 3..<4)
    #expect(DateRuns.row([alone, alone]).run(of: 7) == 7..<8)
  }
}
