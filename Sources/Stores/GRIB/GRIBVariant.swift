/// Fields of one kind, which make one array.
struct GRIBVariant: Hashable {
  var shortName, typeOfLevel: String
  /// Nil on pressure levels, which are a dimension.
  var level: Double?
  var stepType: String
  var paramId: Int
  /// Nil unless several spans give values for the same time, as with precipitation of 6 h and since the start.
  var spanSeconds: Int64?

  init(_ product: GRIBProduct) {
    shortName = product.shortName
    typeOfLevel = product.typeOfLevel
    level = product.isOnPressureLevel ? nil : product.level
    stepType = product.stepType
    paramId = product.paramId
  }
}

extension GRIBVariant {
  /// Numbers of a file's fields by kind; those of different spans are told apart where they claim the same position.
  static func groups(
    _ index: GRIBIndex, _ position: (GRIBField) -> some Hashable
  ) -> [GRIBVariant: [Int]] {
    var groups: [GRIBVariant: [Int]] = [:]
    for (number, field) in index.fields.enumerated() {
      groups[GRIBVariant(index.products[field.product]), default: []].append(number)
    }
    joinEditions(&groups, index)
    for (variant, fields) in groups where variant.stepType != "instant" {
      let bySpan = Dictionary(grouping: fields) { index.products[index.fields[$0].product].spanSeconds }
      guard bySpan.count > 1, Set(fields.map { position(index.fields[$0]) }).count < fields.count else { continue }
      groups[variant] = nil
      for (span, fields) in bySpan {
        var part = variant
        part.spanSeconds = span
        groups[part] = fields
      }
    }
    return groups
  }

  /// Makes one of what both editions have of a parameter. ECMWF's own tables of edition 1 have numbers for 2 m temperature and the
  /// like, all of them on "surface" and often "instant"; edition 2 tells level and processing, too.
  private static func joinEditions(_ groups: inout [GRIBVariant: [Int]], _ index: GRIBIndex) {
    for (paramId, variants) in Dictionary(grouping: groups.keys, by: \.paramId)
    where variants.count == 2 && paramId != 0 && !ofAnyLevel.contains(paramId) {
      func products(_ variant: GRIBVariant) -> [GRIBProduct] {
        (groups[variant] ?? []).map { index.products[index.fields[$0].product] }
      }
      guard
        let old = variants.first(where: {
          $0.typeOfLevel == "surface" && $0.level == 0 && products($0).allSatisfy(\.isOfLocalTable)
        }),
        let new = variants.first(where: { $0.level != nil && products($0).allSatisfy { $0.edition == 2 } }),
        old.stepType == "instant" || old.stepType == new.stepType, old.shortName == new.shortName
      else { continue }
      groups[new, default: []] += groups.removeValue(forKey: old) ?? []
    }
  }

  /// Parameters that have values at any height, so that the level is part of what they are: stream function to equivalent potential
  /// temperature, wind speed, pressure, potential vorticity, rain and snow water, geopotential to vertical velocity, vorticity,
  /// divergence, geopotential height, relative humidity, ozone, cloud water, ice and cover.
  private static let ofAnyLevel: Set = [
    1, 2, 3, 4, 10, 54, 60, 75, 76, 129, 130, 131, 132, 133, 135, 138, 155, 156, 157, 203, 246, 247, 248,
  ]
}
