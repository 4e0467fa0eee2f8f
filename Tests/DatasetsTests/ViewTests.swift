import Basics
import Geometry
import Stores
import TestSupport
import Testing

@testable import Datasets

/// Values that say where they come from: 1000·date + 100·variable + point + member/10.
struct NumberedView: FieldView {
  var location = "numbered"
  var dates = (0..<8).map { Timestamp(seconds: Int64($0) * 21_600) }
  var variables = LevelNames.applied(to: ["a", "b_850", "b_500"].map { ViewVariable(name: $0) })
  var memberCount = 1
  var memberNumbers: [Int]?
  var points: PointGrid
  var missing: Set<Int> = []
  var storedRuns: [Range<Int>]
  var storedDates: DateRuns { DateRuns(count: dates.count, together: 1) }
  let pointsOnTheWay = 0
  let reads = ReadCounts()
  var readsAtOnce = 1

  init(_ points: PointGrid = PointGrid(LatLonGrid.global(rows: 4, columns: 8))) {
    self.points = points
    storedRuns = [0..<points.count / 3, points.count / 3..<points.count]
  }

  static func value(_ date: Int, _ variable: Int, _ point: Int, _ member: Int = 0) -> Float {
    Float(1_000 * date + 100 * variable + point) + Float(member) / 10
  }

  func read(_ wanted: WantedPart, into target: (_ date: Int, _ variable: Int) -> UnsafeMutablePointer<Float>) throws {
    for (number, date) in wanted.dates.enumerated() {
      for (line, variable) in wanted.variables.enumerated() {
        for (place, point) in wanted.points.enumerated() {
          target(number, line)[place] = NumberedView.value(date, variable, point, wanted.member)
        }
      }
    }
  }
}

@Suite struct ViewTests {
  private func options(_ members: [String: JSONValue], _ view: any FieldView = NumberedView()) throws -> any FieldView {
    try ViewOptions(members, key: "open", workers: WorkerPool(threads: 2)).apply(to: view)
  }

  private func problem(_ members: [String: JSONValue]) -> String {
    #expect(throws: JigsawError.self) { try options(members) }?.description ?? ""
  }

  @Test func partsOfAViewAreThoseOfTheWhole() throws {
    var later = NumberedView()
    later.dates = later.dates.map { $0.adding(hours: 48) }
    var holes = NumberedView()
    holes.missing = [3, 4]
    // Every option, then some variables at some points, against the whole read at once.
    let views: [any FieldView] = [
      try options(["thinning": .integer(2)]), try options(["trim_edge": .integer(1)]),
      try options(["area": .array([60, -50, -30, 100].map { .integer($0) })]),
      try options(["regrid": .object(["grid": .array([.integer(6), .integer(12)])])]),
      try options(["rescale": .object(["a": .array([.number(2), .number(1)])])]),
      try GridUnion([NumberedView(), NumberedView(PointGrid(LatLonGrid.global(rows: 3, columns: 4)))], key: "grids"),
      try JoinedView([NumberedView(), options(["rename": .object(["a": .string("c")])])]),
      try EnsembleView([NumberedView(), NumberedView()]),
      try options(["frequency": .string("6h"), "select": .array([.string("b_500"), .string("a")])]),
      try ConcatenatedView([NumberedView(), later]), FilledDates(holes, .closest), FilledDates(holes, .interpolate),
      FilledDates(holes, .values([1, 2, 3])),
      try options(["interpolate_frequency": .string("PT2H")]),
      try options(["rolling_average": .array([.integer(-2), .integer(1), .string("freq")])]),
      try options([
        "extend_start": .string("1969-12-31"), "fill_missing_dates": .string("nans"), "start": .integer(1970),
      ]),
      NearestPoints(
        NumberedView(), at: PointGrid(LatLonGrid.global(rows: 3, columns: 5)),
        NearestSources(
          from: NumberedView().points, to: PointGrid(LatLonGrid.global(rows: 3, columns: 5)), within: 0.4)),
    ]
    for view in views {
      let whole = try view.read(date: 3, member: view.memberCount - 1)
      let wanted = [view.variables.count - 1, 0]
      for points in [0..<view.points.count, 1..<view.points.count - 2, 5..<6] {
        var part = [Float](repeating: -1, count: wanted.count * points.count)
        try part.withUnsafeMutableBufferPointer {
          try view.read(
            date: 3, variables: wanted, member: view.memberCount - 1, points: points, into: $0.baseAddress!)
        }
        let expected = wanted.flatMap { variable in points.map { whole[variable * view.points.count + $0] } }
        // As bits, since some are no numbers.
        #expect(part.map(\.bitPattern) == expected.map(\.bitPattern))
        // Several dates at once are those dates.
        let size = wanted.count * points.count
        var dates = [Float](repeating: -1, count: 3 * size)
        try dates.withUnsafeMutableBufferPointer { out in
          let start = try #require(out.baseAddress)
          try view.read(
            WantedPart(dates: [1, 3, 6], variables: wanted, member: view.memberCount - 1, points: points)
          ) { start + $0 * size + $1 * points.count }
        }
        #expect(dates[size..<2 * size].map(\.bitPattern) == part.map(\.bitPattern) && dates.allSatisfy { $0 != -1 })
      }
      #expect(view.storedRuns.flatMap { Array($0) } == Array(0..<view.points.count))
    }
  }

  @Test func datesAreCutAsAnemoiDoes() throws {
    let view = try options([
      "start": .string("1970-01-01T12"), "end": .string("1970-01-02"), "frequency": .string("12h"),
    ])
    #expect(view.dates.map(\.display) == ["1970-01-01 12:00", "1970-01-02 00:00", "1970-01-02 12:00"])
    #expect(try view.read(date: 1)[0] == NumberedView.value(4, 0, 0))
    #expect(try options(["end": .integer(1970)]).dates.count == 8)
    #expect(try options(["end": .string("50%")]).dates.count == 4)
    #expect(try options(["start": .string("50%")]).dates.count == 5)
    let missing = try options([
      "set_missing_dates": .array([.string("1970-01-01T06"), .integer(6)]), "frequency": .integer(6),
    ])
    #expect(missing.missing == [1, 6])
    #expect(problem(["start": .integer(1980)]).contains("start and end leave no dates"))
    #expect(problem(["frequency": .string("4h")]).contains("is not a multiple of the interval"))
    #expect(problem(["start": .string("soon")]).contains("expected a date, a month, a year or a share"))
  }

  @Test func badOptionsAreNamed() throws {
    #expect(
      problem(["select": .array([.string("b_85")])]).contains(
        "no variable 'b_85'; found a, b_850, b_500; did you mean 'b_850'?"))
    #expect(problem(["drop": .array(["a", "b_850", "b_500"].map { .string($0) })]).contains("leaves no variables"))
    #expect(problem(["reorder": .array([.string("a")])]).contains("without b_850, b_500"))
    #expect(problem(["rename": .object(["a": .string("b_850")])]).contains("gives two variables one name"))
    #expect(problem(["rescale": .object(["a": .array([.integer(-1), .integer(0)])])]).contains("not above 0"))
    #expect(problem(["rescale": .object(["a": .array([.string("K"), .string("Pa")])])]).contains("not convertible"))
    #expect(problem(["member": .integer(1)]).contains("whole numbers from 0 to 0"))
    #expect(problem(["number": .integer(0)]).contains("whole numbers from 1 to 1"))
    #expect(problem(["area": .array([.integer(1)])]).contains("[north, west, south, east]"))
    #expect(problem(["area": .array([90, 0, 89, 1].map { .integer($0) })]).contains("holds no points"))
    #expect(problem(["trim_edge": .integer(2)]).contains("leaves no points"))
    #expect(problem(["thinning": .integer(2), "method": .string("random")]).contains("whatever it says"))
    #expect(problem(["regrid": .object(["grid": .string("N320")])]).contains("F32 or O96"))
    #expect(problem(["regrid": .object(["gird": .string("O96")])]).contains("did you mean 'grid'?"))
    #expect(problem(["regrid": .object([:])]).contains("names no target"))
    func request(_ json: String) -> String {
      #expect(throws: JigsawError.self) {
        try ViewRequest(JSONValue(parsing: Array(json.utf8), place: "test"), key: "open").open()
      }?.description ?? ""
    }
    #expect(request(#"{"dataset": "a.zarr", "selct": ["2t"]}"#).contains("open.selct: unknown option"))
    #expect(request(#"{"zip": ["a.zarr", "b.zarr"]}"#).contains("tuples of fields on several grids"))
    #expect(request(#"{"dataset": "a.zarr", "shuffle": true}"#).contains("training.seed"))
    var long = NumberedView()
    long.dates = (0..<1_000).map { Timestamp(seconds: Int64($0) * 21_600) }
    #expect(throws: JigsawError.self) { try options(["interpolate_frequency": .string("1s")], long) }
    #expect(problem(["rolling_average": .integer(3)]).contains("[-1, 0, freq]"))
    #expect(problem(["set_missing_dates": .array([.string("2031-01-01")])]).contains("names no date"))
    #expect(request(#"{"start": 2020}"#).contains("names no dataset"))
    #expect(request(#"{"dataset": "a", "join": ["b"]}"#).contains("dataset and join"))
    #expect(request(#"{"join": ["no.zarr"]}"#).contains("no.zarr: no such file or folder"))
    #expect(request("[]").contains("a list of datasets"))
    #expect(request(#"{"join": ["a"], "neighbours": 3}"#).contains("belongs to cutout"))
  }

  @Test func whatDoesNotFitTogetherIsNamed() throws {
    var later = NumberedView()
    later.dates = later.dates.map { $0.adding(hours: 60) }
    func problem(_ body: () throws -> any FieldView) -> String {
      #expect(throws: JigsawError.self) { _ = try body() }?.description ?? ""
    }
    #expect(problem { try JoinedView([NumberedView(), later]) }.contains("has other dates than numbered"))
    #expect(
      problem { try ConcatenatedView([NumberedView(), later]) }.contains("expected its first date at 1970-01-03 00:00"))
    let coarse = NumberedView(PointGrid(LatLonGrid.global(rows: 2, columns: 4)))
    #expect(problem { try EnsembleView([NumberedView(), coarse]) }.contains("has other points"))
    let fewer = try options(["drop": .string("a")])
    #expect(problem { try GridUnion([NumberedView(), fewer], key: "grids") }.contains("has other variables"))
    // Spellings of one unit are the same.
    func measured(_ units: String) -> NumberedView {
      var view = NumberedView()
      for index in view.variables.indices { view.variables[index].units = units }
      return view
    }
    let other = problem { try EnsembleView([measured("m"), measured("cm")]) }
    #expect(other.contains("has other units of a than numbered; expected m, found cm"), "\(other)")
    #expect(try EnsembleView([measured("m s-1"), measured("m/s")]).memberCount == 2)
  }

  @Test func aGriddedViewIsADatasetInOrder() throws {
    // Stored from south to north and from 180° on; one date is missing.
    let latitudes = [-60.0, -20, 20, 60]
    let longitudes = [180.0, 270, 0, 90]
    var view = NumberedView(
      PointGrid(
        latitudes: latitudes.flatMap { [Double](repeating: $0, count: 4) },
        longitudes: latitudes.flatMap { _ in longitudes }, shape: .init(rows: 4, columns: 4)))
    view.missing = [2]
    let regular = try GriddedView(view)
    let grid = try #require(regular.fieldGrid.raster)
    #expect(grid.latitudes == [60, 20, -20, -60] && grid.longitudes == [0, 90, 180, 270])
    #expect(regular.times.count == 7 && regular.levelsHPa == [500, 850])
    let found = try #require(try regular.find("b", rename: [:], asStatic: false))
    #expect(found.hasLevels)
    let slot = try regular.slot(500, of: found)
    #expect(slot == 2)
    for bands in [1, 3, 4] {
      let chunks = regular.chunks([WantedField(channel: 0, found: found, slot: slot)], bands: bands)
      #expect(chunks.count >= bands)
      var plane = [Float](repeating: -1, count: 16)
      try plane.withUnsafeMutableBufferPointer { plane in
        for chunk in chunks {
          let isComplete = try regular.read(chunk, times: 2..<3, ReadingScratch()) { _, _, part in
            (plane.baseAddress! + part.rows.lowerBound * 4 + part.columns.lowerBound, 4)
          }
          #expect(isComplete == [true])
        }
      }
      let expected = (0..<4).flatMap { row in
        [2, 3, 0, 1].map { NumberedView.value(3, 2, (3 - row) * 4 + $0) }
      }
      #expect(plane == expected)
    }
  }

  /// A remote base can be asked for more at once than there are threads, also through other views.
  @Test func viewsPassOnHowMuchIsReadAtOnce() throws {
    var remote = NumberedView()
    remote.readsAtOnce = 32
    let views: [any FieldView] = [
      try options(["select": .array([.string("a")]), "frequency": .string("12h"), "thinning": .integer(1)], remote),
      try options(["regrid": .object(["grid": .array([.integer(6), .integer(12)])])], remote),
      try JoinedView([NumberedView(), remote]), try EnsembleView([remote, NumberedView()]),
      try GridUnion([NumberedView(), remote], key: "grids"),
    ]
    for view in views { #expect(view.readsAtOnce == 32) }
    #expect(try GriddedView(remote).readsAtOnce == 32)
  }

  /// Points that are no raster stay in their order, and are read in any runs.
  @Test(arguments: [1, 3, 7]) func anyPointsAreADatasetAsTheyAre(bands: Int) throws {
    let view = NumberedView(GaussianGrid.octahedral(4))
    let fields = try GriddedView(view)
    let count = view.points.count
    #expect(fields.fieldGrid == .points(view.points) && fields.fieldGrid.rows == count)
    let found = try #require(try fields.find("b", rename: [:], asStatic: false))
    let wanted = WantedField(channel: 0, found: found, slot: try fields.slot(500, of: found))
    var plane = [Float](repeating: -1, count: count)
    try plane.withUnsafeMutableBufferPointer { plane in
      for chunk in fields.chunks([wanted], bands: bands) {
        _ = try fields.read(chunk, times: 1..<2, ReadingScratch()) { _, _, part in
          (plane.baseAddress! + part.rows.lowerBound, 1)
        }
      }
    }
    #expect(plane == (0..<count).map { NumberedView.value(1, 2, $0) })
  }

  @Test func rowsOfPointsAreRefused() {
    let problem = #expect(throws: JigsawError.self) {
      _ = try GriddedView(NumberedView(GaussianGrid.octahedral(4)), rows: 3)
    }
    #expect(problem?.description.contains("counts rows of a regular grid") ?? false)
  }

  /// Files may lack dates, which a dataset of Anemoi's would have as missing ones.
  @Test func datesThatAStoreLacksAreMissingOnes() throws {
    var stored = NumberedView()
    stored.dates = [0, 1, 2, 4, 5, 7, 8, 9].map { Timestamp(seconds: $0 * 21_600) }
    let view = GapDates.filling(stored)
    #expect(view.dates == (0..<10).map { Timestamp(seconds: $0 * 21_600) } && view.missing == [3, 6])
    #expect(try view.read(date: 4) == stored.read(date: 3))
    // Filled, thinned and set missing as those are.
    let filled = try options(["fill_missing_dates": .string("interpolate")], view)
    #expect(filled.missing.isEmpty && filled.dates.count == 10)
    #expect(try filled.read(date: 3)[5] == (NumberedView.value(2, 0, 5) + NumberedView.value(3, 0, 5)) / 2)
    let thinned = try options(["frequency": .string("12h")], view)
    #expect(thinned.dates.count == 5 && thinned.missing == [3])
    // Months have no common interval.
    var months = NumberedView()
    months.dates = (1...8).map { Timestamp(year: 2001, month: $0, day: 1) }
    #expect(GapDates.filling(months).missing.isEmpty)
    // Of datasets side by side the dates count that all have.
    let joined = try JoinedView(
      [view, GapDates.filling(NumberedView())].map { view in
        try options(["end": .string("1970-01-02T18:00")], view)
      })
    #expect(joined.dates.count == 8 && joined.missing == [3, 6])
  }

  @Test func runsOfDatesAmongOthersBeginWhereTheyDid() {
    let runs = DateRuns(count: 6, together: 3).among([0, 1, 2, 5, 6, 7], count: 8)
    #expect(runs.run(of: 4) == 0..<5 && runs.run(of: 5) == 5..<8)
  }

  @Test func membersAreNamedByTheirNumbers() throws {
    var view = NumberedView()
    view.memberCount = 3
    #expect(try options(["number": .integer(3)], view).memberCount == 1)
    view.memberNumbers = [0, 10, 20]
    let chosen = try options(["number": .array([.integer(10), .integer(20)])], view)
    #expect(chosen.memberNumbers == [10, 20])
    #expect(try chosen.read(date: 0)[7] == NumberedView.value(0, 0, 7, 1))
    #expect(try options(["member": .integer(0)], view).memberNumbers == [0])
    let error = #expect(throws: JigsawError.self) { try options(["number": .integer(1)], view) }
    #expect(error?.expected == "some of the members' numbers 0, 10, 20")
    var other = view
    other.memberNumbers = [0, 1, 2]
    #expect(throws: JigsawError.self) { try JoinedView([view, other]) }
  }
}
