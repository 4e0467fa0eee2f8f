import Basics

/// A store's dates with those between them that it lacks, which are missing ones then, as in a dataset of Anemoi's: what counts, fills
/// or compares dates does so for stores of all kinds.
struct GapDates: DerivedView {
  let base: any FieldView
  let dates: [Timestamp]
  let missing: Set<Int>
  let storedDates: DateRuns
  /// By date, the place in the base; nil for those that it lacks.
  private let places: [Int?]

  /// The view itself where it lacks no date: where dates have no common interval, as months have none, or would be too many.
  static func filling(_ view: any FieldView) -> any FieldView {
    let dates = view.dates
    let steps = zip(dates, dates.dropFirst()).map { $1.seconds - $0.seconds }
    guard let step = steps.min(), step > 0, steps.contains(where: { $0 != step }),
      steps.allSatisfy({ $0 % step == 0 }), let first = dates.first, let last = dates.last,
      (last.seconds - first.seconds) / step < Int64(ViewOptions.dateLimit)
    else { return view }
    return GapDates(view, every: step)
  }

  private init(_ base: any FieldView, every seconds: Int64) {
    self.base = base
    let own = base.dates
    let known = own.map { Int(($0.seconds - own[0].seconds) / seconds) }
    let count = known[known.count - 1] + 1
    var places = [Int?](repeating: nil, count: count)
    for (place, date) in known.enumerated() { places[date] = place }
    self.places = places
    dates = (0..<count).map { Timestamp(seconds: own[0].seconds + Int64($0) * seconds) }
    missing = Set(places.indices.filter { places[$0].map(base.missing.contains) ?? true })
    storedDates = base.storedDates.among(known, count: count)
  }

  func storedRuns(of variable: Int) -> [Range<Int>] { base.storedRuns(of: variable) }

  func read(_ wanted: WantedPart, into target: (_ date: Int, _ variable: Int) -> UnsafeMutablePointer<Float>) throws {
    var (inBase, there) = (wanted, [Int]())
    inBase.dates = []
    for (place, date) in wanted.dates.enumerated() {
      if let own = places[date] {
        inBase.dates.append(own)
        there.append(place)
      } else {
        for line in wanted.variables.indices { target(place, line).update(repeating: .nan, count: wanted.points.count) }
      }
    }
    if !there.isEmpty { try base.read(inBase) { target(there[$0], $1) } }
  }
}
