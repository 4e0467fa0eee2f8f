/// One rank's findings on a channel's values, in numbers that can be joined with those of other ranks.
struct FieldScan {
  let plausible: ClosedRange<Double>?
  private var missing = Tally()
  /// Outside the plausible range.
  private var outside = Tally()
  /// Equal to a number that marks missing values elsewhere, and that is not the plausible range's to judge.
  private var marked = Tally()
  private var flat = Tally()
  private var all = Bounds()
  /// Without the values that are counted in `outside` or `marked`.
  private var others = Bounds()
  /// The bounds of those values.
  private var odd = Bounds()
  private var flatValue = Bounds()
  /// At the times over which fields are normalised.
  private var normalised = Span()

  /// Whether a field varies over some times.
  private struct Span {
    var times = 0.0
    var all = Bounds()
    var hash = Bounds()
    private var isChanging = false

    /// Until two fields differ, a hash of their bits (FNV-1a) is compared.
    mutating func add(_ plane: UnsafeMutableBufferPointer<Float>) {
      times += 1
      if isChanging { return }
      let bits = plane.reduce(UInt64(0xCBF2_9CE4_8422_2325)) { ($0 ^ UInt64($1.bitPattern)) &* 0x100_0000_01B3 }
      let value = Double(bits >> 11)
      hash.add(value, value, 0)
      isChanging = hash.low != hash.high
    }
  }

  /// How often something was seen: in times, in values, first when.
  private struct Tally {
    var times = 0.0
    var values = 0.0
    var first = Double.infinity

    mutating func add(_ count: Int, _ time: Int) {
      if count == 0 { return }
      times += 1
      values += Double(count)
      first = min(first, Double(time))
    }
  }

  private struct Bounds {
    var low = Double.infinity
    var high = -Double.infinity
    var lowTime = Double.infinity
    var highTime = Double.infinity

    mutating func add(_ low: Double, _ high: Double, _ time: Int) {
      if low < self.low { (self.low, lowTime) = (low, Double(time)) }
      if high > self.high { (self.high, highTime) = (high, Double(time)) }
    }
  }

  init(plausible: ClosedRange<Double>?) { self.plausible = plausible }

  // MARK: One field

  /// - Parameters:
  ///   - plane: [rows, columns].
  ///   - imputed: of a channel that may lack values; those that were filled in are left out.
  ///   - isNormalised: whether the time is one of those over which fields are normalised.
  mutating func add(
    _ plane: UnsafeMutableBufferPointer<Float>, _ imputed: ImputedField?, columns: Int, time: Int, isNormalised: Bool
  ) {
    guard let start = plane.baseAddress else { return }
    if let imputed {
      if imputed.sources == nil {
        let whole = Rectangle(rows: 0..<plane.count / columns, columns: 0..<columns)
        let found = imputed.differences(start, stride: columns, whole, columns: columns)
        missing.add(found.lacking + found.unexpected, time)
      }
      for point in plane.indices where imputed.isMissing[point] { plane[point] = .nan }
    }
    var (low, high, lacking) = (Float.infinity, -Float.infinity, 0)
    for value in plane {
      if value.isFinite {
        low = min(low, value)
        high = max(high, value)
      } else {
        lacking += 1
      }
    }
    if imputed == nil { missing.add(lacking, time) }
    if isNormalised { normalised.add(plane) }
    if low > high { return }
    all.add(Double(low), Double(high), time)
    if isNormalised { normalised.all.add(Double(low), Double(high), time) }
    if low == high {
      flat.add(plane.count - lacking, time)
      flatValue.add(Double(low), Double(high), time)
    }
    addOdd(plane, low, high, time)
  }

  private mutating func addOdd(_ plane: UnsafeMutableBufferPointer<Float>, _ low: Float, _ high: Float, _ time: Int) {
    func isOutside(_ value: Float) -> Bool { plausible.map { !$0.contains(Double(value)) } ?? false }
    func isMark(_ value: Float) -> Bool {
      plausible == nil && (PlausibleValues.marks.contains(value) || !(abs(value) < PlausibleValues.rareMagnitude))
    }
    guard isOutside(low) || isOutside(high) || isMark(low) || isMark(high) else {
      return others.add(Double(low), Double(high), time)
    }
    var (beyond, marks) = (0, 0)
    for value in plane where value.isFinite {
      let (isBeyond, isMarked) = (isOutside(value), isMark(value))
      if isBeyond { beyond += 1 }
      if isMarked { marks += 1 }
      if isBeyond || isMarked {
        odd.add(Double(value), Double(value), time)
      } else {
        others.add(Double(value), Double(value), time)
      }
    }
    outside.add(beyond, time)
    marked.add(marks, time)
  }

  // MARK: All ranks

  private var tallies: [Tally] { [missing, outside, marked, flat] }
  private var bounds: [Bounds] { [all, others, odd, flatValue, normalised.all, normalised.hash] }
  static let sumCount = 9
  static let lowestCount = 16
  static let firstCount = 2

  /// To be summed over the ranks.
  var sums: [Double] { [normalised.times] + tallies.flatMap { [$0.times, $0.values] } }
  /// Values of which ranks keep the lowest.
  var lowest: [Double] { tallies.map(\.first) + bounds.flatMap { [$0.low, -$0.high] } }
  /// The first times of the least and the greatest value of all ranks, infinite where this rank has others.
  func firstTimes(of lowest: [Double]) -> [Double] {
    [all.low == lowest[4] ? all.lowTime : .infinity, all.high == -lowest[5] ? all.highTime : .infinity]
  }

  static func row(sums: [Double], lowest: [Double], firsts: [Double]) -> ValueSurvey.Row {
    func tally(_ number: Int) -> ValueSurvey.Missing? {
      sums[1 + 2 * number] == 0
        ? nil
        : ValueSurvey.Missing(
          times: Int(sums[1 + 2 * number]), values: Int(sums[2 + 2 * number]), firstTime: Int(lowest[number]))
    }
    func bounds(_ number: Int) -> (low: Double, high: Double)? {
      let (low, high) = (lowest[4 + 2 * number], -lowest[5 + 2 * number])
      return low <= high ? (low, high) : nil
    }
    var row = ValueSurvey.Row()
    row.missing = tally(0)
    if let all = bounds(0) {
      row.minimum = .init(value: all.low, time: Int(firsts[0]))
      row.maximum = .init(value: all.high, time: Int(firsts[1]))
    }
    row.odd = tally(1)
    if let odd = bounds(2) {
      let isFill = odd.low == odd.high || [odd.low, odd.high].allSatisfy { PlausibleValues.isNoMeasurement(Float($0)) }
      if row.odd == nil, isFill, isFar(odd, from: bounds(1)) { row.odd = tally(2) }
      row.mark = row.odd != nil && odd.low == odd.high ? odd.low : nil
    }
    if let flat = tally(3), let value = bounds(3) {
      row.flatTimes = flat.times
      row.firstFlat = .init(value: value.low == value.high ? value.low : .nan, time: flat.firstTime)
    }
    row.normalisedTimes = Int(sums[0])
    row.constant = bounds(4).flatMap { $0.low == $0.high ? $0.low : nil }
    row.isUnchanging = sums[0] > 1 && bounds(5).map { $0.low == $0.high } ?? false
    return row
  }

  /// Whether values lie farther from others than these from each other, by far.
  private static func isFar(_ odd: (low: Double, high: Double), from others: (low: Double, high: Double)?) -> Bool {
    guard let others else { return true }
    let room = 10 * (others.high - others.low)
    return [odd.low, odd.high].allSatisfy { $0 < others.low - room || $0 > others.high + room }
  }
}
