import Basics

/// How times are arranged.
public enum GRIBTimes: Sendable {
  /// `time` is that of validity: what data of the past are.
  case validity
  /// `time` is that of the start, `prediction_timedelta` the hours since, as in forecast stores.
  case forecasts
}

/// The fields of a file arranged as arrays over time, member, level and the grid.
struct GRIBCatalog: Sendable {
  /// An array, and which field stands where.
  struct Entry: Sendable {
    let info: ArrayInfo
    /// Fields by position among the outer dimensions, in C order. Where there is none, values are missing.
    var fields: [Int: Int] = [:]
    /// A second field that claims a position.
    var rivals: [Int: Int] = [:]
    /// The factor of numbers of products in other units than the array's.
    var factors: [Int: Double] = [:]

    /// Takes a field for a position, or notes it as a rival of the first one there.
    ///
    /// - Parameter isSame: whether two fields have the same bytes.
    /// - Returns: whether it repeats the first one.
    mutating func add(_ field: Int, at cell: Int, isSame: (Int, Int) throws -> Bool) rethrows -> Bool {
      guard let first = fields[cell] else {
        fields[cell] = field
        return false
      }
      if try isSame(first, field) { return true }
      if rivals[cell] == nil { rivals[cell] = field }
      return false
    }
  }

  private(set) var entries: [String: Entry] = [:]
  /// Fields that are there again, byte for byte.
  private(set) var repetitions = 0
  /// Coordinates and their numbers.
  private(set) var coordinates: [String: (info: ArrayInfo, values: [Double])] = [:]
  let grid: GRIBGrid

  /// Position of a field along each outer dimension.
  private struct Position: Hashable {
    var time: Int64
    var lead: Int64
    var member: Int
    var level: Double?
  }

  /// - Parameter isSame: whether the messages of two fields have the same bytes.
  /// - Throws: when the file has several grids.
  init(_ index: GRIBIndex, times: GRIBTimes, _ path: String, isSame: (GRIBField, GRIBField) throws -> Bool) throws {
    grid = try GRIBCatalog.onlyGrid(index, path)
    func position(_ field: GRIBField) -> Position {
      let product = index.products[field.product]
      return Position(
        time: times == .validity ? field.baseTime + product.step : field.baseTime,
        lead: times == .validity ? 0 : product.step, member: product.member,
        level: product.isOnPressureLevel ? product.level : nil)
    }
    let groups = GRIBVariant.groups(index, isSeries: times == .validity) { position($0) }
    let allTimes = Set(index.fields.map { position($0).time }).sorted()
    let leads = Set(index.fields.map { position($0).lead }).sorted()
    // Masks and the like come without a member, or with number 0.
    let members = Set(
      groups.values.map { fields in Set(fields.map { position(index.fields[$0]).member }) }.filter { $0.count > 1 }
        .joined()
    ).sorted()
    let isSeries = groups.contains { variant, fields in
      variant.stepType == "instant" && times == .validity
        && Set(fields.map { position(index.fields[$0]).time }).count > 1
    }
    let levels = GRIBCatalog.levels(groups.values.map { $0.compactMap { position(index.fields[$0]).level } })
    try addCoordinates(allTimes, times == .forecasts ? leads : nil, members, levels, path)

    let timeIndex = GRIBCatalog.indices(allTimes)
    let (leadIndex, memberIndex) = (GRIBCatalog.indices(leads), GRIBCatalog.indices(members))
    let names = GRIBNames.names(Array(groups.keys), taken: Set(coordinates.keys))
    for (variant, fields) in groups {
      let name = names[variant] ?? variant.shortName
      let positions = fields.map { position(index.fields[$0]) }
      // A field of one time, where others that aren't accumulated have several, is constant: masks, orography.
      let isConstant = isSeries && variant.mayBeConstant && Set(positions.map(\.time)).count == 1
      let hasMembers = Set(positions.map(\.member)).count > 1
      let ownLevels = Set(positions.compactMap(\.level)).sorted()
      let outer = GRIBCatalog.outer([
        isConstant ? nil : ("time", allTimes.count),
        times == .forecasts ? ("prediction_timedelta", leads.count) : nil,
        hasMembers ? ("number", members.count) : nil,
        levels.firstIndex(of: ownLevels).map { (GRIBCatalog.levelName($0), ownLevels.count) },
      ])
      let dimensions = outer + GRIBCatalog.inner(grid)
      try GRIBCatalog.requireSize(dimensions, "\(path): \(name)")
      var entry = Entry(
        info: ArrayInfo(
          name: name, type: .float32, dimensions: dimensions,
          chunks: outer.map { _ in 1 } + dimensions.dropFirst(outer.count).map(\.size),
          codec: index.products[index.fields[fields[0]].product].packing,
          attributes: GRIBCatalog.attributes(of: fields, index, variant, leads: times == .forecasts ? leads : nil)))
      entry.factors = GRIBCatalog.factors(fields, index)
      for (field, position) in zip(fields, positions) {
        var cell = 0
        if !isConstant { cell = timeIndex[position.time] ?? 0 }
        if times == .forecasts { cell = cell * leads.count + (leadIndex[position.lead] ?? 0) }
        if hasMembers { cell = cell * members.count + (memberIndex[position.member] ?? 0) }
        if let level = position.level { cell = cell * ownLevels.count + (ownLevels.firstIndex(of: level) ?? 0) }
        repetitions += try entry.add(field, at: cell) { try isSame(index.fields[$0], index.fields[$1]) } ? 1 : 0
      }
      entries[name] = entry
    }
  }

  // MARK: Pieces

  /// The sets of levels that variables have, the largest first: each is a dimension.
  private static func levels(_ ofVariables: [[Double]]) -> [[Double]] {
    Set(ofVariables.map { Set($0).sorted() }.filter { !$0.isEmpty }).sorted {
      $0.count != $1.count ? $0.count > $1.count : $0.lexicographicallyPrecedes($1)
    }
  }

  /// "level", "level_2".
  private static func levelName(_ number: Int) -> String { number == 0 ? "level" : "level_\(number + 1)" }

  private static func onlyGrid(_ index: GRIBIndex, _ path: String) throws -> GRIBGrid {
    // Where editions are mixed, edition 2 has places more exactly.
    guard let first = index.grids.max(by: { $0.edition < $1.edition }) else {
      preconditionFailure("an index has fields")
    }
    let others = index.grids.filter { !$0.isSame(as: first) }
    if others.isEmpty { return first }
    throw JigsawError(
      path, "has fields on several grids", expected: "one grid for each file",
      found: Set([first.summary] + others.map(\.summary)).sorted().joined(separator: ", "),
      remedy: "split it, for example with 'grib_copy \(path) [gridType]_[numberOfDataPoints].grib'")
  }

  private static func outer(_ dimensions: [(name: String, size: Int)?]) -> [ArrayInfo.Dimension] {
    dimensions.compactMap { $0 }.map { ArrayInfo.Dimension(name: $0.name, size: $0.size) }
  }

  private static func inner(_ grid: GRIBGrid) -> [ArrayInfo.Dimension] {
    switch grid.shape {
    case .regular(let latitudes, let longitudes):
      [.init(name: "latitude", size: latitudes.count), .init(name: "longitude", size: longitudes.count)]
    case .points(let latitudes, _): [.init(name: "values", size: latitudes.count)]
    }
  }

  /// Every combination of times, members and levels counts, also those without a field: a damaged file must not make that absurd.
  private static func requireSize(_ dimensions: [ArrayInfo.Dimension], _ place: String) throws {
    var count = 1
    for dimension in dimensions {
      let (product, overflow) = count.multipliedReportingOverflow(by: dimension.size)
      guard !overflow, product < 1 << 50 else {
        throw JigsawError(
          place, "has too many combinations of times, members and levels",
          found: dimensions.map { "\($0.name) \($0.size)" }.joined(separator: ", "))
      }
      count = product
    }
  }

  private static func indices<T: Hashable>(_ values: [T]) -> [T: Int] {
    Dictionary(uniqueKeysWithValues: values.enumerated().map { ($1, $0) })
  }

  /// - Parameter leads: of forecasts.
  private static func attributes(of fields: [Int], _ index: GRIBIndex, _ variant: GRIBVariant, leads: [Int64]?)
    -> [String: AttributeValue]
  {
    let products = Set(fields.map { index.fields[$0].product }).map { index.products[$0] }
    return attributes(index.products[index.fields[fields[0]].product], variant)
      .merging(directions(fields.map { index.grids[index.fields[$0].grid].directions })) { $1 }
      .merging(spans(products, variant, leads: leads)) { $1 }
      .merging(member(products)) { $1 }
  }

  /// The number of the one member of an ensemble that fields are of; nothing where some have none, or others.
  private static func member(_ products: [GRIBProduct]) -> [String: AttributeValue] {
    let numbers = Set(products.map(\.number))
    guard numbers.count == 1, let only = numbers.first, let number = only else { return [:] }
    return ["GRIB_number": .numbers([Double(number)])]
  }

  /// Named as cfgrib names them, CF's among them.
  private static func attributes(_ product: GRIBProduct, _ variant: GRIBVariant) -> [String: AttributeValue] {
    var result: [String: AttributeValue] = [
      "units": .text(product.units), "long_name": .text(product.longName),
      "GRIB_shortName": .text(product.shortName), "GRIB_paramId": .numbers([Double(product.paramId)]),
      "GRIB_typeOfLevel": .text(product.typeOfLevel), "GRIB_stepType": .text(variant.stepType),
    ]
    result["standard_name"] = product.standardName.map { .text($0) }
    if let level = variant.level { result["GRIB_level"] = .numbers([level]) }
    return result
  }

  /// By product, from its unit to that of the first field, where they differ.
  private static func factors(_ fields: [Int], _ index: GRIBIndex) -> [Int: Double] {
    let units = index.products[index.fields[fields[0]].product].units
    return Dictionary(
      uniqueKeysWithValues: Set(fields.map { index.fields[$0].product }).compactMap { product in
        GRIBUnits.factor(from: index.products[product].units, to: units).flatMap { $0 == 1 ? nil : (product, $0) }
      })
  }

  /// Over which periods fields are accumulated or averaged; nothing for those of an instant.
  /// - Parameter leads: for each of which there is a number, seconds; nil: one number for all.
  private static func spans(_ products: [GRIBProduct], _ variant: GRIBVariant, leads: [Int64]?)
    -> [String: AttributeValue]
  {
    guard products.contains(where: { $0.stepType != "instant" && $0.spanSeconds != 0 }) else { return [:] }
    let spans = Dictionary(grouping: products) { leads == nil ? 0 : $0.step }.mapValues { products in
      Double(FieldSpan.common(products.map { variant.span($0) ?? 0 }))
    }
    return [FieldSpan.attribute: .numbers((leads ?? [0]).map { spans[$0] ?? 0 })]
  }

  /// How vectors lie on the grids of some fields, as cfgrib says it; nothing where east and north are meant. Both numbers where
  /// fields differ or don't say it.
  private static func directions(_ all: [GRIBGrid.Directions]) -> [String: AttributeValue] {
    guard let first = all.first, !first.gridType.isEmpty else { return [:] }
    let flags = Set(all.flatMap { $0.windsAlongGrid.map { [$0 ? 1.0 : 0] } ?? [0, 1] }).sorted()
    var result: [String: AttributeValue] = [
      "GRIB_gridType": .text(first.gridType), "GRIB_uvRelativeToGrid": .numbers(flags),
    ]
    for (key, number) in first.numbers { result["GRIB_\(key)"] = .numbers([number]) }
    return result
  }

  private mutating func addCoordinates(
    _ times: [Int64], _ leads: [Int64]?, _ members: [Int], _ levels: [[Double]], _ path: String
  ) throws {
    func add(
      _ name: String, _ type: ScalarType, _ values: [Double], along: String? = nil, _ attributes: [String: String]
    ) {
      coordinates[name] = (
        ArrayInfo(
          name: name, type: type, dimensions: [.init(name: along ?? name, size: values.count)], chunks: nil,
          codec: "none", attributes: attributes.mapValues { .text($0) }), values
      )
    }
    add(
      "time", .int64, times.map(Double.init),
      [
        "standard_name": leads == nil ? "time" : "forecast_reference_time", "axis": "T",
        "units": "seconds since 1970-01-01", "calendar": "proleptic_gregorian",
      ])
    if let leads {
      if let odd = leads.first(where: { $0 % 3_600 != 0 }) {
        throw JigsawError(path, "has lead times that are not whole hours", found: "\(odd) s")
      }
      add(
        "prediction_timedelta", .int64, leads.map { Double($0 / 3_600) },
        ["standard_name": "forecast_period", "units": "hours"])
    }
    if members.count > 1 {
      add("number", .int64, members.map(Double.init), ["standard_name": "realization", "units": "1"])
    }
    for (number, levels) in levels.enumerated() {
      add(
        GRIBCatalog.levelName(number), .float64, levels,
        ["standard_name": "air_pressure", "units": "hPa", "positive": "down", "axis": "Z"])
    }
    let (north, east) = (
      ["standard_name": "latitude", "units": "degrees_north"], ["standard_name": "longitude", "units": "degrees_east"]
    )
    switch grid.shape {
    case .regular(let latitudes, let longitudes):
      add("latitude", .float64, latitudes, north.merging(["axis": "Y"]) { $1 })
      add("longitude", .float64, longitudes, east.merging(["axis": "X"]) { $1 })
    case .points(let latitudes, let longitudes):
      add("latitude", .float64, latitudes, along: "values", north)
      add("longitude", .float64, longitudes, along: "values", east)
    }
  }
}
