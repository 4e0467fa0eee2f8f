import Basics

/// Errors of results against a reference, by name.
struct CheckReport {
  private var members: [String: JSONValue] = [:]

  var json: JSONValue { .object(members) }

  mutating func add(_ name: String, _ value: JSONValue) { members[name] = value }

  static func norm(_ x: [Float]) -> Double { x.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot() }

  /// Of the elements that are there: values that lack in data are NaN in the reference, too.
  private static func normOfPresent(_ x: [Float]) -> Double { norm(x.filter { !$0.isNaN }) }

  private static func difference(_ x: [Float], _ y: [Float]) -> (norm: Double, most: Double) {
    var (sum, most) = (0.0, 0.0)
    for (a, b) in zip(x, y) where a != b && !(a.isNaN && b.isNaN) {
      let d = Double(a) - Double(b)
      sum += d * d
      most = d.isNaN ? .infinity : max(most, abs(d))
    }
    return (sum.squareRoot(), most)
  }

  /// The norm of the difference in units of the reference's norm, and the largest difference.
  mutating func compare(_ name: String, _ mine: [Float], _ theirs: [Float]) {
    guard mine.count == theirs.count else {
      members[name] = .object(["elements": .integer(mine.count), "expected_elements": .integer(theirs.count)])
      return
    }
    let (d, most) = CheckReport.difference(mine, theirs)
    let norm = CheckReport.normOfPresent(theirs)
    members[name] = .object(["relative_l2": .number(norm > 0 ? d / norm : d), "max_abs": .number(most)])
  }

  /// The largest relative error of several comparisons of the same name.
  mutating func keepWorst(_ name: String, _ mine: [Float], _ theirs: [Float]) {
    let norm = CheckReport.norm(theirs)
    let error = CheckReport.difference(mine, theirs).norm / (norm > 0 ? norm : 1)
    let worst = members[name]?["relative_l2"]?.double ?? 0
    members[name] = .object(["relative_l2": .number(error > worst || error.isNaN ? error : worst)])
  }

  mutating func compareLoss(_ name: String, _ mine: Double, _ theirs: Double) {
    members[name] = .object([
      "value": .number(mine), "expected": .number(theirs), "relative": .number(abs(mine - theirs) / abs(theirs)),
    ])
  }

  mutating func compareLosses(_ name: String, _ mine: [Double], _ theirs: [Double]) {
    // Not a number is worse than any error; `max` would pass it over.
    let worst = zip(mine, theirs).reduce(mine.count == theirs.count ? 0.0 : .nan) { worst, pair in
      let error = abs(pair.0 - pair.1) / abs(pair.1)
      return error <= worst ? worst : error
    }
    members[name] = .object([
      "values": .array(mine.map { .number($0) }), "expected": .array(theirs.map { .number($0) }),
      "relative": .number(worst),
    ])
  }

  /// Each parameter's error in units of the whole gradient's norm, and of its own unless that is zero by theory.
  mutating func compareGradients(
    _ name: String, _ pairs: [(name: String, mine: [Float], theirs: [Float])], zero: Set<String>
  ) {
    let total = pairs.reduce(0.0) { sum, pair in
      let norm = CheckReport.norm(pair.theirs)
      return sum + norm * norm
    }.squareRoot()
    var all: [String: JSONValue] = [:]
    var (ofTotal, ofOwn) = (("", 0.0), ("", 0.0))
    for pair in pairs {
      let d = CheckReport.difference(pair.mine, pair.theirs).norm
      let own = CheckReport.norm(pair.theirs)
      var entry: [String: JSONValue] = ["of_whole_norm": .number(d / total)]
      if d / total > ofTotal.1 || d.isNaN { ofTotal = (pair.name, d / total) }
      if !zero.contains(pair.name) && own > 0 {
        entry["of_own_norm"] = .number(d / own)
        if d / own > ofOwn.1 || d.isNaN { ofOwn = (pair.name, d / own) }
      }
      all[pair.name] = .object(entry)
    }
    members[name] = .object([
      "norm": .number(total), "parameters": .object(all),
      "worst_of_whole_norm": .object(["parameter": .string(ofTotal.0), "error": .number(ofTotal.1)]),
      "worst_of_own_norm": .object(["parameter": .string(ofOwn.0), "error": .number(ofOwn.1)]),
    ])
  }
}
