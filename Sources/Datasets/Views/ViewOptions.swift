import Basics

/// Options that make another view of one, applied in Anemoi's order whatever their order in the file.
struct ViewOptions {
  let members: [String: JSONValue]
  let key: String
  private let workers: WorkerPool

  init(_ members: [String: JSONValue], key: String, workers: WorkerPool) {
    self.members = members.filter { $0.value != .null }
    self.key = key
    self.workers = workers
  }

  func apply(to base: any FieldView) throws -> any FieldView {
    var view = try chosen(filled(base))
    view = try variables(of: view)
    if let rescale = members["rescale"] { view = try rescaled(view, rescale) }
    for name in ["statistics", "statistics_tendencies"] {
      guard let other = members[name] else { continue }
      // The statistics of the change over a step are those of `statistics`, unless named on their own.
      let hasOwn = members["statistics_tendencies"] != nil
      view = try RestatedView(
        view, ViewRequest(other, key: "\(key).\(name)").open(), values: name == "statistics",
        tendencies: name != "statistics" || !hasOwn, key: "\(key).\(name)")
    }
    if let regrid = members["regrid"] {
      view = try RegridRequest(regrid, key: "\(key).regrid").apply(to: view, workers)
    }
    if let edge = members["trim_edge"] { view = try trimmed(view, edge) }
    if let thinning = members["thinning"] { view = try thinned(view, thinning) }
    if let area = members["area"] { view = try cropped(view, area) }
    view = try self.members(of: view)
    if let missing = members["set_missing_dates"] { view = try withMissing(view, missing) }
    return try combined(view)
  }

  func invalid(_ name: String, expected: String) -> JigsawError {
    JigsawError("\(key).\(name)", "is not understood", expected: expected)
  }

  // MARK: Variables

  private func names(_ name: String) throws -> [String]? {
    guard let given = members[name] else { return nil }
    guard let names = given.strings ?? given.string.map({ [$0] }), !names.isEmpty else {
      throw invalid(name, expected: "a list of variables")
    }
    return names
  }

  private func variables(of base: any FieldView) throws -> any FieldView {
    var view = base
    if let select = try names("select") {
      if let twice = select.first(where: { name in select.filter { $0 == name }.count > 1 }) {
        throw JigsawError("\(key).select", "names \(twice) twice", remedy: "remove one of them")
      }
      view = VariableSubset(view, try select.map { try view.index(of: $0, key: "\(key).select") })
    }
    if let drop = try names("drop") {
      let dropped = Set(try drop.map { try view.index(of: $0, key: "\(key).drop") })
      let kept = view.variables.indices.filter { !dropped.contains($0) }
      if kept.isEmpty { throw JigsawError("\(key).drop", "leaves no variables") }
      view = VariableSubset(view, kept)
    }
    if let reorder = members["reorder"] { view = VariableSubset(view, try order(reorder, view)) }
    if let rename = members["rename"] {
      guard let pairs = rename.object, pairs.values.allSatisfy({ $0.string != nil }) else {
        throw invalid("rename", expected: "pairs of names, old: new")
      }
      for name in pairs.keys.sorted() { _ = try view.index(of: name, key: "\(key).rename") }
      let renamed = VariableSubset(view, Array(view.variables.indices), names: pairs.compactMapValues(\.string))
      let names = renamed.variables.map(\.name)
      if Set(names).count < names.count {
        throw JigsawError("\(key).rename", "gives two variables one name", found: names.joined(separator: ", "))
      }
      view = renamed
    }
    return view
  }

  private func order(_ given: JSONValue, _ view: any FieldView) throws -> [Int] {
    let all = view.variables.map(\.name)
    let wanted: [String]
    if given.string == "sort" {
      wanted = all.sorted()
    } else if let names = given.strings {
      wanted = names
    } else if let places = given.object, places.values.allSatisfy({ $0.integer != nil }) {
      wanted = places.sorted { ($0.value.integer ?? 0) < ($1.value.integer ?? 0) }.map(\.key)
    } else {
      throw invalid("reorder", expected: "sort, a list of all variables, or their places")
    }
    let indices = try wanted.map { try view.index(of: $0, key: "\(key).reorder") }
    guard Set(indices).count == all.count, indices.count == all.count else {
      let left = all.filter { !wanted.contains($0) }
      throw JigsawError(
        "\(key).reorder", "must name every variable once",
        found: left.isEmpty ? "one named twice" : "without \(left.joined(separator: ", "))")
    }
    return indices
  }

  private func rescaled(_ view: any FieldView, _ given: JSONValue) throws -> any FieldView {
    guard let entries = given.object else {
      throw invalid("rescale", expected: "variables with [scale, offset], {scale, offset} or [unit, unit]")
    }
    var factors: [String: (scale: Double, offset: Double)] = [:]
    var units: [String: String] = [:]
    for (name, entry) in entries.sorted(by: { $0.key < $1.key }) {
      _ = try view.index(of: name, key: "\(key).rescale")
      if let scale = entry["scale"]?.double, let offset = entry["offset"]?.double {
        factors[name] = (scale, offset)
      } else if let pair = entry.array, pair.count == 2, let scale = pair[0].double, let offset = pair[1].double {
        factors[name] = (scale, offset)
      } else if let pair = entry.strings, pair.count == 2 {
        guard let conversion = UnitConversion(from: pair[0], to: pair[1]) else {
          throw JigsawError(
            "\(key).rescale.\(name)", "these units are not convertible", found: "\(pair[0]) and \(pair[1])",
            remedy: "give a scale and an offset")
        }
        factors[name] = (conversion.factor, conversion.offset)
        units[name] = pair[1]
      } else {
        throw invalid("rescale.\(name)", expected: "[scale, offset], {scale, offset} or [unit, unit]")
      }
      guard let (scale, offset) = factors[name], scale > 0, scale.isFinite, offset.isFinite else {
        throw JigsawError("\(key).rescale.\(name)", "has a scale that is not above 0")
      }
    }
    return RescaledView(view, factors, units: units)
  }

  // MARK: Points

  private func shape(_ view: any FieldView, _ name: String) throws -> PointGrid.Shape {
    if let shape = view.points.shape { return shape }
    throw JigsawError(
      "\(key).\(name)", "needs fields of rows and columns", found: view.points.summary, remedy: "regrid before")
  }

  private func trimmed(_ view: any FieldView, _ given: JSONValue) throws -> any FieldView {
    let shape = try shape(view, "trim_edge")
    guard let edges = given.integers ?? given.integer.map({ [$0, $0, $0, $0] }), edges.count == 4,
      edges.allSatisfy({ (0...1 << 30).contains($0) })
    else { throw invalid("trim_edge", expected: "a number, or four: top, bottom, left, right") }
    guard edges[0] + edges[1] < shape.rows, edges[2] + edges[3] < shape.columns else {
      throw JigsawError("\(key).trim_edge", "leaves no points", found: "\(shape.rows) × \(shape.columns)")
    }
    let (rows, columns) = (edges[0]..<shape.rows - edges[1], edges[2]..<shape.columns - edges[3])
    return PointSubset(
      view, rows.flatMap { row in columns.map { row * shape.columns + $0 } },
      shape: PointGrid.Shape(rows: rows.count, columns: columns.count))
  }

  private func thinned(_ view: any FieldView, _ given: JSONValue) throws -> any FieldView {
    if let method = members["method"], method.string != "every-nth" {
      throw JigsawError(
        "\(key).method", "is not supported: anemoi-datasets 0.5.47 takes every nth point of grids whatever it says",
        expected: "every-nth", found: method.string, remedy: "regrid to fewer points")
    }
    let shape = try shape(view, "thinning")
    guard let step = given.integer, (1...1 << 30).contains(step) else {
      throw invalid("thinning", expected: "a whole number of at least 1")
    }
    let rows = Array(stride(from: 0, to: shape.rows, by: step))
    let columns = Array(stride(from: 0, to: shape.columns, by: step))
    return PointSubset(
      view, rows.flatMap { row in columns.map { row * shape.columns + $0 } },
      shape: PointGrid.Shape(rows: rows.count, columns: columns.count))
  }

  private func cropped(_ view: any FieldView, _ given: JSONValue) throws -> any FieldView {
    let area: Area
    if let numbers = given.array?.map(\.double), !numbers.contains(nil) {
      let edges = numbers.compactMap { $0 }
      guard edges.count == 4, edges.allSatisfy(\.isFinite), edges[0] >= edges[2] else {
        throw invalid("area", expected: "[north, west, south, east] in degrees")
      }
      area = Area(north: edges[0], west: edges[1], south: edges[2], east: edges[3])
    } else {
      let points = try ViewRequest(given, key: "\(key).area").open().points
      area = Area(
        north: points.latitudes.max() ?? 90, west: points.longitudes.min() ?? 0,
        south: points.latitudes.min() ?? -90, east: points.longitudes.max() ?? 360)
    }
    let inside = view.points.latitudes.indices.filter {
      area.contains(latitude: view.points.latitudes[$0], longitude: view.points.longitudes[$0])
    }
    if inside.isEmpty { throw JigsawError("\(key).area", "holds no points", found: view.points.summary) }
    return PointSubset(view, inside)
  }

  private func members(of base: any FieldView) throws -> any FieldView {
    var chosen: Set<Int> = []
    // `number` is a member's own, where these are known, and else counts from one; `member` counts from zero.
    let own = base.memberNumbers ?? Array(1..<base.memberCount + 1)
    for (name, known) in [("number", own), ("numbers", own), ("member", nil), ("members", nil)] {
      guard let given = members[name] else { continue }
      let known = known ?? Array(0..<base.memberCount)
      let places = (given.integers ?? given.integer.map({ [$0] }))?.map { known.firstIndex(of: $0) }
      guard let places, !places.contains(nil) else {
        let isRow = zip(known, known.dropFirst()).allSatisfy { $1 == $0 + 1 }
        throw invalid(
          name,
          expected: isRow
            ? "whole numbers from \(known.first ?? 0) to \(known.last ?? 0)"
            : "some of the members' numbers \(known.map(String.init).joined(separator: ", "))")
      }
      chosen.formUnion(places.compactMap { $0 })
    }
    return chosen.isEmpty ? base : MemberSubset(base: base, members: chosen.sorted())
  }
}
