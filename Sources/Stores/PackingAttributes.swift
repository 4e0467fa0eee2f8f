import Basics

/// Reads the attributes of an array that say how its numbers are packed.
struct PackingAttributes {
  let array: ArrayInfo
  let location: String

  private func refusal(_ name: String, expected: String) -> JigsawError {
    JigsawError(
      "\(location): \(array.name)", "has a \(name) that can't be understood", expected: expected,
      found: array.attributes[name].map { $0.asJSON.line } ?? "nothing",
      remedy: "correct the attribute, for example with 'ncatted'")
  }

  /// `scale_factor`, `add_offset`: one number. Text is not taken for one, as xarray and netCDF4 don't.
  func factor(_ name: String) throws -> Double? {
    guard let value = array.attributes[name] else { return nil }
    guard let number = value.number, number.isFinite else { throw refusal(name, expected: "one number") }
    return number
  }

  /// `_Unsigned`, which holds for integers alone.
  func flipsSign() throws -> Bool {
    guard let value = array.attributes["_Unsigned"] else { return false }
    let isUnsigned: Bool
    switch value.text?.lowercased() ?? value.number.map({ "\($0)" }) {
    case "true", "1.0": isUnsigned = true
    case "false", "0.0": isUnsigned = false
    default: throw refusal("_Unsigned", expected: "\"true\" or \"false\"")
    }
    return array.type.isSigned.map { $0 == isUnsigned } ?? false
  }

  /// `_FillValue`, `missing_value`: any count of numbers. Text that is a number counts, as with netCDF4; text without a digit ("none")
  /// marks nothing.
  func marks(_ name: String) throws -> [Double] {
    guard let value = array.attributes[name] else { return [] }
    guard let marks = PackingAttributes.numbers(value) else { throw refusal(name, expected: "numbers") }
    return marks.filter { !$0.isNaN }
  }

  /// The same of an attribute of the dataset; what is no number there is a remark.
  static func wideMarks(_ value: AttributeValue?) -> [Double] {
    (value.flatMap(numbers) ?? []).filter { !$0.isNaN }
  }

  /// `valid_range`, or `valid_min` and `valid_max`. They are in stored numbers, but in unpacked ones when they are floating-point numbers
  /// beside packed integers (NetCDF User's Guide).
  func validRange(scale: Double, offset: Double, flipsSign: Bool) throws -> ClosedRange<Float>? {
    /// Numbers of an attribute, unpacked, and whether unpacking has reversed their order.
    func bounds(_ name: String, _ count: Int) throws -> (values: [Double], areTurned: Bool)? {
      guard let value = array.attributes[name] else { return nil }
      guard var found = PackingAttributes.numbers(value), found.count == count else {
        throw refusal(name, expected: count == 1 ? "one number" : "two numbers")
      }
      if !array.type.isFloatingPoint && array.realAttributes.contains(name) { return (found, false) }
      if flipsSign { found = found.map { array.type.otherSign($0) } }
      return (found.map { $0 * scale + offset }, scale < 0)
    }
    var (lower, upper) = (-Double.infinity, Double.infinity)
    func narrow(_ bound: Double, isLower: Bool) {
      if bound.isNaN { return }
      if isLower { lower = max(lower, bound) } else { upper = min(upper, bound) }
    }
    for name in ["valid_range", "valid_min", "valid_max"] {
      guard let (values, areTurned) = try bounds(name, name == "valid_range" ? 2 : 1) else { continue }
      if name != "valid_max" { narrow(values[0], isLower: !areTurned) }
      if name != "valid_min" { narrow(values[values.count - 1], isLower: areTurned) }
      guard lower <= upper else { throw refusal(name, expected: "a range that holds numbers") }
    }
    return lower == -.infinity && upper == .infinity ? nil : Float(lower)...Float(upper)
  }

  /// Nil for what can't be understood.
  private static func numbers(_ value: AttributeValue) -> [Double]? {
    switch value {
    case .numbers(let numbers): return numbers
    case .json: return nil
    case .text(let text): return numbers([text])
    case .texts(let texts): return numbers(texts)
    }
  }

  private static func numbers(_ texts: [String]) -> [Double]? {
    guard texts.contains(where: { $0.contains(where: \.isNumber) }) else { return [] }
    var numbers: [Double] = []
    for word in texts.flatMap({ $0.split { $0 == "," || $0.isWhitespace } }) {
      // The form is ncdump's: -999.f, -32767s.
      let plain = word.last.map { "fFdDsSbBlL".contains($0) } == true ? word.dropLast() : word
      guard let number = Double(word) ?? Double(plain.last == "." ? plain.dropLast() : plain) else { return nil }
      numbers.append(number)
    }
    return numbers
  }
}

extension ScalarType {
  /// Nil for floating-point numbers.
  var isSigned: Bool? {
    switch self {
    case .int8, .int16, .int32, .int64: true
    case .uint8, .uint16, .uint32, .uint64: false
    case .float16, .float32, .float64: nil
    }
  }

  /// The integers of the same width and the other sign.
  var withOtherSign: ScalarType {
    switch self {
    case .int8: .uint8
    case .uint8: .int8
    case .int16: .uint16
    case .uint16: .int16
    case .int32: .uint32
    case .uint32: .int32
    case .int64: .uint64
    case .uint64: .int64
    case .float16, .float32, .float64: self
    }
  }

  /// A number of this type as its bits read with the other sign; numbers that are of the other type already stay.
  func otherSign(_ number: Double) -> Double {
    guard let isSigned else { return number }
    let span = Double(sign: .plus, exponent: 8 * byteCount, significand: 1)
    if isSigned { return number < 0 && number >= -span / 2 ? number + span : number }
    return number >= span / 2 && number < span ? number - span : number
  }
}
