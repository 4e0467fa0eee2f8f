/// A unit of measurement as people and programs spell it, read as a product of powers: "m2 s-2", "m**2 s**-2", "m^2/s^2",
/// "meters per second", "hPa", "degC", "m of water equivalent". A small part of UDUNITS.
struct Unit: Equatable {
  /// In SI: value·factor + offset.
  var factor = 1.0
  var offset = 0.0
  var dimension = Dimension()

  /// Powers of SI's base units.
  struct Dimension: Hashable {
    var metre = 0
    var second = 0
    var kilogram = 0
    var kelvin = 0
    var radian = 0

    mutating func add(_ other: Dimension, times power: Int) {
      metre += other.metre * power
      second += other.second * power
      kilogram += other.kilogram * power
      kelvin += other.kelvin * power
      radian += other.radian * power
    }
  }

  /// Standard gravity, m s⁻² (WMO).
  static let gravity = 9.80665

  /// Nil for what is no product of known units.
  init?(_ text: String) {
    var text = text.filter { !$0.isNewline }.split(separator: " ").joined(separator: " ")
    for suffix in [" of water equivalent", " of water"] where text.hasSuffix(suffix) {
      text.removeLast(suffix.count)
    }
    if text.hasPrefix("["), text.hasSuffix("]") { text = String(text.dropFirst().dropLast()) }
    // "degrees K" is no angle times a temperature.
    for word in ["degrees ", "degree ", "deg ", "° "] where text.lowercased().hasPrefix(word) {
      text = "deg" + text.dropFirst(word.count)
    }
    // Names of pure numbers: of fractions, of numbers in tables.
    let isPure = text.hasPrefix("(Code table") || Unit.pure.contains(text.lowercased())
    if isPure { return }
    var divides = false
    var (count, units) = (0, 0)
    for piece in Unit.pieces(text) {
      if piece == "/" {
        guard !divides else { return nil }
        divides = true
        continue
      }
      guard let (unit, power) = Unit.power(piece) else { return nil }
      let sign = divides ? -power : power
      divides = false
      count += 1
      // 20 °C are 293.15 K, and so are 200 tenths of them, but 1 °C m⁻¹ is 1 K m⁻¹.
      if Double(piece) == nil {
        units += 1
        offset = units == 1 && sign == 1 ? unit.offset : 0
      }
      for _ in 0..<abs(sign) { factor = sign > 0 ? factor * unit.factor : factor / unit.factor }
      dimension.add(unit.dimension, times: sign)
    }
    if divides || count == 0 { return nil }
  }

  private init(_ factor: Double, _ dimension: Dimension, offset: Double = 0) {
    self.factor = factor
    self.offset = offset
    self.dimension = dimension
  }

  // MARK: Text

  private static let superscripts: [Character: Character] = [
    "⁰": "0", "¹": "1", "²": "2", "³": "3", "⁴": "4", "⁵": "5", "⁶": "6", "⁷": "7", "⁸": "8", "⁹": "9", "⁻": "-",
    "−": "-",
  ]

  /// "m**2/s" as "m2", "/", "s".
  private static func pieces(_ text: String) -> [String] {
    var pieces: [String] = []
    var word = ""
    func end() {
      // "m.s-1", but "0.01".
      if Double(word) == nil { pieces += word.split(separator: ".").map(String.init) } else { pieces.append(word) }
      word = ""
    }
    var rest = Substring(text)
    while let character = rest.popFirst() {
      switch character {
      case "*" where rest.first == "*": rest.removeFirst()
      case "^": break
      case "*", "·", " ": end()
      case "/":
        end()
        pieces.append("/")
      default: word.append(superscripts[character] ?? character)
      }
    }
    end()
    return pieces.filter { !$0.isEmpty }.map { $0.lowercased() == "per" ? "/" : $0 }
  }

  /// "s-1" as the second and -1; a number as a factor.
  private static func power(_ piece: String) -> (Unit, Int)? {
    if let number = Double(piece), number.isFinite, number > 0 { return (Unit(number, Dimension()), 1) }
    let symbol = piece.prefix { !$0.isNumber && $0 != "-" && $0 != "+" }
    let digits = piece.dropFirst(symbol.count)
    guard let power = digits.isEmpty ? 1 : Int(digits), (-9...9).contains(power), let unit = known(String(symbol))
    else { return nil }
    return (unit, power)
  }

  // MARK: Tables

  private static let pure: Set<String> = [
    "", "-", "~", "1", "(0 - 1)", "0 - 1", "(0-1)", "0-1", "0 to 1", "dimensionless", "unitless", "non-dimensional",
    "nondimensional", "non-dim", "nondim", "numeric", "fraction", "proportion", "code table", "none",
  ]

  private static func known(_ symbol: String) -> Unit? {
    if let unit = symbols[symbol] { return unit }
    let word = symbol.lowercased()
    if let unit = temperature(word) { return unit }
    if let unit = words[word] ?? (word.hasSuffix("s") ? words[String(word.dropLast())] : nil) { return unit }
    for (prefix, factor) in prefixes where symbol.hasPrefix(prefix) {
      if let unit = prefixable[String(symbol.dropFirst(prefix.count))] {
        return Unit(factor * unit.factor, unit.dimension)
      }
    }
    return nil
  }

  /// "degC", "degreesC", "degrees_Celsius", "deg_K": no angle times a temperature.
  private static func temperature(_ word: String) -> Unit? {
    guard let degree = ["degrees", "degree", "deg"].first(where: word.hasPrefix) else { return nil }
    switch word.dropFirst(degree.count).drop(while: { $0 == "_" }) {
    case "k", "kelvin": return kelvin
    case "c", "celsius": return celsius
    case "f", "fahrenheit": return fahrenheit
    default: return nil
    }
  }

  private static let prefixes: [(String, Double)] = [
    ("da", 10), ("h", 1e2), ("k", 1e3), ("M", 1e6), ("G", 1e9), ("d", 1e-1), ("c", 1e-2), ("m", 1e-3), ("µ", 1e-6),
    ("μ", 1e-6), ("u", 1e-6), ("n", 1e-9),
  ]

  private static let metre = Unit(1, Dimension(metre: 1))
  private static let kilometre = Unit(1e3, metre.dimension)
  private static let centimetre = Unit(1e-2, metre.dimension)
  private static let millimetre = Unit(1e-3, metre.dimension)
  private static let second = Unit(1, Dimension(second: 1))
  private static let gram = Unit(1e-3, Dimension(kilogram: 1))
  private static let kelvin = Unit(1, Dimension(kelvin: 1))
  private static let celsius = Unit(1, Dimension(kelvin: 1), offset: 273.15)
  private static let fahrenheit = Unit(5.0 / 9, Dimension(kelvin: 1), offset: 459.67 * 5 / 9)
  private static let pascal = Unit(1, Dimension(metre: -1, second: -2, kilogram: 1))
  private static let hectopascal = Unit(100, pascal.dimension)
  private static let bar = Unit(1e5, pascal.dimension)
  private static let minute = Unit(60, second.dimension)
  private static let hour = Unit(3_600, second.dimension)
  private static let day = Unit(86_400, second.dimension)
  private static let knot = Unit(1_852.0 / 3_600, Dimension(metre: 1, second: -1))
  private static let degree = Unit(.pi / 180, Dimension(radian: 1))
  private static let percent = Unit(1e-2, Dimension())
  /// Geopotential that lifts by a metre in standard gravity.
  private static let geopotentialMetre = Unit(gravity, Dimension(metre: 2, second: -2))

  private static let prefixable: [String: Unit] = [
    "m": metre, "s": second, "g": gram, "Pa": pascal, "bar": bar,
    "J": Unit(1, Dimension(metre: 2, second: -2, kilogram: 1)),
    "W": Unit(1, Dimension(metre: 2, second: -3, kilogram: 1)),
    "N": Unit(1, Dimension(metre: 1, second: -2, kilogram: 1)),
    "b": bar,
  ]

  private static let symbols: [String: Unit] = prefixable.filter { $0.key != "b" }.merging([
    // Spelled out, so that 1 kg is 1 and not 1000 · 0.001.
    "kg": Unit(1, Dimension(kilogram: 1)), "hPa": hectopascal, "mb": hectopascal, "mbar": hectopascal, "mm": millimetre,
    "min": minute, "h": hour, "hr": hour,
    "d": day,
    "K": kelvin, "°K": kelvin, "C": celsius, "°C": celsius, "℃": celsius, "ºC": celsius, "F": fahrenheit,
    "°F": fahrenheit,
    "°": degree,
    "rad": Unit(1, Dimension(radian: 1)),
    "%": percent, "‰": Unit(1e-3, Dimension()), "kt": knot, "kts": knot, "kn": knot,
    "gpm": geopotentialMetre, "gpdm": Unit(10 * gravity, geopotentialMetre.dimension),
    "gpdam": Unit(10 * gravity, geopotentialMetre.dimension),
  ]) { $1 }

  /// In lower case, without the plural's s.
  private static let words: [String: Unit] = [
    "metre": metre, "meter": metre, "kilometre": kilometre, "kilometer": kilometre, "centimetre": centimetre,
    "centimeter": centimetre, "millimetre": millimetre, "millimeter": millimetre, "second": second, "sec": second,
    "minute": minute, "hour": hour, "day": day, "gram": gram, "kilogram": Unit(1, Dimension(kilogram: 1)),
    "kelvin": kelvin, "celsius": celsius, "centigrade": celsius, "fahrenheit": fahrenheit, "pascal": pascal,
    "hectopascal": hectopascal, "hpascal": hectopascal, "hpa": hectopascal, "millibar": hectopascal,
    "mbar": hectopascal, "bar": bar, "percent": percent, "permille": Unit(1e-3, Dimension()), "knot": knot,
    "radian": Unit(1, Dimension(radian: 1)), "degree": degree, "deg": degree,
    "joule": Unit(1, Dimension(metre: 2, second: -2, kilogram: 1)),
    "watt": Unit(1, Dimension(metre: 2, second: -3, kilogram: 1)),
    "geopotential": Unit(gravity, Dimension(metre: 1, second: -2)),
    "geopotential_metre": geopotentialMetre, "geopotential_meter": geopotentialMetre,
  ]
}
