import Basics
import Stores

/// Which arrays of a store are its coordinates, by what their attributes mean (CF 1.11, chapters 4 and 5; UGRID 1.0). Names
/// serve only where attributes are silent; the letter in `axis` alone never makes a latitude.
struct StoreAxes: Sendable {
  enum Places: Sendable {
    /// Fields over latitudes × longitudes.
    case grid(latitude: Coordinate, longitude: Coordinate)
    /// Fields over points that have a latitude and a longitude each, along one dimension or two.
    case points(latitude: String, longitude: String, dimensions: [String])

    var dimensions: [String] {
      switch self {
      case .grid(let latitude, let longitude): [latitude.dimension, longitude.dimension]
      case .points(_, _, let dimensions): dimensions
      }
    }
  }

  /// A variable along one dimension, which need not have its name.
  struct Coordinate: Sendable, Hashable {
    let variable, dimension: String
  }

  struct Time: Sendable {
    let coordinate: Coordinate
    /// The variable whose one value is added to times of reference; nil where times are those of validity.
    let lead: String?
    /// Seconds that are added where fields have them as an attribute (NCL's `forecast_time`).
    var leadSeconds: Int64 = 0
  }

  let places: Places
  let time: Time?
  /// Coordinates of pressure, one for each dimension of theirs, the likeliest first.
  let levels: [Coordinate]
  let member: String?

  /// - Parameter wanted: requested variables, by our names or the store's.
  /// - Throws: when fields have no latitudes and longitudes, or only those of a rotated or projected grid's axes; when
  ///   times of reference have no lead time, or several.
  init(_ store: any ArrayStore, wanted: Set<String> = []) throws {
    places = try StoreAxes.findPlaces(store, wanted: wanted)
    let spatial = Set(places.dimensions)
    let used = Set(
      StoreAxes.fields(store).filter { spatial.isSubset(of: $0.dimensionNames) }.flatMap(\.dimensionNames))
    time = try StoreAxes.findTime(store, used: used.subtracting(spatial))
    levels = StoreAxes.findLevels(store, used: used.subtracting(spatial))
    member = GriddedStore.memberAxis(store)
  }

  // MARK: Latitude and longitude

  enum Direction: CaseIterable {
    case latitude, longitude

    var standardName: String { self == .latitude ? "latitude" : "longitude" }
    /// Units that CF gives to one of the two alone.
    var units: [String] {
      let letter = self == .latitude ? "north" : "east"
      let short = self == .latitude ? "n" : "e"
      return [
        "degrees_\(letter)", "degree_\(letter)", "degree_\(short)", "degrees_\(short)", "degree\(short)",
        "degrees\(short)",
      ]
    }
    /// In lower case: of CF's examples, of NEMO, WRF, MPAS, CESM and Anemoi.
    var names: [String] {
      self == .latitude
        ? ["latitude", "lat", "latitudes", "nav_lat", "xlat", "xlat_m", "tlat", "lat2d", "latcell"]
        : ["longitude", "lon", "longitudes", "nav_lon", "xlong", "xlong_m", "tlong", "lon2d", "loncell"]
    }
  }

  /// Angles that may be of either axis.
  private static let anglesUnits: Set<String> = ["", "degree", "degrees", "deg", "°", "radian", "radians", "rad"]

  /// The name within a group of NetCDF-4.
  private static func ownName(_ array: ArrayInfo) -> String {
    array.name.split(separator: "/").last.map { $0.lowercased() } ?? ""
  }

  /// Whether an array holds geographic latitudes or longitudes.
  static func isCoordinate(_ array: ArrayInfo, _ direction: Direction) -> Bool {
    let name = ownName(array)
    if let standard = array.attributes["standard_name"]?.text, !standard.isEmpty {
      // Coordinates of another standard name are others: grid_latitude, projection_y_coordinate.
      return standard.lowercased() == direction.standardName
    }
    let longName = array.attributes["long_name"]?.text?.lowercased() ?? ""
    if longName.contains("rotated") || longName.hasPrefix("grid ") || ["rlat", "rlon"].contains(name)
      || name.hasPrefix("grid_")
    {
      return false
    }
    let units = (array.attributes["units"]?.text?.lowercased() ?? "").replacing(" ", with: "_")
    if direction.units.contains(units) { return true }
    return anglesUnits.contains(units) && direction.names.contains(name)
  }

  /// Whether an array holds positions along an axis of a rotated or projected grid.
  private static func isGridAxis(_ array: ArrayInfo) -> Bool {
    ["grid_latitude", "grid_longitude", "projection_y_coordinate", "projection_x_coordinate"]
      .contains(array.attributes["standard_name"]?.text ?? "") || ["rlat", "rlon"].contains(ownName(array))
  }

  /// Names of arrays that others name as bounds of their cells, or as what joins a mesh.
  private static func auxiliary(_ store: any ArrayStore) -> Set<String> {
    var names: Set<String> = []
    for array in store.arrays.values {
      for (key, value) in array.attributes {
        guard key == "bounds" || key == "climatology" || key.hasSuffix("_connectivity"), let text = value.text else {
          continue
        }
        names.formUnion(text.split(separator: " ").map(String.init))
      }
    }
    return names
  }

  /// Arrays that may be fields: not coordinates, their bounds or a mesh.
  static func fields(_ store: any ArrayStore) -> [ArrayInfo] {
    let auxiliary = auxiliary(store)
    return store.arrays.values.filter { array in
      !array.isText && !array.dimensions.isEmpty && array.dimensionNames != [array.name]
        && !auxiliary.contains(array.name)
        && array.attributes["cf_role"] == nil && !Direction.allCases.contains { isCoordinate(array, $0) }
    }.sorted { $0.name < $1.name }
  }

  /// Latitude and longitude that belong together, and how well they serve.
  private struct Candidate {
    let places: Places
    let isOnFaces: Bool
    let fieldCount: Int
    /// Number of requested fields.
    let wantedCount: Int
    let isGrid: Bool
    /// Whether it lies along times: the places of a satellite, or of a ship.
    let isTrack: Bool
    /// Fields that name both among their coordinates.
    let namedCount: Int
    /// How well its arrays say that they are the coordinates of their dimensions, the least best.
    let rank: Int
    /// Name of the latitude array; orders candidates, so that the choice is always the same.
    let name: String

    func precedes(_ other: Candidate) -> Bool {
      if isTrack != other.isTrack { return !isTrack }
      if wantedCount != other.wantedCount { return wantedCount > other.wantedCount }
      let (isMesh, isOtherMesh) = (isOnFaces && fieldCount > 0, other.isOnFaces && other.fieldCount > 0)
      if isMesh != isOtherMesh { return isMesh }
      if fieldCount != other.fieldCount { return fieldCount > other.fieldCount }
      if isGrid != other.isGrid { return isGrid }
      if namedCount != other.namedCount { return namedCount > other.namedCount }
      if rank != other.rank { return rank < other.rank }
      return name < other.name
    }

    /// Whether nothing but the name decides between two along the same dimensions.
    func isRival(of other: Candidate) -> Bool {
      name != other.name && rank == other.rank && namedCount == other.namedCount && isGrid == other.isGrid
        && Set(places.dimensions) == Set(other.places.dimensions)
    }
  }

  /// - Parameter wanted: requested variables, by our names or the store's: of several sets of coordinates the one with most of them is
  ///   taken, then the one with most fields.
  static func findPlaces(_ store: any ArrayStore, wanted: Set<String> = []) throws -> Places {
    let auxiliary = auxiliary(store)
    let arrays = store.arrays.values.filter {
      (1...3).contains($0.dimensions.count) && !auxiliary.contains($0.name)
        && Set($0.dimensionNames).count == $0.shape.count
    }
    let latitudes = arrays.filter { isCoordinate($0, .latitude) }
    let longitudes = arrays.filter { isCoordinate($0, .longitude) }
    let fields = fields(store)
    let faces = Set(
      store.arrays.values.flatMap { array in
        (array.attributes["face_coordinates"]?.text ?? "").split(separator: " ").map(String.init)
      })
    let named = fields.map { words($0.attributes["coordinates"]) }
    let asked = fields.filter { array in
      wanted.contains(array.name) || Lexicon.find(array.name).map { wanted.contains($0.name) } ?? false
    }
    func rank(_ array: ArrayInfo, _ direction: Direction) -> Int {
      if array.dimensionNames == [array.name] { return 0 }
      if array.attributes["standard_name"] != nil { return 2 }
      return direction.names.contains(ownName(array)) ? 3 : 4
    }
    var candidates: [Candidate] = []
    for latitude in latitudes {
      for longitude in longitudes {
        guard let places = pair(latitude, longitude) else { continue }
        let spatial = Set(places.dimensions)
        candidates.append(
          Candidate(
            places: places, isOnFaces: faces.contains(latitude.name),
            fieldCount: fields.filter { spatial.isSubset(of: $0.dimensionNames) }.count,
            wantedCount: asked.filter { spatial.isSubset(of: $0.dimensionNames) }.count,
            isGrid: latitude.dimensions != longitude.dimensions,
            isTrack: places.dimensions.count == 1 && (store.arrays[places.dimensions[0]].map(isTime) ?? false),
            namedCount: named.filter { $0.isSuperset(of: [latitude.name, longitude.name]) }.count,
            rank: rank(latitude, .latitude) + rank(longitude, .longitude), name: latitude.name + " " + longitude.name))
      }
    }
    guard let best = candidates.min(by: { $0.precedes($1) }) else { throw withoutPlaces(store) }
    if best.isTrack {
      throw JigsawError(
        store.location, "has latitudes and longitudes along times alone: those of a track, not of fields",
        expected: "latitude and longitude of a grid or of points", found: best.name,
        remedy: "add the coordinates of the fields")
    }
    if let rival = candidates.first(where: { $0.isRival(of: best) && $0.isOnFaces == best.isOnFaces }) {
      throw JigsawError(
        store.location, "has several latitudes and longitudes of the same points",
        expected: "one pair that fields name among their coordinates, or with standard names",
        found: "\(best.name), \(rival.name)", remedy: "add these, or leave the others out")
    }
    if best.isGrid {
      try requireGeographic(store, fields.filter { Set(best.places.dimensions).isSubset(of: $0.dimensionNames) })
    }
    return best.places
  }

  static func words(_ attribute: AttributeValue?) -> Set<String> {
    Set((attribute?.text ?? "").split(whereSeparator: \.isWhitespace).map(String.init))
  }

  /// - Throws: when a field names other latitudes or longitudes of its points than those that are taken, as on a staggered grid.
  static func requirePlaces(
    _ field: ArrayInfo, _ latitude: String, _ longitude: String, _ store: any ArrayStore
  ) throws {
    let named = words(field.attributes["coordinates"])
    for (taken, direction) in zip([latitude, longitude], Direction.allCases) where !named.contains(taken) {
      let others = named.compactMap { store.arrays[$0] }.filter {
        isCoordinate($0, direction) && $0.dimensions == store.arrays[taken]?.dimensions
      }
      guard let other = others.min(by: { $0.name < $1.name }) else { continue }
      throw JigsawError(
        "\(store.location): \(field.name)", "lies on \(other.name), and other fields on \(taken)",
        expected: "one set of points", remedy: "put these fields into a file of their own, or interpolate them")
    }
  }

  private static func pair(_ latitude: ArrayInfo, _ longitude: ArrayInfo) -> Places? {
    let (rows, columns) = (latitude.dimensions, longitude.dimensions)
    if rows == columns {
      // WRF stores the same places again for each time.
      let dimensions = rows.suffix(rows.count == 3 ? 2 : rows.count).map(\.name)
      return .points(latitude: latitude.name, longitude: longitude.name, dimensions: dimensions)
    }
    guard rows.count == 1, columns.count == 1, rows[0].name != columns[0].name else { return nil }
    return .grid(
      latitude: Coordinate(variable: latitude.name, dimension: rows[0].name),
      longitude: Coordinate(variable: longitude.name, dimension: columns[0].name))
  }

  /// - Throws: when a field's grid mapping says that its axes can't be latitudes and longitudes.
  private static func requireGeographic(_ store: any ArrayStore, _ fields: [ArrayInfo]) throws {
    let compatible = ["latitude_longitude", "mercator", "lambert_cylindrical_equal_area"]
    for field in fields {
      guard let mapping = GridProjection.mapping(of: field, in: store),
        let name = mapping.attributes["grid_mapping_name"]?.text, !compatible.contains(name)
      else { continue }
      throw JigsawError(
        "\(store.location): \(field.name)", "lies on a grid whose axes are not latitudes and longitudes",
        expected: "two-dimensional latitude and longitude", found: "\(mapping.name) is \(name)",
        remedy: "add latitude and longitude of each point, or interpolate the data to a regular grid")
    }
  }

  private static func withoutPlaces(_ store: any ArrayStore) -> JigsawError {
    let axes = store.arrays.values.filter(isGridAxis).sorted { $0.name < $1.name }
    if !axes.isEmpty {
      return JigsawError(
        store.location, "lies on a rotated or projected grid without latitude and longitude of its points",
        expected: "two-dimensional 'latitude' and 'longitude' beside \(axes.map(\.name).joined(separator: ", "))",
        found: axes.map { "\($0.name): \($0.attributes["standard_name"]?.text ?? "an axis of a rotated grid")" }
          .joined(separator: ", "),
        remedy: "add them, or interpolate the data to a regular grid, for example with 'cdo remapbil'")
    }
    return JigsawError(
      store.location, "has no coordinate variables for latitude and longitude",
      expected: "one-dimensional 'latitude' and 'longitude' (a regular grid), or those of each point",
      found: store.arrays.values.map { "\($0.name)(\($0.dimensionNames.joined(separator: ", ")))" }.sorted()
        .joined(separator: ", "))
  }
}
