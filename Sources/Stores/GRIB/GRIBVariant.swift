/// Fields of one kind, which make one array.
struct GRIBVariant: Hashable {
  var shortName, typeOfLevel: String
  /// Nil on pressure levels, which are a dimension.
  var level: Double?
  var stepType: String
  var paramId: Int
  /// Nil unless there are several, as with precipitation of 6 h and since the start.
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
  /// Numbers of a file's fields by kind. Those of different spans are distinguished: in a series always, for sums of 3 h and of 6 h are
  /// no series, in forecasts, whose sums grow with the lead, where they claim the same position.
  static func groups(
    _ index: GRIBIndex, isSeries: Bool, _ position: (GRIBField) -> some Hashable
  ) -> [GRIBVariant: [Int]] {
    var groups: [GRIBVariant: [Int]] = [:]
    for (number, field) in index.fields.enumerated() {
      groups[GRIBVariant(index.products[field.product]), default: []].append(number)
    }
    joinEditions(&groups, index)
    joinNumbers(&groups, index, position)
    for (variant, fields) in groups where variant.stepType != "instant" {
      let bySpan = Dictionary(grouping: fields) { variant.span(index.products[index.fields[$0].product]) }
      guard bySpan.count > 1, isSeries || Set(fields.map { position(index.fields[$0]) }).count < fields.count else {
        continue
      }
      groups[variant] = nil
      for (span, fields) in bySpan {
        var part = variant
        part.spanSeconds = span ?? unknownSpan
        groups[part] = fields
      }
    }
    return groups
  }

  /// Stands in a variant for a period that nothing tells.
  static let unknownSpan: Int64 = -1

  /// Hours of parameters that are extremes over one period by definition: gusts and temperatures of 3 and of 6 h.
  private static let hours: [Int: Int64] = [
    121: 6, 122: 6, 123: 6, 228_026: 3, 228_027: 3, 228_028: 3,
  ]

  /// Seconds over which a product of this kind is accumulated, averaged, …; nil where nothing tells it.
  ///
  /// Edition 1 may call an instant what is none. Then a sum runs from the start to its step; from when on an extreme or a mean is taken
  /// is known only where the parameter is one over so many hours.
  func span(_ product: GRIBProduct) -> Int64? {
    guard product.stepType == "instant", stepType != "instant", product.spanSeconds == 0 else {
      return FieldSpan.calendar(product.spanSeconds)
    }
    if stepType == "accum" { return FieldSpan.calendar(product.step) }
    return GRIBVariant.hours[product.paramId].map { $0 * 3_600 }
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

  /// Makes one of what has an old number in some messages and a new one in others, as ECMWF changes them with edition 2: cloud cover 164
  /// and 228164, precipitation 228 and 228228. Neither has a field where the other has one, and their units are convertible.
  private static func joinNumbers(
    _ groups: inout [GRIBVariant: [Int]], _ index: GRIBIndex, _ position: (GRIBField) -> some Hashable
  ) {
    for (name, variants) in Dictionary(grouping: groups.keys, by: \.shortName)
    where variants.count == 2 && !name.hasPrefix("unknown") {
      let (old, new) =
        variants[0].paramId < variants[1].paramId ? (variants[0], variants[1]) : (variants[1], variants[0])
      let (ofOld, ofNew) = (groups[old] ?? [], groups[new] ?? [])
      guard old.paramId != new.paramId, old.level != nil, new.level != nil, old.stepType == new.stepType,
        let first = ofNew.first, !ofOld.isEmpty,
        ofOld.allSatisfy({ number in
          let (from, to) = (index.products[index.fields[number].product], index.products[index.fields[first].product])
          return GRIBUnits.factor(from: from.units, to: to.units) != nil
        }), Set(ofOld.map { position(index.fields[$0]) }).isDisjoint(with: ofNew.map { position(index.fields[$0]) })
      else { continue }
      // The first field says the unit.
      groups[new] = ofNew + ofOld
      groups[old] = nil
    }
  }

  /// Whether fields of one time are meant for all times: those that describe the surface. Any other variable that has a field of one
  /// time lacks the others.
  var mayBeConstant: Bool {
    guard level != nil, stepType == "instant" else { return false }
    if GRIBVariant.heights.contains(paramId) {
      return typeOfLevel == "surface" || typeOfLevel == "hybrid" && level == 1
    }
    return GRIBVariant.constant.contains(paramId)
  }

  /// Geopotential and height, which are constant at the surface; ECMWF has that geopotential on its first model level, too.
  private static let heights: Set = [129, 3_008]

  /// Lake cover and depth, cover and types of vegetation, soil type, deviation, anisotropy, angle and slope of orography below the grid's
  /// scale, land-sea mask, orography.
  private static let constant: Set = [26, 27, 28, 29, 30, 43, 74, 160, 161, 162, 163, 172, 228_002, 228_007]

  /// Parameters that have values at any height, so that the level is part of what they are: stream function to equivalent potential
  /// temperature, wind speed, pressure, potential vorticity, rain and snow water, geopotential to vertical velocity, vorticity,
  /// divergence, geopotential height, relative humidity, ozone, cloud water, ice and cover.
  static let ofAnyLevel: Set = [
    1, 2, 3, 4, 10, 54, 60, 75, 76, 129, 130, 131, 132, 133, 135, 138, 155, 156, 157, 203, 246, 247, 248,
  ]
}
