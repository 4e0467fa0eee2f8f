import Stores

/// Attributes of an array that say what its values are, on which files of one series must agree.
struct FieldMeaning: Sendable {
  private let values: [String: String]

  init(_ array: ArrayInfo) {
    func text(_ key: String) -> String? { array.attributes[key]?.text }
    var values: [String: String] = [:]
    values["standard_name"] = text("standard_name")
    // Editions of GRIB differ in what they call an instant, and in their names for the ground.
    values["GRIB_stepType"] = text("GRIB_stepType").flatMap { $0 == "instant" ? nil : $0 }
    values["GRIB_typeOfLevel"] = text("GRIB_typeOfLevel").flatMap { $0 == "surface" ? nil : $0 }
    if values["GRIB_typeOfLevel"] != nil, let level = array.attributes["GRIB_level"]?.number {
      values["GRIB_level"] = String(level)
    }
    values["cell_methods"] = text("cell_methods").map { CellMethods($0).summary }
    self.values = values.filter { !$0.value.isEmpty && $0.value != "unknown" }
  }

  /// The first attribute that both have and in which they differ.
  func difference(from other: FieldMeaning) -> (key: String, own: String, other: String)? {
    for (key, own) in values.sorted(by: { $0.key < $1.key }) {
      if let found = other.values[key], found != own { return (key, own, found) }
    }
    return nil
  }
}
