import Basics
import Stores

/// Components of vectors along the axes of a rotated or projected grid, and what makes them eastward and northward.
struct GridComponents {
  /// How an array is read.
  enum Reading: Sendable {
    /// It is no component, or one to the east or north.
    case asStored
    /// It is one of two along the grid's axes; their arrays, and which of them it is.
    case rotated(x: String, y: String, isY: Bool, by: Rotation)
    case refused(JigsawError)
  }

  enum Rotation: Sendable, Equatable {
    case projection(GridProjection)
    /// WRF stores the cosine and sine of the angle for each point.
    case stored(cosine: String, sine: String)
  }

  let store: any ArrayStore
  /// Whether the points are rows and columns that are no latitudes and longitudes.
  let isCurvilinear: Bool
  /// The variables that the user says arrays hold, by the arrays' names.
  var meanings: [String: String] = [:]

  func reading(of array: ArrayInfo) -> Reading {
    guard let component = component(array), component.isAlongGrid != false else { return .asStored }
    guard component.isAlongGrid == true else {
      return refused(
        array, "may be a component along the grid's axes or to the east or north",
        "say which by standard_name: x_wind and y_wind, or eastward_wind and northward_wind")
    }
    guard let rotation = rotation(array) else {
      return refused(
        array, "is a component along the grid's axes, whose directions are not known",
        "add its grid mapping (rotated_latitude_longitude, lambert_conformal_conic or polar_stereographic), or rotate it to east "
          + "and north before")
    }
    if rotation == .projection(.upright) { return .asStored }
    guard let partner = partner(of: array, component) else {
      let unlike = store.arrays.values.filter { GridComponents.plain(description($0)) == component.other }
      if let other = unlike.min(by: { $0.name < $1.name }) {
        func shape(_ array: ArrayInfo) -> String {
          "\(array.name)(\(array.dimensions.map(\.name).joined(separator: ", "))) in "
            + (array.attributes["units"]?.text ?? "no unit")
            + (flag(array).map { ", uvRelativeToGrid \(Channel.text($0))" } ?? "")
        }
        return .refused(
          JigsawError(
            "\(store.location): \(array.name)",
            "is a component along the grid's axes, stored otherwise than the other one",
            expected: shape(array), found: shape(other),
            remedy: "store both with the same dimensions, units and directions, or rotate them to east and north before"
          ))
      }
      return refused(
        array, "is a component along the grid's axes without the other one",
        "add the other component on the same points, or rotate it to east and north before")
    }
    return .rotated(
      x: component.isY ? partner.name : array.name, y: component.isY ? array.name : partner.name, isY: component.isY,
      by: rotation)
  }

  /// GRIB's word on the directions of vectors: 1 along the grid's axes.
  private func flag(_ array: ArrayInfo) -> Double? { array.attributes["GRIB_uvRelativeToGrid"]?.number }

  private func refused(_ array: ArrayInfo, _ problem: String, _ remedy: String) -> Reading {
    let found = ["standard_name", "long_name", "description"].compactMap { array.attributes[$0]?.text }.first
    return .refused(JigsawError("\(store.location): \(array.name)", problem, found: found, remedy: remedy))
  }

  // MARK: Which component

  private struct Component {
    let isY: Bool
    /// Nil where nothing says it.
    let isAlongGrid: Bool?
    /// The name of the other one.
    let other: String
  }

  private static let axes = [
    "x": "y", "u": "v", "i": "j", "eastward": "northward", "zonal": "meridional", "ugrd": "vgrd",
  ]
  private static let others = axes.merging(axes.map { ($1, $0) }) { $1 }

  private static func words(_ text: String) -> [String] {
    text.lowercased().split(whereSeparator: { !$0.isLetter && !$0.isNumber }).map(String.init)
  }

  /// Where words speak of an axis of the grid: "along i", "i-axis", "x direction".
  private static func axis(of words: [String]) -> Int? {
    words.indices.first { place in
      words[place].count == 1 && others[words[place]] != nil
        && (place > 0 && words[place - 1] == "along"
          || place + 1 < words.count && ["axis", "direction"].contains(words[place + 1]))
    }
  }

  /// The text with the first word that names one axis replaced by that of the other one; nil without such a word. The letters of NEMO,
  /// i and j, count where words say that they are axes.
  private static func swapped(_ text: String) -> (text: String, word: String)? {
    var words = words(text)
    let first = words.firstIndex { others[$0] != nil && !["i", "j"].contains($0) }
    guard let place = first ?? axis(of: words), let other = others[words[place]] else { return nil }
    let word = words[place]
    words[place] = other
    return (words.joined(separator: " "), word)
  }

  private static let otherThanHorizontal = [
    "vertical", "speed", "upward", "downward", "omega", "gust", "friction", "ustar", "similarity", "u*",
  ]

  /// Whether an array holds speeds, and no words say that they are vertical or without direction.
  private static func isHorizontalSpeed(_ array: ArrayInfo) -> Bool {
    guard let units = array.units, UnitConversion(from: units, to: "m s-1") != nil else { return false }
    let words = ["standard_name", "long_name", "description"].compactMap { array.attributes[$0]?.text } + [array.name]
    return !words.contains { text in otherThanHorizontal.contains { text.lowercased().contains($0) } }
  }

  /// Whether an array holds stresses, by its unit and its name or words.
  private static func isStress(_ array: ArrayInfo) -> Bool {
    guard let units = array.units, UnitConversion(from: units, to: "Pa") != nil else { return false }
    return ([array.name] + ["long_name", "description"].compactMap { array.attributes[$0]?.text }).contains { text in
      ["tau", "stress"].contains { text.lowercased().contains($0) }
    }
  }

  /// The axis of speeds and stresses that only their name tells: U10, UGRD, uwind, wind_u, utau, sozotaux.
  private static func axis(ofName array: ArrayInfo) -> (text: String, word: String)? {
    let name = array.name.lowercased()
    let last = name.split { "_-".contains($0) }.last.flatMap { $0.count == 1 ? $0.first : nil }
    let isStress = isStress(array)
    guard isStress || isHorizontalSpeed(array), array.attributes["standard_name"]?.text?.isEmpty ?? true,
      let letter = [name.first, last].compactMap({ $0 }).first(where: "uv".contains)
        ?? (isStress ? name.last.flatMap { "xyuv".contains($0) ? $0 : nil } : nil)
    else { return nil }
    return ("", String(letter))
  }

  private static func plain(_ text: String) -> String {
    text.lowercased().split(whereSeparator: { !$0.isLetter && !$0.isNumber }).joined(separator: " ")
  }

  /// The text that tells components of one kind apart.
  private func description(_ array: ArrayInfo) -> String {
    for key in ["GRIB_name", "standard_name", "long_name", "description"] {
      if let text = array.attributes[key]?.text, !text.isEmpty, text != "unknown" { return text }
    }
    return array.name
  }

  private func component(_ array: ArrayInfo) -> Component? {
    let text = description(array)
    let known = (meanings[array.name].flatMap { Lexicon[$0] } ?? Lexicon.find(array.name))?.standardName
    let fromText = GridComponents.swapped(text)
    guard let found = fromText ?? known.flatMap(GridComponents.swapped) ?? GridComponents.axis(ofName: array) else {
      return nil
    }
    let isY = !GridComponents.axes.keys.contains(found.word)
    let other = fromText?.text ?? ""
    func made(_ isAlongGrid: Bool?) -> Component { Component(isY: isY, isAlongGrid: isAlongGrid, other: other) }
    let namesDirection = ["eastward", "northward", "zonal", "meridional"].contains(found.word)
    if let flag = array.attributes["GRIB_uvRelativeToGrid"] { return made(flag.number.map { $0 != 0 }) }
    if array.attributes["GRIB_gridType"]?.text != nil {
      return made(GridProjection(grib: array.attributes) == .upright ? false : isCurvilinear ? nil : false)
    }
    if let standard = array.attributes["standard_name"]?.text, !standard.isEmpty {
      return made(!namesDirection || standard.lowercased().hasPrefix("grid_"))
    }
    // Words of no convention count where the lexicon knows the name, or the text speaks of a component.
    let words = GridComponents.plain(text)
    let isOfAxis = isCurvilinear && GridComponents.axis(of: GridComponents.words(text)) != nil
    let isWRF = store.arrays["COSALPHA"] != nil && store.arrays["SINALPHA"] != nil
    let isWind =
      words.contains("component") || words.contains("wind") || isWRF && ["U10", "V10"].contains(array.name)
      || isCurvilinear && (GridComponents.isHorizontalSpeed(array) || GridComponents.isStress(array)) || isOfAxis
    guard known != nil || isWind else { return nil }
    if fromText != nil && namesDirection { return made(false) }
    if isWRF || isOfAxis && ["i", "j"].contains(found.word) { return made(true) }
    if let mapping = GridProjection.mapping(of: array, in: store) {
      return made(GridProjection(cf: mapping.attributes) == .upright ? false : nil)
    }
    return made(isCurvilinear ? nil : false)
  }

  private func rotation(_ array: ArrayInfo) -> Rotation? {
    if array.attributes["GRIB_gridType"] != nil {
      return GridProjection(grib: array.attributes).map { .projection($0) }
    }
    if let mapping = GridProjection.mapping(of: array, in: store),
      let projection = GridProjection(cf: mapping.attributes)
    {
      return .projection(projection)
    }
    guard store.arrays["COSALPHA"] != nil, store.arrays["SINALPHA"] != nil else { return nil }
    return .stored(cosine: "COSALPHA", sine: "SINALPHA")
  }

  /// The other component on the same points, times and levels.
  private func partner(of array: ArrayInfo, _ component: Component) -> ArrayInfo? {
    let same = store.arrays.values.filter {
      $0.dimensions == array.dimensions && $0.name != array.name
        && $0.attributes["units"]?.text == array.attributes["units"]?.text && flag($0) == flag(array)
    }
    let byText = same.filter { GridComponents.plain(description($0)) == component.other }
    if byText.count == 1 { return byText[0] }
    // Several heights: the name that differs by one letter alone.
    let letters: [Character: Character] =
      component.isY ? ["v": "u", "V": "U", "y": "x", "Y": "X"] : ["u": "v", "U": "V", "x": "y", "X": "Y"]
    let names = array.name.indices.compactMap { place -> String? in
      letters[array.name[place]].map {
        array.name[..<place] + String($0) + array.name[array.name.index(after: place)...]
      }
    }
    return (byText.isEmpty ? same : byText).first { names.contains($0.name) }
  }
}
