import Basics
import Stores

/// The periods that forecasts' times say by their bounds (CF 1.11, §7.1): of leads, or of times of validity.
enum ForecastPeriods {
  /// Seconds by lead, 0 where nothing is known; nil without bounds.
  static func seconds(_ store: any ArrayStore, _ axes: ForecastAxes) throws -> [Int64]? {
    let ours = [axes.initialDimension, axes.leadDimension].compactMap { $0 }
    let coordinates = store.arrays.values.filter { array in
      (StoreAxes.isLead(array) || StoreAxes.isTime(array) && !StoreAxes.isReference(array))
        && Set(array.dimensionNames).isSubset(of: ours)
        && (axes.leadDimension == nil || array.dimensionNames.contains(axes.leadDimension ?? ""))
    }.sorted { $0.name < $1.name }
    for coordinate in coordinates {
      guard let bounds = coordinate.attributes["bounds"]?.text.flatMap({ store.arrays[$0] }),
        Array(bounds.dimensionNames.dropLast()) == coordinate.dimensionNames, bounds.shape.last == 2
      else { continue }
      let lengths = try self.lengths(bounds, of: coordinate, store)
      var byLead = [[Int64]](repeating: [], count: axes.leadHours.count)
      for (index, length) in lengths.enumerated() {
        var (rest, lead) = (index, 0)
        for dimension in coordinate.dimensions.reversed() {
          if dimension.name == axes.leadDimension { lead = rest % dimension.size }
          rest /= dimension.size
        }
        byLead[lead].append(FieldSpan.calendar(length))
      }
      return byLead.map(FieldSpan.common)
    }
    return nil
  }

  private static func lengths(_ bounds: ArrayInfo, of coordinate: ArrayInfo, _ store: any ArrayStore) throws -> [Int64]
  {
    guard StoreAxes.isLead(coordinate) else {
      return try MeanPeriod.timestamps(bounds, like: coordinate, store).map { $0[1].seconds - $0[0].seconds }
    }
    guard let perUnit = CFTime.seconds(unitOfLead: bounds.units ?? coordinate.units ?? "") else { return [] }
    let values = try GriddedStore.coordinate(store, bounds.name).doubles
    return stride(from: 0, to: values.count - 1, by: 2).map {
      Int64(saturating: ((values[$0 + 1] - values[$0]) * perUnit).rounded())
    }
  }
}
