import Basics

/// The members of an object of a configuration, of which only some names are known.
struct Members {
  let place: String
  private let members: [String: JSONValue]

  /// - Throws: when the value is no object, or has members of other names.
  init(_ value: JSONValue, _ place: String, _ known: [String]) throws {
    guard let members = value.object else { throw JigsawError(place, "must be a group of settings") }
    self.place = place
    self.members = members
    if let other = members.keys.sorted().first(where: { !known.contains($0) }) {
      throw JigsawError(
        place, "no setting '\(other)'", expected: known.joined(separator: ", "),
        remedy: nearest(to: other, among: known).map { "did you mean '\($0)'?" })
    }
  }

  /// Nil where there is none, or null.
  func value(_ name: String) -> JSONValue? { members[name].flatMap { $0 == .null ? nil : $0 } }

  func missing(_ name: String) -> JigsawError { JigsawError(place, "has no \(name)") }

  private func wrong(_ name: String, _ expected: String) -> JigsawError {
    let found = members[name].flatMap { try? $0.text(pretty: false) } ?? "nothing"
    return JigsawError("\(place).\(name)", "has another value", expected: expected, found: found)
  }

  func object(_ name: String) throws -> JSONValue {
    guard let value = value(name) else { throw missing(name) }
    guard value.object != nil else { throw wrong(name, "a group of settings") }
    return value
  }

  func optionalString(_ name: String) throws -> String? {
    guard let value = value(name) else { return nil }
    guard let text = value.string else { throw wrong(name, "a name") }
    return text
  }

  func string(_ name: String) throws -> String {
    guard let text = try optionalString(name) else { throw missing(name) }
    return text
  }

  func integer(_ name: String) throws -> Int {
    guard let value = value(name) else { throw missing(name) }
    guard let number = value.integer else { throw wrong(name, "a whole number") }
    return number
  }

  func optionalNumber(_ name: String) throws -> Double? {
    guard let value = value(name) else { return nil }
    guard let number = value.double, number.isFinite else { throw wrong(name, "a number") }
    return number
  }

  func numbers(_ name: String) throws -> [Double] {
    guard let value = value(name) else { throw missing(name) }
    let numbers = value.array?.compactMap(\.double) ?? []
    guard !numbers.isEmpty, numbers.count == value.array?.count else { throw wrong(name, "a list of numbers") }
    return numbers
  }
}
